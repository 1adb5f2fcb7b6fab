"""Octets that must not be printed.

Not here: wiping memory; CPython copies octets as it likes, so a promise to wipe would be false.
"""

from __future__ import annotations

import hmac


class Secret:
    """Key material: compares in constant time, prints only its length, gives its octets when asked by name."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = bytes(octets)

    def reveal(self) -> bytes:
        """The octets themselves; for an algorithm, the kernel or the keylog, never for a log."""
        return self._octets

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        raise TypeError("a Secret is not hashable: a hash would tell of its octets")

    def __repr__(self) -> str:
        return f"Secret({len(self._octets)} octets)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled")
