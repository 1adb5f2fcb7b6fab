"""Reading what a client asks for: texts, numbers, spans, yes and no.

Rule 1: what is there and cannot be read is refused: a filter that is ignored would mean every SA.
Not here: what is done with it (commands.py).
"""

from __future__ import annotations

from ikepy.control.codec import Section

_MOST_DIGITS = 18
_YES, _NO = frozenset({"yes", "true", "1", "enabled"}), frozenset({"no", "false", "0", "disabled"})


class BadRequest(Exception):
    """A request that makes no sense; the message is the client's `errmsg`."""


def text(request: Section, name: str) -> str | None:
    """A text; None where it is missing or empty. Raises BadRequest where it is a list or section."""
    value = request.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a text")
    return value or None


def number(request: Section, name: str) -> int | None:
    """A whole number, perhaps negative; None where it is missing. Raises BadRequest."""
    found = text(request, name)
    if found is None:
        return None
    digits = found.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise BadRequest(f"{name} must be a whole number, not {found[:40]!r}")
    return int(found)


def flag(request: Section, name: str) -> bool:
    """Yes or no; no where it is missing. Raises BadRequest."""
    found = text(request, name)
    if found is None or found in _NO:
        return False
    if found in _YES:
        return True
    raise BadRequest(f"{name} must be yes or no, not {found[:40]!r}")


def wait_seconds(request: Section) -> float | None:
    """How long to wait for the outcome: `timeout` is in milliseconds, 0 or none for ever (None), below 0 not at all (0)."""
    milliseconds = number(request, "timeout") or 0
    if milliseconds == 0:
        return None
    return max(milliseconds, 0) / 1000
