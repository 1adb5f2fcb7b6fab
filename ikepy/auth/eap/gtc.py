"""EAP-GTC: the server asks, the client gives the password itself (RFC 3748 §5.6).

Rule 1: the password goes once, to a server that proved itself before: by its certificate in IKE_AUTH, or inside TLS.
Rule 2: who does not exist, who may not come in and a wrong password cost the same work, and are one to the client.
Rule 3: there is no key: AUTH is made of SK_pi and SK_pr (RFC 7296 §2.16).
Not here: whether the server proved itself (client.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ikepy.auth.eap.method import EapError, Failed, Step, Succeeded
from ikepy.auth.eap.packets import MOST_PASSWORD_OCTETS, parse_password, parse_text
from ikepy.auth.users import User
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import EapType

_PROMPT = b"Password: "


class GtcServer:
    """The server's end."""

    TYPE: ClassVar[EapType] = EapType.GTC

    def __init__(self, user: User, refusal: str, verify_password: Callable[[User, bytes], bool]) -> None:
        """Make a server.

        refusal           why the user may not come in whatever the password; empty where nothing is against it
        verify_password   whether octets are the user's password, UTF-8; the same work for all
        """
        self._user, self._refusal, self._verify = user, refusal, verify_password
        self._is_over = False

    def begin(self) -> bytes:
        """The prompt."""
        return _PROMPT

    def respond(self, octets: bytes) -> Step:
        """Take the password; raises EapError where there is none."""
        if self._is_over:
            raise EapError("a second password")
        self._is_over = True
        fits = self._verify(self._user, parse_password(octets))
        if fits and not self._refusal:
            return Succeeded(None, self._user.name)
        return Failed(self._refusal or f"wrong password of '{self._user.name}'", is_guess=not fits)


class GtcClient:
    """The client's end."""

    TYPE: ClassVar[EapType] = EapType.GTC

    def __init__(self, password: Secret) -> None:
        """Make a client.

        password   UTF-8
        """
        if not 0 < len(password) <= MOST_PASSWORD_OCTETS:
            raise ValueError(f"GTC takes a password of 1 to {MOST_PASSWORD_OCTETS} octets, not of {len(password)}")
        self._password = password
        self._is_done = False
        self._fault: str | None = None

    def respond(self, octets: bytes) -> bytes:
        """Give the password, once; raises EapError."""
        try:
            if self._is_done:
                raise EapError("the server asks for the password again; it may be wrong")
            parse_text(octets)
        except EapError as error:
            self._fault, self._is_done = str(error), False
            raise
        if self._fault is not None:
            raise EapError(self._fault)
        self._is_done = True
        return self._password.reveal()

    @property
    def is_done(self) -> bool:
        """Whether the password was given."""
        return self._is_done

    @property
    def msk(self) -> Secret | None:
        """None: GTC derives no key."""
        return None

    @property
    def fault(self) -> str | None:
        """Why it came to nothing."""
        return self._fault
