"""AES-XCBC-MAC and AES-CMAC, full length (RFC 3566, RFC 4493)."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

Mac = Callable[[bytes, bytes], bytes]
_BLOCK = 16


def cmac(key: bytes, octets: bytes) -> bytes:
    """AES-CMAC of 16 octets (RFC 4493)."""
    mac = CMAC(algorithms.AES(key))
    mac.update(octets)
    return mac.finalize()


def xcbc(key: bytes, octets: bytes) -> bytes:
    """AES-XCBC-MAC of 16 octets, not truncated (RFC 3566 §4)."""
    derive = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - as RFC 3566 derives its keys
    key1, key2, key3 = (derive.update(bytes([number]) * _BLOCK) for number in (1, 2, 3))
    whole, rest = divmod(len(octets), _BLOCK)
    if rest or not octets:
        last, mask = octets[whole * _BLOCK :] + b"\x80" + bytes(_BLOCK - rest - 1), key3
    else:
        whole -= 1
        last, mask = octets[-_BLOCK:], key2
    chain = Cipher(algorithms.AES(key1), modes.CBC(bytes(_BLOCK))).encryptor()
    chain.update(octets[: whole * _BLOCK])
    return chain.update(_xor(last, mask))


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
