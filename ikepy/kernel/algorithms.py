"""How Linux calls the algorithms of ESP, how it wants their keys, and how long their ICVs are.

Rule 1: a key goes to the kernel as it came out of KEYMAT: the salt of AEAD and CTR stands behind the key in both.
Not here: what is negotiated (crypto/suites.py), the attributes that carry it (messages/, translate.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.wire.registry import EncrId, IntegId


@dataclass(frozen=True, slots=True)
class KernelCipher:
    """A cipher in the kernel's words.

    name          as in /proc/crypto
    salt_octets   part of the key that is salt or nonce, behind the key proper
    key_octets    lengths the key proper may have
    icv_bits      length of the AEAD's tag; None for a cipher that needs an integrity algorithm beside it
    """

    name: str
    salt_octets: int
    key_octets: tuple[int, ...]
    icv_bits: int | None = None

    @property
    def is_aead(self) -> bool:
        """Whether it protects integrity by itself."""
        return self.icv_bits is not None

    def accepts(self, octets: int) -> bool:
        """Whether a key with its salt may be that long."""
        return octets - self.salt_octets in self.key_octets


@dataclass(frozen=True, slots=True)
class KernelIntegrity:
    """An integrity algorithm in the kernel's words.

    icv_bits   what is left of the tag in a packet
    """

    name: str
    key_octets: int
    icv_bits: int


_AES = (16, 24, 32)

CIPHERS: dict[EncrId, KernelCipher] = {
    EncrId.TRIPLE_DES: KernelCipher("cbc(des3_ede)", 0, (24,)),
    EncrId.AES_CBC: KernelCipher("cbc(aes)", 0, _AES),
    EncrId.AES_CTR: KernelCipher("rfc3686(ctr(aes))", 4, _AES),
    EncrId.AES_CCM_8: KernelCipher("rfc4309(ccm(aes))", 3, _AES, 64),
    EncrId.AES_CCM_12: KernelCipher("rfc4309(ccm(aes))", 3, _AES, 96),
    EncrId.AES_CCM_16: KernelCipher("rfc4309(ccm(aes))", 3, _AES, 128),
    EncrId.AES_GCM_8: KernelCipher("rfc4106(gcm(aes))", 4, _AES, 64),
    EncrId.AES_GCM_12: KernelCipher("rfc4106(gcm(aes))", 4, _AES, 96),
    EncrId.AES_GCM_16: KernelCipher("rfc4106(gcm(aes))", 4, _AES, 128),
    EncrId.CHACHA20_POLY1305: KernelCipher("rfc7539esp(chacha20,poly1305)", 4, (32,), 128),
}
"""Ciphers of ESP that Linux has and ikepy uses."""

INTEGRITIES: dict[IntegId, KernelIntegrity] = {
    IntegId.HMAC_SHA1_96: KernelIntegrity("hmac(sha1)", 20, 96),
    IntegId.AES_XCBC_96: KernelIntegrity("xcbc(aes)", 16, 96),
    IntegId.AES_CMAC_96: KernelIntegrity("cmac(aes)", 16, 96),
    IntegId.HMAC_SHA2_256_128: KernelIntegrity("hmac(sha256)", 32, 128),
    IntegId.HMAC_SHA2_384_192: KernelIntegrity("hmac(sha384)", 48, 192),
    IntegId.HMAC_SHA2_512_256: KernelIntegrity("hmac(sha512)", 64, 256),
}
"""Integrity algorithms of ESP that Linux has and ikepy uses; the kernel is told the truncation."""

_ENCR_BY_NAME = {(cipher.name, cipher.icv_bits): number for number, cipher in CIPHERS.items()}
_INTEG_BY_NAME = {(integ.name, integ.icv_bits): number for number, integ in INTEGRITIES.items()}


def kernel_cipher(encr: EncrId, key_octets: int) -> KernelCipher:
    """Find a cipher for a key (salt included) of that length; raises ValueError."""
    cipher = CIPHERS.get(encr)
    if cipher is None:
        raise ValueError(f"Linux has no {encr} for ESP")
    if not cipher.accepts(key_octets):
        wanted = ", ".join(str(octets + cipher.salt_octets) for octets in cipher.key_octets)
        raise ValueError(f"{encr} takes a key of {wanted} octets with its salt, not {key_octets}")
    return cipher


def kernel_integrity(integ: IntegId, key_octets: int) -> KernelIntegrity:
    """Find an integrity algorithm for a key of that length; raises ValueError."""
    found = INTEGRITIES.get(integ)
    if found is None:
        raise ValueError(f"Linux has no {integ} for ESP")
    if found.key_octets != key_octets:
        raise ValueError(f"{integ} takes a key of {found.key_octets} octets, not {key_octets}")
    return found


def encr_of(name: str, icv_bits: int | None) -> EncrId | None:
    """The cipher that the kernel calls so; None where ikepy does not know it."""
    return _ENCR_BY_NAME.get((name, icv_bits))


def integ_of(name: str, icv_bits: int) -> IntegId | None:
    """The integrity algorithm that the kernel calls so; None where ikepy does not know it."""
    return _INTEG_BY_NAME.get((name, icv_bits))
