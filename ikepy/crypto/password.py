"""Passwords as they are kept: the NT hash that MSCHAPv2 is made of, and scrypt (RFC 7914).

    scrypt$14$8$1$<salt, base64>$<hash, base64>      scrypt, with log2 N, r and p

Rule 1: whoever checks a password does the same work whether it is right or wrong.
Rule 2: the cost that a text names is bounded: reading a file never promises gigabytes.
Not here: whose password it is (auth/users.py), MSCHAPv2 itself.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from Crypto.Hash import MD4

from ikepy.crypto.secret import Secret

NT_HASH_OCTETS = 16
MOST_CHARACTERS = 256
"The longest password of MSCHAPv2 (RFC 2759 §8), and so of all."
_MOST_LOG_N, _MOST_R, _MOST_P = 17, 16, 4
_LOG_N, _R, _P = 14, 8, 1
_SALT_OCTETS = 16
_DIGEST_OCTETS = 32
_MOST_OCTETS = 64
_TEXT = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/=]{8,96})\$([A-Za-z0-9+/=]{8,96})")


@dataclass(frozen=True, slots=True)
class ScryptHash:
    """A password's scrypt hash, and what it was made with."""

    log_n: int
    r: int
    p: int
    salt: bytes
    digest: Secret

    def fits(self, password: bytes) -> bool:
        """Whether this is the password, UTF-8; takes the same time for any that is not."""
        return hmac.compare_digest(_scrypt(password, self), self.digest.reveal())

    def text(self) -> str:
        """As it is written in a file; a secret, since passwords can be guessed from it."""
        salt, digest = (b64encode(octets).decode() for octets in (self.salt, self.digest.reveal()))
        return f"scrypt${self.log_n}${self.r}${self.p}${salt}${digest}"


def nt_hash(password: str) -> Secret:
    """Hash a password as Windows does: MD4 of its UTF-16LE (RFC 2759 §8.3)."""
    octets = password.encode("utf-16-le", "surrogatepass")
    return Secret(MD4.new(octets).digest())  # noqa: S303 - what Windows keeps


def make_scrypt_hash(password: bytes, salt: bytes) -> ScryptHash:
    """Hash a password anew.

    password   UTF-8
    salt       16 random octets
    """
    blank = ScryptHash(_LOG_N, _R, _P, salt[:_SALT_OCTETS], Secret(bytes(_DIGEST_OCTETS)))
    return ScryptHash(_LOG_N, _R, _P, blank.salt, Secret(_scrypt(password, blank)))


def parse_scrypt_hash(text: str) -> ScryptHash:
    """Read what text() wrote; raises ValueError that does not show it."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError("this is no scrypt hash; make one with: ikepy user add --scrypt")
    log_n, r, p = (int(part) for part in match.groups()[:3])
    if not (1 <= log_n <= _MOST_LOG_N and 1 <= r <= _MOST_R and 1 <= p <= _MOST_P):
        raise ValueError(f"a scrypt hash of cost {log_n}, {r}, {p}; at most {_MOST_LOG_N}, {_MOST_R}, {_MOST_P}")
    try:
        salt, digest = (b64decode(part, validate=True) for part in match.groups()[3:])
    except binascii.Error:
        raise ValueError("the scrypt hash is cut off; make it again with: ikepy user passwd --scrypt") from None
    if not 8 <= len(salt) <= _MOST_OCTETS or not 16 <= len(digest) <= _MOST_OCTETS:  # noqa: PLR2004 - octets
        raise ValueError("the scrypt hash is cut off; make it again with: ikepy user passwd --scrypt")
    return ScryptHash(log_n, r, p, salt, Secret(digest))


def _scrypt(password: bytes, how: ScryptHash) -> bytes:
    memory = 128 * how.r * ((1 << how.log_n) + how.p + 2) + (1 << 20)
    return hashlib.scrypt(
        password, salt=how.salt, n=1 << how.log_n, r=how.r, p=how.p, maxmem=memory, dklen=len(how.digest)
    )
