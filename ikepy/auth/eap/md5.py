"""EAP-MD5: a challenge, and MD5 of the identifier, the password and the challenge (RFC 3748 §5.4, RFC 1994 §4.1).

Rule 1: only for users whose entry holds the password itself, and only where the connection names it.
Rule 2: the server proves nothing and there is no key: AUTH is made of SK_pi and SK_pr (RFC 7296 §2.16).
Rule 3: the identifier is that of the EAP packet; whoever carries this method tells it.
Not here: whether the server proved itself (client.py).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import ClassVar

from ikepy.auth.eap.method import EapError, Failed, Step, Succeeded
from ikepy.auth.eap.packets import MD5_OCTETS, Md5Value, build_md5, parse_md5
from ikepy.auth.users import User
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import EapType


class Md5Server:
    """The server's end."""

    TYPE: ClassVar[EapType] = EapType.MD5_CHALLENGE

    def __init__(self, user: User, refusal: str, entropy: Entropy, our_name: str = "ikepy") -> None:
        """Make a server.

        user      whose plain password is there; a stand-in for who does not exist
        refusal   why the user may not come in whatever the password; empty where nothing is against it
        """
        if user.plain is None:
            raise ValueError("EAP-MD5 needs the password itself")
        self._user, self._plain, self._refusal = user, user.plain, refusal
        self._challenge = entropy.octets(MD5_OCTETS)
        self._our_name = our_name
        self._identifier = 0
        self._is_over = False

    def hear_identifier(self, identifier: int) -> None:
        """Take the identifier the challenge goes with."""
        self._identifier = identifier

    def begin(self) -> bytes:
        """The challenge."""
        return build_md5(Md5Value(self._challenge, self._our_name))

    def respond(self, octets: bytes) -> Step:
        """Take the answer; raises EapError where it cannot be read, or is a second one."""
        if self._is_over:
            raise EapError("a second answer of EAP-MD5")
        self._is_over = True
        fits = hmac.compare_digest(parse_md5(octets).octets, _digest(self._identifier, self._plain, self._challenge))
        if fits and not self._refusal:
            return Succeeded(None, self._user.name)
        return Failed(self._refusal or f"wrong password of '{self._user.name}'", is_guess=not fits)


class Md5Client:
    """The client's end."""

    TYPE: ClassVar[EapType] = EapType.MD5_CHALLENGE

    def __init__(self, name: str, password: Secret) -> None:
        self._name, self._password = name, password
        self._identifier = 0
        self._is_done = False
        self._fault: str | None = None

    def hear_identifier(self, identifier: int) -> None:
        """Take the identifier of the request that is answered next."""
        self._identifier = identifier

    def respond(self, octets: bytes) -> bytes:
        """Answer a challenge, once; raises EapError."""
        try:
            if self._is_done or self._fault is not None:
                raise EapError(self._fault or "a second challenge of EAP-MD5")
            challenge = parse_md5(octets).octets
        except EapError as error:
            self._fault, self._is_done = str(error), False
            raise
        self._is_done = True
        return build_md5(Md5Value(_digest(self._identifier, self._password, challenge), self._name))

    @property
    def is_done(self) -> bool:
        """Whether the challenge was answered."""
        return self._is_done

    @property
    def msk(self) -> Secret | None:
        """None: MD5 derives no key."""
        return None

    @property
    def fault(self) -> str | None:
        """Why it came to nothing."""
        return self._fault


def _digest(identifier: int, password: Secret, challenge: bytes) -> bytes:
    octets = bytes([identifier]) + password.reveal() + challenge
    return hashlib.md5(octets, usedforsecurity=False).digest()
