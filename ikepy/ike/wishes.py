"""What an IKE SA wants to do as soon as its one initiating conversation is free.

Rule 1: a wish is a value; the same wish is not queued twice.
Rule 2: children are named by their unique numbers: they may have been replaced when the wish is granted.
Not here: when it is granted (granting.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.config.model import ChildConfig
from ikepy.ipsec import Selector, Spi
from ikepy.wire.redirect import Gateway


@dataclass(frozen=True, slots=True)
class WantChild:
    """One more child; `packet` is the packet that asks for it."""

    child: ChildConfig
    packet: Selector | None = None

    def __str__(self) -> str:
        return f"create child {self.child.name}"


@dataclass(frozen=True, slots=True)
class WantChildDeleted:
    """A child deleted, and with it whatever has come in its place; `exact` is that child alone."""

    unique_id: int
    exact: bool = False

    def __str__(self) -> str:
        return f"delete child {self.unique_id}"


@dataclass(frozen=True, slots=True)
class WantForeignChildDeleted:
    """A child deleted that only the peer has."""

    spi_in: Spi

    def __str__(self) -> str:
        return f"have the peer delete child {self.spi_in:08x}"


@dataclass(frozen=True, slots=True)
class WantChildRekeyed:
    """A child replaced."""

    unique_id: int

    def __str__(self) -> str:
        return f"rekey child {self.unique_id}"


@dataclass(frozen=True, slots=True)
class WantLook:
    """A look whether the peer sends by a child it made in another's place."""

    unique_id: int

    def __str__(self) -> str:
        return f"look at child {self.unique_id}"


@dataclass(frozen=True, slots=True)
class WantRekeyed:
    """The IKE SA replaced."""

    def __str__(self) -> str:
        return "rekey the IKE SA"


@dataclass(frozen=True, slots=True)
class WantLiveness:
    """A sign of life; `ask` whatever comes in by children."""

    ask: bool = False

    def __str__(self) -> str:
        return "liveness check"


@dataclass(frozen=True, slots=True)
class WantUpdate:
    """The peer told where we are now."""

    def __str__(self) -> str:
        return "tell the peer where we are"


@dataclass(frozen=True, slots=True)
class WantAddressesTold:
    """The peer told what addresses we have."""

    def __str__(self) -> str:
        return "tell the peer our addresses"


@dataclass(frozen=True, slots=True)
class WantSentOn:
    """The peer sent to another gateway."""

    gateway: Gateway

    def __str__(self) -> str:
        return f"send the peer to {self.gateway}"


Wish = (
    WantChild
    | WantChildDeleted
    | WantForeignChildDeleted
    | WantChildRekeyed
    | WantLook
    | WantRekeyed
    | WantLiveness
    | WantUpdate
    | WantAddressesTold
    | WantSentOn
)
