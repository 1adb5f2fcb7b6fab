"""What the algorithms may raise.

Not here: faults of peers (ike/errors.py), octets that cannot be read (wire/errors.py).
"""

from __future__ import annotations


class CryptoError(Exception):
    """Anything that goes wrong with an algorithm."""


class NoSuchAlgorithm(CryptoError):
    """This host cannot do it, or nobody should; the message says which."""


class IntegrityError(CryptoError):
    """Octets that were not sealed with this key, or were changed since."""


class InvalidPublicValue(CryptoError):
    """A public value outside its group (RFC 6989)."""


class SignatureInvalid(CryptoError):
    """A signature that does not hold, or is not allowed."""
