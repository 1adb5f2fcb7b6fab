"""An observer that remembers, so that a test can ask what was dropped, decided and said."""

from __future__ import annotations

from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path
from ikepy.ike.drops import DropReason
from ikepy.ike.events import Event
from ikepy.wire.message import Message


class Recorder:
    """Remembers everything it is told."""

    def __init__(self) -> None:
        self.received: list[tuple[Message, bool]] = []
        self.sent: list[tuple[Message, bool]] = []
        self.fragments_received: list[int] = []
        self.fragments_sent: list[int] = []
        self.drops: list[tuple[DropReason, str]] = []
        self.decisions: list[str] = []
        self.keys: list[tuple[bytes, bytes, dict[str, Secret]]] = []
        self.events: list[Event] = []

    def message_received(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        self.received.append((message, repeat))
        self.fragments_received.append(fragments)
        message.summary()

    def message_sent(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        self.sent.append((message, repeat))
        self.fragments_sent.append(fragments)
        message.summary()

    def dropped(self, path: Path, reason: DropReason, detail: str, header: str) -> None:
        self.drops.append((reason, detail))

    def decided(self, spi_i: bytes, spi_r: bytes, decision: str, *, warning: bool = False) -> None:
        self.decisions.append(decision)

    def keys_derived(self, spi_i: bytes, spi_r: bytes, keys: dict[str, Secret], encr: str, integ: str) -> None:
        self.keys.append((spi_i, spi_r, keys))

    def published(self, event: Event) -> None:
        self.events.append(event)

    @property
    def drop_reasons(self) -> list[DropReason]:
        return [reason for reason, _ in self.drops]
