"""Ciphers of the SK payload: AES in CBC, CTR, GCM and CCM, ChaCha20-Poly1305, and 3DES for old peers.

Rule 1: a key is what is taken from SK_e or KEYMAT: for AEAD and CTR the salt stands behind the key.
Rule 2: an AEAD that does not open raises IntegrityError; plain ciphers are checked by an integrity algorithm first.
Not here: padding, IVs (ike/protection.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from ikepy.crypto.errors import IntegrityError, NoSuchAlgorithm
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import EncrId

AES_KEY_BITS = (128, 192, 256)
_FULL_TAG = 16


class KeyedEncr(Protocol):
    """A cipher under one key."""

    def seal(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        """Ciphertext, and with an AEAD its tag."""

    def open(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        """Plaintext; raises IntegrityError where a tag does not fit or the length cannot be right."""


@dataclass(frozen=True, slots=True)
class Encr:
    """A cipher with one key length; sizes in octets.

    key_octets  with the salt
    icv_octets  of an AEAD's tag; 0 for the others
    """

    id: EncrId
    key_length_bits: int | None
    key_octets: int
    iv_octets: int
    icv_octets: int
    block_octets: int
    make: Callable[[bytes, int], KeyedEncr]

    @property
    def is_aead(self) -> bool:
        """Whether it protects integrity too."""
        return self.icv_octets > 0

    def keyed(self, key: Secret) -> KeyedEncr:
        """The cipher under a key; raises ValueError for a key of another length."""
        if len(key) != self.key_octets:
            raise ValueError(f"key of {len(key)} octets for {self.id}, {self.key_octets} are right")
        return self.make(key.reveal(), self.icv_octets)


def get_encr(id: EncrId, key_length_bits: int | None) -> Encr:  # noqa: A002
    """The cipher of that number and key length; raises NoSuchAlgorithm."""
    family = _FAMILIES.get(id)
    if family is None:
        raise NoSuchAlgorithm(f"no cipher {id} here; there are {', '.join(map(str, _FAMILIES))}")
    if key_length_bits not in family.key_bits:
        lengths = " or ".join(str(bits) for bits in family.key_bits if bits is not None) or "no length"
        raise NoSuchAlgorithm(f"{id} with key length {key_length_bits}; it has {lengths}")
    key_octets = (key_length_bits // 8 if key_length_bits is not None else family.fixed_octets) + family.salt_octets
    return Encr(id, key_length_bits, key_octets, family.iv_octets, family.icv_octets, family.block_octets, family.make)


def supported_encrs() -> dict[EncrId, tuple[int | None, ...]]:
    """The ciphers there are, with their key lengths in bits (None: no Key Length attribute)."""
    return {number: family.key_bits for number, family in _FAMILIES.items()}


class _Cbc:
    def __init__(self, algorithm: type[algorithms.AES | TripleDES], key: bytes) -> None:
        self._algorithm = algorithm(key)

    def seal(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        _refuse_associated(aad)
        encryptor = Cipher(self._algorithm, modes.CBC(iv)).encryptor()
        return encryptor.update(plaintext) + encryptor.finalize()

    def open(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        _refuse_associated(aad)
        try:
            decryptor = Cipher(self._algorithm, modes.CBC(iv)).decryptor()
            return decryptor.update(ciphertext) + decryptor.finalize()
        except ValueError as error:
            raise IntegrityError(
                f"IV of {len(iv)} and ciphertext of {len(ciphertext)} octets are no whole number of blocks"
            ) from error


class _Ctr:
    """RFC 3686: counter block = salt, IV, and a counter from 1."""

    def __init__(self, key: bytes, _icv: int) -> None:
        self._algorithm, self._salt = algorithms.AES(key[:-4]), key[-4:]

    def seal(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        _refuse_associated(aad)
        stream = Cipher(self._algorithm, modes.CTR(self._salt + iv + b"\0\0\0\1")).encryptor()
        return stream.update(plaintext) + stream.finalize()

    def open(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        try:
            return self.seal(iv, ciphertext, aad)
        except ValueError as error:
            raise IntegrityError(f"IV of {len(iv)} octets") from error


class _Aead:
    """RFC 5282, RFC 7634: nonce = salt, IV."""

    def __init__(self, cipher: AESGCM | AESCCM | ChaCha20Poly1305, salt: bytes) -> None:
        self._cipher, self._salt = cipher, salt

    def seal(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        return self._cipher.encrypt(self._salt + iv, plaintext, aad)

    def open(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        try:
            return self._cipher.decrypt(self._salt + iv, ciphertext, aad)
        except (InvalidTag, ValueError) as error:
            raise IntegrityError("the tag does not fit") from error


class _ShortGcm:
    """AES-GCM with a tag of 8 or 12 octets, which AESGCM cannot do."""

    def __init__(self, key: bytes, salt: bytes, icv_octets: int) -> None:
        self._algorithm, self._salt, self._icv = algorithms.AES(key), salt, icv_octets

    def seal(self, iv: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
        encryptor = Cipher(self._algorithm, modes.GCM(self._salt + iv)).encryptor()
        encryptor.authenticate_additional_data(aad)
        ciphertext = encryptor.update(plaintext) + encryptor.finalize()
        return ciphertext + encryptor.tag[: self._icv]

    def open(self, iv: bytes, ciphertext: bytes, aad: bytes = b"") -> bytes:
        octets, tag = ciphertext[: -self._icv], ciphertext[-self._icv :]
        try:
            mode = modes.GCM(self._salt + iv, tag, min_tag_length=self._icv)
            decryptor = Cipher(self._algorithm, mode).decryptor()
            decryptor.authenticate_additional_data(aad)
            return decryptor.update(octets) + decryptor.finalize()
        except (InvalidTag, ValueError) as error:
            raise IntegrityError("the tag does not fit") from error


def _refuse_associated(aad: bytes) -> None:
    if aad:
        raise TypeError("associated data given to a cipher that protects none: use its integrity algorithm")


def _make_gcm(key: bytes, icv_octets: int) -> KeyedEncr:
    if icv_octets == _FULL_TAG:
        return _Aead(AESGCM(key[:-4]), key[-4:])
    return _ShortGcm(key[:-4], key[-4:], icv_octets)


@dataclass(frozen=True, slots=True)
class _Family:
    key_bits: tuple[int | None, ...]
    salt_octets: int
    iv_octets: int
    icv_octets: int
    block_octets: int
    make: Callable[[bytes, int], KeyedEncr]
    fixed_octets: int = 0


_FAMILIES: dict[EncrId, _Family] = {
    EncrId.TRIPLE_DES: _Family((None,), 0, 8, 0, 8, lambda key, _icv: _Cbc(TripleDES, key), fixed_octets=24),
    EncrId.AES_CBC: _Family(AES_KEY_BITS, 0, 16, 0, 16, lambda key, _icv: _Cbc(algorithms.AES, key)),
    EncrId.AES_CTR: _Family(AES_KEY_BITS, 4, 8, 0, 1, _Ctr),
    EncrId.CHACHA20_POLY1305: _Family(
        (None,), 4, 8, 16, 1, lambda key, _icv: _Aead(ChaCha20Poly1305(key[:-4]), key[-4:]), fixed_octets=32
    ),
}
_FAMILIES |= {
    number: _Family(AES_KEY_BITS, 3, 8, icv, 1, lambda key, icv: _Aead(AESCCM(key[:-3], icv), key[-3:]))
    for number, icv in ((EncrId.AES_CCM_8, 8), (EncrId.AES_CCM_12, 12), (EncrId.AES_CCM_16, 16))
}
_FAMILIES |= {
    number: _Family(AES_KEY_BITS, 4, 8, icv, 1, _make_gcm)
    for number, icv in ((EncrId.AES_GCM_8, 8), (EncrId.AES_GCM_12, 12), (EncrId.AES_GCM_16, 16))
}
