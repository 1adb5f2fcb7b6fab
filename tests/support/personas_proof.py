"""How a played client proves itself, and what it wants of the gateway's certificate.

Not here: messages (personas.py), EAP methods (auth/eap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from ikepy.auth.certificate import read_certificate
from ikepy.auth.credentials import Trust
from ikepy.auth.eap.client import EapClient
from ikepy.auth.eap.gtc import GtcClient
from ikepy.auth.eap.md5 import Md5Client
from ikepy.auth.eap.method import ClientMethod
from ikepy.auth.eap.mschapv2 import MsChapV2Client
from ikepy.auth.eap.tls import EapTlsClient
from ikepy.auth.eap.tls_engine import TlsSettings
from ikepy.auth.eap.tls_judges import ServerJudge
from ikepy.config.identities import parse_identity
from ikepy.crypto.algorithm_identifier import SignatureKind, scheme_of
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.crypto.signature import choose_signature_scheme, sign_auth, verify_auth_signature
from ikepy.ike.eap_turns import Accepted, Denied, Ignored, Say
from ikepy.ike.keymat import shared_key_auth
from ikepy.personas.kinds import Kind
from ikepy.personas.persona import IdiForm, Persona, Proving
from ikepy.wire.eap import Eap
from ikepy.wire.message import Message
from ikepy.wire.payloads import Auth, Cert, Identification
from ikepy.wire.registry import AuthMethod, CertEncoding, EapType, HashAlgorithm, IdType, NotifyType
from tests.support.certificates import NOW, Issued, make
from tests.support.personas_channel import IkeSide
from tests.support.personas_gateway import NAME, PSK, ROOT

DOMAIN = "example.com"


class ServerRefused(Exception):
    """The client does not accept how the gateway proves itself."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client's user has typed in or put on it; without a certificate it has one of its user's name.

    typed    the identity typed in, where it is not the user's at a domain
    server   the identity it wants of the gateway, and `anchor` the DER of the CA it trusts for that
    """

    user: str
    password: str
    certificate: Issued | None
    entropy: Entropy
    typed: str | None = None
    server: str = NAME
    anchor: bytes = ROOT.der

    @property
    def address(self) -> str:
        """The identity typed in."""
        return self.typed or f"{self.user}@{DOMAIN}"

    def own(self, persona: Persona) -> Issued:
        """Its certificate; Android's has an RSA key."""
        if self.certificate is not None:
            return self.certificate
        key = "rsa2048" if persona.kind is Kind.ANDROID else "p256"
        names = (f"email:{self.address}",)
        return make(f"CN={self.user}", ROOT, key=key, alt_names=names, purposes=("clientAuth",))


def identity_of(
    persona: Persona, proving: Proving, credentials: Credentials, address: IPv4Address | IPv6Address
) -> Identification:
    """What stands in IDi."""
    form = persona.idi_certificate if proving is Proving.CERTIFICATE else persona.idi
    match form:
        case IdiForm.ADDRESS:
            return Identification(IdType.ID_IPV4_ADDR, address.packed)
        case IdiForm.SUBJECT:
            return next(read_certificate(credentials.own(persona).der).identities())
        case IdiForm.TYPED:
            return parse_identity(credentials.address)


def make_proof(
    persona: Persona, proving: Proving, side: IkeSide, credentials: Credentials, signed: bytes
) -> tuple[Auth, tuple[Cert, ...]]:
    """AUTH with a key or a certificate, and what goes with it."""
    if proving is Proving.PSK:
        return Auth(AuthMethod.SHARED_KEY, shared_key_auth(side.suite.prf, PSK, signed)), ()
    own = credentials.own(persona)
    scheme = choose_signature_scheme(own.key, side.hashes)
    if persona.signs_pkcs1 and isinstance(own.key, rsa.RSAPrivateKey) and side.hashes:
        scheme = scheme_of(SignatureKind.RSA_PKCS1, HashAlgorithm.SHA2_256)
    return Auth(*sign_auth(own.key, scheme, signed)), (Cert(CertEncoding.X509_SIGNATURE, own.der),)


def check_server(
    persona: Persona,
    certificates: tuple[bytes, ...],
    auth: Auth,
    signed: bytes,
    name: str = NAME,
    anchor: bytes = ROOT.der,
) -> None:
    """Judge the gateway's proof as the client does, one certificate below its CA; raises ServerRefused."""
    if not certificates:
        raise ServerRefused("no CERT came")
    certificate = x509.load_der_x509_certificate(certificates[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if name not in names.get_values_for_type(x509.DNSName):
        raise ServerRefused(f"the certificate does not name {name}")
    try:
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(anchor))
    except (ValueError, InvalidSignature) as error:
        raise ServerRefused("the certificate is not by the CA trusted for it") from error
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if x509.ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        raise ServerRefused("the certificate is not for serverAuth")
    told = verify_auth_signature(auth.method, read_certificate(certificates[0]).public_key, auth.octets, signed)
    if persona.signs_pkcs1 and "PSS" in told:
        raise ServerRefused(f"no {told} is known here")


def follow_eap(
    persona: Persona,
    credentials: Credentials,
    answer: Message,
    say: Callable[[Eap], Message],
    refusal: Callable[[NotifyType, Message], Exception],
) -> Secret:
    """EAP from the gateway's first request to EAP-Success; the MSK. Raises what `refusal` makes of an error."""
    client = eap_client(persona, credentials)
    while True:
        packet = answer.first(Eap)
        assert packet is not None, answer.summary()
        match client.receive(packet):
            case Accepted(_, msk, _):
                assert msk is not None
                return msk
            case Denied():
                error = answer.error_notify
                raise refusal(error.type if error is not None else NotifyType.AUTHENTICATION_FAILED, answer)
            case Ignored(reason):
                raise AssertionError(reason)
            case Say(response):
                answer = say(response)


def eap_client(persona: Persona, credentials: Credentials) -> EapClient:
    """A client of the methods the persona takes, the preferred one first."""
    name = persona.eap.identity.format(user=credentials.user)
    methods = [_method(each, name, persona, credentials) for each in persona.eap.methods]
    return EapClient(name, methods, server_proved=True)


def _method(kind: EapType, name: str, persona: Persona, credentials: Credentials) -> ClientMethod:
    password = Secret(credentials.password.encode())
    match kind:
        case EapType.MSCHAPV2:
            return MsChapV2Client(name, nt_hash(credentials.password), credentials.entropy)
        case EapType.GTC:
            return GtcClient(password)
        case EapType.MD5_CHALLENGE:
            return Md5Client(name, password)
        case EapType.TLS:
            own = credentials.own(persona)
            trust = Trust((read_certificate(credentials.anchor),))
            judge = ServerJudge(trust, (credentials.server,), lambda: NOW)
            return EapTlsClient(TlsSettings(chain=(own.der,), key=own.key, judge=judge))
    raise AssertionError(f"no client of {kind} here")
