"""EapService: performs the effects of EAP, as the gateway and as the client, with the users and keys of one configuration.

Rule 1: a conversation is made here and lives in the exchange; methods here may run in any thread, one at a time for each.
Rule 2: a wrong password counts the moment it is known to be wrong: who hangs up then has guessed all the same.
Rule 3: who is kept out is kept out whatever the method says: users are asked again when EAP is through.
Not here: methods (eap/), waiting (the caller's, by wait()), AUTH of keys (service.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from ikepy.auth.certificate import Certificate, CertificateRefused, read_certificate
from ikepy.auth.credentials import Credentials, LocalCredential, Trust
from ikepy.auth.eap.client import EapClient
from ikepy.auth.eap.gtc import GtcClient
from ikepy.auth.eap.inner import InnerClient
from ikepy.auth.eap.md5 import Md5Client
from ikepy.auth.eap.method import ClientMethod
from ikepy.auth.eap.mschapv2 import MsChapV2Client
from ikepy.auth.eap.offers import Offers, Tunnels
from ikepy.auth.eap.peap import PeapClient, PeapServer
from ikepy.auth.eap.server import EapServer
from ikepy.auth.eap.tls import EapTlsClient, EapTlsServer
from ikepy.auth.eap.tls_engine import TlsSettings, TlsVersion
from ikepy.auth.eap.tls_judges import ServerJudge, UserJudge
from ikepy.auth.eap.ttls import InsideEap, TtlsClient, TtlsServer, TtlsUsers
from ikepy.auth.peer import check_status
from ikepy.auth.service import Clock, proof_of, utc_now
from ikepy.auth.slowdown import Slowdown
from ikepy.auth.users import UserStore
from ikepy.config.groups import NO_PROOF, Proof
from ikepy.config.identities import format_identity, format_pattern, matches
from ikepy.config.model import Config, RemoteAuthConfig
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.password import nt_hash
from ikepy.crypto.prf import get_prf
from ikepy.crypto.secret import Secret
from ikepy.ike.admission import AnswerEap, BeginEap, EapBegun, EapIdentity, FollowEap, JoinEap, VerifyEapAuth
from ikepy.ike.eap_turns import ClientTurn, Proved, Refused, ServerTurn
from ikepy.ike.effects import PeerAuthenticated
from ikepy.ike.errors import AuthenticationFailed, NoCredential
from ikepy.ike.keymat import KEY_PAD
from ikepy.wire.registry import AuthMethod, EapType

INSIDE = (EapType.MSCHAPV2, EapType.GTC)
"What is on offer inside EAP-TTLS and PEAP."
TLS_BASED = frozenset({EapType.TLS, EapType.TTLS, EapType.PEAP})


@dataclass(slots=True)
class Dialog:
    """One conversation with a client.

    is_counted   whether its wrong password has been counted
    """

    server: EapServer
    connection: str
    is_counted: bool = False


class EapService:
    """EAP of one configuration; `slowdown` and `users` outlive it where the configuration is replaced."""

    def __init__(
        self,
        config: Config,
        credentials: Credentials,
        users: UserStore,
        entropy: Entropy,
        clock: Clock = utc_now,
        slowdown: Slowdown | None = None,
    ) -> None:
        self._config, self._credentials = config, credentials
        self.users = users
        self.slowdown = slowdown if slowdown is not None else Slowdown()
        self._entropy, self._clock = entropy, clock

    def renew(self, credentials: Credentials) -> None:
        """Use others from now on; a conversation that is under way ends as it began."""
        self._credentials = credentials

    # -- the gateway ---------------------------------------------------------------------------------------------

    def begin(self, effect: BeginEap) -> EapBegun:
        """Begin a conversation; raises NoCredential where a method lacks its certificate."""
        remote = effect.remote
        self.users.look()  # who was added just now may come in at once
        tunnels = self._tunnels(effect.connection, remote)
        offers = Offers(remote.eap_methods, self.users, self._entropy, self._today, tunnels)
        server = EapServer(offers)
        return EapBegun(Dialog(server, effect.connection), server.begin())

    def wait(self, effect: AnswerEap, now: float) -> float:
        """Seconds to wait before a packet is looked at, since passwords were guessed wrong; 0 for most."""
        return self.slowdown.wait(effect.path.remote.address, _dialog(effect.dialog).server.claimed or "", now)

    def answer(self, effect: AnswerEap, now: float) -> ServerTurn:
        """Take a packet of the client."""
        dialog, source = _dialog(effect.dialog), effect.path.remote.address
        turn = dialog.server.receive(effect.packet)
        verdict = dialog.server.verdict
        is_guess = (verdict is not None and verdict.is_guess) or (isinstance(turn, Refused) and turn.is_guess)
        if is_guess and not dialog.is_counted:
            dialog.is_counted = True
            self.slowdown.failed(source, dialog.server.claimed or "", now)
        if isinstance(turn, Proved):
            self.slowdown.succeeded(turn.claimed)
        return turn

    def identify(self, effect: EapIdentity) -> Proof:
        """Say what a conversation has proved that ended well.

        Raises AuthenticationFailed where its user is kept out, and StatusWanted.
        """
        user = self.users.find(effect.user)
        refusal = user.refusal(self._today()) if user is not None else ""
        if refusal:
            raise AuthenticationFailed(f"'{effect.user}': {refusal}")
        dialog = _dialog(effect.dialog)
        chain = [read_certificate(der) for der in dialog.server.peer_chain]
        trust = self._credentials.trust.get(dialog.connection, Trust())
        if chain:
            self._check_status(chain, trust)
        proof = proof_of(chain[0], chain, trust, self._credentials, self._clock()) if chain else NO_PROOF
        name, groups = (user.name, user.groups) if user is not None else (effect.user, ())
        return replace(proof, user=name, user_groups=groups)

    def verify(self, effect: VerifyEapAuth) -> PeerAuthenticated:
        """Verify AUTH made of what EAP left behind; raises AuthenticationFailed."""
        who = format_identity(effect.identity)
        if effect.auth.method is not AuthMethod.SHARED_KEY:
            raise AuthenticationFailed(f"'{who}' authenticates by {effect.auth.method} after EAP, and not by EAP's key")
        if not matches(effect.remote.id, effect.identity):
            raise AuthenticationFailed(
                f"the peer is '{who}'; connection {effect.connection} wants '{format_pattern(effect.remote.id)}'"
            )
        function = get_prf(effect.prf)
        expected = function.digest(Secret(function.digest(effect.secret, KEY_PAD)), effect.signed_octets)
        if not hmac.compare_digest(expected, effect.auth.octets):
            raise AuthenticationFailed(f"AUTH of '{who}' is not made of what {effect.method} left behind")
        return PeerAuthenticated(effect.connection, effect.identity, effect.method, effect.proof)

    def _check_status(self, chain: Sequence[Certificate], trust: Trust) -> None:
        try:
            check_status(chain, trust, self._clock())
        except CertificateRefused as refused:
            raise AuthenticationFailed(str(refused)) from refused

    def _tunnels(self, connection: str, remote: RemoteAuthConfig) -> Tunnels:
        if not TLS_BASED & set(remote.eap_methods):
            return {}
        trust = self._credentials.trust.get(connection, Trust())
        plain = _settings(self._local(connection))
        judge = UserJudge(trust.without_asking(is_asked_later=True), self._clock)
        asking = _settings(self._local(connection), judge, trust.anchors)
        inside = Offers(INSIDE, self.users, self._entropy, self._today)
        users = TtlsUsers(self.users, self._today, methods_for=inside)
        return {
            EapType.TLS: partial(EapTlsServer, asking),
            EapType.TTLS: partial(TtlsServer, plain, users),
            EapType.PEAP: partial(PeapServer, plain, inside),
        }

    # -- the client ----------------------------------------------------------------------------------------------

    def join(self, effect: JoinEap) -> EapClient:
        """Begin a conversation with a gateway; raises NoCredential."""
        local = effect.local
        name = local.eap_id if local.eap_id is not None else format_identity(effect.identity)
        makers: dict[EapType, Callable[[], ClientMethod]] = {
            EapType.MSCHAPV2: lambda: self._mschapv2(name),
            EapType.GTC: lambda: GtcClient(self._password(name)),
            EapType.MD5_CHALLENGE: lambda: Md5Client(name, self._password(name)),
            EapType.TLS: lambda: EapTlsClient(self._client_settings(effect, own=True)),
            EapType.TTLS: lambda: TtlsClient(self._client_settings(effect), InsideEap(self._inner(name))),
            EapType.PEAP: lambda: PeapClient(self._client_settings(effect), self._inner(name)),
        }
        return EapClient(name, [makers[kind]() for kind in local.eap_methods], server_proved=effect.server_proved)

    @staticmethod
    def follow(effect: FollowEap) -> ClientTurn:
        """Take a packet of the gateway."""
        client = effect.dialog
        if not isinstance(client, EapClient):
            raise TypeError("a conversation that is not ours")
        return client.receive(effect.packet)

    def _inner(self, name: str) -> InnerClient:
        return InnerClient(name, [self._mschapv2(name), GtcClient(self._password(name))])

    def _mschapv2(self, name: str) -> MsChapV2Client:
        return MsChapV2Client(name, nt_hash(self._password(name).reveal().decode("utf-8", "replace")), self._entropy)

    def _password(self, name: str) -> Secret:
        owned = [each for each in self._config.passwords if name in each.owners]
        free = [each for each in self._config.passwords if not each.owners]
        if not (owned or free):
            raise NoCredential(f"no password is for '{name}'; add one under secrets: id and password")
        return (owned or free)[0].secret

    def _client_settings(self, effect: JoinEap, *, own: bool = False) -> TlsSettings:
        trust = self._credentials.trust.get(effect.connection, Trust())
        expected = effect.local.aaa_id or _names_of(effect.remote)
        if not expected:
            raise NoCredential(
                f"connection {effect.connection}: no name is expected of the gateway in TLS; add remote.id or local.aaa_id"
            )
        judge = ServerJudge(trust.without_asking(is_asked_later=False), expected, self._clock)
        settings = _settings(self._local(effect.connection), judge) if own else TlsSettings(judge=judge)
        highest = TlsVersion.TLS_1_2 if effect.local.tls_max == "1.2" else TlsVersion.TLS_1_3
        return replace(settings, old_servers=effect.server_proved, highest=highest)

    def _local(self, connection: str) -> LocalCredential:
        local = self._credentials.local.get(connection)
        if local is None:
            raise NoCredential(
                f"connection {connection} has no certificate and private key of ours, and EAP needs them"
            )
        return local

    def _today(self) -> date:
        return self._clock().date()


def _settings(
    local: LocalCredential, judge: UserJudge | ServerJudge | None = None, anchors: Sequence[Certificate] = ()
) -> TlsSettings:
    return TlsSettings(
        chain=tuple(certificate.der for certificate in local.chain),
        key=local.key,
        judge=judge,
        authorities=tuple(anchor.der for anchor in anchors),
    )


def _names_of(remote: RemoteAuthConfig) -> tuple[str, ...]:
    identity = None if remote.id.wildcard else remote.id.identification
    return (format_identity(identity),) if identity is not None else ()


def _dialog(dialog: object) -> Dialog:
    if not isinstance(dialog, Dialog):
        raise TypeError("a conversation that is not ours")
    return dialog
