"""Which of several certificates of ours a peer is shown.

Rule 1: one whose key the peer can verify, that names who we say we are, of a CA it asked for; RSA where its kind wants that.
Rule 2: where nothing tells them apart the first in the configuration is shown.
Not here: whether it is sent at all (service.py).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ikepy.auth.credentials import LocalCredential
from ikepy.auth.peer import names
from ikepy.crypto.algorithm_identifier import Scheme
from ikepy.crypto.errors import CryptoError
from ikepy.crypto.signature import choose_signature_scheme
from ikepy.ike.effects import SignAuth


def choose_credential(local: LocalCredential, effect: SignAuth) -> tuple[LocalCredential, Scheme]:
    """Choose what we prove ourselves with, and how it signs; raises CryptoError where the peer can verify none."""
    fitting: list[tuple[LocalCredential, Scheme]] = []
    problem: CryptoError | None = None
    for each in local.all:
        try:
            fitting.append((each, choose_signature_scheme(each.key, effect.hashes, pkcs1=effect.pkcs1)))
        except CryptoError as error:
            problem = problem or error
    if not fitting:
        assert problem is not None  # noqa: S101 - there is one at least
        raise problem
    return max(fitting, key=lambda found: _merits(found[0], effect))  # the first of equals


def _merits(credential: LocalCredential, effect: SignAuth) -> tuple[bool, bool, bool]:
    return (
        names(credential.certificate, effect.identity),
        not credential.authorities.isdisjoint(effect.authorities),
        effect.prefers_rsa and isinstance(credential.key, RSAPrivateKey),
    )
