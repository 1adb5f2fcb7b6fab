"""Keys: SKEYSEED, the seven SK_* keys, KEYMAT of children, and the octets of the AUTH payloads.

Rule 1: pure functions of what both sides know; no state.
Not here: algorithms (crypto/), the keys' use (protection.py, child.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.crypto.prf import Prf
from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import EspSuite, IkeSuite
from ikepy.wire.payloads import Identification, build_identification

KEY_PAD = b"Key Pad for IKEv2"


@dataclass(frozen=True, slots=True)
class IkeKeys:
    """The seven keys of an IKE SA (§2.14); SK_a* are empty with an AEAD."""

    sk_d: Secret
    sk_ai: Secret
    sk_ar: Secret
    sk_ei: Secret
    sk_er: Secret
    sk_pi: Secret
    sk_pr: Secret

    def named(self) -> dict[str, Secret]:
        """The keys by the names the RFC gives them."""
        return {
            "SK_d": self.sk_d,
            "SK_ai": self.sk_ai,
            "SK_ar": self.sk_ar,
            "SK_ei": self.sk_ei,
            "SK_er": self.sk_er,
            "SK_pi": self.sk_pi,
            "SK_pr": self.sk_pr,
        }


@dataclass(frozen=True, slots=True)
class ChildKeys:
    """Keys of the two states of a child (§2.17), by the role in the exchange that made it."""

    encr_i: Secret
    integ_i: Secret
    encr_r: Secret
    integ_r: Secret


def derive_skeyseed(prf: Prf, shared: Secret, ni: bytes, nr: bytes) -> Secret:
    """Derive SKEYSEED = prf(Ni | Nr, g^ir) (RFC 7296 §2.14).

    shared   g^ir, big-endian, padded to the length of the modulus
    ni, nr   nonce data without payload headers, 16..256 octets each
    """
    # §2.14: of a PRF with a fixed key length, the key is the first half of it from each nonce.
    half = prf.key_octets // 2
    key = ni[:half] + nr[:half] if prf.has_fixed_key else ni + nr
    return Secret(prf.digest(Secret(key), shared.reveal()))


def derive_rekeyed_skeyseed(prf: Prf, sk_d: Secret, shared: Secret, ni: bytes, nr: bytes) -> Secret:
    """Derive SKEYSEED of a rekeyed IKE SA = prf(SK_d (old), g^ir (new) | Ni | Nr) (RFC 7296 §2.18).

    prf      the old IKE SA's, to which the exchange belongs
    sk_d     the old IKE SA's
    """
    return Secret(prf.digest(sk_d, shared.reveal() + ni + nr))


def derive_ike_keys(suite: IkeSuite, skeyseed: Secret, ni: bytes, nr: bytes, spi_i: bytes, spi_r: bytes) -> IkeKeys:
    """Derive the seven SK_* keys (RFC 7296 §2.14); SPIs are 8 octets each, as in the header."""
    integ_octets = suite.integ.key_octets if suite.integ is not None else 0
    lengths = (
        suite.prf.key_octets,
        integ_octets,
        integ_octets,
        suite.encr.key_octets,
        suite.encr.key_octets,
        suite.prf.key_octets,
        suite.prf.key_octets,
    )
    stream = suite.prf.plus(skeyseed, ni + nr + spi_i + spi_r, sum(lengths))
    return IkeKeys(*_cut(stream, lengths))


def derive_child_keys(
    prf: Prf, sk_d: Secret, suite: EspSuite, ni: bytes, nr: bytes, shared: Secret | None
) -> ChildKeys:
    """Derive KEYMAT and cut it up (RFC 7296 §2.17).

    ni, nr   nonces of the exchange that makes the child, its initiator's first
    shared   g^ir (new) of CREATE_CHILD_SA with KE, else None
    """
    seed = (shared.reveal() if shared is not None else b"") + ni + nr
    lengths = (suite.encr_key_octets, suite.integ_key_octets) * 2
    return ChildKeys(*_cut(prf.plus(sk_d, seed, sum(lengths)), lengths))


def signed_octets(prf: Prf, message: bytes, nonce: bytes, sk_p: Secret, identification: Identification) -> bytes:
    """The octets an AUTH payload is taken from (RFC 7296 §2.15).

    message         the signer's whole IKE_SA_INIT message, from its header on
    nonce           the other side's nonce data
    sk_p            SK_pi for the initiator's AUTH, SK_pr for the responder's
    identification  the signer's ID payload body
    """
    return message + nonce + prf.digest(sk_p, build_identification(identification))


def _cut(stream: bytes, lengths: tuple[int, ...]) -> list[Secret]:
    keys, at = [], 0
    for length in lengths:
        keys.append(Secret(stream[at : at + length]))
        at += length
    return keys


def shared_key_auth(prf: Prf, secret: Secret, octets: bytes) -> bytes:
    """AUTH of a shared key: prf(prf(secret, "Key Pad for IKEv2"), octets) (RFC 7296 §2.15).

    octets   what the side signs that proves itself (signed_octets)
    """
    return prf.digest(Secret(prf.digest(secret, KEY_PAD)), octets)
