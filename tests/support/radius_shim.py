"""A RADIUS server just big enough that eapol_test can speak EAP with a server method of ours (RFC 2865, 3579, 2548).

One shared secret, one conversation at a time, on an address of the loopback network. What comes from eapol_test is trusted
to be RADIUS; the keys go back in MS-MPPE attributes, so eapol_test compares them with its own.
Not here: RADIUS for ikepy.
"""

from __future__ import annotations

import hmac
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5
from threading import Thread
from typing import Self

SECRET = b"shim"
ACCEPT, REJECT, CHALLENGE = 2, 3, 11
_EAP_MESSAGE, _MESSAGE_AUTHENTICATOR, _VENDOR = 79, 80, 26
_MOST_IN_ATTRIBUTE = 253


@dataclass(frozen=True)
class Answer:
    """An EAP packet, and with an EAP-Success the MSK."""

    code: int
    eap: bytes
    msk: bytes = b""


class RadiusShim:
    """Serve until closed; `respond` takes each EAP packet."""

    def __init__(self, respond: Callable[[bytes], Answer]) -> None:
        self._respond = respond
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.faults: list[Exception] = []
        self._thread = Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            request, sender = self._socket.recvfrom(4096)
            if not request:
                return
            try:
                self._socket.sendto(self._answer(request), sender)
            except Exception as error:  # noqa: BLE001 - kept for the test
                self.faults.append(error)

    def _answer(self, request: bytes) -> bytes:
        _, identifier, _ = struct.unpack("!BBH", request[:4])
        authenticator = request[4:20]
        eap = b"".join(value for kind, value in _attributes(request[20:]) if kind == _EAP_MESSAGE)
        answer = self._respond(eap)
        attributes = b"".join(
            _attribute(_EAP_MESSAGE, answer.eap[place : place + _MOST_IN_ATTRIBUTE])
            for place in range(0, len(answer.eap), _MOST_IN_ATTRIBUTE)
        )
        if answer.code == CHALLENGE:
            attributes += _attribute(24, b"one")
        if answer.msk:
            attributes += _key(17, answer.msk[:32], authenticator, b"\x80\x01")
            attributes += _key(16, answer.msk[32:], authenticator, b"\x80\x02")
        attributes += _attribute(_MESSAGE_AUTHENTICATOR, bytes(16))
        head = struct.pack("!BBH", answer.code, identifier, 20 + len(attributes))
        proof = hmac.digest(SECRET, head + authenticator + attributes, "md5")
        attributes = attributes[:-16] + proof
        return head + md5(head + authenticator + attributes + SECRET).digest() + attributes


def _attributes(octets: bytes) -> list[tuple[int, bytes]]:
    found = []
    while octets:
        kind, length = octets[0], octets[1]
        found.append((kind, octets[2:length]))
        octets = octets[length:]
    return found


def _attribute(kind: int, value: bytes) -> bytes:
    return bytes([kind, 2 + len(value)]) + value


def _key(kind: int, key: bytes, authenticator: bytes, salt: bytes) -> bytes:
    """MS-MPPE-Send-Key or -Recv-Key (RFC 2548 §2.4.2-3)."""
    plain = bytes([len(key)]) + key
    plain += bytes(-len(plain) % 16)
    sealed, last = b"", authenticator + salt
    for place in range(0, len(plain), 16):
        pad = md5(SECRET + last).digest()
        last = bytes(one ^ other for one, other in zip(plain[place : place + 16], pad, strict=True))
        sealed += last
    return _attribute(_VENDOR, struct.pack("!IBB", 311, kind, 4 + len(sealed)) + salt + sealed)
