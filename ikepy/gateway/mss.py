"""MSS clamping: forwarded TCP connections are told to send segments that fit into the tunnel (RFC 9293 §3.7.1).

Two rules for each request ID, in one table at the forward hook, which look at SYN and SYN-ACK only and never raise an
MSS. Out of the host into the tunnel the kernel knows what the way carries at that instant (`rt mtu` of a route that
leads into IPsec); out of the tunnel it does not, and a number stands there, reckoned when the child came or moved.

Rule 1: packets are told by the request ID of the SA they go or came through, so nothing else is ever touched.
Rule 2: a rule comes with the first child that wants it and goes with the last; the table likewise.
Rule 3: a child is up without its clamp where nftables cannot do it: one warning says so, nothing fails.
Not here: the arithmetic (overhead.py), running nft (nft.py).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ikepy.gateway.nft import INSTALL, Json, Nft, NftError
from ikepy.ipsec import ChildSaSpec, Owner
from ikepy.overhead import segment_octets, tunnel_segment

_log = logging.getLogger("ikepy.gateway")

FAMILY = "inet"
_CHAIN = "forward"
_PRIORITY = -150  # mangle
_VERSIONS = {4: "ipv4", 6: "ipv6"}


@dataclass(frozen=True, slots=True)
class Clamp:
    """What is wanted for the packets of one request ID.

    outward      the MSS of packets into the tunnel; None goes by what the route carries at that instant
    inward       the MSS of packets out of the tunnel, (IPv4, IPv6)
    """

    reqid: int
    outward: int | None
    inward: tuple[int, int]


def clamp_of(child: ChildSaSpec, path_mtu: int) -> Clamp | None:
    """The clamp of a child whose outer path carries path_mtu octets; None where it wants none."""
    if child.mss_clamp is None:
        return None
    segment = child.mss_clamp.segment
    if segment is not None:
        return Clamp(child.outbound.reqid, segment, (segment, segment))
    fits = [tunnel_segment(child.outbound, path_mtu, version) for version in _VERSIONS]
    if child.mtu is not None:
        fits = [min(each, segment_octets(child.mtu, version)) for each, version in zip(fits, _VERSIONS, strict=True)]
    return Clamp(child.outbound.reqid, None, (fits[0], fits[1]))


def table_name(reqid_base: int) -> str:
    """The table of the daemon whose request IDs begin there: daemons side by side differ in these."""
    return f"ikepy_{reqid_base:08x}"


class MssClamps:
    """The clamps of one daemon.

    nft   None where this host has no such program
    """

    def __init__(self, nft: Nft | None, reqid_base: int) -> None:
        self._nft = nft
        self._table = table_name(reqid_base)
        self._held: dict[Owner, Clamp] = {}
        self._warned = False

    async def hold(self, owner: Owner, clamp: Clamp | None) -> None:
        """Have a clamp for as long as this owner (or another of the same request ID) wants it; the latest one counts."""
        before = self._wanted()
        self._held.pop(owner, None)
        if clamp is not None:
            self._held[owner] = clamp
        await self._follow(before)

    def holds(self, owner: Owner) -> bool:
        """Whether an owner has a clamp."""
        return owner in self._held

    async def release(self, owner: Owner) -> None:
        """Forget what an owner wanted; nothing where it wanted nothing."""
        before = self._wanted()
        self._held.pop(owner, None)
        await self._follow(before)

    async def sweep(self) -> None:
        """Remove the table that an earlier daemon of ours left behind."""
        if self._nft is None:
            return
        try:
            if await self._nft.list_table(FAMILY, self._table) is not None:
                await self._nft.delete_table(FAMILY, self._table)
                _log.warning("the nftables table %s %s of an earlier daemon is removed", FAMILY, self._table)
        except NftError as error:
            _log.debug("no nftables table of an earlier daemon can be looked for: %s", error)

    async def remove_everything(self) -> None:
        """Forget all, and remove the table."""
        before = self._wanted()
        self._held.clear()
        await self._follow(before)

    def _wanted(self) -> dict[int, Clamp]:
        return {clamp.reqid: clamp for clamp in self._held.values()}

    async def _follow(self, before: dict[int, Clamp]) -> None:
        wanted = self._wanted()
        if wanted == before:
            return
        if self._nft is None:
            self._warn(INSTALL)
            return
        try:
            if wanted:
                await self._nft.apply(make_table(self._table, list(wanted.values())))
            else:
                await self._nft.delete_table(FAMILY, self._table)
        except NftError as error:
            self._warn(f"{error}; the kernel needs CONFIG_NF_TABLES_INET and CONFIG_NFT_XFRM (Linux 4.20)")

    def _warn(self, why: str) -> None:
        """Say once that nothing is clamped, and what to do."""
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        _log.log(level, "the MSS of TCP connections is not clamped (mss_clamp): %s", why)


def make_table(name: str, clamps: list[Clamp]) -> list[Json]:
    """The commands that make the table anew, in one transaction: nothing passes in between."""
    table = {"table": {"family": FAMILY, "name": name}}
    place = {"family": FAMILY, "table": name}
    hook = {"type": "filter", "hook": "forward", "prio": _PRIORITY, "policy": "accept"}
    commands: list[Json] = [{"add": table}, {"delete": table}, {"add": table}]
    commands.append({"add": {"chain": {**place, "name": _CHAIN, **hook}}})
    rules = [rule for clamp in clamps for rule in _rules(clamp)]
    return [*commands, *({"add": {"rule": {**place, "chain": _CHAIN, "expr": rule}}} for rule in rules)]


def _rules(clamp: Clamp) -> list[list[Json]]:
    outward: object = clamp.outward if clamp.outward is not None else {"rt": {"key": "mtu"}}
    rules = [[_through("out", clamp.reqid), _IS_SYN, _set_mss(outward)]]
    for (_, protocol), segment in zip(_VERSIONS.items(), clamp.inward, strict=True):
        version = _equal({"meta": {"key": "nfproto"}}, protocol)
        rules.append([_through("in", clamp.reqid), version, _IS_SYN, _set_mss(segment)])
    return rules


def _equal(left: Json, right: object) -> Json:
    return {"match": {"op": "==", "left": left, "right": right}}


def _through(direction: str, reqid: int) -> Json:
    """Whether a packet is to be protected by, or came through, an SA of that request ID."""
    return _equal({"ipsec": {"key": "reqid", "dir": direction, "spnum": 0}}, reqid)


def _set_mss(value: object) -> Json:
    # The kernel writes it only where that lowers the option, and adds none (nft_exthdr).
    return {"mangle": {"key": {"tcp option": {"name": "maxseg", "field": "size"}}, "value": value}}


_IS_SYN = _equal({"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, {"|": ["syn", "rst"]}]}, "syn")
