"""The words of the log."""

from __future__ import annotations

import logging
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from ikepy.config.algorithms import parse_proposal
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.drops import DropReason
from ikepy.ike.events import (
    AttemptFailed,
    ChildSaDown,
    ChildSaRekeyed,
    ChildSaUp,
    ChildSnapshot,
    IkeSaDown,
    IkeSaRekeyed,
    IkeSaUp,
    IkeSnapshot,
)
from ikepy.ipsec import ChildSaSpec, Mode, Owner, SaSpec, Spi
from ikepy.trace.log import LoggingObserver, word_event
from ikepy.trace.several import Observers
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Identification, Nonce
from ikepy.wire.registry import EncrId, ExchangeType, IdType, NotifyType, PayloadType, ProtocolId
from ikepy.wire.ts import TrafficSelector

SPI_I = bytes.fromhex("7d0c0000000000e1")
PATH = Path(SocketAddress(ip_address("192.0.2.1"), 4500), SocketAddress(ip_address("192.0.2.7"), 4500), True)
HEADER = IkeHeader(SPI_I, bytes(8), PayloadType.NO_NEXT_PAYLOAD, ExchangeType.IKE_AUTH, FLAG_INITIATOR, 1, 0)
MESSAGE = Message(HEADER, (Nonce(bytes(16)), Notify(NotifyType.INITIAL_CONTACT)))


def make_state(spi: int, *, inbound: bool) -> SaSpec:
    here, there = ip_address("192.0.2.1"), ip_address("192.0.2.7")
    source, destination = (there, here) if inbound else (here, there)
    return SaSpec(source, destination, Spi(spi), Mode.TUNNEL, 1, EncrId.AES_GCM_16, Secret(bytes(36)))


CHILD = ChildSnapshot(
    name="net",
    unique_id=3,
    state="INSTALLED",
    mode=Mode.TUNNEL,
    proposal=parse_proposal("aes256gcm16-noesn", ProtocolId.ESP),
    local_ts=(TrafficSelector.from_network(ip_network("10.1.0.0/24")),),
    remote_ts=(TrafficSelector.from_network(ip_network("10.2.0.0/24")),),
    spec=ChildSaSpec(Owner("child-3"), make_state(0xC0A81F03, inbound=True), make_state(0x9BE2D211, inbound=False), ()),
    encap=False,
    installed_at=5.0,
)
IKE = IkeSnapshot(
    connection="site",
    unique_id=1,
    state="ESTABLISHED",
    initiator=True,
    spi_i=SPI_I,
    spi_r=bytes(8),
    path=PATH,
    local_id=Identification(IdType.ID_FQDN, b"left.example"),
    remote_id=Identification(IdType.ID_FQDN, b"right.example"),
    proposal=parse_proposal("aes256gcm16-prfsha256-x25519", ProtocolId.IKE),
    established_at=5.0,
    created_at=4.0,
    waiting_for=None,
    next_event=None,
    nat_local=False,
    nat_remote=False,
    children=(),
)


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "ikepy.ike")
    return caplog


def test_a_message_that_came_is_one_line(log: pytest.LogCaptureFixture) -> None:
    LoggingObserver().message_received(MESSAGE, 1284, PATH, repeat=False)

    assert log.messages == ["7d0c…e1 < IKE_AUTH request 1, 1284 octets, 192.0.2.7:4500: Ni N(INITIAL_CONTACT)"]


def test_a_message_that_went_has_the_same_words_in_the_same_order(log: pytest.LogCaptureFixture) -> None:
    response = replace(MESSAGE, header=replace(HEADER, flags=FLAG_RESPONSE))
    LoggingObserver().message_sent(response, 80, PATH, repeat=True)

    assert log.messages == ["7d0c…e1 > IKE_AUTH response 1, 80 octets, 192.0.2.7:4500 (repeat): Nr N(INITIAL_CONTACT)"]


def test_a_message_in_fragments_is_one_line_too(log: pytest.LogCaptureFixture) -> None:
    LoggingObserver().message_received(MESSAGE, 4951, PATH, repeat=False, fragments=4)
    Observers(LoggingObserver()).message_sent(MESSAGE, 1284, PATH, repeat=False, fragments=2)

    assert [line.split(", 192")[0] for line in log.messages] == [
        "7d0c…e1 < IKE_AUTH request 1, 4951 octets in 4 fragments",
        "7d0c…e1 > IKE_AUTH request 1, 1284 octets in 2 fragments",
    ]


def test_messages_are_not_worded_when_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "ikepy.ike")

    LoggingObserver().message_sent(None, 80, PATH, repeat=False)  # type: ignore[arg-type]

    assert caplog.messages == []


def test_a_drop_says_what_why_how_often_and_from_where(log: pytest.LogCaptureFixture) -> None:
    observer = LoggingObserver()
    for _ in range(5):
        observer.dropped(PATH, DropReason.INTEGRITY, "", "IKE_AUTH request 1")

    assert log.messages == [f"dropped IKE_AUTH request 1: integrity ({count} from 192.0.2.7)" for count in (1, 2, 4)]


def test_a_flood_from_many_addresses_fills_no_disk(log: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    observer = LoggingObserver(clock=clock)
    for number in range(10_000):
        remote = SocketAddress(ip_address("10.0.0.0") + number, 500)
        observer.dropped(replace(PATH, remote=remote), DropReason.TOO_SHORT, "3 octets", "")
    during = len(log.messages)
    clock.now = 60.0
    observer.dropped(PATH, DropReason.TOO_SHORT, "3 octets", "")

    assert during <= 50
    assert log.messages[-2:] == [
        f"{10_000 - during} drops more were not written down: too many at once",
        "dropped a datagram: shorter than an IKE header, 3 octets (1 from 192.0.2.7)",
    ]


def test_a_flood_of_messages_is_counted_and_not_written_down(log: pytest.LogCaptureFixture) -> None:
    observer = LoggingObserver(clock=HandClock())
    for _ in range(5000):
        observer.message_received(MESSAGE, 100, PATH, repeat=False)

    assert len(log.messages) == 2000


def test_a_decision_is_debug_and_one_that_wants_the_operator_is_a_warning(log: pytest.LogCaptureFixture) -> None:
    observer = LoggingObserver()
    observer.decided(SPI_I, bytes(8), "connection site, by the identities")
    observer.decided(bytes(8), bytes(8), "no such connection", warning=True)

    assert [(record.levelno, record.getMessage()) for record in log.records] == [
        (logging.DEBUG, "7d0c…e1 connection site, by the identities"),
        (logging.WARNING, "no such connection"),
    ]


def test_keys_are_never_in_the_log(log: pytest.LogCaptureFixture) -> None:
    LoggingObserver().keys_derived(SPI_I, bytes(8), {"SK_ei": Secret(b"\xde\xad\xbe\xef")}, "AES", "NONE")

    assert "deadbeef" not in log.text
    assert log.messages == ["7d0c…e1 keys derived: AES, NONE"]


def test_changes_are_one_line_each(log: pytest.LogCaptureFixture) -> None:
    observer = LoggingObserver()
    for event in (IkeSaUp(IKE), ChildSaUp(IKE, CHILD), ChildSaDown(IKE, CHILD, "deleted by the peer")):
        observer.published(event)
    observer.published(IkeSaDown(IKE, "terminated"))

    ends = "site, left.example at 192.0.2.1:4500 = right.example at 192.0.2.7:4500"
    assert log.messages == [
        f"7d0c…e1 established: {ends}, aes256gcm16-prfsha256-x25519",
        "7d0c…e1 child c0a81f03/9be2d211 installed: 10.1.0.0/24 = 10.2.0.0/24, ESP aes256gcm16-noesn",
        "7d0c…e1 child c0a81f03/9be2d211 removed: 10.1.0.0/24 = 10.2.0.0/24: deleted by the peer",
        f"7d0c…e1 closed: {ends}: terminated",
    ]


NEW_CHILD = replace(
    CHILD,
    unique_id=4,
    proposal=parse_proposal("aes256gcm16-x25519-noesn", ProtocolId.ESP),
    spec=ChildSaSpec(Owner("child-4"), make_state(0xC6A90B12, inbound=True), make_state(0x91D6E23F, inbound=False), ()),
)


@pytest.mark.parametrize(("by_peer", "who"), [(False, "us"), (True, "the peer")])
def test_a_rekeyed_child_is_one_line_with_its_name_both_numbers_all_spis_and_who_began(
    log: pytest.LogCaptureFixture, by_peer: bool, who: str
) -> None:
    LoggingObserver().published(ChildSaRekeyed(IKE, CHILD, NEW_CHILD, by_peer))

    assert log.messages == [
        (
            f"7d0c…e1 child rekeyed by {who}: site/net, #3 c0a81f03/9be2d211 goes on as #4 c6a90b12/91d6e23f: "
            "10.1.0.0/24 = 10.2.0.0/24, ESP aes256gcm16-x25519-noesn"
        )
    ]


@pytest.mark.parametrize(("began", "who"), [(True, "us"), (False, "the peer")])
def test_a_rekeyed_ike_sa_is_one_line_under_its_old_spi_with_both_numbers_all_spis_and_who_began(
    log: pytest.LogCaptureFixture, began: bool, who: str
) -> None:
    new = replace(IKE, unique_id=2, spi_i=bytes.fromhex("c3ad000000000067"), spi_r=bytes(7) + b"\xc9", initiator=began)
    LoggingObserver().published(IkeSaRekeyed(replace(IKE, initiator=not began), new))

    assert log.messages == [
        (
            f"7d0c…e1 rekeyed by {who}: site, #1 7d0c…e1/0000…00 goes on as #2 c3ad…67/0000…c9, "
            "aes256gcm16-prfsha256-x25519"
        )
    ]


def test_transport_mode_and_encapsulation_are_said() -> None:
    words = word_event(ChildSaUp(IKE, replace(CHILD, mode=Mode.TRANSPORT, encap=True)))

    assert words.endswith("ESP aes256gcm16-noesn, transport mode, in UDP")


def test_an_attempt_that_failed_is_a_warning_that_names_it(log: pytest.LogCaptureFixture) -> None:
    observer = LoggingObserver()
    observer.published(AttemptFailed("site", "net", 1, "the peer answered TS_UNACCEPTABLE"))
    observer.published(AttemptFailed(None, None, 2, "no proposal in common"))

    assert {record.levelno for record in log.records} == {logging.WARNING}
    assert log.messages == [
        "connection site, child net failed: the peer answered TS_UNACCEPTABLE",
        "an attempt of a peer's failed: no proposal in common",
    ]
