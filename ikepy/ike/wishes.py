"""What an IKE SA wants to do as soon as its one initiating conversation is free.

Rule 1: a wish is a value; the same wish is not queued twice.
Not here: when it is granted (sa.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.config.model import ChildConfig
from ikepy.ipsec import Spi


@dataclass(frozen=True, slots=True)
class WantChild:
    """One more child."""

    child: ChildConfig

    def __str__(self) -> str:
        return f"create child {self.child.name}"


@dataclass(frozen=True, slots=True)
class WantChildDeleted:
    """A child deleted, by the SPI we receive by."""

    spi_in: Spi

    def __str__(self) -> str:
        return f"delete child {self.spi_in:08x}"


@dataclass(frozen=True, slots=True)
class WantForeignChildDeleted:
    """A child deleted that only the peer has."""

    spi_in: Spi

    def __str__(self) -> str:
        return f"have the peer delete child {self.spi_in:08x}"


@dataclass(frozen=True, slots=True)
class WantLiveness:
    """A sign of life."""

    def __str__(self) -> str:
        return "liveness check"


Wish = WantChild | WantChildDeleted | WantForeignChildDeleted | WantLiveness
