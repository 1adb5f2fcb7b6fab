"""A native client, played by hand: octets laid out as its persona says, none of our initiator's code.

    client = PersonaClient(gateway, find_persona("windows-hardened"), Proving.EAP)
    client.connect()                 IKE_SA_INIT, IKE_AUTH, EAP; raises TurnedAway
    client.addresses                 what the gateway gave it
    client.children                  its children, with the keys it has for them

It sits behind a NAT, so all but IKE_SA_INIT goes by port 4500.
Not here: rekeys, sleep, leaving (personas_habits.py), the gateway (personas_gateway.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ikepy.auth.certificate import read_certificate
from ikepy.crypto.key_exchange import KeyExchange, make_key_exchange
from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import esp_suite, ike_suite
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.keymat import (
    ChildKeys,
    derive_child_keys,
    derive_ike_keys,
    derive_skeyseed,
    shared_key_auth,
    signed_octets,
)
from ikepy.ike.nat import make_nat_notifies
from ikepy.ike.negotiation import check_answer
from ikepy.personas.persona import Persona, Proving, Slot
from ikepy.wire.base import Payload
from ikepy.wire.cp import Cp
from ikepy.wire.eap import Eap
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify, hash_algorithms, invalid_ke_method
from ikepy.wire.payloads import Auth, Cert, CertReq, Identification, IdI, IdR, Ke, Nonce
from ikepy.wire.registry import (
    AuthMethod,
    CertEncoding,
    CfgAttributeType,
    ExchangeType,
    HashAlgorithm,
    IdType,
    NotifyType,
    PayloadType,
)
from ikepy.wire.sa import Proposal, Sa
from ikepy.wire.ts import TrafficSelector, TsI, TsR
from tests.support.access import PASSWORD
from tests.support.certificates import Issued
from tests.support.entropy import SeededEntropy
from tests.support.personas_channel import Channel, IkeSide, request_of
from tests.support.personas_gateway import PSK, Gateway
from tests.support.personas_proof import Credentials, check_server, follow_eap, identity_of, make_proof
from tests.support.personas_words import EVERYTHING, config_request, init_payloads, lay_out

INSIDE = SocketAddress(IPv4Address("10.200.0.5"), 500)
"What the client believes its address to be."
MOST_TRIES = 4


class TurnedAway(Exception):
    """The gateway said no; `notify` is its error, `message` the whole answer."""

    def __init__(self, notify: NotifyType, message: Message) -> None:
        super().__init__(str(notify))
        self.notify, self.message = notify, message


@dataclass(frozen=True, slots=True)
class Child:
    """A child as the client has it; SPIs are 4 octets, and ours is what we receive by."""

    spi_in: bytes
    spi_out: bytes
    proposal: Proposal
    keys: ChildKeys
    tsi: tuple[TrafficSelector, ...]
    tsr: tuple[TrafficSelector, ...]


class PersonaClient:
    """One client, one IKE SA at a time.

    user, password   for EAP; the identity typed in is user@example.com
    outside          where the NAT shows it
    credentials      all of what it has, in place of user, password and certificate
    """

    def __init__(
        self,
        gateway: Gateway,
        persona: Persona,
        proving: Proving,
        *,
        user: str = "alice",
        password: str = PASSWORD,
        outside: SocketAddress | None = None,
        certificate: Issued | None = None,
        credentials: Credentials | None = None,
        seed: int = 77,
    ) -> None:
        self.gateway, self.persona, self.proving = gateway, persona, proving
        self.outside = outside or SocketAddress(IPv4Address("198.51.100.7"), 40000)
        self.entropy = SeededEntropy(seed)
        self.credentials = credentials or Credentials(user, password, certificate, self.entropy)
        self.identity = identity_of(persona, proving, self.credentials, INSIDE.address)
        self.side: IkeSide | None = None
        self.children: list[Child] = []
        self.addresses: tuple[IPv4Address | IPv6Address, ...] = ()
        self.dns: tuple[IPv4Address | IPv6Address, ...] = ()
        self.server_certificates: tuple[bytes, ...] = ()
        self.first_auth: tuple[Payload, ...] = ()
        self.channel = Channel(gateway, self.outside, persona.fragment_octets)

    # -- IKE_SA_INIT ---------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Come up, with addresses and a child; raises TurnedAway."""
        self.children, self.addresses = [], ()
        self.side = self._negotiate()
        self.channel.go_behind_nat(self.side)
        self._authenticate(self.side)

    def _negotiate(self) -> IkeSide:
        spi_i, nonce = self.entropy.octets(8), self.entropy.octets(self.persona.nonce_octets)
        method, cookie = self.persona.first_ke, b""
        for _ in range(MOST_TRIES):
            exchange = make_key_exchange(method, self.entropy)
            request = request_of(spi_i, self._init(exchange, nonce, spi_i, cookie))
            octets, message = self.channel.ask_plain(request)
            asked = message.notify(NotifyType.COOKIE)
            invalid = message.notify(NotifyType.INVALID_KE_PAYLOAD)
            if asked is not None:
                cookie = asked.octets
            elif invalid is not None:
                method = invalid_ke_method(invalid)
            else:
                refuse_errors(message)
                return self._key(exchange, nonce, request, octets, message)
        raise AssertionError("IKE_SA_INIT does not come to an end")

    def _init(self, exchange: KeyExchange, nonce: bytes, spi_i: bytes, cookie: bytes) -> tuple[Payload, ...]:
        path = Path(INSIDE, SocketAddress(self.gateway.address, 500))
        nats = make_nat_notifies(spi_i, bytes(8), path, pretend=None)
        payloads = init_payloads(self.persona, exchange.public, nonce, nats)
        # §1.2: another method than the first offered, where the gateway asks for it.
        payloads = tuple(Ke(exchange.method, each.public) if isinstance(each, Ke) else each for each in payloads)
        return ((Notify(NotifyType.COOKIE, cookie),) if cookie else ()) + payloads

    def _key(self, exchange: KeyExchange, ni: bytes, request: bytes, response: bytes, message: Message) -> IkeSide:
        sa, ke, nonce = message.first(Sa), message.first(Ke), message.first(Nonce)
        assert sa is not None
        assert ke is not None
        assert nonce is not None
        suite = ike_suite(check_answer(sa, self.persona.ike).proposal)
        shared = exchange.shared(ke.public)
        spis = message.header.spi_i, message.header.spi_r
        skeyseed = derive_skeyseed(suite.prf, shared, ni, nonce.octets)
        keys = derive_ike_keys(suite, skeyseed, ni, nonce.octets, *spis)
        hashes = message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS)
        may_sign = NotifyType.SIGNATURE_HASH_ALGORITHMS in self.persona.init and hashes is not None
        known = frozenset[HashAlgorithm](hash_algorithms(hashes) if may_sign and hashes is not None else ())
        return IkeSide(suite, keys, spis, ni, nonce.octets, request, response, known, self.entropy, message)

    # -- IKE_AUTH ------------------------------------------------------------------------------------------------

    def _authenticate(self, side: IkeSide) -> None:
        spi = self.draw_spi()
        self.first_auth = lay_out(self.persona.auth, self._filled(side, spi))
        answer = self.channel.ask(side, ExchangeType.IKE_AUTH, self.first_auth)
        self._believe(side, answer)
        if self.proving is Proving.EAP:
            answer = self._prove_by_eap(side, answer)
        refuse_errors(answer)
        self._take_addresses(answer)
        self.children.append(self.child_of(side, spi, self.persona.esp, answer, side.ni, side.nr, None))

    def _filled(self, side: IkeSide, spi: bytes) -> dict[Slot, tuple[Payload, ...]]:
        """The first request, but for what the persona's layout leaves out."""
        filled: dict[Slot, tuple[Payload, ...]] = {
            PayloadType.IDI: (IdI(self.identity),),
            PayloadType.IDR: (IdR(Identification(IdType.ID_FQDN, self.credentials.server.encode())),),
            PayloadType.CERTREQ: (CertReq(CertEncoding.X509_SIGNATURE, self._authorities()),),
            PayloadType.CP: (config_request(self.persona),),
            PayloadType.SA: (Sa(with_spi(self.persona.esp, spi)),),
            PayloadType.TSI: (TsI(EVERYTHING),),
            PayloadType.TSR: (TsR(EVERYTHING),),
        }
        if self.proving is not Proving.EAP:
            signed = signed_octets(side.suite.prf, side.init_request, side.nr, side.keys.sk_pi, self.identity)
            auth, certs = make_proof(self.persona, self.proving, side, self.credentials, signed)
            filled[PayloadType.AUTH] = (auth,)
            if certs:
                filled[PayloadType.CERT] = certs
        return filled

    def _authorities(self) -> bytes:
        """The CAs it names: ours somewhere among all those its system came with."""
        others = [self.entropy.octets(20) for _ in range(self.persona.cas_named - 1)]
        others.insert(len(others) // 2, read_certificate(self.credentials.anchor).authority_hash)
        return b"".join(others)

    def _believe(self, side: IkeSide, answer: Message) -> None:
        """Check that the gateway is the gateway, as this client does it; raises TurnedAway, ServerRefused."""
        if not answer.all(Auth):
            refuse_errors(answer)
        idr, auth = answer.first(IdR), answer.first(Auth)
        assert idr is not None
        assert auth is not None
        signed = signed_octets(side.suite.prf, side.init_response, side.ni, side.keys.sk_pr, idr.identification)
        if self.proving is Proving.PSK:
            assert auth == Auth(AuthMethod.SHARED_KEY, shared_key_auth(side.suite.prf, PSK, signed))
            return
        self.server_certificates = tuple(each.octets for each in answer.all(Cert))
        wanted = self.credentials.server, self.credentials.anchor
        check_server(self.persona, self.server_certificates, auth, signed, *wanted)

    def _prove_by_eap(self, side: IkeSide, answer: Message) -> Message:
        """EAP to its end, and AUTH of what it leaves behind; the last response."""

        def say(packet: Eap) -> Message:
            return self.channel.ask(side, ExchangeType.IKE_AUTH, (packet,))

        msk = follow_eap(self.persona, self.credentials, answer, say, TurnedAway)
        prf = side.suite.prf
        signed = signed_octets(prf, side.init_request, side.nr, side.keys.sk_pi, self.identity)
        auth = Auth(AuthMethod.SHARED_KEY, shared_key_auth(prf, msk, signed))
        last = self.channel.ask(side, ExchangeType.IKE_AUTH, (auth,))
        refuse_errors(last)
        idr = answer.first(IdR)
        assert idr is not None
        theirs = signed_octets(prf, side.init_response, side.ni, side.keys.sk_pr, idr.identification)
        assert last.first(Auth) == Auth(AuthMethod.SHARED_KEY, shared_key_auth(prf, msk, theirs))
        return last

    def _take_addresses(self, answer: Message) -> None:
        reply = answer.first(Cp)
        assert reply is not None, "the gateway gives no address"
        found: dict[CfgAttributeType, list[bytes]] = {}
        for attribute in reply.attributes:
            found.setdefault(attribute.type, []).append(attribute.octets)
        four = [IPv4Address(each) for each in found.get(CfgAttributeType.INTERNAL_IP4_ADDRESS, [])]
        six = [IPv6Address(each[:16]) for each in found.get(CfgAttributeType.INTERNAL_IP6_ADDRESS, [])]
        self.addresses = (*four, *six)
        self.dns = tuple(IPv4Address(each) for each in found.get(CfgAttributeType.INTERNAL_IP4_DNS, []))

    # -- children ------------------------------------------------------------------------------------------------

    def draw_spi(self) -> bytes:
        """An SPI to receive by."""
        return b"\xc0" + self.entropy.octets(3)

    def child_of(
        self,
        side: IkeSide,
        spi: bytes,
        offer: tuple[Proposal, ...],
        answer: Message,
        ni: bytes,
        nr: bytes,
        shared: Secret | None,
    ) -> Child:
        """The child an answer makes; the gateway's kernel is seen to have the same keys."""
        sa, tsi, tsr = answer.first(Sa), answer.first(TsI), answer.first(TsR)
        assert sa is not None, answer.summary()
        assert tsi is not None
        assert tsr is not None
        proposal = check_answer(sa, offer, with_ke=shared is not None).proposal
        keys = derive_child_keys(side.suite.prf, side.keys.sk_d, esp_suite(proposal), ni, nr, shared)
        child = Child(spi, sa.proposals[0].spi, proposal, keys, _known(tsi), _known(tsr))
        self.check_kernel(child)
        return child

    def check_kernel(self, child: Child) -> None:
        """See that the gateway receives what this client sends by the child."""
        spi = int.from_bytes(child.spi_out, "big")
        (inbound,) = [state for state in self.gateway.world.kernel.states.values() if state.spi == spi]
        assert inbound.encr_key == child.keys.encr_i
        assert (inbound.integ_key or Secret(b"")) == child.keys.integ_i

    @property
    def up(self) -> IkeSide:
        """The IKE SA there is."""
        assert self.side is not None, "not connected"
        return self.side


def with_spi(offer: tuple[Proposal, ...], spi: bytes) -> tuple[Proposal, ...]:
    """An offer with the SPI it is for."""
    return tuple(Proposal(each.number, each.protocol, spi, each.transforms) for each in offer)


def refuse_errors(message: Message) -> None:
    """Raise TurnedAway where an answer is an error."""
    error = message.error_notify
    if error is not None:
        raise TurnedAway(error.type, message)


def _known(ts: TsI | TsR) -> tuple[TrafficSelector, ...]:
    return tuple(each for each in ts.selectors if isinstance(each, TrafficSelector))
