"""MODP groups (RFC 2409, RFC 3526) behind two functions: OpenSSL's where it still does them, else Python's pow().

Rule 1: public values are 2..p-2, of the modulus's length (RFC 6989 §2.1; all these are safe primes).
Rule 2: private exponents are short, twice the group's strength and more (RFC 3526 §8), so that pow() stays bearable.
Not here: the other methods (key_exchange.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dh
from cryptography.utils import CryptographyDeprecationWarning

from ikepy.crypto.entropy import Entropy
from ikepy.crypto.errors import InvalidPublicValue
from ikepy.wire.registry import KeMethod

GENERATOR = 2
# p = 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + k), from RFC 2409 §6 and RFC 3526.
_OFFSETS = {
    KeMethod.MODP_1024: (1024, 129093, 20),
    KeMethod.MODP_1536: (1536, 741804, 24),
    KeMethod.MODP_2048: (2048, 124476, 32),
    KeMethod.MODP_3072: (3072, 1690314, 36),
    KeMethod.MODP_4096: (4096, 240904, 40),
    KeMethod.MODP_6144: (6144, 929484, 48),
    KeMethod.MODP_8192: (8192, 4743158, 56),
}
METHODS = frozenset(_OFFSETS)


@dataclass(frozen=True, slots=True)
class Group:
    """A prime and how long exponents are."""

    prime: int
    octets: int
    exponent_octets: int


@cache
def group(method: KeMethod) -> Group:
    """The group of that method."""
    bits, offset, exponent_octets = _OFFSETS[method]
    prime = (1 << bits) - (1 << (bits - 64)) - 1 + (1 << 64) * (_pi_scaled(bits - 130) + offset)
    return Group(prime, bits // 8, exponent_octets)


class ModpKey(Protocol):
    """A private exponent of a group."""

    public: bytes

    def agree(self, peer_public: bytes) -> bytes:
        """g^ir padded to the modulus's length; raises InvalidPublicValue."""


def make_key(method: KeMethod, entropy: Entropy, *, with_openssl: bool = True) -> ModpKey:
    """Draw a private exponent; `with_openssl` False asks for the fallback."""
    parameters = _parameters(method) if with_openssl else None
    return PowKey(method, entropy) if parameters is None else OpensslKey(method, parameters)


def check_public(method: KeMethod, peer_public: bytes) -> int:
    """The public value as a number; raises InvalidPublicValue (RFC 6989 §2.1)."""
    of = group(method)
    value = int.from_bytes(peer_public, "big")
    if len(peer_public) != of.octets:
        raise InvalidPublicValue(f"public value of {len(peer_public)} octets for {method}, {of.octets} are right")
    if not 1 < value < of.prime - 1:
        raise InvalidPublicValue(f"public value outside of {method}")
    return value


class PowKey:
    """By pow(): 5 to 30 ms, for hosts whose cryptography does finite fields no more."""

    def __init__(self, method: KeMethod, entropy: Entropy) -> None:
        of = group(method)
        self._method = method
        self._private = int.from_bytes(entropy.octets(of.exponent_octets), "big") | 1 << (of.exponent_octets * 8 - 1)
        self.public = pow(GENERATOR, self._private, of.prime).to_bytes(of.octets, "big")

    def agree(self, peer_public: bytes) -> bytes:
        """g^ir padded to the modulus's length; raises InvalidPublicValue."""
        of, value = group(self._method), check_public(self._method, peer_public)
        return pow(value, self._private, of.prime).to_bytes(of.octets, "big")


class OpensslKey:
    """By OpenSSL, which knows these groups and takes short exponents itself; it draws its own randomness."""

    def __init__(self, method: KeMethod, parameters: dh.DHParameters) -> None:
        self._method = method
        with _deprecated():
            self._private = parameters.generate_private_key()
            self.public = self._private.public_key().public_numbers().y.to_bytes(group(method).octets, "big")

    def agree(self, peer_public: bytes) -> bytes:
        """g^ir padded to the modulus's length; raises InvalidPublicValue."""
        of, value = group(self._method), check_public(self._method, peer_public)
        with _deprecated():
            public = dh.DHPublicNumbers(value, dh.DHParameterNumbers(of.prime, GENERATOR)).public_key()
            return self._private.exchange(public).rjust(of.octets, b"\0")


@cache
def _parameters(method: KeMethod) -> dh.DHParameters | None:
    """OpenSSL's parameters, None where it refuses the group or cryptography has dropped finite fields."""
    try:
        with _deprecated():
            return dh.DHParameterNumbers(group(method).prime, GENERATOR).parameters()
    except (ValueError, UnsupportedAlgorithm, AttributeError):
        return None


@contextmanager
def _deprecated() -> Iterator[None]:
    """cryptography deprecates finite fields; IKEv2 peers do not yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


def _pi_scaled(bits: int) -> int:
    """floor(2**bits * pi), by Machin's formula with 64 bits to spare."""
    one = 1 << (bits + 64)

    def arctan_inverse(x: int) -> int:
        power = total = one // x
        square, divisor, sign = x * x, 3, -1
        while power:
            power //= square
            total += sign * (power // divisor)
            divisor, sign = divisor + 2, -sign
        return total

    return (4 * (4 * arctan_inverse(5) - arctan_inverse(239))) >> 64
