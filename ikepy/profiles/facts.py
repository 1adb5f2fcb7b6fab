"""What a client must know of a gateway: one frozen record, from which the file for each platform is made.

Rule 1: it holds what the configuration says and nothing of any platform; what a platform cannot do, its module refuses.
Rule 2: what must not print is a Secret.
Not here: finding the facts (gather.py), choosing one suite (suites.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

from ikepy.crypto.secret import Secret
from ikepy.ipsec import IpAddress
from ikepy.wire.sa import Proposal

IpNetwork = IPv4Network | IPv6Network
EVERYWHERE: tuple[IpNetwork, IpNetwork] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
"All of IPv4, all of IPv6."
MOST_OCTETS = 255
"The longest name of a server, as DNS has it (RFC 1035 §3.1)."


class SignIn(Enum):
    """How a client proves who its user is; all but PSK know the gateway by its certificate."""

    PASSWORD = "password"  # noqa: S105 - a word
    "EAP-MSCHAPv2."
    TOKEN = "token"  # noqa: S105 - a word
    "EAP-GTC: a password whose hash here is scrypt's."
    EAP_TLS = "eap-tls"
    "A certificate of the user, inside EAP."
    CERTIFICATE = "certificate"
    "A certificate of the user, in IKE itself."
    PSK = "psk"
    "A pre-shared key, by which both sides prove themselves."

    @property
    def by_certificate(self) -> bool:
        """Whether the client needs a certificate of its own."""
        return self in {SignIn.EAP_TLS, SignIn.CERTIFICATE}


class NotForThisPlatform(Exception):
    """The platform's client cannot do what the gateway asks; the message says what, and what would be right."""


@dataclass(frozen=True, slots=True)
class UserCertificate:
    """The certificate of a client, with its key, as files hold it.

    chain          DER, the user's own first
    key_pem        PKCS#8, not encrypted
    pkcs12         both together, encrypted as all platforms read it
    pkcs12_secret  what opens pkcs12
    kind           Apple's word for its key: RSA, ECDSA256, ECDSA384, ECDSA521; None for one Apple does not read
    """

    chain: tuple[bytes, ...]
    key_pem: Secret
    pkcs12: bytes
    pkcs12_secret: Secret
    kind: str | None


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What one user's client must know.

    connection       the connection's name at the gateway
    server_id        the identity the gateway proves, as text
    address          name or address the client goes to
    user             the user's name
    identity         what the client says it is (IDi); None where it may say anything
    sign_in          how the user proves who it is
    ike, esp         what the gateway takes, best first
    families         of the addresses clients get: 4, 6
    networks         what the user reaches through the tunnel, of those families; everything where is_full
    is_full          whether all traffic goes through the tunnel
    dns, domains     inner DNS servers, and the domains asked of them (empty: all)
    anchors          DER of the CAs the gateway's certificate is under; empty: one that clients know already
    issuer           the common name of who issued the gateway's certificate; None where it has none
    certificate      the user's own, where sign_in needs one
    password         the user's, the pre-shared key, or what opens the PKCS#12: only where it was asked for
    mobike           whether the tunnel may move
    """

    connection: str
    server_id: str
    address: str
    user: str
    identity: str | None
    sign_in: SignIn
    ike: tuple[Proposal, ...]
    esp: tuple[Proposal, ...]
    families: tuple[int, ...]
    networks: tuple[IpNetwork, ...]
    is_full: bool
    dns: tuple[IpAddress, ...] = ()
    domains: tuple[str, ...] = ()
    anchors: tuple[bytes, ...] = ()
    issuer: str | None = None
    certificate: UserCertificate | None = None
    password: Secret | None = None
    mobike: bool = True

    def __post_init__(self) -> None:
        if self.sign_in.by_certificate and self.certificate is None:
            raise ValueError(f"sign-in by {self.sign_in.value} without a certificate")
        if not self.address or len(self.address) > MOST_OCTETS:
            raise ValueError(f"address of {len(self.address)} characters")
        for name in (self.connection, self.server_id, self.address, self.user, self.local_id):
            if not name.isprintable():
                raise ValueError(f"{name!r} has characters that cannot be seen")

    @property
    def title(self) -> str:
        """What the connection is called on the client."""
        return f"VPN {self.server_id}"

    @property
    def any_addresses(self) -> tuple[str, ...]:
        """What the client asks for as its address: any of each family."""
        return tuple(str(each.network_address) for each in EVERYWHERE if each.version in self.families)

    @property
    def password_text(self) -> str | None:
        """The password as text, where it is to be in the file."""
        return None if self.password is None else self.password.reveal().decode()

    @property
    def local_id(self) -> str:
        """What the client says it is; the user's name where anything will do."""
        return self.identity if self.identity is not None else self.user
