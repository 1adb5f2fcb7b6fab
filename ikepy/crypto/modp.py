"""MODP groups (RFC 2409, RFC 3526): draw a key, agree; OpenSSL raises to powers where it can, else Python's pow().

Rule 1: public values are 2..p-2, of the modulus's length (RFC 6989 §2.1; all these are safe primes).
Rule 2: private exponents are short, twice the group's strength and more (RFC 3526 §8), so that pow() stays bearable.
Rule 3: nothing but power() knows which of the two did it.
Not here: the other methods (key_exchange.py).
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

from ikepy.crypto.entropy import Entropy
from ikepy.crypto.errors import InvalidPublicValue
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import KeMethod

try:
    # cryptography 50 warns where these names are looked up, once here rather than in each thread, and will drop them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        from cryptography.hazmat.primitives.asymmetric.dh import DHParameterNumbers, DHPrivateNumbers, DHPublicNumbers
    HAS_OPENSSL = True
except ImportError:
    HAS_OPENSSL = False

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
_UNKNOWN_TO_OPENSSL = frozenset({KeMethod.MODP_1024})
"OpenSSL does not know this prime and would prove it prime each time, for 30 ms; pow() takes 0.5 ms."


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


class ModpKey:
    """A private exponent of a group, and its public value; prints neither."""

    __slots__ = ("_exponent", "_method", "public")

    def __init__(self, method: KeMethod, entropy: Entropy) -> None:
        of = group(method)
        exponent = bytearray(entropy.octets(of.exponent_octets))
        exponent[0] |= 0x80
        self._method = method
        self._exponent = Secret(bytes(exponent))
        self.public = power(method, GENERATOR, self._exponent)

    def agree(self, peer_public: bytes) -> Secret:
        """g^ir padded to the modulus's length; raises InvalidPublicValue."""
        return Secret(power(self._method, check_public(self._method, peer_public), self._exponent))


def check_public(method: KeMethod, public: bytes) -> int:
    """The public value as a number; raises InvalidPublicValue (RFC 6989 §2.1)."""
    of = group(method)
    if len(public) != of.octets:
        raise InvalidPublicValue(f"public value of {len(public)} octets for {method}, {of.octets} are right")
    value = int.from_bytes(public, "big")
    if not 1 < value < of.prime - 1:
        raise InvalidPublicValue(f"public value outside of {method}")
    return value


def power(method: KeMethod, base: int, exponent: Secret, *, with_openssl: bool = HAS_OPENSSL) -> bytes:
    """Raise to a power modulo the prime, padded to its length; the base is 2..p-2."""
    of, number = group(method), int.from_bytes(exponent.reveal(), "big")
    if with_openssl and method not in _UNKNOWN_TO_OPENSSL:
        # A host may forbid a group to its OpenSSL (FIPS), which is no reason to fail.
        with suppress(ValueError, UnsupportedAlgorithm):
            return _openssl_power(of, base, number).rjust(of.octets, b"\0")
    return pow(base, number, of.prime).to_bytes(of.octets, "big")


def _openssl_power(of: Group, base: int, exponent: int) -> bytes:
    parameters = DHParameterNumbers(of.prime, GENERATOR)
    # The public value that belongs to the exponent is what may be asked for; OpenSSL needs some value, not that one.
    private = DHPrivateNumbers(exponent, DHPublicNumbers(GENERATOR, parameters)).private_key()
    return private.exchange(DHPublicNumbers(base, parameters).public_key())


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
