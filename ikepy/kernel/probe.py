"""Whether this kernel can do ESP, found out by installing a state that nobody can use and removing it.

Not here: which algorithms it has; the first child that asks for one it lacks is told so.
"""

from __future__ import annotations

import os
from errno import EACCES, EAFNOSUPPORT, EEXIST, EPERM, EPROTONOSUPPORT
from ipaddress import IPv4Address

from ikepy.crypto.secret import Secret
from ikepy.ike.errors import KernelRefused
from ikepy.ipsec import Mode, SaSpec, Spi
from ikepy.kernel.interface import KernelUnavailable
from ikepy.kernel.messages import MESSAGE_CLASSES, numbers
from ikepy.kernel.netlink import Connection, Refusal, open_netlink
from ikepy.kernel.translate import make_state, make_state_id
from ikepy.wire.registry import EncrId

_LOOPBACK = IPv4Address("127.0.0.1")


async def require_esp(reqid: int = 0) -> None:
    """Check that states can be installed; raises KernelUnavailable, which says what to do."""
    try:
        sock = open_netlink(numbers.NETLINK_XFRM)
    except OSError as error:
        raise explain(Refusal(error.errno or EPROTONOSUPPORT)) from error
    connection = Connection(sock, MESSAGE_CLASSES)
    spec = throw_away_state(reqid)
    try:
        added, _ = await connection.request([make_state(spec), make_state_id(spec.id, numbers.XFRM_MSG_DELSA)])
    except KernelRefused as error:
        raise KernelUnavailable(f"the kernel's IPsec cannot be reached: {error}") from error
    finally:
        connection.close()
    if added.refusal is not None and added.refusal.errno != EEXIST:
        raise explain(added.refusal)


def explain(refusal: Refusal) -> KernelUnavailable:
    """Say in one line what is missing and what to do about it."""
    if refusal.errno in (EPERM, EACCES):
        return KernelUnavailable("not allowed to change the kernel's IPsec tables: run as root or give CAP_NET_ADMIN")
    if refusal.errno in (EPROTONOSUPPORT, EAFNOSUPPORT):
        why = "it has no XFRM" if not refusal.words else refusal.words
    else:
        why = str(refusal)
    return KernelUnavailable(
        f"this kernel cannot do ESP ({why}): load esp4 and esp6 (modprobe esp4 esp6), "
        "or boot a kernel with CONFIG_XFRM_USER and CONFIG_INET_ESP"
    )


def throw_away_state(reqid: int) -> SaSpec:
    """A state that nobody can use: its key is forgotten."""
    spi = Spi(0x80000000 | int.from_bytes(os.urandom(3), "big"))
    key = Secret(os.urandom(20))
    return SaSpec(_LOOPBACK, _LOOPBACK, spi, Mode.TUNNEL, reqid, EncrId.AES_GCM_16, key)
