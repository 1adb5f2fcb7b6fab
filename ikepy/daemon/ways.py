"""Ways in which an effect is performed: at once, in a thread, in its turn, or waiting for the outside.

Not here: which effect goes which way (performer.py, admitting.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Cheap: done where it stands."""

    work: Callable[[], object]


@dataclass(frozen=True, slots=True)
class InThread:
    """Takes a millisecond or more: done in a worker thread."""

    work: Callable[[], object]


@dataclass(frozen=True, slots=True)
class InKernel:
    """Changes the kernel: done in its turn."""

    work: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class InBook:
    """Writes to the book of leases: done in its turn, in a thread.

    then   what is done with its result before the effect has ended, beside what else is in the book
    """

    work: Callable[[], Any]
    then: Callable[[Any], Awaitable[object]] | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waits for the outside: done beside everything else."""

    work: Callable[[], Awaitable[object]]


Way = AtOnce | InThread | InKernel | InBook | Waiting
