"""Settings of the kernel under /proc/sys/net: which a gateway needs, what they were, setting them and taking that back.

    forwarding       of each family that the pools have
    accept_ra        a host that forwards listens to routers only with 2: else its own default route would time out
    send_redirects   0: clients come in and go out by the same interface, and would be told to go there in clear
    proxy_ndp        of the interfaces on which clients' addresses are answered for
    rp_filter        from strict to loose: answers to a client go another way than its packets came

Rule 1: what is right already is not touched.
Rule 2: a setting that resets others (ip_forward, forwarding) is set before them, and these are put back as they were.
Not here: the journal's file (journal.py).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ikepy.gateway.journal import SysctlChange

_log = logging.getLogger("ikepy.gateway")

PLACE = Path("/proc/sys")
_NAME = re.compile(r"net/(?:ipv4|ipv6)/(?:conf/[^/\s]{1,15}/)?[a-z_]{1,32}")
_SWITCHES = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
_RESET = ("/forwarding", "conf/all/accept_redirects")
"What those give another value, of all interfaces."
_STRICT, _LOOSE = "1", "2"
_LISTENS, _LISTENS_THOUGH_FORWARDING = "1", "2"


class Sysctls:
    """The settings below a directory."""

    def __init__(self, place: Path = PLACE) -> None:
        self._place = place

    def plan(self, families: Iterable[int], proxied: Iterable[str] = ()) -> tuple[SysctlChange, ...]:
        """What is to be changed for clients of these families, in the order in which it is to be done.

        proxied  interfaces on which IPv6 addresses are answered for
        """
        wanted: dict[str, str] = {}
        for family in families:
            wanted |= self._wanted4() if family == 4 else self._wanted6()  # noqa: PLR2004 - IPv4
        wanted |= {f"net/ipv6/conf/{interface}/proxy_ndp": "1" for interface in proxied}
        found = ((name, self.read(name), value) for name, value in wanted.items())
        # What a switch resets when it is put back is written down even where it is right at present.
        switches = {_of(name) for name in _SWITCHES if wanted.get(name, "") != (self.read(name) or "")}
        return tuple(
            SysctlChange(name, before, ours)
            for name, before, ours in found
            if before is not None and (before != ours or (_of(name) in switches and name.endswith(_RESET)))
        )

    def read(self, name: str) -> str | None:
        """A setting's value; None where the kernel has none."""
        try:
            return (self._place / name).read_text().strip()
        except OSError:
            return None

    def apply(self, changes: Iterable[SysctlChange]) -> None:
        """Set them; raises OSError."""
        for change in changes:
            (self._place / change.name).write_text(change.ours)

    def undo(self, changes: Iterable[SysctlChange]) -> None:
        """Put back what is still ours; in their order, for what one resets with it stands behind it."""
        known = [change for change in changes if _NAME.fullmatch(change.name) and ".." not in change.name]
        are_now = {change.name: self.read(change.name) for change in known}
        for change in known:
            is_now = are_now[change.name]
            if is_now is None:
                continue
            if is_now not in (change.ours, change.before):
                _log.warning("%s was changed by somebody else since, and stays %s", dotted(change.name), is_now)
                continue
            if self.read(change.name) != change.before:
                with suppress(OSError):
                    (self._place / change.name).write_text(change.before)

    def _wanted4(self) -> dict[str, str]:
        found = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/accept_redirects": "0"}
        for interface in self._interfaces("ipv4"):
            conf = f"net/ipv4/conf/{interface}"
            found[f"{conf}/forwarding"] = "1"
            found[f"{conf}/send_redirects"] = "0"
            if self.read(f"{conf}/rp_filter") == _STRICT:
                found[f"{conf}/rp_filter"] = _LOOSE
        return found

    def _wanted6(self) -> dict[str, str]:
        found = {}
        for interface in self._interfaces("ipv6"):
            conf = f"net/ipv6/conf/{interface}"
            if self.read(f"{conf}/accept_ra") == _LISTENS and interface not in {"lo", "default"}:
                found[f"{conf}/accept_ra"] = _LISTENS_THOUGH_FORWARDING
        found["net/ipv6/conf/all/forwarding"] = "1"
        for interface in self._interfaces("ipv6"):
            found[f"net/ipv6/conf/{interface}/forwarding"] = "1"
        return found

    def _interfaces(self, family: str) -> Iterator[str]:
        """All that have settings, `all` and `default` first."""
        with suppress(OSError):
            names = sorted(each.name for each in (self._place / "net" / family / "conf").iterdir())
            yield from sorted(
                names, key=lambda name: ("all", "default").index(name) if name in ("all", "default") else 2
            )


def _of(name: str) -> str:
    """The family of a setting, as it is in its name."""
    return name.split("/")[1]


def dotted(name: str) -> str:
    """A setting's name as sysctl(8) writes it."""
    return name.replace(".", "\0").replace("/", ".").replace("\0", "/")
