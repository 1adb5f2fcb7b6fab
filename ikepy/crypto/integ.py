"""Integrity algorithms (RFC 7296 §3.3.2, RFC 4868, RFC 3566, RFC 4494).

Not here: AEAD (cipher.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from ikepy.crypto import aes_mac
from ikepy.crypto.errors import IntegrityError, NoSuchAlgorithm
from ikepy.crypto.keyed_hmac import KeyedHmac
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import IntegId


class KeyedInteg:
    """An integrity algorithm under one key."""

    __slots__ = ("_icv_octets", "_mac")

    def __init__(self, integ: Integ, key: Secret) -> None:
        if len(key) != integ.key_octets:
            raise ValueError(f"key of {len(key)} octets for {integ.id}, {integ.key_octets} are right")
        self._icv_octets = integ.icv_octets
        self._mac = _keyed_mac(integ, key)

    def tag(self, octets: bytes) -> bytes:
        """The ICV."""
        return self._mac(octets)[: self._icv_octets]

    def verify(self, octets: bytes, tag: bytes) -> None:
        """Compare in constant time; raises IntegrityError."""
        if not hmac.compare_digest(self.tag(octets), tag):
            raise IntegrityError("the ICV does not fit")


@dataclass(frozen=True, slots=True)
class Integ:
    """An integrity algorithm: octets of its key and of its ICV."""

    id: IntegId
    key_octets: int
    icv_octets: int
    hash: str = ""

    def keyed(self, key: Secret) -> KeyedInteg:
        """The algorithm under a key; raises ValueError for a key of another length."""
        return KeyedInteg(self, key)


_INTEGS = {
    IntegId.HMAC_SHA1_96: Integ(IntegId.HMAC_SHA1_96, 20, 12, "sha1"),
    IntegId.AES_XCBC_96: Integ(IntegId.AES_XCBC_96, 16, 12),
    IntegId.AES_CMAC_96: Integ(IntegId.AES_CMAC_96, 16, 12),
    IntegId.HMAC_SHA2_256_128: Integ(IntegId.HMAC_SHA2_256_128, 32, 16, "sha256"),
    IntegId.HMAC_SHA2_384_192: Integ(IntegId.HMAC_SHA2_384_192, 48, 24, "sha384"),
    IntegId.HMAC_SHA2_512_256: Integ(IntegId.HMAC_SHA2_512_256, 64, 32, "sha512"),
}


def get_integ(id: IntegId) -> Integ:  # noqa: A002
    """The algorithm of that number; raises NoSuchAlgorithm."""
    integ = _INTEGS.get(id)
    if integ is None:
        raise NoSuchAlgorithm(f"no integrity algorithm {id} here; there are {', '.join(map(str, _INTEGS))}")
    return integ


def supported_integs() -> frozenset[IntegId]:
    """The algorithms there are."""
    return frozenset(_INTEGS)


def _keyed_mac(integ: Integ, key: Secret) -> Callable[[bytes], bytes]:
    if not integ.hash:
        mac = aes_mac.xcbc if integ.id is IntegId.AES_XCBC_96 else aes_mac.cmac
        return lambda octets: mac(key.reveal(), octets)
    return KeyedHmac(key, integ.hash).digest
