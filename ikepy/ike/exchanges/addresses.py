"""The configuration payload in IKE_AUTH: addresses lent, and addresses taken (RFC 7296 §2.19, §3.15, RFC 8598).

Rule 1: a peer that gets no address gets no child, and keeps its IKE SA (§3.15.4).
Rule 2: addresses are asked for once, with the IKE SA's first child; later children have the same.
Not here: what attributes mean (ike/configuration.py), pools (leases/), the kernel (kernel/).
"""

from __future__ import annotations

from ikepy.config.access import PoolConfig
from ikepy.config.groups import Rights, lease_identity
from ikepy.config.model import Config, ConnectionConfig
from ikepy.ike.admission import (
    Admission,
    ConfigurationRequired,
    HoldAddresses,
    LendAddresses,
    Wanted,
)
from ikepy.ike.configuration import Requested, make_reply, make_request, offer_of, read_reply, read_request
from ikepy.ike.effects import PeerAuthenticated
from ikepy.ike.errors import LocalFault
from ikepy.ike.exchanges.view import SaView
from ikepy.ike.phases import Contact
from ikepy.wire.base import Payload
from ikepy.wire.cp import Cp
from ikepy.wire.registry import CfgType


class NoAddressGiven(LocalFault):
    """The gateway gave us no address, and we want one."""


async def lend(
    sa: SaView, connection: ConnectionConfig, proven: PeerAuthenticated, rights: Rights, contact: Contact, cp: Cp | None
) -> tuple[Admission, tuple[Payload, ...]]:
    """Give a peer what it asks for and may have, and word the answer.

    Raises AddressesRefused, ConfigurationRequired, WireError.
    """
    pools = rights.pools or connection.pools
    if cp is None or cp.type is not CfgType.CFG_REQUEST:
        if pools:
            raise ConfigurationRequired(
                f"the peer asks for no address, and connection {connection.name} has pools: "
                "configure its client to ask for one (vips)"
            )
        return Admission(rights), ()
    requested = read_request(cp)
    wanted = _wanted(requested)
    if not pools or not wanted:
        return Admission(rights), ()
    again = sa.leases_of_earlier(contact, frozenset(each.address for each in wanted))
    leases = await LendAddresses(pools, lease_identity(proven.proof, proven.identity), wanted, again, rights.groups)
    gateway = sa.config.gateway
    admission = Admission(rights, leases, asks_by_dhcp=gateway is not None and gateway.dhcp and sa.quirks.asks_by_dhcp)
    used = {lease.pool for lease in leases}
    offer = offer_of([pool for pool in _named(sa.config, pools) if pool.name in used], rights, admission.lent)
    sa.decided(f"the peer gets {', '.join(f'{lease.address} of {lease.pool}' for lease in leases)}")
    return admission, (make_reply(offer, requested),)


def ask(connection: ConnectionConfig) -> tuple[Payload, ...]:
    """Ask a gateway for the addresses the connection wants; nothing where it wants none."""
    return (make_request(connection.vips),) if connection.vips else ()


async def take(sa: SaView, connection: ConnectionConfig, cp: Cp | None) -> Admission:
    """Have the addresses that a gateway gave us; raises NoAddressGiven, KernelRefused, WireError."""
    if not connection.vips:
        return Admission()
    given = read_reply(cp) if cp is not None and cp.type is CfgType.CFG_REPLY else None
    if given is None or not given.addresses:
        raise NoAddressGiven("the gateway gave us no address: its log says why; without `vips` we ask for none")
    await HoldAddresses(given.addresses, connection.interface)
    sa.decided(f"the gateway gives us {', '.join(map(str, given.addresses))}")
    return Admission(given=given.addresses, dns=given.dns, domains=given.domains, subnets=given.subnets)


def _wanted(requested: Requested) -> tuple[Wanted, ...]:
    v4 = (Wanted(4, address) for address in requested.v4)
    v6 = (Wanted(6, address) for address in requested.v6)
    return (*v4, *v6)


def _named(config: Config, names: tuple[str, ...]) -> list[PoolConfig]:
    return [pool for name in names for pool in config.pools if pool.name == name]
