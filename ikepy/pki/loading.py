"""Reads a CA that was made elsewhere: certificate and key, in PEM, DER or PKCS#12.

Not here: whether it is fit to be a CA (store.py).
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from ikepy.crypto.secret import Secret
from ikepy.pki.errors import PkiError
from ikepy.pki.making import Key
from ikepy.pki.showing import read_certificates

_PEM = b"-----BEGIN"


class PasswordWanted(PkiError):
    """It is encrypted, and the password was wrong or not given."""


def load_authority(octets: bytes, key_octets: bytes | None, password: Secret | None) -> tuple[x509.Certificate, Key]:
    """A certificate and its private key; raises PasswordWanted and PkiError.

    key_octets  None where both are in one file
    """
    word = password.reveal() if password is not None else None
    try:
        if key_octets is None and _PEM not in octets:
            pack = load_pkcs12(octets, word)
            certificate, key = pack.cert.certificate if pack.cert is not None else None, pack.key
        else:
            certificate = read_certificates(octets)[0]
            source = key_octets if key_octets is not None else octets
            key = (load_pem_private_key if _PEM in source else load_der_private_key)(source, word)
    except (ValueError, TypeError) as error:
        raise PasswordWanted("the key cannot be opened: wrong password, or there is none in the file") from error
    if certificate is None or key is None:
        raise PkiError("there is no certificate with its key in it: name the key with --key")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise PkiError(f"a {type(key).__name__.strip('_')} cannot sign certificates for IKEv2 clients: make a new CA")
    return certificate, key
