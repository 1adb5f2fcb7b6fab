"""MSCHAPv2 as attributes of TTLS carry it: a response of 50 octets, a success of 43 (RFC 5281 §11.2.4, RFC 2548 §2.3).

    MS-CHAP2-Response   Ident, Flags, Peer-Challenge (16), Reserved (8), Response (24)
    MS-CHAP2-Success    Ident, "S=" and 40 hexadecimal digits

Rule 1: identifier and challenge are those that TLS exported, on both ends.
Rule 2: proofs are compared in constant time, and a wrong length is a wrong proof.
Not here: the arithmetic of RFC 2759 (mschapv2.py).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from ikepy.auth.eap.mschap import authenticator_response, nt_response
from ikepy.crypto.secret import Secret
from ikepy.wire.errors import InvalidSyntax

CHALLENGE_OCTETS = 16
_RESPONSE_OCTETS = 50
_NOBODYS = Secret(bytes(16))
_PEER_CHALLENGE, _RESERVED, _RESPONSE = slice(2, 18), slice(18, 26), slice(26, 50)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What TLS exported: the authenticator's challenge of 16 octets, and the identifier."""

    octets: bytes
    identifier: int


def check_response(challenge: Challenge, name: str, nt_hash: Secret | None, octets: bytes) -> bytes | None:
    """Check MS-CHAP2-Response; return MS-CHAP2-Success, or None where the password is wrong. Raises InvalidSyntax.

    nt_hash   None of a user whose password cannot be checked so, and then none is right
    """
    if len(octets) != _RESPONSE_OCTETS:
        raise InvalidSyntax(f"an MS-CHAP2-Response of {len(octets)} octets; it has {_RESPONSE_OCTETS}")
    if octets[0] != challenge.identifier:
        raise InvalidSyntax("an MS-CHAP2-Response with an identifier that TLS did not export")
    given, peer_challenge = octets[_RESPONSE], octets[_PEER_CHALLENGE]
    right = nt_response(challenge.octets, peer_challenge, name, nt_hash or _NOBODYS)
    if not hmac.compare_digest(given, right) or nt_hash is None:
        return None
    proof = authenticator_response(nt_hash, right, peer_challenge, challenge.octets, name)
    return bytes([challenge.identifier]) + proof


class TtlsChapClient:
    """The client's side of one attempt."""

    __slots__ = ("_expected", "_name", "_nt_hash", "_peer_challenge", "is_done")

    def __init__(self, name: str, nt_hash: Secret, peer_challenge: bytes) -> None:
        if len(peer_challenge) != CHALLENGE_OCTETS:
            raise ValueError(f"a challenge of {len(peer_challenge)} octets; MSCHAPv2's has {CHALLENGE_OCTETS}")
        self._name, self._nt_hash, self._peer_challenge = name, nt_hash, peer_challenge
        self._expected: bytes | None = None
        self.is_done = False

    def respond(self, challenge: Challenge) -> bytes:
        """Make MS-CHAP2-Response."""
        ours = self._peer_challenge
        response = nt_response(challenge.octets, ours, self._name, self._nt_hash)
        proof = authenticator_response(self._nt_hash, response, ours, challenge.octets, self._name)
        self._expected = bytes([challenge.identifier]) + proof
        return bytes([challenge.identifier, 0]) + ours + bytes(_RESERVED.stop - _RESERVED.start) + response

    def take_success(self, octets: bytes) -> None:
        """Check MS-CHAP2-Success; raises InvalidSyntax where the server does not know the password."""
        if self._expected is None or not hmac.compare_digest(octets, self._expected):
            raise InvalidSyntax("the server does not prove that it knows the password")
        self.is_done = True
