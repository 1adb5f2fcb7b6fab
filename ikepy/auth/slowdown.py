"""Guessing passwords made slow: after five wrong ones, for that source and for that name.

    failures       5    6    7    8    9    10 and more
    seconds        1    2    4    8   16    30

Rule 1: a name is slowed wherever guesses come from, a source whatever names it tries; the longer wait counts.
Rule 2: nobody is locked out: a wait is at most half a minute, so that who guesses cannot keep the user away.
Rule 3: a right password makes its name clean, never its source: else who has one account could guess at others.
Rule 4: memory is bounded; what failed longest ago is forgotten first.
Not here: waiting (the caller's), whether a password is right (users.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from ikepy.ipsec import IpAddress

FREE_FAILURES = 4
"Wrong passwords that cost nothing: people mistype."
LONGEST_SECONDS = 30.0
FORGOTTEN_SECONDS = 900.0
"After as long without a failure, a source or a name begins anew."
MOST_ENTRIES = 16384
_IPV6_SITE_BITS = 64
_MOST_NAME_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    last: float


class Slowdown:
    """Counts wrong passwords by source and by name; `now` is in seconds, of any clock that does not go back."""

    def __init__(self, most_entries: int = MOST_ENTRIES) -> None:
        self._most = most_entries
        self._sources: OrderedDict[Hashable, _Failures] = OrderedDict()
        self._names: OrderedDict[Hashable, _Failures] = OrderedDict()

    def wait(self, source: IpAddress, name: str, now: float) -> float:
        """Seconds to wait before the next attempt is looked at; 0 for most."""
        until = max(_until(self._sources.get(_site(source))), _until(self._names.get(_folded(name))))
        return max(0.0, until - now)

    def failed(self, source: IpAddress, name: str, now: float) -> float:
        """Count a wrong password, of a user who exists or not; return the wait from now on."""
        self._count(self._sources, _site(source), now)
        self._count(self._names, _folded(name), now)
        return self.wait(source, name, now)

    def succeeded(self, name: str) -> None:
        """Make a name clean, since its password was right."""
        self._names.pop(_folded(name), None)

    def __len__(self) -> int:
        return len(self._sources) + len(self._names)

    def _count(self, entries: OrderedDict[Hashable, _Failures], key: Hashable, now: float) -> None:
        before = entries.pop(key, None)
        count = before.count if before is not None and now - before.last < FORGOTTEN_SECONDS else 0
        entries[key] = _Failures(min(count + 1, 1 << 16), now)
        while entries and (len(entries) > self._most or now - next(iter(entries.values())).last >= FORGOTTEN_SECONDS):
            entries.popitem(last=False)


def _until(failures: _Failures | None) -> float:
    """The instant up to which nothing is looked at."""
    if failures is None or failures.count <= FREE_FAILURES:
        return 0.0
    doublings = min(failures.count - FREE_FAILURES - 1, 16)
    return failures.last + min(float(1 << doublings), LONGEST_SECONDS)


def _site(source: IpAddress) -> Hashable:
    """Whom an address belongs to: one host of IPv4, a /64 of IPv6."""
    if isinstance(source, IPv6Address):
        return IPv6Network((source, _IPV6_SITE_BITS), strict=False).network_address
    return source


def _folded(name: str) -> str:
    r"""A name as it counts: `CORP\Alice` and `alice` are one, and a long one costs no more than a short one."""
    return name.rpartition("\\")[2].casefold()[:_MOST_NAME_CHARACTERS]
