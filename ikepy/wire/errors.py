"""All that a parser of octets may raise: WireError and its leaves, each with the notify it is answered with.

Not here: faults of conduct (ike/errors.py).
"""

from __future__ import annotations

from ikepy.wire.registry import NotifyType, PayloadType


class WireError(Exception):
    """Octets that cannot be read; `notify` and `data` are what the sender is told where it may be told."""

    notify: NotifyType | None = NotifyType.INVALID_SYNTAX
    data: bytes = b""


class InvalidSyntax(WireError):
    """A length, a count, a value or a set of payloads that the RFC does not allow (RFC 7296 §3.10.1)."""


class TruncatedMessage(InvalidSyntax):
    """Fewer octets than the lengths in them say."""


class InvalidMajorVersion(WireError):
    """Another IKE than version 2 (RFC 7296 §2.5)."""

    notify = NotifyType.INVALID_MAJOR_VERSION


class UnsupportedCriticalPayload(WireError):
    """A payload we do not know and may not skip (RFC 7296 §2.5)."""

    notify = NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD

    def __init__(self, payload_type: PayloadType) -> None:
        super().__init__(f"unknown critical payload {payload_type}")
        self.payload_type = payload_type
        self.data = bytes([payload_type])
