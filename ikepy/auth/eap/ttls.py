"""EAP-TTLSv0: a password inside TLS, whose server alone has a certificate (RFC 5281; RFC 9427 on TLS 1.3).

    client                                server
    ... Finished ->                    <- 1.2: Finished
    User-Name, User-Password ->        <- EAP-Success                                         PAP
    User-Name, MS-CHAP-Challenge,
      MS-CHAP2-Response ->             <- MS-CHAP2-Success
    (nothing) ->                       <- EAP-Success                                         MSCHAPv2
    EAP-Message: Identity ->           <- EAP-Message: EAP-MSCHAPv2 or GTC ...  EAP-Success   EAP

Rule 1: the client speaks first inside, and never before the server's certificate was judged.
Rule 2: challenges are not chosen by anybody: TLS exports them (§11.1). Another challenge is refused.
Rule 3: one attempt a conversation; an attribute marked M that is not known refuses the whole (§10.1).
Not here: CHAP and MSCHAP of version 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from ikepy.auth.eap import avps as names
from ikepy.auth.eap.avps import Avp, build_avps, check_known, only, parse_avps
from ikepy.auth.eap.inner import (
    InnerClient,
    InnerServer,
    build_inner,
    parse_inner,
    read_name,
)
from ikepy.auth.eap.method import Ask, Failed, MethodsFor, Step, Succeeded, Today, Users
from ikepy.auth.eap.tls_engine import TlsSettings
from ikepy.auth.eap.tls_method import TlsClient, TlsServer
from ikepy.auth.eap.tls_tunnel import PACKET_OCTETS, TlsTunnel
from ikepy.auth.eap.ttls_mschapv2 import Challenge, TtlsChapClient, check_response
from ikepy.crypto.secret import Secret
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapCode, EapType

_LABEL = b"ttls keying material"
_CHALLENGE_LABEL = b"ttls challenge"
_CHALLENGE_OCTETS = 17
_PASSWORD_BLOCK = 16

_USER_NAME = (0, names.USER_NAME)
_USER_PASSWORD = (0, names.USER_PASSWORD)
_EAP_MESSAGE = (0, names.EAP_MESSAGE)
_CHALLENGE = (names.VENDOR_MICROSOFT, names.MS_CHAP_CHALLENGE)
_RESPONSE = (names.VENDOR_MICROSOFT, names.MS_CHAP2_RESPONSE)
_SUCCESS = (names.VENDOR_MICROSOFT, names.MS_CHAP2_SUCCESS)
_ERROR = (names.VENDOR_MICROSOFT, names.MS_CHAP_ERROR)
_FROM_CLIENT = {_USER_NAME, _USER_PASSWORD, _EAP_MESSAGE, _CHALLENGE, _RESPONSE}
_FROM_SERVER = {_EAP_MESSAGE, _SUCCESS, _ERROR}


@dataclass(frozen=True, slots=True)
class TtlsUsers:
    """Whom the server knows, and what is done inside the tunnel.

    mschapv2, pap   whether these are done, not as EAP
    methods_for     for EAP: fresh methods for a user, the preferred one first; None where EAP is not done
    """

    users: Users
    today: Today
    mschapv2: bool = True
    pap: bool = True
    methods_for: MethodsFor | None = None


class TtlsServer(TlsServer):
    """The server of EAP-TTLSv0."""

    TYPE = EapType.TTLS
    TLS_1_2_LABEL = _LABEL

    def __init__(self, settings: TlsSettings, users: TtlsUsers, packet_octets: int = PACKET_OCTETS) -> None:
        super().__init__(settings, packet_octets)
        self._users = users
        self._inner = InnerServer(users.methods_for) if users.methods_for is not None else None
        self._identifier: int | None = None
        self._proved: str | None = None

    @property
    def verdict(self) -> Failed | None:
        """Why the client is not let in, where that is known inside the tunnel and the client may not know."""
        return self._inner.verdict if self._inner is not None else None

    def _advance(self, found: bytes) -> Step:
        if self._proved is not None:
            if found:
                raise InvalidSyntax("attributes where the success was to be acknowledged")
            return self._succeed(self._proved)
        if not found:
            return self._say()
        avps = parse_avps(found)
        check_known(avps, _FROM_CLIENT)
        packet = b"".join(avp.octets for avp in avps if avp.name == _EAP_MESSAGE)
        if packet or self._identifier is not None:
            return self._eap(packet)
        name, password, response = only(avps, _USER_NAME), only(avps, _USER_PASSWORD), only(avps, _RESPONSE)
        if name is None or (password is None) is (response is None):
            return Failed("what came through the tunnel is neither PAP nor MSCHAPv2 nor EAP")
        if password is not None:
            return self._pap(read_name(name), password)
        return self._mschapv2(name, only(avps, _CHALLENGE), response or b"")

    def _pap(self, name: str, password: bytes) -> Step:
        if not self._users.pap:
            return Failed(f"'{name}' came with PAP, which is not for this connection")
        user = self._users.users.find_or_stand_in(name)
        if not self._users.users.verify_password(user, password.rstrip(b"\0")):
            return Failed(f"wrong password of '{name}'", is_guess=True)
        refusal = user.refusal(self._users.today())
        return Failed(f"'{name}': {refusal}") if refusal else self._succeed(user.name)

    def _mschapv2(self, user_name: bytes, challenge: bytes | None, response: bytes) -> Step:
        name = read_name(user_name)
        if not self._users.mschapv2:
            return Failed(f"'{name}' came with MSCHAPv2, which is not for this connection")
        ours = export_challenge(self._tunnel)
        if challenge != ours.octets:
            raise InvalidSyntax("a challenge that TLS did not export")
        user = self._users.users.find_or_stand_in(name)
        success = check_response(ours, name, user.nt_hash, response)
        if success is None:
            return Failed(f"wrong password of '{name}', or none that MSCHAPv2 can check", is_guess=True)
        refusal = user.refusal(self._users.today())
        if refusal:
            return Failed(f"'{name}': {refusal}")
        self._proved = user.name
        return self._say(build_avps([_avp(_SUCCESS, success)]))

    def _eap(self, packet: bytes) -> Step:
        if self._inner is None:
            return Failed("the client came with EAP inside the tunnel, which is not for this connection")
        identifier, octets = parse_inner(packet, EapCode.RESPONSE)
        # §11.2.1: the client begins with its Identity, to a request that nobody sent.
        if self._identifier not in (None, identifier):
            raise InvalidSyntax(f"an EAP response {identifier} inside the tunnel to the request {self._identifier}")
        self._identifier = (identifier + 1) & 0xFF
        match self._inner.respond(octets, self._identifier):
            case Ask(more):
                request = build_inner(EapCode.REQUEST, self._identifier, more)
                return self._say(build_avps([_avp(_EAP_MESSAGE, request)]))
            case Succeeded(_, identity):
                return self._succeed(identity)
            case Failed() as step:
                return step


class Inside(ABC):
    """What a client does inside the tunnel."""

    @abstractmethod
    def begin(self, tunnel: TlsTunnel) -> Sequence[Avp]:
        """The first attributes."""

    @abstractmethod
    def respond(self, avps: Sequence[Avp]) -> Sequence[Avp]:
        """Take the server's attributes; return ours, or none. Raises InvalidSyntax."""

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """Whether the server may now say that we are in."""


class InsidePap(Inside):
    """PAP: the password itself; the server's certificate is all that proves the server."""

    def __init__(self, name: str, password: Secret) -> None:
        self._name, self._password = name, password

    def begin(self, tunnel: TlsTunnel) -> Sequence[Avp]:
        """Name and password, which is padded so that its length does not show (§11.2.5)."""
        password = self._password.reveal()
        padded = password + bytes(-len(password) % _PASSWORD_BLOCK)
        return _avp(_USER_NAME, self._name.encode()), _avp(_USER_PASSWORD, padded)

    def respond(self, avps: Sequence[Avp]) -> Sequence[Avp]:
        """Nothing is expected."""
        raise InvalidSyntax("attributes from the server where PAP has none")

    @property
    def is_done(self) -> bool:
        """Once the password is sent."""
        return True


class InsideMsChapV2(Inside):
    """MSCHAPv2, not as EAP (§11.2.4): both ends show that they know the password."""

    def __init__(self, name: str, nt_hash: Secret, peer_challenge: bytes) -> None:
        """Make it.

        peer_challenge   16 octets of chance
        """
        self._name = name
        self._chap = TtlsChapClient(name, nt_hash, peer_challenge)

    def begin(self, tunnel: TlsTunnel) -> Sequence[Avp]:
        """Name, challenge, response."""
        challenge = export_challenge(tunnel)
        return (
            _avp(_USER_NAME, self._name.encode()),
            _avp(_CHALLENGE, challenge.octets),
            _avp(_RESPONSE, self._chap.respond(challenge)),
        )

    def respond(self, avps: Sequence[Avp]) -> Sequence[Avp]:
        """Take MS-CHAP2-Success, which is to be acknowledged with nothing."""
        success = only(avps, _SUCCESS)
        if success is None:
            raise InvalidSyntax("the server did not prove that it knows the password; the password may be wrong")
        self._chap.take_success(success)
        return ()

    @property
    def is_done(self) -> bool:
        """Once the server's proof is right."""
        return self._chap.is_done


class InsideEap(Inside):
    """EAP with a header of its own, in EAP-Message (§11.2.1)."""

    def __init__(self, inner: InnerClient) -> None:
        self._inner = inner

    def begin(self, tunnel: TlsTunnel) -> Sequence[Avp]:
        """The Identity, which was not asked for."""
        return (_avp(_EAP_MESSAGE, build_inner(EapCode.RESPONSE, 0, self._inner.identity())),)

    def respond(self, avps: Sequence[Avp]) -> Sequence[Avp]:
        """Answer a request."""
        packet = b"".join(avp.octets for avp in avps if avp.name == _EAP_MESSAGE)
        identifier, octets = parse_inner(packet, EapCode.REQUEST)
        return (_avp(_EAP_MESSAGE, build_inner(EapCode.RESPONSE, identifier, self._inner.respond(octets, identifier))),)

    @property
    def is_done(self) -> bool:
        """Once the method is."""
        return self._inner.is_done


class TtlsClient(TlsClient):
    """The client of EAP-TTLSv0."""

    TYPE = EapType.TTLS
    TLS_1_2_LABEL = _LABEL

    def __init__(self, settings: TlsSettings, inside: Inside, packet_octets: int = PACKET_OCTETS) -> None:
        super().__init__(settings, packet_octets)
        self._inside = inside
        self._spoken = False

    def _advance(self, found: bytes) -> bool:
        ours: Sequence[Avp] = ()
        if not self._spoken:
            if found:
                raise InvalidSyntax("attributes from the server before any of ours")
            self._spoken = True
            ours = self._inside.begin(self._tunnel)
        elif found:
            avps = parse_avps(found)
            check_known(avps, _FROM_SERVER)
            ours = self._inside.respond(avps)
        if ours:
            self._tunnel.write(build_avps(ours))
        return self._inside.is_done


def export_challenge(tunnel: TlsTunnel) -> Challenge:
    """The challenge of this tunnel, and MSCHAPv2's identifier (§11.1, RFC 9427 §2.3)."""
    octets = tunnel.export(_CHALLENGE_LABEL, _CHALLENGE_OCTETS)
    return Challenge(octets[:-1], octets[-1])


def _avp(name: tuple[int, int], octets: bytes) -> Avp:
    return Avp(name[1], octets, name[0])
