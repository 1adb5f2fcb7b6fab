"""The door for strangers: IKE_SA_INIT requests, cookies, half-open limits, stateless answers (RFC 7296 §2.6, §1.5).

Rule 1: above a threshold nobody gets state without a cookie; above a limit nobody gets any.
Rule 2: a stateless answer is never longer than what it answers, and never answers a response.
Not here: what an admitted request comes to (exchanges/ike_sa_init.py).
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from ikepy.ike.actions import Datagram
from ikepy.ike.cookies import Cookies
from ikepy.ike.drops import DropReason
from ikepy.ipsec import IpAddress
from ikepy.wire.errors import UnsupportedCriticalPayload, WireError
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Nonce
from ikepy.wire.registry import NotifyType, PayloadType

if TYPE_CHECKING:
    from ikepy.ike.hosting import Hosting
    from ikepy.ike.sa import IkeSa

STATELESS_A_SECOND = 10
"Unprotected error answers in each second; more are not sent."
NO_SPI = bytes(8)
InitKey = tuple[bytes, IpAddress, int]
"""What tells one IKE_SA_INIT from another: SPIi, the peer's address and port."""
_NO_INIT: InitKey = (NO_SPI, IPv4Address(0), 0)


class Doorman:
    """Lets IKE_SA_INIT requests in, or answers them without keeping anything."""

    def __init__(self, endpoint: Hosting) -> None:
        self._endpoint = endpoint
        self._cookies = Cookies(endpoint.entropy)
        self._by_init: dict[InitKey, IkeSa] = {}
        self._init_of: dict[int, InitKey] = {}
        self._half_open: dict[int, IpAddress] = {}
        self._of_source: Counter[IpAddress] = Counter()
        self._answered = (0, 0)

    @property
    def half_open(self) -> int:
        """IKE SAs that peers began and have not authenticated."""
        return len(self._half_open)

    def receive_init(self, datagram: Datagram, header: IkeHeader) -> None:
        """Take an IKE_SA_INIT request."""
        endpoint, source = self._endpoint, datagram.path.remote
        if header.spi_r != NO_SPI or header.message_id != 0 or not header.is_from_initiator:
            endpoint.drop(datagram, DropReason.WRONG_FLAGS, "not as a first request is", header)
            return
        known = self._by_init.get((header.spi_i, source.address, source.port))
        if known is not None:
            known.receive(datagram, header)
            return
        if not self._has_room(datagram, header):
            return
        try:
            message = parse_message(datagram.octets)
        except WireError as fault:
            self._refuse_malformed(datagram, header, fault)
            return
        if self._is_address_proven(datagram, message):
            self._admit(datagram, message)

    def refuse_version(self, datagram: Datagram, header: IkeHeader) -> None:
        """Answer INVALID_MAJOR_VERSION to a newer IKE than ours (§2.5); an older one is only dropped."""
        self._endpoint.drop(datagram, DropReason.NOT_IKEV2, f"version {header.major}.{header.minor}", None)
        if header.major > 2 and not header.is_response:  # noqa: PLR2004
            self._answer(datagram, header, Notify(NotifyType.INVALID_MAJOR_VERSION), sparingly=True)

    def refuse_unknown(self, datagram: Datagram, header: IkeHeader) -> None:
        """Answer INVALID_IKE_SPI to a request for an IKE SA we do not have (§2.21.4), sparingly."""
        self._endpoint.drop(datagram, DropReason.UNKNOWN_SPI, "", header)
        if not header.is_response and header.spi_r != NO_SPI:
            self._answer(datagram, header, Notify(NotifyType.INVALID_IKE_SPI), sparingly=True)

    def forget(self, sa: IkeSa) -> None:
        """The SA is half-open no more."""
        source = self._half_open.pop(sa.unique_id, None)
        if source is not None:
            self._of_source[source] -= 1
            if not self._of_source[source]:
                del self._of_source[source]

    def close(self, sa: IkeSa) -> None:
        """The SA is over: its IKE_SA_INIT request would begin another."""
        self._by_init.pop(self._init_of.pop(sa.unique_id, _NO_INIT), None)

    def _has_room(self, datagram: Datagram, header: IkeHeader) -> bool:
        limits, address = self._endpoint.config.daemon, datagram.path.remote.address
        if self.half_open >= limits.half_open_limit:
            self._endpoint.drop(datagram, DropReason.HALF_OPEN_LIMIT, f"{self.half_open}", header)
            return False
        if self._of_source[address] >= limits.half_open_per_source:
            self._endpoint.drop(datagram, DropReason.HALF_OPEN_PER_SOURCE, f"{self._of_source[address]}", header)
            return False
        return True

    def _is_address_proven(self, datagram: Datagram, message: Message) -> bool:
        """Whether no cookie is needed, or a good one is there; else one is asked for (§2.6)."""
        endpoint, header, source = self._endpoint, message.header, datagram.path.remote
        if self.half_open < endpoint.config.daemon.cookie_threshold:
            return True
        nonce = message.first(Nonce)
        if nonce is None:
            endpoint.drop(datagram, DropReason.MALFORMED, "no nonce", header)
            return False
        cookie = message.notify(NotifyType.COOKIE)
        if cookie is not None and self._cookies.is_valid(
            cookie.octets, nonce.octets, header.spi_i, source, endpoint.now
        ):
            return True
        reason = DropReason.COOKIE_REQUESTED if cookie is None else DropReason.COOKIE_INVALID
        endpoint.drop(datagram, reason, f"{self.half_open} IKE SAs are half-open", header)
        made = self._cookies.make(nonce.octets, header.spi_i, source, endpoint.now)
        self._answer(datagram, header, Notify(NotifyType.COOKIE, made), sparingly=False)
        return False

    def _admit(self, datagram: Datagram, message: Message) -> None:
        endpoint, source = self._endpoint, datagram.path.remote
        candidates = endpoint.candidates(datagram.path)
        if not candidates:
            detail = "no connection has these local_addrs and remote_addrs"
            endpoint.drop(datagram, DropReason.NO_CONNECTION, detail, message.header)
            self._answer(datagram, message.header, Notify(NotifyType.NO_PROPOSAL_CHOSEN), sparingly=True)
            return
        spi_r = endpoint.draw_spi()
        sa = endpoint.new_sa(candidates[0], datagram.path, message.header.spi_i, our_spi=spi_r)
        init = (message.header.spi_i, source.address, source.port)
        self._by_init[init], self._init_of[sa.unique_id] = sa, init
        self._half_open[sa.unique_id] = source.address
        self._of_source[source.address] += 1
        sa.answer_init(datagram, message, spi_r)

    def _refuse_malformed(self, datagram: Datagram, header: IkeHeader, fault: WireError) -> None:
        if isinstance(fault, UnsupportedCriticalPayload):
            self._endpoint.drop(datagram, DropReason.CRITICAL_PAYLOAD, str(fault), header)
            notify = Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, fault.data)
            self._answer(datagram, header, notify, sparingly=True)
        else:
            self._endpoint.drop(datagram, DropReason.MALFORMED, str(fault), header)

    def _answer(self, datagram: Datagram, header: IkeHeader, notify: Notify, *, sparingly: bool) -> None:
        if sparingly and not self._may_answer():
            return
        flags = FLAG_RESPONSE | (0 if header.is_from_initiator else FLAG_INITIATOR)
        answer = IkeHeader(
            header.spi_i, header.spi_r, PayloadType.NO_NEXT_PAYLOAD, header.exchange, flags, header.message_id, 0
        )
        message = Message(answer, (notify,))
        octets = build_message(message)
        self._endpoint.observer.message_sent(message, len(octets), datagram.path, repeat=False)
        self._endpoint.send(octets, datagram.path)

    def _may_answer(self) -> bool:
        second, count = self._answered
        this = int(self._endpoint.now)
        self._answered = (this, count + 1 if this == second else 1)
        return self._answered[1] <= STATELESS_A_SECOND
