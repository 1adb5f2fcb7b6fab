"""What a played client does once it is connected: signs of life, its own rekeys, sleep, coming back, leaving.

    habits = Habits(client)
    habits.rekey_child()
    habits.sleep(40); habits.wake()

Not here: connecting (personas.py).
"""

from __future__ import annotations

from ikepy.crypto.key_exchange import make_key_exchange
from ikepy.crypto.suites import ike_suite
from ikepy.ike.keymat import derive_ike_keys, derive_rekeyed_skeyseed
from ikepy.ike.negotiation import check_answer, ke_methods
from ikepy.personas.ms_status import MS_NOTIFY_STATUS
from ikepy.personas.persona import Leaving
from ikepy.wire.base import Payload
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Delete, Ke, Nonce
from ikepy.wire.registry import ExchangeType, KeMethod, NotifyType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TrafficSelector, TsI, TsR
from tests.support.personas import Child, PersonaClient, refuse_errors, with_spi
from tests.support.personas_channel import IkeSide, NoAnswer
from tests.support.personas_words import EVERYTHING

INVALID_SITUATION, IKE_ERROR = 13863, 13816


class Habits:
    """One connected client.

    refused   error numbers of Windows that the gateway was told
    asked     requests of the gateway, by exchange
    """

    def __init__(self, client: PersonaClient) -> None:
        self.client, self.persona = client, client.persona
        self.refused: list[int] = []
        self.asked: list[ExchangeType] = []
        client.channel.on_request = self._answer

    # -- signs of life -------------------------------------------------------------------------------------------

    def ask_for_life(self) -> None:
        """Ask the gateway for a sign of life; raises NoAnswer."""
        answer = self.client.channel.ask(self.client.up, ExchangeType.INFORMATIONAL, ())
        assert answer.payloads == ()

    def listen(self) -> None:
        """Answer what the gateway has asked meanwhile."""
        self.client.channel.listen()

    def stay(self, seconds: float, step: float = 5.0) -> None:
        """Be there while time passes: the gateway's requests are answered within a step."""
        while seconds > 0:
            self.client.gateway.wait(min(step, seconds))
            self.listen()
            seconds -= step

    def sleep(self, seconds: float) -> None:
        """Be silent, and hear nothing, while time passes."""
        self.client.gateway.wait(seconds)
        self.client.channel.forget()

    def wake(self) -> bool:
        """Come back after a sleep: whether the gateway still knows the IKE SA; if not, connect anew."""
        try:
            self.ask_for_life()
        except NoAnswer:
            self.client.connect()
            return False
        return True

    # -- new keys ------------------------------------------------------------------------------------------------

    def rekey_child(self, old: Child | None = None) -> Child:
        """Have new keys for a child as this client does it, and delete the old one; raises TurnedAway."""
        client, side = self.client, self.client.up
        old = old if old is not None else client.children[-1]
        spi, ni = client.draw_spi(), client.entropy.octets(self.persona.nonce_octets)
        offer = with_spi(self.persona.esp_rekey, spi)
        methods = ke_methods(offer)
        exchange = make_key_exchange(methods[0], client.entropy) if methods else None
        tsi, tsr = self._selectors(old)
        payloads: tuple[Payload, ...] = (
            Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, old.spi_in),
            Sa(offer),
            Nonce(ni),
            *((Ke(exchange.method, exchange.public),) if exchange is not None else ()),
            TsI(tsi),
            TsR(tsr),
        )
        answer = client.channel.ask(side, ExchangeType.CREATE_CHILD_SA, payloads)
        refuse_errors(answer)
        nonce, ke = answer.first(Nonce), answer.first(Ke)
        assert nonce is not None
        shared = exchange.shared(ke.public) if exchange is not None and ke is not None else None
        new = client.child_of(side, spi, offer, answer, ni, nonce.octets, shared)
        client.children.append(new)
        self.delete_child(old)
        return new

    def delete_child(self, child: Child) -> None:
        """Delete a child."""
        delete = Delete(ProtocolId.ESP, (child.spi_in,), len(child.spi_in))
        answer = self.client.channel.ask(self.client.up, ExchangeType.INFORMATIONAL, (delete,))
        named = answer.first(Delete)
        assert named is not None
        assert named.spis == (child.spi_out,)
        self.client.children.remove(child)

    def rekey_ike(self) -> None:
        """Have new keys for the IKE SA, and delete the old one; the children stay. Raises TurnedAway."""
        client, old = self.client, self.client.up
        spi, ni = client.entropy.octets(8), client.entropy.octets(self.persona.nonce_octets)
        offer = with_spi(self.persona.offer_of_ike_rekey, spi)
        exchange = make_key_exchange(self._present_method(), client.entropy)
        payloads = (Sa(offer), Nonce(ni), Ke(exchange.method, exchange.public))
        answer = client.channel.ask(old, ExchangeType.CREATE_CHILD_SA, payloads)
        refuse_errors(answer)
        sa, nonce, ke = answer.first(Sa), answer.first(Nonce), answer.first(Ke)
        assert sa is not None
        assert nonce is not None
        assert ke is not None
        chosen = check_answer(sa, offer)
        suite, spis = ike_suite(chosen.proposal), (spi, chosen.peer_spi)
        skeyseed = derive_rekeyed_skeyseed(old.suite.prf, old.keys.sk_d, exchange.shared(ke.public), ni, nonce.octets)
        keys = derive_ike_keys(suite, skeyseed, ni, nonce.octets, *spis)
        new = IkeSide(
            suite, keys, spis, ni, nonce.octets, b"", b"", old.hashes, client.entropy, old.init_answer, next_id=0
        )
        client.channel.go_behind_nat(new)
        client.channel.ask(old, ExchangeType.INFORMATIONAL, (Delete(ProtocolId.IKE),))
        client.side = new

    def _present_method(self) -> KeMethod:
        """The method the IKE SA has: Windows knows no other, and ignores INVALID_KE_PAYLOAD."""
        return self.client.up.suite.ke

    def _selectors(self, old: Child) -> tuple[tuple[TrafficSelector, ...], tuple[TrafficSelector, ...]]:
        if self.persona.rekeying.asks_wider_selectors:
            return EVERYTHING, EVERYTHING
        return old.tsi, old.tsr

    # -- the end -------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """End as this client does."""
        if self.persona.leaving is Leaving.DELETE:
            answer = self.client.channel.ask(self.client.up, ExchangeType.INFORMATIONAL, (Delete(ProtocolId.IKE),))
            assert answer.payloads == ()
        self.client.side = None

    # -- the gateway's requests ----------------------------------------------------------------------------------

    def _answer(self, request: Message) -> tuple[Payload, ...]:
        self.asked.append(request.header.exchange)
        if request.header.exchange is ExchangeType.CREATE_CHILD_SA:
            return self._refuse(request)
        found = [child for child in self.client.children if _is_named(child, request)]
        for child in found:
            self.client.children.remove(child)
        spis = tuple(child.spi_in for child in found)
        return (Delete(ProtocolId.ESP, spis, 4),) if spis else ()

    def _refuse(self, request: Message) -> tuple[Payload, ...]:
        """Refuse to have the gateway begin it: with Windows' error numbers where it is Windows."""
        if self.persona.rekeying.accepts_ours:
            return (Notify(NotifyType.NO_ADDITIONAL_SAS),)
        sa = request.first(Sa)
        has_ke = sa is not None and bool(ke_methods(sa.proposals)) and not self.persona.rekeying.accepts_ke
        self.refused.append(IKE_ERROR if has_ke else INVALID_SITUATION)
        return (Notify(MS_NOTIFY_STATUS, self.refused[-1].to_bytes(4, "big")),)


def _is_named(child: Child, request: Message) -> bool:
    return any(child.spi_out in each.spis for each in request.all(Delete) if each.protocol is ProtocolId.ESP)
