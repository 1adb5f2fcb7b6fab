"""What `dynamic` stands for on each side of an IKE SA, and what of ours the peer reaches (RFC 7296 §2.9, §2.19).

    ours     the address we have on the path; or what the gateway gave us
    theirs   the address the peer has on the path; or what we lent it, and then nothing else
    reach    what the groups of the peer allow of local_ts; None is all
    informs  whether a client asks by DHCPINFORM: 255.255.255.255 is ours then too
    hosts    the addresses of the path: in transport mode the only ones there are

Rule 1: a client with addresses of ours uses these and no others, whatever remote_ts says: else it could be anybody.
Not here: narrowing itself (narrowing.py), lending (exchanges/addresses.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from ikepy.config.model import ChildConfig
from ikepy.ike.actions import Path
from ikepy.ike.admission import NO_ADMISSION, Admission
from ikepy.ike.narrowing import host_selector, narrow
from ikepy.ike.original_addresses import Hosts
from ikepy.ipsec import IpAddress
from ikepy.wire.ts import TrafficSelector

Selectors = tuple[TrafficSelector, ...]
_ANYWHERE = {
    4: TrafficSelector.from_network(ip_network("0.0.0.0/0")),
    6: TrafficSelector.from_network(ip_network("::/0")),
}
_BROADCAST = TrafficSelector.from_network(ip_network("255.255.255.255/32"))


@dataclass(frozen=True, slots=True)
class Ends:
    """Both sides of an IKE SA, to its children; bound is what the peer is held to, None for nothing."""

    ours: Selectors
    theirs: Selectors
    hosts: Hosts
    bound: Selectors | None = None
    reach: Selectors | None = None
    informs: bool = False

    def local_of(self, child: ChildConfig) -> Selectors:
        """Our side of a child."""
        local = child.local_ts or self.ours
        reached = local if self.reach is None else narrow(local, self.reach)
        return (*reached, _BROADCAST) if self.informs and not narrow(reached, (_BROADCAST,)) else reached

    def meant(self, offered: Selectors) -> Selectors:
        """What a peer offers of its side: no address at all, 0.0.0.0/32, stands for those it was lent (OpenIKED)."""
        if self.bound is None or not any(_is_placeholder(each) for each in offered):
            return offered
        found: list[TrafficSelector] = []
        for each in offered:
            lent = [lease for lease in self.bound if lease.start.version == each.start.version]
            found += [replace(each, start=one.start, end=one.end) for one in lent] if _is_placeholder(each) else [each]
        return tuple(found)

    def remote_of(self, child: ChildConfig) -> Selectors:
        """The peer's side of a child."""
        remote = child.remote_ts or self.theirs
        return remote if self.bound is None else narrow(remote, self.bound)


def ends_of(path: Path, admission: Admission = NO_ADMISSION) -> Ends:
    """The ends of an authenticated IKE SA; of one that is not, those of its path."""
    ours = tuple(host_selector(address) for address in admission.given or (path.local.host,))
    lent = tuple(host_selector(address) for address in admission.lent)
    theirs = lent or (host_selector(path.remote.host),)
    return Ends(ours, theirs, _hosts_of(path), lent or None, admission.rights.subnets, admission.asks_by_dhcp)


def ends_before_answer(path: Path, asked: tuple[IpAddress, ...]) -> Ends:
    """The ends as a client offers them that asks for addresses: any of a family it gets (RFC 7296 §2.19)."""
    if not asked:
        return ends_of(path)
    ours = tuple(_ANYWHERE[each.version] if _is_any(each) else host_selector(each) for each in asked)
    return Ends(tuple(dict.fromkeys(ours)), ends_of(path).theirs, _hosts_of(path))


def _hosts_of(path: Path) -> Hosts:
    return Hosts(path.local.host, path.remote.host)


def _is_placeholder(selector: TrafficSelector) -> bool:
    return selector.start == selector.end and selector.start.is_unspecified


def _is_any(address: IPv4Address | IPv6Address) -> bool:
    return address.is_unspecified
