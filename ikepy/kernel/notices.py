"""What the kernel says unasked: acquire, expire, mapping; and what it must have said when some of that was lost.

Rule 1: only what concerns our request IDs is passed on.
Rule 2: when the daemon is slow, notices wait in the kernel; when the kernel's queue overflows (ENOBUFS), a dump finds
        what can still be found: states that are gone or have passed a soft limit. An ACQUIRE or a MAPPING that was
        lost is sent again by the kernel with the next packet.
Not here: addresses (links.py), what is done about a notice (ike/).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from errno import ENOBUFS

import trio
from pyroute2.netlink import nlmsg

from ikepy.ike.events import Acquire, Expire, KernelEvent, Mapping
from ikepy.ipsec import SaId, SaSpec
from ikepy.kernel.addresses import unpack_address
from ikepy.kernel.interface import KernelLosses
from ikepy.kernel.messages import MESSAGE_CLASSES, numbers, xfrm_message
from ikepy.kernel.messages.structures import XFRM_INF, xfrm_usersa_info
from ikepy.kernel.netlink import open_netlink, split
from ikepy.kernel.translate import read_selector, read_state_id, state_id

GROUPS = sum(
    1 << (group - 1) for group in (numbers.XFRMNLGRP_ACQUIRE, numbers.XFRMNLGRP_EXPIRE, numbers.XFRMNLGRP_MAPPING)
)

Tell = Callable[[KernelEvent], Awaitable[None]]


def read_notice(message: xfrm_message, is_ours: Callable[[int], bool]) -> KernelEvent | None:
    """Word a notice; None where it is not about us."""
    match message["header"]["type"]:
        case numbers.XFRM_MSG_ACQUIRE:
            templates = message.get_attr("XFRMA_TMPL") or ()
            if not templates or not is_ours(templates[0].reqid):
                return None
            return Acquire(read_selector(message["sel"]), templates[0].reqid)
        case numbers.XFRM_MSG_EXPIRE:
            state: xfrm_usersa_info = message["state"]
            return Expire(state_id(state), message["hard"]) if is_ours(state.reqid) else None
        case numbers.XFRM_MSG_MAPPING if is_ours(message["reqid"]):
            address = unpack_address(message["new_saddr"], message["id"].family)
            return Mapping(read_state_id(message["id"]), address, message["sports"][1])
    return None


def missed(found: Iterable[xfrm_message], known: Iterable[SaSpec], now: float) -> tuple[Expire, ...]:
    """What expired unheard: which of our states a dump does not show any more, or shows beyond a soft limit.

    now   seconds since the epoch
    """
    infos: dict[SaId, xfrm_usersa_info] = {state_id(message["sa"]): message["sa"] for message in found}
    gone = [Expire(spec.id, hard=True) for spec in known if spec.id not in infos]
    soft = [
        Expire(spec.id, hard=False) for spec in known if spec.id in infos and _is_past_soft_limit(infos[spec.id], now)
    ]
    return (*gone, *soft)


def _is_past_soft_limit(info: xfrm_usersa_info, now: float) -> bool:
    limits, used = info.lft, info.curlft
    if XFRM_INF != limits.soft_byte_limit <= used.bytes or XFRM_INF != limits.soft_packet_limit <= used.packets:
        return True
    seconds = limits.soft_add_expires_seconds
    return bool(seconds) and used.add_time + seconds <= now


class Notices:
    """The socket that notices come by.

    is_ours   tells our request IDs
    resync    what to tell after a loss
    """

    def __init__(
        self,
        is_ours: Callable[[int], bool],
        resync: Callable[[], Awaitable[Iterable[KernelEvent]]],
        losses: KernelLosses,
        buffer_octets: int,
    ) -> None:
        self._is_ours = is_ours
        self._resync = resync
        self._losses = losses
        self._sock = open_netlink(numbers.NETLINK_XFRM, GROUPS, buffer_octets)
        self._buffer = bytearray(1 << 16)

    def close(self) -> None:
        """Stop listening."""
        self._sock.close()

    async def listen(self, tell: Tell) -> None:
        """Pass on what the kernel says, for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            for event in await self._read():
                await tell(event)

    async def _read(self) -> Iterable[KernelEvent]:
        octets = read_or_overrun(self._sock, self._buffer)
        if octets is None:
            self._losses.overruns += 1
            return await self._resync()
        return [event for event in map(self._word, parse(octets)) if event is not None]

    def _word(self, message: xfrm_message) -> KernelEvent | None:
        return read_notice(message, self._is_ours)


def read_or_overrun(sock: socket.socket, buffer: bytearray) -> bytes | None:
    """Read once; empty where there is nothing to read, None where the kernel's queue overflowed."""
    try:
        count, sender = sock.recvfrom_into(buffer)
    except BlockingIOError:
        return b""
    except OSError as error:
        if error.errno == ENOBUFS:
            return None
        raise
    return bytes(buffer[:count]) if sender[0] == 0 else b""


def parse(octets: bytes) -> list[nlmsg]:
    """The messages in what was read, those whose type is known."""
    found = []
    for kind, _, _, message in split(octets):
        message_class = MESSAGE_CLASSES.get(kind)
        if message_class is not None:
            decoded = message_class(message)
            decoded.decode()
            found.append(decoded)
    return found


def epoch() -> float:
    """Seconds since the epoch, which the kernel's add_time counts."""
    return time.time()
