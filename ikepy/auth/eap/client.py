"""The client of one EAP authentication: it answers what its configuration names, and nothing else (RFC 3748).

    receive(request)      -> Say(response)
    receive(EAP-Success)  -> Accepted, where the method is through; else Ignored
    receive(EAP-Failure)  -> Denied

Rule 1: a password goes to no server that has not proved itself, not even as MSCHAPv2's proof, from which it can be
        guessed: such a server is answered with a NAK for the methods that prove the server, or not at all.
Rule 2: an EAP-Success before the method is through is ignored, whatever came before (CVE-2021-45079).
Rule 3: EAP-Success and EAP-Failure carry the identifier of our last response (§4.2), or the next one, as libreswan's and
        Microsoft's servers count; others are ignored.
Rule 4: the request that was answered last, come again, gets the same octets; the method does not see it.
Rule 5: once a method has begun, it is the only one; packets are counted, and there is an end.
Not here: methods; whether the server proved itself (ike/exchanges).
"""

from __future__ import annotations

from collections.abc import Sequence

from ikepy.auth.eap.identity import build_identity
from ikepy.auth.eap.method import PROVES_SERVER, ClientMethod, HearsIdentifier
from ikepy.auth.eap.packets import build_nak, parse_text
from ikepy.ike.eap_turns import Accepted, ClientTurn, Denied, Ignored, Say
from ikepy.wire.eap import Eap
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.registry import EapCode, EapType

MOST_PACKETS = 640
"Packets of the server in one authentication; TLS in small fragments fits, and bounds itself before."
MOST_NOTIFICATIONS = 8


class EapClient:
    """One authentication of ours."""

    __slots__ = (
        "_allowed",
        "_current",
        "_ended",
        "_identity",
        "_last",
        "_notifications",
        "_received",
        "_server_proved",
    )

    def __init__(self, identity: str, methods: Sequence[ClientMethod], *, server_proved: bool) -> None:
        """Make a client.

        identity        what is told to whoever asks; not secret
        methods         fresh ones, those that the configuration names, the preferred one first
        server_proved   whether the server proved itself in IKE_AUTH, before any of this
        """
        self._identity = build_identity(identity)
        self._server_proved = server_proved
        self._allowed = {each.TYPE: each for each in methods if server_proved or each.TYPE in PROVES_SERVER}
        self._current: ClientMethod | None = None
        self._last: tuple[Eap, Eap] | None = None
        self._notifications: list[str] = []
        self._received = 0
        self._ended = False

    def receive(self, packet: Eap) -> ClientTurn:
        """Take a packet of the server; say what follows."""
        if self._ended:
            return Ignored("an EAP packet after the end")
        self._received += 1
        if self._received > MOST_PACKETS:
            return self._deny(f"no end after {MOST_PACKETS} EAP packets")
        match packet.code:
            case EapCode.REQUEST:
                return self._request(packet)
            case EapCode.SUCCESS | EapCode.FAILURE:
                return self._verdict(packet)
        return Ignored(f"EAP {packet.code} from a server")

    @property
    def notifications(self) -> tuple[str, ...]:
        """What the server had to say to people (§5.2), for the log."""
        return tuple(self._notifications)

    def _request(self, packet: Eap) -> ClientTurn:
        if self._last is not None and self._last[0].identifier == packet.identifier:
            before, response = self._last
            if packet == before:
                return Say(response)
            return Ignored(f"another EAP request with the identifier {packet.identifier}")
        kind, octets = packet.method, packet.type_octets[1:]
        try:
            if kind is None:
                raise InvalidSyntax("an EAP request without a type")
            return self._answer(packet, kind, octets)
        except InvalidSyntax as error:
            return self._deny(str(error))

    def _answer(self, packet: Eap, kind: EapType, octets: bytes) -> ClientTurn:
        if kind is EapType.NOTIFICATION:
            return self._note(packet, octets)
        if self._current is not None:
            if kind != self._current.TYPE:
                return Ignored(f"EAP request of type {kind}, in the middle of {self._current.TYPE}")
        elif kind is EapType.IDENTITY:
            return self._say(packet, kind, self._identity)
        elif kind is EapType.NAK:
            return Ignored("an EAP NAK from a server")
        elif kind not in self._allowed:
            return self._decline(packet, kind)
        else:
            self._current = self._allowed[kind]
        if isinstance(self._current, HearsIdentifier):
            self._current.hear_identifier(packet.identifier)
        return self._say(packet, kind, self._current.respond(octets))

    def _note(self, packet: Eap, octets: bytes) -> ClientTurn:
        text = parse_text(octets)
        if len(self._notifications) < MOST_NOTIFICATIONS:
            self._notifications.append(text)
        return self._say(packet, EapType.NOTIFICATION, b"")

    def _decline(self, packet: Eap, kind: EapType) -> ClientTurn:
        if self._allowed:
            return self._say(packet, EapType.NAK, build_nak(tuple(self._allowed)))
        if not self._server_proved:
            return self._deny(f"the server asks for {kind} and has not proved itself; it gets nothing of a password")
        return self._deny(f"the server asks for {kind}, and no EAP method is configured")

    def _verdict(self, packet: Eap) -> ClientTurn:
        if self._last is None or (packet.identifier - self._last[1].identifier) & 0xFF > 1:
            return Ignored(f"EAP {packet.code} {packet.identifier}, which follows no response of ours")
        method = self._current
        if packet.code is EapCode.FAILURE:
            fault = method.fault if method is not None else None
            return self._deny(fault or "the server refuses us; ask its administrator why", by_us=False)
        if method is None or not method.is_done or method.fault is not None:
            return Ignored(_early(method))
        self._ended = True
        return Accepted(method.TYPE, method.msk, method.TYPE in PROVES_SERVER)

    def _say(self, packet: Eap, kind: EapType, octets: bytes) -> Say:
        response = Eap(EapCode.RESPONSE, packet.identifier, bytes([kind]) + octets)
        self._last = packet, response
        return Say(response)

    def _deny(self, reason: str, *, by_us: bool = True) -> Denied:
        self._ended = True
        return Denied(reason, by_us)


def _early(method: ClientMethod | None) -> str:
    early = "an EAP-Success before any method is through"
    if method is None or method.fault is not None or method.TYPE is not EapType.TLS:
        return early
    return f'{early}; a server that ends TLS 1.3 without its last word (RFC 9190 §2.1.1) needs local.tls_max = "1.2"'
