"""The EAP payload: one EAP packet (RFC 7296 §3.16, RFC 3748 §4).

Not here: EAP methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ikepy.wire.base import Payload
from ikepy.wire.codec import Body, Number16, Octet, Rest
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapCode, EapType, PayloadType

_HEAD = 4


@dataclass(frozen=True, slots=True)
class Eap(Payload):
    """EAP: code, identifier, and for requests and responses the type with its octets (else empty)."""

    TYPE: ClassVar[PayloadType] = PayloadType.EAP
    code: EapCode
    identifier: int
    type_octets: bytes = b""

    @property
    def method(self) -> EapType | None:
        """The type of a request or response, None where there is none."""
        return EapType(self.type_octets[0]) if self.type_octets else None


def _load(code: int, identifier: int, length: int, rest: bytes) -> tuple[EapCode, int, bytes]:
    if length != _HEAD + len(rest):
        raise InvalidSyntax(f"EAP packet of length {length} in {_HEAD + len(rest)} octets")
    return EapCode(code), identifier, rest


eap_body: Body[tuple[EapCode, int, bytes]] = Body(
    "EAP",
    {"code": Octet, "identifier": Octet, "length": Number16, "rest": Rest},
    _load,
    lambda values: {
        "code": values[0],
        "identifier": values[1],
        "length": _HEAD + len(values[2]),
        "rest": values[2],
    },
)
