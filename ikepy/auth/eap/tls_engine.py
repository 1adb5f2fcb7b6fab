"""TLS without a socket: octets in, octets out, a chain that is judged, keys that are exported (pyOpenSSL).

Rule 1: TLS 1.2 or 1.3 with forward secrecy; no compression, no renegotiation, and nothing is ever resumed: no session
        is kept, and a ticket (two go out on TLS 1.3, whose number cannot be set here) names none.
Rule 2: the peer's chain is judged while the handshake runs, before anything goes out that needs trust; OpenSSL's own
        verdict of it is not asked. A handshake without the judge's word is never complete.
Rule 3: after a fault there is nothing but the alert in take().
Not here: how it travels in EAP (tls_records.py), whom to believe (tls_judges.py), which labels (the methods).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from ikepy.auth.certificate import CertificateRefused
from ikepy.crypto.secret import Secret
from ikepy.crypto.signature import PrivateKey

_LEGACY_SERVER_CONNECT: Final = 1 << 2  # SSL_OP_LEGACY_SERVER_CONNECT; likewise
_NO_RENEGOTIATION: Final = 1 << 30  # SSL_OP_NO_RENEGOTIATION; pyOpenSSL has no name for it
_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!AESCCM8:!aNULL:!eNULL:!PSK:!MD5"
_MOST_CERTIFICATES: Final = 16
_READ: Final = 1 << 14
MOST_PLAINTEXT: Final = 64 << 10
"The most application data that is taken out at a time."


class TlsFault(Exception):
    """TLS came to an end that is not its good one; the message is for our log."""


class PeerRefused(TlsFault):
    """The peer's certificates are not to be trusted, or it has none."""


class TlsVersion(IntEnum):
    """Versions of TLS that are spoken (their numbers are those on the wire)."""

    TLS_1_2 = 0x0303
    TLS_1_3 = 0x0304

    def __str__(self) -> str:
        return "TLS 1.2" if self is TlsVersion.TLS_1_2 else "TLS 1.3"


class ChainJudge(Protocol):
    """Says whose a chain of certificates is."""

    def judge_chain(self, chain: tuple[bytes, ...]) -> str:
        """Judge certificates in DER, the peer's own first; return whose it is. Raises CertificateRefused."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What one end of TLS has and asks for.

    chain         our certificates in DER, our own first; empty where we have none, as clients of TTLS and PEAP
    judge         of the peer's chain; None asks the peer for none, which only a server may
    authorities   CA certificates in DER, whose names a server sends with its request for a certificate
    old_servers   whether a client takes TLS 1.2 of a server that does not know RFC 5746, as strongSwan 5.9 is: only where
                  the server has proved itself before, so that nobody can have put a handshake of their own before ours
    """

    chain: tuple[bytes, ...] = ()
    key: PrivateKey | None = None
    judge: ChainJudge | None = None
    lowest: TlsVersion = TlsVersion.TLS_1_2
    highest: TlsVersion = TlsVersion.TLS_1_3
    authorities: tuple[bytes, ...] = ()
    old_servers: bool = False

    def __post_init__(self) -> None:
        if bool(self.chain) is not (self.key is not None):
            raise ValueError("a certificate without its key, or a key without its certificate")


class TlsEngine:
    """One end of one TLS connection."""

    __slots__ = ("_connection", "_established", "_fault", "_identity", "_is_server", "_seen", "_settings")

    def __init__(self, settings: TlsSettings, *, is_server: bool) -> None:
        if is_server and settings.key is None:
            raise ValueError("a TLS server needs a certificate and its key")
        if not is_server and settings.judge is None:
            raise ValueError("a TLS client needs a judge of the server's certificates")
        self._settings = settings
        self._is_server = is_server
        self._seen: dict[int, bytes] = {}
        self._identity: str | None = None
        self._established = False
        self._fault: TlsFault | None = None
        self._connection = SSL.Connection(self._make_context(), None)
        if is_server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()

    # -- the handshake ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Make the client's first message."""
        self._shake_hands()

    def feed(self, octets: bytes) -> bytes:
        """Take octets of the peer; return the application data in them. Raises TlsFault; take() has the alert."""
        self._check()
        if octets:
            self._connection.bio_write(octets)
        if not self._established:
            self._shake_hands()
        return self._read() if self._established else b""

    def take(self) -> bytes:
        """All octets there are for the peer."""
        taken = bytearray()
        while True:
            try:
                taken += self._connection.bio_read(_READ)
            except (SSL.WantReadError, SSL.ZeroReturnError):
                return bytes(taken)
            except SSL.Error as error:
                raise self._failed(error) from error

    def write(self, octets: bytes) -> None:
        """Seal application data; take() has it."""
        if not self.is_established:
            raise TlsFault("application data before the handshake is complete")
        try:
            self._connection.sendall(octets)
        except SSL.Error as error:
            raise self._failed(error) from error

    @property
    def is_established(self) -> bool:
        """Whether the handshake is complete and the judge, where there is one, has said whose the chain is."""
        return self._established and self._fault is None

    @property
    def version(self) -> TlsVersion:
        """Of the TLS that is spoken; only of an established connection."""
        return TlsVersion(self._connection.get_protocol_version())

    @property
    def peer_identity(self) -> str | None:
        """What the judge said; None where nobody was asked."""
        return self._identity if self.is_established else None

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The peer's certificates in DER, its own first; empty where it was asked for none."""
        return self._chain() if self.is_established else ()

    def export(self, label: bytes, octets: int, context: bytes | None) -> Secret:
        """Export keying material (RFC 5705, RFC 8446 §7.5); on TLS 1.2 no context and an empty one differ."""
        if not self.is_established:
            raise TlsFault("keys before the handshake is complete")
        return Secret(self._connection.export_keying_material(label, octets, context))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _make_context(self) -> SSL.Context:
        """A context of its own for each connection: the judge's exceptions are kept in it."""
        settings = self._settings
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(settings.lowest)
        context.set_max_proto_version(settings.highest)
        old = _LEGACY_SERVER_CONNECT if settings.old_servers else 0
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | _NO_RENEGOTIATION | old)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cipher_list(_CIPHERS)
        try:
            if settings.key is not None:
                own, *others = (x509.load_der_x509_certificate(der) for der in settings.chain)
                context.use_certificate(own)
                for other in others:
                    context.add_extra_chain_cert(other)
                context.use_privatekey(settings.key)
                context.check_privatekey()
            for der in settings.authorities:
                context.add_client_ca(x509.load_der_x509_certificate(der))
        except (SSL.Error, ValueError, TypeError) as error:
            raise TlsFault(f"our certificate or its key cannot be used with TLS: {_reason(error)}") from error
        mode = SSL.VERIFY_NONE if settings.judge is None else SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        context.set_verify(mode, self._look)
        context.set_verify_depth(_MOST_CERTIFICATES)
        return context

    def _look(self, _conn: SSL.Connection, certificate: crypto.X509, _error: int, depth: int, ok: int) -> bool:
        """Collect OpenSSL's candidates; judge them when it comes, last, to the peer's own with its errors behind it."""
        if depth > _MOST_CERTIFICATES:
            raise CertificateRefused(f"the peer sent a chain of more than {_MOST_CERTIFICATES} certificates")
        self._seen[depth] = certificate.to_cryptography().public_bytes(Encoding.DER)
        judge = self._settings.judge
        if depth == 0 and ok and judge is not None:
            self._identity = judge.judge_chain(self._chain())
        return True

    def _chain(self) -> tuple[bytes, ...]:
        return tuple(self._seen[depth] for depth in sorted(self._seen))

    def _shake_hands(self) -> None:
        self._check()
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except CertificateRefused as error:
            self._fault = PeerRefused(str(error))
            raise self._fault from error
        except (SSL.Error, ValueError) as error:
            raise self._failed(error) from error
        self._established = True
        if self._settings.judge is not None:
            self._check_judged()

    def _check_judged(self) -> None:
        """Rule 2, whatever OpenSSL did."""
        own = self._connection.get_peer_certificate(as_cryptography=True)
        judged = self._seen.get(0)
        if self._identity is None or own is None or own.public_bytes(Encoding.DER) != judged:
            self._fault = PeerRefused("the peer's certificate was not judged")
            raise self._fault

    def _read(self) -> bytes:
        found = bytearray()
        while True:
            try:
                found += self._connection.recv(_READ)
            except SSL.WantReadError:
                return bytes(found)
            except SSL.ZeroReturnError as error:
                self._fault = TlsFault("the peer closed TLS")
                if found:
                    return bytes(found)
                raise self._fault from error
            except SSL.Error as error:
                raise self._failed(error) from error
            if len(found) > MOST_PLAINTEXT:
                self._fault = TlsFault(f"more than {MOST_PLAINTEXT} octets of application data at a time")
                raise self._fault

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _failed(self, error: Exception) -> TlsFault:
        self._fault = TlsFault(f"TLS failed: {_reason(error)}")
        return self._fault


def _reason(error: Exception) -> str:
    """OpenSSL's own words: the last part of each entry of its queue."""
    match error.args:
        case (list() as queue, *_):
            return "; ".join(str(entry[-1]) for entry in queue if entry) or "no reason given"
        case (int(), str(words), *_):
            return words
        case _:
            return str(error) or type(error).__name__
