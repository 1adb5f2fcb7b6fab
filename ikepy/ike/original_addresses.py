"""Transport mode through a NAT: selectors as the peer wrote them, and as packets have them here (RFC 7296 §2.23.1).

    client 10.0.0.7 - NAT 203.0.113.9 - server 192.0.2.2

The client offers 10.0.0.7 = 192.0.2.2; at the server its packets come from 203.0.113.9. So each side puts the addresses of
its IKE SA in the place of those it was sent, before it compares, narrows or installs anything, and answers with the
result; what stood there is kept: it is the address the peer has (NAT-OA, RFC 3948 §3.1.2).

Rule 1: a set of selectors is changed only where all of the path's family are of one and the same address (§2.23.1).
Rule 2: an address that differs where no NAT was found is no selector of the peer's, and no child comes of it.
Not here: narrowing (narrowing.py), what was found of NATs (nat.py), what a kernel is told (child.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikepy.ike.errors import TsUnacceptable
from ikepy.ike.narrowing import host_selector
from ikepy.ike.nat import NatFindings
from ikepy.ipsec import IpAddress
from ikepy.wire.ts import TrafficSelector

Selectors = tuple[TrafficSelector, ...]


@dataclass(frozen=True, slots=True)
class OriginalAddresses:
    """The addresses that stood in the peer's selectors, ours and the peer's; None where the path has the same."""

    local: IpAddress | None = None
    remote: IpAddress | None = None

    def check(self, nat: NatFindings) -> None:
        """See to it that a NAT explains each; raises TsUnacceptable."""
        for original, is_behind, whose in ((self.local, nat.local, "us"), (self.remote, nat.remote, "the peer")):
            if original is not None and not is_behind:
                raise TsUnacceptable(
                    f"the peer's selectors have {original} for {whose}, in transport mode, and the IKE SA does not: "
                    "no NAT was found there that would explain it"
                )

    def __str__(self) -> str:
        worded = ((self.local, "us"), (self.remote, "the peer"))
        return ", ".join(f"{original} for {whose}" for original, whose in worded if original is not None)


NO_ORIGINALS = OriginalAddresses()
"""Where nothing was put in another's place."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """The two addresses of an IKE SA's path: ours and the peer's, as we see them."""

    here: IpAddress
    there: IpAddress

    def seen(self, local: Selectors, remote: Selectors) -> tuple[Selectors, Selectors, OriginalAddresses]:
        """A peer's selectors for transport mode, between these addresses; and what stood there."""
        ours, original_local = _seen_as(local, self.here)
        theirs, original_remote = _seen_as(remote, self.there)
        return ours, theirs, OriginalAddresses(original_local, original_remote)

    def moved(self, selectors: Selectors, to: Hosts) -> Selectors:
        """The selectors of a child in transport mode, now that it is between other addresses."""
        instead = {self.here: to.here, self.there: to.there}
        return tuple(_at(each, instead.get(each.start, each.start)) if _is_host(each) else each for each in selectors)


def _seen_as(selectors: Selectors, address: IpAddress) -> tuple[Selectors, IpAddress | None]:
    family = [each for each in selectors if each.start.version == address.version]
    written = {each.start for each in family}
    if len(written) != 1 or not all(map(_is_host, family)) or address in written:
        return selectors, None
    seen = tuple(_at(each, address) if each in family else each for each in selectors)
    return tuple(dict.fromkeys(seen)), written.pop()


def _is_host(selector: TrafficSelector) -> bool:
    return selector.start == selector.end


def _at(selector: TrafficSelector, address: IpAddress) -> TrafficSelector:
    return replace(selector, type=host_selector(address).type, start=address, end=address)
