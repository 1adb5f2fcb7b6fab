"""Copies of a pair at rest: where a thousand seeds begin, each from the same established SAs.

Containers, and objects of the core and of the tests that can change, are copied; all else is shared: frozen values,
keys and ciphers, configurations, credentials. The copy's entropy and line are those of its seed.

Not here: the pair itself (pair.py).
"""

from __future__ import annotations

from collections import Counter, deque
from enum import Enum
from types import MethodType
from typing import Any

from ikepy.ike.conversation import Conversation
from tests.support.entropy import SeededEntropy
from tests.support.link import Link
from tests.support.pair import Pair
from tests.support.recorder import Recorder

_OURS = ("ikepy.ike.", "tests.support.")


def copied(pair: Pair, seed: int, **line: float) -> Pair:
    """A copy of a pair in which nothing runs and nothing is in flight; `line` is what its Link is like."""
    known: dict[int, Any] = {id(pair.link): Link(seed, **line)}  # type: ignore[arg-type]
    for number, side in enumerate((pair.left, pair.right)):
        known[id(side.entropy)] = SeededEntropy(1_000_003 * (seed + 1) + number)
        known[id(side.recorder)] = Recorder()
        known[id(side.auth)] = side.auth
        known[id(side.events)] = []
    made: Pair = _copy(pair, known)
    return made


def _copy(value: Any, known: dict[int, Any]) -> Any:
    if id(value) in known:
        return known[id(value)]
    kind = type(value)
    if kind in {list, set, deque}:
        made = kind()
        known[id(value)] = made
        getattr(made, "update" if kind is set else "extend")([_copy(item, known) for item in value])
        return made
    if kind in {dict, Counter}:
        made = known[id(value)] = kind()
        made.update(
            {
                key if isinstance(key, int | bytes | str) else _copy(key, known): _copy(item, known)
                for key, item in value.items()
            }
        )
        return made
    if kind is tuple:
        parts = tuple(_copy(item, known) for item in value)
        return value if all(one is other for one, other in zip(parts, value, strict=True)) else parts
    if kind is MethodType:
        return MethodType(value.__func__, _copy(value.__self__, known))
    return _copy_object(value, known) if _can_change(value) else value


def _can_change(value: Any) -> bool:
    kind = type(value)
    if isinstance(value, Enum | type):
        return False
    parameters = getattr(kind, "__dataclass_params__", None)
    return kind.__module__.startswith(_OURS) and not (parameters is not None and parameters.frozen)


def _copy_object(value: Any, known: dict[int, Any]) -> Any:
    assert not isinstance(value, Conversation), f"only a pair at rest can be copied: {value.name} is under way"
    made = known[id(value)] = object.__new__(type(value))
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if name != "__dict__"]
    for name in (*names, *getattr(value, "__dict__", ())):
        if hasattr(value, name):
            object.__setattr__(made, name, _copy(getattr(value, name), known))
    return made
