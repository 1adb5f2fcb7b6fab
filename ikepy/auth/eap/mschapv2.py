"""EAP-MSCHAPv2: both ends show that they know the password's NT hash (draft-kamath-pppext-eap-mschapv2, RFC 2759).

    client                         server
                                <- Challenge
    Response ->                 <- Success, with the server's proof
    Success ->                     Succeeded                                   the password was right
    Response ->                 <- Failure, E=691 R=0
    Failure ->                     Failed                                      it was wrong

Rule 1: each packet has its turn, once; out of turn is a fault, and a success out of turn is none.
Rule 2: who does not exist, who may not come in and a wrong password are one to the client: 691, after the same work.
Rule 3: there is one attempt, and no change of password: both are for the administrator.
Rule 4: the client has the key only once the server's proof was right.
Not here: the arithmetic (mschap.py), whose password it is (offers.py).
"""

from __future__ import annotations

import hmac
from enum import Enum, auto
from typing import ClassVar

from ikepy.auth.eap.method import Ask, EapError, Failed, Step, Succeeded
from ikepy.auth.eap.mschap import CHALLENGE_OCTETS, authenticator_response, derive_msk, nt_response
from ikepy.auth.eap.packets import (
    ChapAnswer,
    ChapChallenge,
    ChapChange,
    ChapFailure,
    ChapResponse,
    ChapSuccess,
    build_chap,
    parse_chap_reply,
    parse_chap_request,
)
from ikepy.auth.users import User
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import EapType

AUTHENTICATION_FAILURE = 691
_MEANINGS = {
    646: "the account may not come in at this hour",
    647: "the account is disabled",
    648: "the password has expired; change it where the server keeps it",
    649: "the account may not dial in",
    AUTHENTICATION_FAILURE: "the user name or the password is wrong",
    709: "the password could not be changed",
}
_FIRST_IDENTIFIER = 1


class _Stage(Enum):
    """What an end waits for."""

    FIRST = auto()
    "the server a Response, the client a Challenge"
    SECOND = auto()
    "the server the client's Success, the client the server's word"
    ENDED = auto()


class MsChapV2Server:
    """The server's end."""

    TYPE: ClassVar[EapType] = EapType.MSCHAPV2

    def __init__(self, user: User, refusal: str, entropy: Entropy, our_name: str = "ikepy") -> None:
        """Make a server.

        user      whose nt_hash is there; a stand-in for who does not exist
        refusal   why the user may not come in whatever the password; empty where nothing is against it
        """
        if user.nt_hash is None:
            raise ValueError("MSCHAPv2 needs the NT hash of the password")
        self._user, self._nt_hash, self._refusal = user, user.nt_hash, refusal
        self._challenge = entropy.octets(CHALLENGE_OCTETS)
        self._our_name = our_name
        self._identifier = _FIRST_IDENTIFIER
        self._stage = _Stage.FIRST
        self._msk = Secret(b"")
        self._failed: Failed | None = None

    def hear_identifier(self, identifier: int) -> None:
        """Begin with the identifier of the EAP packet; what follows keeps it (draft §2)."""
        if self._stage is _Stage.FIRST:
            self._identifier = identifier

    def begin(self) -> bytes:
        """The Challenge."""
        return build_chap(ChapChallenge(self._identifier, self._challenge, self._our_name))

    def respond(self, octets: bytes) -> Step:
        """Take the client's packet; raises EapError where it cannot be read or is out of turn."""
        if self._failed is not None:
            return self._failed
        stage, self._stage = self._stage, _Stage.ENDED
        match stage, parse_chap_reply(octets):
            case _Stage.FIRST, ChapResponse() as response if response.identifier == self._identifier:
                return self._judge(response)
            case _Stage.SECOND, ChapAnswer(is_success=True):
                return Succeeded(self._msk, self._user.name)
            case _Stage.SECOND, ChapAnswer():
                return Failed(f"the client of '{self._user.name}' does not take our proof for right")
            case _, ChapChange():
                return Failed(f"the client of '{self._user.name}' wants to change the password; run: ikepy user passwd")
        raise EapError("MSCHAPv2 packet out of turn")

    @property
    def verdict(self) -> Failed | None:
        """Why the client is not let in."""
        return self._failed

    def _judge(self, response: ChapResponse) -> Step:
        arguments = self._challenge, response.peer_challenge, response.name
        right = nt_response(*arguments, self._nt_hash)
        proof = authenticator_response(self._nt_hash, right, response.peer_challenge, self._challenge, response.name)
        msk = derive_msk(self._nt_hash, right)
        fits = hmac.compare_digest(right, response.nt_response)
        if fits and not self._refusal:
            self._stage, self._msk = _Stage.SECOND, msk
            return Ask(build_chap(ChapSuccess(self._identifier, proof, "Welcome")))
        reason = self._refusal or f"wrong password of '{self._user.name}'"
        self._failed = Failed(reason, is_guess=not fits)
        # RFC 2759 §6: the challenge is there even where no retry is allowed.
        failure = ChapFailure(self._identifier, AUTHENTICATION_FAILURE, challenge=self._challenge, text="Refused")
        return Ask(build_chap(failure))


class MsChapV2Client:
    """The client's end."""

    TYPE: ClassVar[EapType] = EapType.MSCHAPV2

    def __init__(self, name: str, nt_hash: Secret, entropy: Entropy) -> None:
        """Make a client.

        name      as the server knows it; a domain before it is sent, and is no part of the proof
        nt_hash   of the password (crypto/password.py)
        """
        self._name, self._nt_hash = name, nt_hash
        self._peer_challenge = entropy.octets(CHALLENGE_OCTETS)
        self._stage = _Stage.FIRST
        self._expected = b""
        self._pending = Secret(b"")
        self._msk: Secret | None = None
        self._fault: str | None = None

    def respond(self, octets: bytes) -> bytes:
        """Take the server's packet; raises EapError where it cannot be read, is out of turn, or proves nothing."""
        stage, self._stage = self._stage, _Stage.ENDED
        try:
            match stage, parse_chap_request(octets):
                case _Stage.FIRST, ChapChallenge() as challenge:
                    return self._prove(challenge)
                case _Stage.SECOND, ChapSuccess() as success:
                    return self._check(success)
                case _Stage.SECOND, ChapFailure(error=error):
                    self._fault = f"the server refuses us: {_MEANINGS.get(error, 'for a reason of its own')} ({error})"
                    return build_chap(ChapAnswer(is_success=False))
            raise EapError("MSCHAPv2 packet out of turn")
        except EapError as error:
            self._fault, self._msk = self._fault or str(error), None
            raise

    @property
    def is_done(self) -> bool:
        """Whether the server's proof was right."""
        return self._msk is not None

    @property
    def msk(self) -> Secret | None:
        """The key; None before the server's proof was right."""
        return self._msk

    @property
    def fault(self) -> str | None:
        """Why it came to nothing."""
        return self._fault

    def _prove(self, challenge: ChapChallenge) -> bytes:
        theirs, ours = challenge.challenge, self._peer_challenge
        response = nt_response(theirs, ours, self._name, self._nt_hash)
        self._expected = authenticator_response(self._nt_hash, response, ours, theirs, self._name)
        self._pending = derive_msk(self._nt_hash, response)
        self._stage = _Stage.SECOND
        return build_chap(ChapResponse(challenge.identifier, ours, response, self._name))

    def _check(self, success: ChapSuccess) -> bytes:
        if not hmac.compare_digest(success.proof, self._expected):
            raise EapError("the server does not prove that it knows the password")
        self._msk = self._pending
        return build_chap(ChapAnswer(is_success=True))
