"""Who is told what happened: an object that is always there, so the protocol never asks whether anyone listens.

Rule 1: facts go in, not words; wording is trace/log.py's.
Rule 2: an observer may not raise and may not call back.
"""

from __future__ import annotations

from typing import Protocol

from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path
from ikepy.ike.drops import DropReason
from ikepy.ike.events import Event
from ikepy.wire.message import Message


class Observer(Protocol):
    """What the Endpoint tells of itself."""

    def message_received(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        """A message was read; inner payloads where it was protected.

        octets     of the whole message, in however many fragments it came
        repeat     answered from the kept response
        """

    def message_sent(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        """A message was handed over for sending; inner payloads where it is protected."""

    def dropped(self, path: Path, reason: DropReason, detail: str, header: str) -> None:
        """A datagram came to nothing; `header` words its exchange where it could be read, else is empty."""

    def decided(self, spi_i: bytes, spi_r: bytes, decision: str, *, warning: bool = False) -> None:
        """A choice and its reason; `warning` where the operator should act."""

    def keys_derived(self, spi_i: bytes, spi_r: bytes, keys: dict[str, Secret], encr: str, integ: str) -> None:
        """SK_* of an IKE SA by the RFC's names; the registry's names of cipher with key length (`AES_GCM_16-256`) and INTEG."""

    def published(self, event: Event) -> None:
        """An event was published."""


class SilentObserver:
    """Nobody listens."""

    def message_received(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        """Say nothing."""

    def message_sent(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        """Say nothing."""

    def dropped(self, path: Path, reason: DropReason, detail: str, header: str) -> None:
        """Say nothing."""

    def decided(self, spi_i: bytes, spi_r: bytes, decision: str, *, warning: bool = False) -> None:
        """Say nothing."""

    def keys_derived(self, spi_i: bytes, spi_r: bytes, keys: dict[str, Secret], encr: str, integ: str) -> None:
        """Say nothing."""

    def published(self, event: Event) -> None:
        """Say nothing."""
