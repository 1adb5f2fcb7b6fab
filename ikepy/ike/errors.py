"""Faults: what a peer does wrong, each leaf with its notify; and what goes wrong on our side.

IkeError
├── PeerFault            the peer's doing; answered with its notify where there is a channel for it
│   ├── Malformed        cannot be read               (InvalidSyntax, UnsupportedCriticalPayload)
│   ├── Misbehaved       breaks a rule
│   └── Incompatible     honest, nothing in common    (NoProposalChosen, TsUnacceptable, InvalidKePayload, ...)
├── LocalFault           our side's: no credential, the kernel's refusal, no route
├── RefusedByPeer        the peer answered with an error notify
├── DeletedAhead         the peer deleted what its delayed answer is about
└── GaveUp               no answer, or told to stop

Not here: what may be wrong with octets alone (wire/errors.py).
"""

from __future__ import annotations

from typing import ClassVar

from ikepy.wire.base import Payload
from ikepy.wire.registry import KeMethod, NotifyType


class IkeError(Exception):
    """Any end of an exchange that is not its good one."""


class PeerFault(IkeError):
    """Something the peer did; `notify` is what it is told, `data` what goes with it, `before` payloads ahead of it."""

    notify: ClassVar[NotifyType]

    def __init__(self, message: str, *, data: bytes = b"", before: tuple[Payload, ...] = ()) -> None:
        super().__init__(message)
        self.data, self.before = data, before


class Malformed(PeerFault):
    """The message cannot be read."""

    notify = NotifyType.INVALID_SYNTAX


class InvalidSyntax(Malformed):
    """A length, a count, a missing or doubled payload (RFC 7296 §3.10.1)."""


class UnsupportedCriticalPayload(Malformed):
    """An unknown payload that must not be skipped (§2.5)."""

    notify = NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD


class Misbehaved(PeerFault):
    """The message can be read, and breaks a rule."""

    notify = NotifyType.INVALID_SYNTAX


class InvalidPublicValue(Misbehaved):
    """A public value outside its group (RFC 6989)."""


class Incompatible(PeerFault):
    """An honest peer with which there is nothing in common."""

    notify = NotifyType.NO_PROPOSAL_CHOSEN


class NoProposalChosen(Incompatible):
    """None of the proposals fits (§2.7)."""


class InvalidKePayload(Incompatible):
    """The KE payload is for another method than the one chosen (§1.2, §1.3)."""

    notify = NotifyType.INVALID_KE_PAYLOAD

    def __init__(self, message: str, wanted: KeMethod) -> None:
        super().__init__(message, data=int(wanted).to_bytes(2, "big"))
        self.wanted = wanted


class TsUnacceptable(Incompatible):
    """No selectors in common (§2.9)."""

    notify = NotifyType.TS_UNACCEPTABLE


class AuthenticationFailed(PeerFault):
    """The peer did not prove who it is; the message is for our log, never for the peer (§2.21.2)."""

    notify = NotifyType.AUTHENTICATION_FAILED


class GivenUpByPeer(AuthenticationFailed):
    """The peer ends an authentication under way by an INFORMATIONAL, which is answered with nothing (§2.21.2)."""


class ChildSaNotFound(PeerFault):
    """A rekey of a child we do not have (§2.25); `spi` is the one it was asked for by."""

    notify = NotifyType.CHILD_SA_NOT_FOUND

    def __init__(self, message: str, spi: bytes) -> None:
        super().__init__(message)
        self.spi = spi


class TemporaryFailure(PeerFault):
    """Not now (§2.25)."""

    notify = NotifyType.TEMPORARY_FAILURE


class NoAdditionalSas(PeerFault):
    """No more children here (§1.3)."""

    notify = NotifyType.NO_ADDITIONAL_SAS


class SentElsewhere(PeerFault):
    """Not a fault: the peer is told which other gateway to go to (RFC 5685)."""

    notify = NotifyType.REDIRECT


class RefusedByPeer(IkeError):
    """The peer answered with an error notify."""

    def __init__(self, notify: NotifyType, detail: str = "") -> None:
        super().__init__(f"the peer answered {notify}" + (f": {detail}" if detail else ""))
        self.notify = notify


class LocalFault(IkeError):
    """Our side's trouble; the message says what to do about it."""


class NoCredential(LocalFault):
    """No key, certificate or secret for this connection."""


class PeerUnknown(LocalFault):
    """The peer's address cannot be found, or no route leads there."""


class KernelRefused(LocalFault):
    """The kernel did not take a state, policy or route; the message carries its own words."""


class SpiTaken(KernelRefused):
    """The inbound SPI is in use (EEXIST): draw another."""


class PolicyTaken(KernelRefused):
    """An equal policy of another peer is installed."""


class DeletedAhead(IkeError):
    """The peer deleted a child before its answer about it came."""


class GaveUp(IkeError):
    """No answer after all repeats, or the operator ended it."""
