"""Pseudo-random functions and prf+ (RFC 7296 §2.13, RFC 4434, RFC 4615).

Not here: what is derived with them (ike/keymat.py).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import partial

from ikepy.crypto import aes_mac
from ikepy.crypto.errors import NoSuchAlgorithm
from ikepy.crypto.keyed_hmac import KeyedHmac
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import PrfId

MOST_BLOCKS = 255
_AES_KEY_OCTETS = 16


@dataclass(frozen=True, slots=True)
class Prf:
    """A PRF: its preferred key size and its output size in octets.

    has_fixed_key  whether §2.14's rule for PRFs with a fixed key length holds (AES-XCBC, AES-CMAC)
    """

    id: PrfId
    key_octets: int
    output_octets: int
    has_fixed_key: bool
    hash: str = ""

    def digest(self, key: Secret, *parts: bytes) -> bytes:
        """prf(key, parts one after the other)."""
        octets = b"".join(parts)
        if self.hash:
            return hmac.digest(key.reveal(), octets, self.hash)
        mac = aes_mac.xcbc if self.id is PrfId.AES128_XCBC else aes_mac.cmac
        return mac(self._fix_key(key.reveal(), mac), octets)

    def plus(self, key: Secret, seed: bytes, octets: int) -> bytes:
        """prf+(key, seed), that many octets (§2.13); raises ValueError over 255 blocks."""
        blocks = -(-octets // self.output_octets)
        if blocks > MOST_BLOCKS:
            raise ValueError(f"prf+ of {octets} octets needs {blocks} blocks, {MOST_BLOCKS} are the most")
        digest = self.keyed(key).digest
        stream, block = [], b""
        for number in range(1, blocks + 1):
            block = digest(block, seed, bytes((number,)))
            stream.append(block)
        return b"".join(stream)[:octets]

    def keyed(self, key: Secret) -> KeyedPrf:
        """The PRF under a key that is used several times: the key is set up once."""
        return KeyedPrf(self, key)

    @staticmethod
    def _fix_key(key: bytes, mac: aes_mac.Mac) -> bytes:
        # RFC 4434 §2, RFC 4615 §3: shorter keys are padded or hashed, longer ones hashed.
        if len(key) == _AES_KEY_OCTETS:
            return key
        if mac is aes_mac.xcbc and len(key) < _AES_KEY_OCTETS:
            return key.ljust(_AES_KEY_OCTETS, b"\0")
        return mac(bytes(_AES_KEY_OCTETS), key)


class KeyedPrf:
    """A PRF under one key; does not print it."""

    __slots__ = ("_digest",)

    def __init__(self, prf: Prf, key: Secret) -> None:
        self._digest = KeyedHmac(key, prf.hash).digest if prf.hash else partial(prf.digest, key)

    def digest(self, *parts: bytes) -> bytes:
        """prf(key, parts one after the other)."""
        return self._digest(b"".join(parts))


_PRFS = {
    PrfId.HMAC_SHA1: Prf(PrfId.HMAC_SHA1, 20, 20, has_fixed_key=False, hash="sha1"),
    PrfId.HMAC_SHA2_256: Prf(PrfId.HMAC_SHA2_256, 32, 32, has_fixed_key=False, hash="sha256"),
    PrfId.HMAC_SHA2_384: Prf(PrfId.HMAC_SHA2_384, 48, 48, has_fixed_key=False, hash="sha384"),
    PrfId.HMAC_SHA2_512: Prf(PrfId.HMAC_SHA2_512, 64, 64, has_fixed_key=False, hash="sha512"),
    PrfId.AES128_XCBC: Prf(PrfId.AES128_XCBC, 16, 16, has_fixed_key=True),
    PrfId.AES128_CMAC: Prf(PrfId.AES128_CMAC, 16, 16, has_fixed_key=True),
}


def get_prf(id: PrfId) -> Prf:  # noqa: A002
    """The PRF of that number; raises NoSuchAlgorithm."""
    prf = _PRFS.get(id)
    if prf is None:
        raise NoSuchAlgorithm(f"no PRF {id} here; there are {', '.join(map(str, _PRFS))}")
    return prf


def supported_prfs() -> frozenset[PrfId]:
    """The PRFs there are."""
    return frozenset(_PRFS)
