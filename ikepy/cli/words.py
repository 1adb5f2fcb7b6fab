"""Numbers and states in words, as `ikepy status` prints them.

Not here: what stands where (table.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_KIB = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_COLOURS: Mapping[str, str] = {
    "ESTABLISHED": "green",
    "INSTALLED": "green",
    "idle": "bright_black",
    "replaced": "bright_black",
}


def span(seconds: str) -> str:
    """A span for reading: `12 s`, `51 min`, `3 h 05 min`, `2 d 4 h`; nothing for what is no number."""
    if not seconds.isdigit():
        return ""
    total = int(seconds)
    if total < 2 * _MINUTE:
        return f"{total} s"
    if total < _HOUR:
        return f"{total // _MINUTE} min"
    if total < _DAY:
        return f"{total // _HOUR} h {total % _HOUR // _MINUTE:02} min"
    return f"{total // _DAY} d {total % _DAY // _HOUR} h"


def octets(count: str) -> str:
    """A count of octets for reading: `840 B`, `12.3 KiB`, `4.0 MiB`."""
    number = int(count) if count.isdigit() else 0
    if number < _KIB:
        return f"{number} B"
    scaled = float(number)
    for unit in _UNITS:
        scaled /= _KIB
        if scaled < _KIB or unit == _UNITS[-1]:
            return f"{scaled:.1f} {unit}"
    raise AssertionError(count)


def counted(number: int, one: str, many: str) -> str:
    """`1 child`, `2 children`."""
    return f"{number} {one if number == 1 else many}"


def colour(state: str) -> Style:
    """What is well is green, what nobody uses grey, and all else yellow."""
    return Style.parse(_COLOURS.get(state, "yellow"))
