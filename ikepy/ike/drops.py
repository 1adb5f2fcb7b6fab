"""Why a datagram was ignored: one name a reason, counted and shown, never an exception.

Not here: what is answered (endpoint.py, exchanges/).
"""

from __future__ import annotations

from enum import Enum


class DropReason(Enum):
    """Why nothing came of a datagram; the value is how the log words it."""

    TOO_SHORT = "shorter than an IKE header"
    LENGTH_MISMATCH = "header's length is not the datagram's"
    NOT_IKEV2 = "major version is not 2"
    ZERO_SPI_I = "initiator's SPI is zero"
    UNKNOWN_SPI = "no such IKE SA"
    UNKNOWN_EXCHANGE = "unknown exchange type"
    WRONG_FLAGS = "flags do not fit the SPIs"
    MALFORMED = "malformed"
    CRITICAL_PAYLOAD = "unknown critical payload"
    INTEGRITY = "integrity"
    NOT_PROTECTED = "not protected"
    OUTSIDE_WINDOW = "message ID outside the window"
    IN_PROGRESS = "request already being answered"
    UNEXPECTED_RESPONSE = "response nobody asked for"
    WRONG_EXCHANGE = "exchange type does not fit the request"
    NOT_ALLOWED_NOW = "exchange not allowed in this phase"
    UNPROTECTED_ERROR = "error notify without protection"
    COOKIE_REQUESTED = "cookie asked for"
    COOKIE_INVALID = "wrong or old cookie"
    HALF_OPEN_LIMIT = "too many half-open IKE SAs"
    HALF_OPEN_PER_SOURCE = "too many half-open IKE SAs of this address"
    NO_CONNECTION = "no connection for these addresses"
    CHANGED_REPEAT = "repeat with other content"
    CLOSED = "IKE SA is closed"
    FRAGMENT_NOT_AGREED = "fragments were not agreed on"
    FRAGMENT_REPEATED = "fragment is here already"
    FRAGMENT_OUTDATED = "fragment of an earlier try with larger ones"
    FRAGMENT_UNFIT = "fragments do not fit together"
    FRAGMENT_LIMIT = "too many fragments or octets"
