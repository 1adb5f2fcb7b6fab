"""The arithmetic of MSCHAPv2 (RFC 2759 §8) and the key made of it (RFC 3079 §3.4, draft-kamath-pppext-eap-mschapv2).

    challenge_hash  = SHA-1(peer's challenge | authenticator's challenge | name)[:8]
    nt_response     = DES(challenge_hash) under each third of the NT hash, padded with zeros to 21 octets
    authenticator_response = "S=" and 40 hexadecimal digits, by which the server shows that it knows the NT hash
    MSK             = the server's receive key | the server's send key | 32 zeros

Rule 1: names are as the client writes them, without a domain before them (§8.2); octets that are no UTF-8 survive.
Rule 2: what is equal to a password goes in and out as Secret.
Not here: the NT hash (crypto/password.py), packets (packets.py), comparing (mschapv2.py).
"""

from __future__ import annotations

import hashlib

from Crypto.Cipher import DES
from Crypto.Hash import MD4

from ikepy.auth.eap.method import MSK_OCTETS
from ikepy.crypto.secret import Secret

CHALLENGE_OCTETS = 16
NT_RESPONSE_OCTETS = 24

_SIGNING = b"Magic server to client signing constant"
_ITERATION = b"Pad to make it do more than one iteration"
_MASTER_KEY = b"This is the MPPE Master Key"
_SERVER_RECEIVES = b"On the client side, this is the send key; on the server side, it is the receive key."
_SERVER_SENDS = b"On the client side, this is the receive key; on the server side, it is the send key."
_PAD_1, _PAD_2 = bytes(40), b"\xf2" * 40
_KEY_OCTETS = 16
_DES_KEYS = 21
_SEVEN = 7


def challenge_hash(authenticator: bytes, peer: bytes, name: str) -> bytes:
    """Hash both challenges and the name to 8 octets (RFC 2759 §8.2)."""
    octets = name.rpartition("\\")[2].encode("utf-8", "surrogateescape")
    return _sha1(peer, authenticator, octets)[:8]


def nt_response(authenticator: bytes, peer: bytes, name: str, nt_hash: Secret) -> bytes:
    """Make the client's proof, 24 octets (RFC 2759 §8.1, §8.5).

    authenticator, peer   the challenges, 16 octets each
    """
    block = challenge_hash(authenticator, peer, name)
    keys = nt_hash.reveal().ljust(_DES_KEYS, b"\0")
    return b"".join(_des(keys[place : place + _SEVEN], block) for place in range(0, _DES_KEYS, _SEVEN))


def authenticator_response(nt_hash: Secret, response: bytes, peer: bytes, authenticator: bytes, name: str) -> bytes:
    """Make the server's proof, "S=" and 40 hexadecimal digits in capitals (RFC 2759 §8.7).

    response   the client's proof
    """
    digest = _sha1(_hash_hash(nt_hash), response, _SIGNING)
    return b"S=" + _sha1(digest, challenge_hash(authenticator, peer, name), _ITERATION).hex().upper().encode()


def derive_msk(nt_hash: Secret, response: bytes) -> Secret:
    """Derive the MSK, the same on both ends (RFC 3079 §3.4).

    response   the client's proof
    """
    master = _sha1(_hash_hash(nt_hash), response, _MASTER_KEY)[:_KEY_OCTETS]
    receive, send = (_start_key(master, magic) for magic in (_SERVER_RECEIVES, _SERVER_SENDS))
    return Secret((receive + send).ljust(MSK_OCTETS, b"\0"))


def _hash_hash(nt_hash: Secret) -> bytes:
    """MD4 of the NT hash (RFC 2759 §8.4)."""
    return MD4.new(nt_hash.reveal()).digest()  # noqa: S303 - the RFC's


def _start_key(master: bytes, magic: bytes) -> bytes:
    """GetAsymmetricStartKey of 128 bits (RFC 3079 §3.4)."""
    return _sha1(master, _PAD_1, magic, _PAD_2)[:_KEY_OCTETS]


def _sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts), usedforsecurity=False).digest()


def _des(seven: bytes, block: bytes) -> bytes:
    """Encrypt 8 octets under 7 octets of key (RFC 2759 §8.6); the parity bits are left 0, DES does not look at them."""
    bits = int.from_bytes(seven, "big")
    key = bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
    return DES.new(key, DES.MODE_ECB).encrypt(block)  # noqa: S304 - the RFC's
