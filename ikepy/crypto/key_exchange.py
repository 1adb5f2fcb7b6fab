"""Key exchange methods behind one interface: MODP, ECP, brainpool, Curve25519, Curve448.

Rule 1: a peer's public value is checked before it is used (RFC 6989).
Rule 2: neither private values nor shared secrets print.
Not here: which method is chosen (ike/negotiation.py), whether a thread does it (daemon/performer.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikepy.crypto import modp
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.errors import InvalidPublicValue, NoSuchAlgorithm
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import KeMethod

_CURVES: dict[KeMethod, ec.EllipticCurve] = {
    KeMethod.ECP_256: ec.SECP256R1(),
    KeMethod.ECP_384: ec.SECP384R1(),
    KeMethod.ECP_521: ec.SECP521R1(),
    KeMethod.BRAINPOOL_256: ec.BrainpoolP256R1(),
    KeMethod.BRAINPOOL_384: ec.BrainpoolP384R1(),
    KeMethod.BRAINPOOL_512: ec.BrainpoolP512R1(),
}
_XDH_OCTETS = {KeMethod.CURVE25519: 32, KeMethod.CURVE448: 56}
_UNCOMPRESSED = b"\x04"


class KeyExchange(ABC):
    """Our half of a key exchange.

    method  the key exchange method
    public  our public value as it goes into KE
    """

    method: KeMethod
    public: bytes

    @abstractmethod
    def shared(self, peer_public: bytes) -> Secret:
        """Combine with the peer's public value; raises InvalidPublicValue."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.method})"


def make_key_exchange(method: KeMethod, entropy: Entropy) -> KeyExchange:
    """Draw a private value; raises NoSuchAlgorithm."""
    if method in modp.METHODS:
        return _Modp(method, entropy)
    if method in _CURVES:
        return _Ecp(method, entropy)
    if method is KeMethod.CURVE25519:
        return _X25519(entropy)
    if method is KeMethod.CURVE448:
        return _X448(entropy)
    raise NoSuchAlgorithm(f"no key exchange method {method} here")


def supported_methods() -> frozenset[KeMethod]:
    """The methods there are."""
    return modp.METHODS | frozenset(_CURVES) | frozenset(_XDH_OCTETS)


def public_octets(method: KeMethod) -> int:
    """Octets of the method's public values; raises NoSuchAlgorithm."""
    if method in modp.METHODS:
        return modp.group(method).octets
    if method in _CURVES:
        return 2 * _coordinate_octets(method)
    if method in _XDH_OCTETS:
        return _XDH_OCTETS[method]
    raise NoSuchAlgorithm(f"no key exchange method {method} here")


def is_slow(method: KeMethod) -> bool:
    """Whether it takes so long that a thread should do it."""
    return method not in _XDH_OCTETS and method is not KeMethod.ECP_256


class _Modp(KeyExchange):
    def __init__(self, method: KeMethod, entropy: Entropy) -> None:
        self.method = method
        self._key = modp.ModpKey(method, entropy)
        self.public = self._key.public

    def shared(self, peer_public: bytes) -> Secret:
        return self._key.agree(peer_public)


class _Ecp(KeyExchange):
    """RFC 5903, RFC 6954: x and y without a prefix on the wire, the secret is x alone."""

    def __init__(self, method: KeMethod, entropy: Entropy) -> None:
        curve = _CURVES[method]
        # FIPS 186-5 A.2.1: 64 bits more than the order has, so that none of 1..order-1 is likelier by more than 2**-64.
        drawn = int.from_bytes(entropy.octets(_coordinate_octets(method) + 8), "big")
        self.method = method
        self._private = ec.derive_private_key(drawn % (curve.group_order - 1) + 1, curve)
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = point.removeprefix(_UNCOMPRESSED)

    def shared(self, peer_public: bytes) -> Secret:
        _check_length(self.method, peer_public)
        try:
            public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[self.method], _UNCOMPRESSED + peer_public)
        except ValueError as error:
            raise InvalidPublicValue(f"public value is no point of {self.method}") from error
        return Secret(self._private.exchange(ec.ECDH(), public))


class _X25519(KeyExchange):
    """RFC 8031; a shared secret of zeros is refused."""

    method = KeMethod.CURVE25519

    def __init__(self, entropy: Entropy) -> None:
        self._private = x25519.X25519PrivateKey.from_private_bytes(entropy.octets(32))
        self.public = self._private.public_key().public_bytes_raw()

    def shared(self, peer_public: bytes) -> Secret:
        _check_length(self.method, peer_public)
        try:
            return Secret(self._private.exchange(x25519.X25519PublicKey.from_public_bytes(peer_public)))
        except ValueError as error:
            raise InvalidPublicValue("public value of small order") from error


class _X448(KeyExchange):
    """RFC 8031; a shared secret of zeros is refused."""

    method = KeMethod.CURVE448

    def __init__(self, entropy: Entropy) -> None:
        self._private = x448.X448PrivateKey.from_private_bytes(entropy.octets(56))
        self.public = self._private.public_key().public_bytes_raw()

    def shared(self, peer_public: bytes) -> Secret:
        _check_length(self.method, peer_public)
        try:
            return Secret(self._private.exchange(x448.X448PublicKey.from_public_bytes(peer_public)))
        except ValueError as error:
            raise InvalidPublicValue("public value of small order") from error


def _coordinate_octets(method: KeMethod) -> int:
    return (_CURVES[method].key_size + 7) // 8


def _check_length(method: KeMethod, public: bytes) -> None:
    expected = public_octets(method)
    if len(public) != expected:
        raise InvalidPublicValue(f"public value of {len(public)} octets for {method}, {expected} are right")
