"""Message: header and payloads, and its one line for the log (RFC 7296 §3).

Not here: what is inside SK (chain.py reads it once it is opened), which payloads must be there (shapes.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from ikepy.wire.base import Payload
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.errors import InvalidMajorVersion, InvalidSyntax
from ikepy.wire.header import HEADER_OCTETS, IkeHeader, build_header, parse_header
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Nonce
from ikepy.wire.registry import NotifyType, PayloadType

P = TypeVar("P", bound=Payload)

_NAMES = {
    PayloadType.IDI: "IDi",
    PayloadType.IDR: "IDr",
    PayloadType.TSI: "TSi",
    PayloadType.TSR: "TSr",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One IKE message; for a protected one the payloads are those inside SK once it is opened."""

    header: IkeHeader
    payloads: tuple[Payload, ...]

    def first(self, kind: type[P]) -> P | None:
        """The first payload of that class, None where there is none."""
        return next((payload for payload in self.payloads if isinstance(payload, kind)), None)

    def all(self, kind: type[P]) -> tuple[P, ...]:
        """All payloads of that class, in order."""
        return tuple(payload for payload in self.payloads if isinstance(payload, kind))

    def notify(self, kind: NotifyType) -> Notify | None:
        """The first notify of that type, None where there is none."""
        return next((notify for notify in self.all(Notify) if notify.type is kind), None)

    def notifies(self, kind: NotifyType) -> tuple[Notify, ...]:
        """All notifies of that type."""
        return tuple(notify for notify in self.all(Notify) if notify.type is kind)

    @property
    def error_notify(self) -> Notify | None:
        """The first notify of an error type, None where there is none."""
        return next((notify for notify in self.all(Notify) if notify.type.is_error), None)

    def summary(self) -> str:
        """`IKE_AUTH request 1: IDi CERT AUTH SA TSi TSr N(MOBIKE_SUPPORTED)`."""
        header = self.header
        kind = "response" if header.is_response else "request"
        names = " ".join(_worded(payload, header) for payload in self.payloads) or "empty"
        return f"{header.exchange} {kind} {header.message_id}: {names}"


def parse_message(octets: bytes) -> Message:
    """Read a whole message, SK and SKF left closed; raises WireError."""
    header = parse_header(octets)
    if header.major != 2:  # noqa: PLR2004
        raise InvalidMajorVersion(f"IKE version {header.major}.{header.minor}")
    if header.length != len(octets):
        raise InvalidSyntax(f"header says {header.length}, message has {len(octets)} octets")
    return Message(header, parse_chain(header.next_payload, octets[HEADER_OCTETS:]))


def build_message(message: Message) -> bytes:
    """The octets of a message; the header's length and next payload are computed."""
    first, chain = build_chain(message.payloads)
    header = replace(message.header, next_payload=first, length=HEADER_OCTETS + len(chain))
    return build_header(header) + chain


def _worded(payload: Payload, header: IkeHeader) -> str:
    if isinstance(payload, Notify):
        return str(payload)
    if isinstance(payload, Nonce):
        return "Nr" if header.is_response else "Ni"
    kind = payload.payload_type
    return _NAMES.get(kind, str(kind))
