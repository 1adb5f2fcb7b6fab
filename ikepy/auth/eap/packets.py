"""What is behind the EAP type of the methods without TLS: parsers and builders (RFC 3748 §5, draft-kamath-pppext-eap-mschapv2 §2).

    MSCHAPv2  OpCode | MS-CHAPv2-ID | MS-Length (2) | ...    MS-Length counts all of these octets
      1 Challenge        16 | challenge (16) | name
      2 Response         49 | peer's challenge (16) | reserved (8) | NT-Response (24) | flags | name
      3 Success          "S=" 40 hexadecimal digits " M=" text          answered with OpCode 3 alone
      4 Failure          "E=691 R=0 C=" 32 digits " V=3 M=" text        answered with OpCode 4 alone
      7 Change-Password
    MD5       16 | value (16) | name
    GTC       text;  NAK  types, one octet each;  Identity  name;  Notification  text

Rule 1: a length is what the octets have, exactly; every octet is consumed.
Rule 2: names and texts are bounded, and print; what comes in ends in a value or EapError.
Rule 3: what passwords could be guessed from does not print.
Not here: whose turn it is (mschapv2.py, server.py, client.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ikepy.auth.eap.method import EapError
from ikepy.wire.registry import EapType

MOST_NAME_OCTETS = 256
"The longest user name (RFC 2759 §4)."
MOST_TEXT_OCTETS = 1024
MOST_PASSWORD_OCTETS = 1024
MD5_OCTETS = 16
PROOF_OCTETS = 42
"`S=` and 40 hexadecimal digits."

CHALLENGE, RESPONSE, SUCCESS, FAILURE, CHANGE_PASSWORD = 1, 2, 3, 4, 7
_HEAD = 4
_CHALLENGE_OCTETS, _RESERVED_OCTETS, _NT_RESPONSE_OCTETS = 16, 8, 24
_RESPONSE_OCTETS = _CHALLENGE_OCTETS + _RESERVED_OCTETS + _NT_RESPONSE_OCTETS + 1
_CHANGE_OCTETS = 586
_MOST_NAK_TYPES = 32
_PROOF = re.compile(rb"S=[0-9A-Fa-f]{40}")
_FAILURE = re.compile(
    rb"E=(?P<error>\d{1,10})(?: R=(?P<retry>[01]))?(?: C=(?P<challenge>[0-9A-Fa-f]{32}))?"
    rb"(?: V=(?P<version>\d{1,10}))?(?: M=(?P<text>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ChapChallenge:
    """The server's challenge, 16 octets, and its name."""

    identifier: int
    challenge: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChapResponse:
    """The client's proof.

    name   as the client writes it; octets that are no UTF-8 are kept (surrogateescape)
    """

    identifier: int
    peer_challenge: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChapSuccess:
    """The server's proof, `S=` and 40 hexadecimal digits, and a text for people."""

    identifier: int
    proof: bytes = field(repr=False)
    text: str = ""


@dataclass(frozen=True, slots=True)
class ChapFailure:
    """Why the server refuses (RFC 2759 §6).

    error       691 for a wrong name or password
    challenge   for another attempt; None where the server gives none
    """

    identifier: int
    error: int
    can_retry: bool = False
    challenge: bytes | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class ChapAnswer:
    """The client has seen the success, or the failure."""

    is_success: bool


@dataclass(frozen=True, slots=True)
class ChapChange:
    """The client wants another password (RFC 2759 §7); what is in it is not kept."""

    identifier: int


ChapRequest = ChapChallenge | ChapSuccess | ChapFailure
ChapReply = ChapResponse | ChapAnswer | ChapChange


@dataclass(frozen=True, slots=True)
class Md5Value:
    """A challenge or its answer, 16 octets (RFC 3748 §5.4)."""

    octets: bytes = field(repr=False)
    name: str = ""


def parse_chap_request(octets: bytes) -> ChapRequest:
    """Parse what a server of MSCHAPv2 sends; raises EapError."""
    op, identifier, rest = _parse_chap_head(octets)
    match op:
        case 1:
            value, name = _split_value(rest, _CHALLENGE_OCTETS)
            return ChapChallenge(identifier, value, name)
        case 3:
            return _parse_success(identifier, rest)
        case 4:
            return _parse_failure(identifier, rest)
    raise EapError(f"MSCHAPv2 request of OpCode {op}")


def parse_chap_reply(octets: bytes) -> ChapReply:
    """Parse what a client of MSCHAPv2 sends; raises EapError."""
    if octets in (bytes([SUCCESS]), bytes([FAILURE])):
        return ChapAnswer(octets[0] == SUCCESS)
    op, identifier, rest = _parse_chap_head(octets)
    if op == CHANGE_PASSWORD:
        if len(rest) + _HEAD != _CHANGE_OCTETS:
            raise EapError(f"MSCHAPv2 Change-Password of {len(rest) + _HEAD} octets; it has {_CHANGE_OCTETS}")
        return ChapChange(identifier)
    if op != RESPONSE:
        raise EapError(f"MSCHAPv2 response of OpCode {op} and {len(octets)} octets")
    value, name = _split_value(rest, _RESPONSE_OCTETS)
    # RFC 2759 §4: what is reserved, and the flags, are zero; nobody looks at them.
    return ChapResponse(identifier, value[:_CHALLENGE_OCTETS], value[-1 - _NT_RESPONSE_OCTETS : -1], name)


def build_chap(packet: ChapRequest | ChapResponse | ChapAnswer) -> bytes:
    """Build what goes behind the type of MSCHAPv2."""
    match packet:
        case ChapChallenge():
            body = bytes([_CHALLENGE_OCTETS]) + packet.challenge + _name_octets(packet.name)
            return _build_chap(CHALLENGE, packet.identifier, body)
        case ChapResponse():
            value = packet.peer_challenge + bytes(_RESERVED_OCTETS) + packet.nt_response + b"\0"
            return _build_chap(
                RESPONSE, packet.identifier, bytes([_RESPONSE_OCTETS]) + value + _name_octets(packet.name)
            )
        case ChapSuccess():
            text = f" M={packet.text}" if packet.text else ""
            return _build_chap(SUCCESS, packet.identifier, packet.proof + text.encode())
        case ChapFailure():
            challenge = f" C={packet.challenge.hex().upper()}" if packet.challenge is not None else ""
            text = f" M={packet.text}" if packet.text else ""
            body = f"E={packet.error} R={int(packet.can_retry)}{challenge} V=3{text}".encode()
            return _build_chap(FAILURE, packet.identifier, body)
        case ChapAnswer():
            return bytes([SUCCESS if packet.is_success else FAILURE])


def parse_md5(octets: bytes) -> Md5Value:
    """Parse a challenge of EAP-MD5 or its answer; raises EapError."""
    value, name = _split_value(octets, MD5_OCTETS)
    return Md5Value(value, name)


def build_md5(packet: Md5Value) -> bytes:
    """Build what goes behind the type of EAP-MD5."""
    return bytes([len(packet.octets)]) + packet.octets + _name_octets(packet.name)


def parse_nak(octets: bytes) -> tuple[EapType, ...]:
    """Parse the types a client would rather have; empty where it wants none (RFC 3748 §5.3.1). Raises EapError."""
    if not 0 < len(octets) <= _MOST_NAK_TYPES:
        raise EapError(f"a NAK of {len(octets)} octets; 1 to {_MOST_NAK_TYPES} are taken")
    return tuple(EapType(octet) for octet in octets if octet)


def build_nak(types: tuple[EapType, ...]) -> bytes:
    """Build what goes behind the type of a NAK."""
    return bytes(types) or b"\0"


def parse_text(octets: bytes) -> str:
    """Read a text for people: a prompt or a notification, which may be empty here. Raises EapError."""
    if len(octets) > MOST_TEXT_OCTETS:
        raise EapError(f"a text of {len(octets)} octets; {MOST_TEXT_OCTETS} are the most")
    return _printable(octets)


def parse_password(octets: bytes) -> bytes:
    """Check the length of a password that GTC brings, UTF-8; raises EapError."""
    if not 0 < len(octets) <= MOST_PASSWORD_OCTETS:
        raise EapError(f"a password of {len(octets)} octets; 1 to {MOST_PASSWORD_OCTETS} are taken")
    return octets


def _parse_chap_head(octets: bytes) -> tuple[int, int, bytes]:
    """OpCode, identifier, and what is behind MS-Length."""
    if len(octets) < _HEAD:
        raise EapError(f"MSCHAPv2 packet of {len(octets)} octets; its header has {_HEAD}")
    length = int.from_bytes(octets[2:4], "big")
    if length != len(octets):
        raise EapError(f"MSCHAPv2 packet of MS-Length {length} in {len(octets)} octets")
    return octets[0], octets[1], octets[_HEAD:]


def _build_chap(op: int, identifier: int, rest: bytes) -> bytes:
    return bytes([op, identifier]) + (_HEAD + len(rest)).to_bytes(2, "big") + rest


def _split_value(octets: bytes, size: int) -> tuple[bytes, str]:
    """A value behind the octet of its size, and the name behind it."""
    if not octets:
        raise EapError("nothing where a value should be")
    if octets[0] != size:
        raise EapError(f"a value of size {octets[0]}; {size} is its size")
    if len(octets) <= size:
        raise EapError(f"a value of size {size} in {len(octets) - 1} octets")
    name = octets[1 + size :]
    if len(name) > MOST_NAME_OCTETS:
        raise EapError(f"a name of {len(name)} octets; {MOST_NAME_OCTETS} are the most")
    return octets[1 : 1 + size], name.decode("utf-8", "surrogateescape")


def _name_octets(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _parse_success(identifier: int, octets: bytes) -> ChapSuccess:
    proof, rest = octets[:PROOF_OCTETS], octets[PROOF_OCTETS:]
    if _PROOF.fullmatch(proof) is None:
        raise EapError(f"MSCHAPv2 Success without its proof, in {len(octets)} octets")
    return ChapSuccess(identifier, proof.upper(), parse_text(rest.lstrip(b" ").removeprefix(b"M=")))


def _parse_failure(identifier: int, octets: bytes) -> ChapFailure:
    if len(octets) > MOST_TEXT_OCTETS:
        raise EapError(f"MSCHAPv2 Failure of {len(octets)} octets; {MOST_TEXT_OCTETS} are the most")
    found = _FAILURE.fullmatch(octets)
    if found is None:
        raise EapError(f"MSCHAPv2 Failure whose message of {len(octets)} octets cannot be read")
    digits = found["challenge"]
    challenge = bytes.fromhex(digits.decode()) if digits is not None else None
    text = _printable(found["text"] or b"")
    return ChapFailure(identifier, int(found["error"]), found["retry"] == b"1", challenge, text)


def _printable(octets: bytes) -> str:
    """What a peer writes for people, without what would move the cursor."""
    text = octets.decode("utf-8", "replace")
    return "".join(each if each.isprintable() else " " for each in text)
