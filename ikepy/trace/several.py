"""Several observers where the Endpoint knows one."""

from __future__ import annotations

from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path
from ikepy.ike.drops import DropReason
from ikepy.ike.events import Event
from ikepy.ike.observer import Observer
from ikepy.wire.message import Message


class Observers:
    """Tells each of several observers everything, in their order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def message_received(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.message_received(message, octets, path, repeat=repeat, fragments=fragments)

    def message_sent(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.message_sent(message, octets, path, repeat=repeat, fragments=fragments)

    def dropped(self, path: Path, reason: DropReason, detail: str, header: str) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.dropped(path, reason, detail, header)

    def decided(self, spi_i: bytes, spi_r: bytes, decision: str, *, warning: bool = False) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.decided(spi_i, spi_r, decision, warning=warning)

    def keys_derived(self, spi_i: bytes, spi_r: bytes, keys: dict[str, Secret], encr: str, integ: str) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.keys_derived(spi_i, spi_r, keys, encr, integ)

    def published(self, event: Event) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.published(event)
