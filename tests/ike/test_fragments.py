"""Fragments, without an endpoint: how large they are, what they are cut from, what they are put together to."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.config.algorithms import parse_proposals
from ikepy.config.model import DaemonConfig, Fragmentation
from ikepy.crypto.errors import IntegrityError
from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import ike_suite
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.drops import DropReason
from ikepy.ike.fragments import (
    MOST_FRAGMENTS,
    MOST_OCTETS,
    PathSizes,
    Reassembly,
    Whole,
    cut,
    room_for_ike,
    size_of_datagram,
)
from ikepy.ike.keymat import derive_ike_keys, derive_skeyseed
from ikepy.ike.protection import Protection
from ikepy.ike.sealing import Sealed, Sealer
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.header import FLAG_INITIATOR, FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message, parse_message
from ikepy.wire.payloads import Cert, Nonce, Sk, Skf, VendorId
from ikepy.wire.registry import CertEncoding, ExchangeType, PayloadType, ProtocolId
from tests.support.entropy import SeededEntropy

SUITES = ["aes256gcm16-prfsha256-x25519", "aes128-sha256-modp2048", "aes128ctr-sha1-x25519", "3des-sha1-modp1024"]
HEADER = IkeHeader(b"i" * 8, b"r" * 8, PayloadType(0), ExchangeType.IKE_AUTH, FLAG_INITIATOR, 1, 0)
END, NONCE = PayloadType.NO_NEXT_PAYLOAD, PayloadType.NONCE
YES, FORCE = Fragmentation.YES, Fragmentation.FORCE


def path(address: str = "192.0.2.1", *, marker: bool = False) -> Path:
    at = SocketAddress(ip_address(address), 4500 if marker else 500)
    return Path(at, at, marker)


PATHS = [path(), path(marker=True), path("2001:db8::1"), path("2001:db8::1", marker=True)]


def protections(words: str = SUITES[0]) -> tuple[Protection, Protection]:
    (proposal,) = parse_proposals((words,), ProtocolId.IKE)
    suite, ni, nr = ike_suite(proposal), bytes(32), bytes(range(32))
    keys = derive_ike_keys(suite, derive_skeyseed(suite.prf, Secret(b"shared"), ni, nr), ni, nr, b"i" * 8, b"r" * 8)
    entropy = SeededEntropy(3)
    ours, theirs = (Protection(suite, keys, entropy, is_initiator=side) for side in (True, False))
    return ours, theirs


def sealer(protection: Protection, **sizes: int) -> Sealer:
    return Sealer(protection, PathSizes(DaemonConfig(**sizes)))


def chain(certificates: int, octets: int, seed: int = 1) -> tuple[Cert, ...]:
    """Certificates of that size, as random as an RSA modulus."""
    rnd = random.Random(seed)
    return tuple(Cert(CertEncoding.X509_SIGNATURE, rnd.randbytes(octets)) for _ in range(certificates))


def skf(octets: bytes) -> Skf:
    last = parse_message(octets).payloads[-1]
    assert isinstance(last, Skf)
    return last


def put_together(theirs: Protection, datagrams: list[bytes], parts: Reassembly | None = None) -> list[Whole]:
    """What comes of datagrams in that order; what judge() refuses is left out."""
    parts = parts or Reassembly()
    found = []
    for octets in datagrams:
        message = parse_message(octets)
        if parts.judge(message.header, skf(octets)) is None:
            whole = parts.add(message.header, skf(octets), theirs.open_octets(octets, skf(octets).body))
            found += [whole] if whole is not None else []
    return found


# -- sizes ---------------------------------------------------------------------------------------------------------


def test_what_is_left_of_a_datagram_for_ike() -> None:
    assert [room_for_ike(1280, each) for each in PATHS] == [1252, 1248, 1232, 1228]
    assert [size_of_datagram(1000, each) for each in PATHS] == [1028, 1032, 1048, 1052]


def test_sizes_begin_as_configured_and_go_down_a_ladder() -> None:
    sizes = PathSizes(DaemonConfig(fragment_size=9000, fragment_size6=1500))
    assert [sizes.of(each) for each in PATHS] == [9000, 9000, 1500, 1500]
    assert (sizes.below(9000, path()), sizes.below(1280, path()), sizes.below(576, path())) == ((1280, 576), (576,), ())
    assert (sizes.below(1500, PATHS[2]), sizes.below(1280, PATHS[2])) == ((1280,), ())


def test_a_size_that_failed_is_remembered_between_the_same_addresses_and_by_the_next_ike_sa() -> None:
    sizes, heir = PathSizes(DaemonConfig()), PathSizes(DaemonConfig())
    sizes.learn(path(), 576)
    sizes.learn(path(), 1280)
    heir.inherit(sizes)
    assert sizes.of(path()) == sizes.of(path(marker=True)) == heir.of(path()) == 576
    assert sizes.of(path("192.0.2.9")) == 1280


def test_nobody_makes_us_use_sizes_below_what_every_host_takes() -> None:
    sizes = PathSizes(DaemonConfig(fragment_size6=9000))
    sizes.learn(path(), 60)
    assert sizes.of(path()) == 576
    sizes.learn(PATHS[2], 60)
    assert sizes.of(PATHS[2]) == 1280


# -- cutting and sealing -------------------------------------------------------------------------------------------


@given(st.binary(max_size=3000), st.integers(1, 700))
def test_pieces_are_full_but_for_the_last_and_none_is_empty(plaintext: bytes, room: int) -> None:
    pieces = cut(plaintext, room)
    assert b"".join(pieces) == plaintext
    assert all(len(piece) == room for piece in pieces[:-1])
    assert not pieces or 1 <= len(pieces[-1]) <= room


def test_a_fragment_without_room_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ValueError, match="set fragment_size larger"):
        cut(b"x", 0)


@pytest.mark.parametrize("words", SUITES)
@pytest.mark.parametrize("size", [256, 576, 1280])
@pytest.mark.parametrize("way", PATHS)
def test_fragments_fit_the_datagram_and_name_the_first_payload_once(words: str, size: int, way: Path) -> None:
    ours, theirs = protections(words)
    message = Message(HEADER, (*chain(3, 1700), Nonce(bytes(32))))
    sealed = sealer(ours, fragment_size=size, fragment_size6=size).seal(message, way, YES)
    sizes = [size_of_datagram(len(octets), way) for octets in sealed.datagrams]
    assert max(sizes) <= size
    assert min(sizes[:-1]) > size - 16
    payloads = [skf(octets) for octets in sealed.datagrams]
    assert [each.first_inner for each in payloads] == [PayloadType.CERT] + [END] * (len(payloads) - 1)
    assert [(each.number, each.total) for each in payloads] == [(n + 1, len(payloads)) for n in range(len(payloads))]
    assert len({each.body[:8] for each in payloads}) == len(payloads), "an IV was used twice"
    (whole,) = put_together(theirs, list(sealed.datagrams))
    assert parse_chain(whole.first_inner, whole.plaintext) == message.payloads
    assert (whole.fragments, whole.largest) == (len(payloads), max(map(len, sealed.datagrams)))


@pytest.mark.parametrize("words", SUITES)
def test_a_message_that_just_fits_goes_without_fragments(words: str) -> None:
    ours, _ = protections(words)
    most = ours.most_plaintext(room_for_ike(576, path()), Sk(END, b""))
    for octets, kind in ((most, Sk), (most + 1, Skf)):
        sealed = sealer(ours, fragment_size=576).seal(Message(HEADER, (VendorId(bytes(octets - 4)),)), path(), YES)
        assert isinstance(parse_message(sealed.datagrams[0]).payloads[-1], kind)
        assert all(size_of_datagram(len(each), path()) <= 576 for each in sealed.datagrams)


def test_forced_fragments_are_there_even_where_the_message_fits_but_never_empty() -> None:
    ours, theirs = protections()
    (octets,) = sealer(ours).seal(Message(HEADER, (Nonce(bytes(32)),)), path(), FORCE).datagrams
    assert (skf(octets).number, skf(octets).total, skf(octets).first_inner) == (1, 1, NONCE)
    (whole,) = put_together(theirs, [octets])
    assert (whole.fragments, whole.first_inner) == (1, NONCE)
    informational = replace(HEADER, exchange=ExchangeType.INFORMATIONAL)
    for fits in (Message(HEADER, ()), Message(informational, (VendorId(bytes(32)),))):
        (octets,) = sealer(ours).seal(fits, path(), FORCE).datagrams
        assert isinstance(parse_message(octets).payloads[-1], Sk)
    long = sealer(ours).seal(Message(informational, (VendorId(bytes(3000)),)), path(), FORCE)
    assert len(long.datagrams) == 3


@pytest.mark.parametrize("fragmentation", [Fragmentation.NO, Fragmentation.ACCEPT])
def test_a_message_goes_in_one_datagram_where_fragments_are_not_to_be_sent(fragmentation: Fragmentation) -> None:
    ours, _ = protections()
    sealed = sealer(ours).seal(Message(HEADER, chain(3, 1700)), path(), fragmentation)
    assert len(sealed.datagrams) == 1
    assert sealer(ours).seal_smaller(sealed, path()) is None


def test_a_smaller_size_makes_more_fragments_of_the_same_with_other_ivs() -> None:
    ours, theirs = protections()
    sealing = sealer(ours, fragment_size=9000)
    message = Message(HEADER, chain(3, 1700))
    tries = [sealing.seal(message, path(), YES)]
    while (smaller := sealing.seal_smaller(tries[-1], path())) is not None:
        tries.append(smaller)
    assert [(each.size, len(each.datagrams)) for each in tries] == [(9000, 1), (1280, 5), (576, 11)]
    assert len({octets for each in tries for octets in each.datagrams}) == 17
    for each in tries[1:]:
        (whole,) = put_together(theirs, list(each.datagrams))
        assert parse_chain(whole.first_inner, whole.plaintext) == message.payloads


def test_what_fits_the_smallest_size_anyway_is_not_cut_anew() -> None:
    ours, _ = protections()
    sealing = sealer(ours)
    assert sealing.seal_smaller(sealing.seal(Message(HEADER, (Nonce(bytes(32)),)), path(), YES), path()) is None
    assert sealing.seal_smaller(Sealed((b"in clear",)), path()) is None


def test_each_octet_of_a_fragment_is_authentic_or_it_does_not_open() -> None:
    ours, theirs = protections()
    (octets,) = sealer(ours).seal(Message(HEADER, (Nonce(bytes(16)),)), path(), FORCE).datagrams
    for at in range(len(octets)):
        changed = bytes(o ^ (n == at) for n, o in enumerate(octets))
        with pytest.raises(IntegrityError):
            theirs.open_octets(changed, changed[36:])


# -- putting together ----------------------------------------------------------------------------------------------


def sealed_twice(seed: int = 1) -> tuple[Protection, Message, Sealed, Sealed]:
    """A message in 5 fragments, and then in 11."""
    ours, theirs = protections()
    sealing, message = sealer(ours), Message(HEADER, chain(3, 1700, seed))
    first = sealing.seal(message, path(), YES)
    second = sealing.seal_smaller(first, path())
    assert second is not None
    return theirs, message, first, second


def test_a_chain_of_rsa_4096_certificates_in_64_fragments_and_more_arrives_in_any_order() -> None:
    ours, theirs = protections()
    message = Message(HEADER, chain(7, 1850))
    datagrams = list(sealer(ours, fragment_size=256).seal(message, path(), YES).datagrams)
    assert 64 < len(datagrams) <= MOST_FRAGMENTS
    random.Random(7).shuffle(datagrams)
    (whole,) = put_together(theirs, datagrams)
    assert parse_chain(whole.first_inner, whole.plaintext) == message.payloads
    assert whole.fragments == len(datagrams)


def test_a_message_of_64_kib_still_goes_through_at_the_smallest_usual_size() -> None:
    ours, theirs = protections()
    message = Message(HEADER, chain(30, 1950))
    datagrams = sealer(ours, fragment_size=576).seal(message, path(), YES).datagrams
    (whole,) = put_together(theirs, list(datagrams))
    assert parse_chain(whole.first_inner, whole.plaintext) == message.payloads


def test_nothing_comes_of_a_message_with_a_fragment_missing_whichever_it_is() -> None:
    theirs, _, first, _ = sealed_twice()
    for missing in range(len(first.datagrams)):
        there = [octets for number, octets in enumerate(first.datagrams) if number != missing]
        parts = Reassembly()
        assert put_together(theirs, [*there, *there], parts) == []
        assert parts.state == "4 of 5 fragments of IKE_AUTH request 1"


def judged(parts: Reassembly, octets: bytes, **header: object) -> DropReason | None:
    return parts.judge(replace(parse_message(octets).header, **header), skf(octets))  # type: ignore[arg-type]


def test_a_doubled_fragment_is_refused_before_it_is_opened() -> None:
    theirs, _, first, _ = sealed_twice()
    parts = Reassembly()
    put_together(theirs, [first.datagrams[2]], parts)
    assert judged(parts, first.datagrams[2]) is DropReason.FRAGMENT_REPEATED
    assert judged(parts, first.datagrams[3]) is None


def test_smaller_fragments_take_the_place_of_larger_ones_and_never_the_other_way() -> None:
    theirs, message, first, second = sealed_twice()
    parts = Reassembly()
    put_together(theirs, list(first.datagrams[:4]), parts)
    put_together(theirs, [second.datagrams[0]], parts)
    assert parts.state == "1 of 11 fragments of IKE_AUTH request 1"
    assert judged(parts, first.datagrams[4]) is DropReason.FRAGMENT_OUTDATED
    (whole,) = put_together(theirs, list(second.datagrams[1:]), parts)
    assert parse_chain(whole.first_inner, whole.plaintext) == message.payloads
    assert parts.state == ""


def test_a_message_with_another_number_takes_the_place() -> None:
    theirs, _, first, _ = sealed_twice()
    ours, _ = protections()
    other = sealer(ours).seal(Message(replace(HEADER, message_id=2), chain(3, 1700, 2)), path(), YES)
    parts = Reassembly()
    put_together(theirs, list(first.datagrams[:3]), parts)
    put_together(theirs, [other.datagrams[0]], parts)
    assert parts.state == "1 of 5 fragments of IKE_AUTH request 2"
    assert parts.has_some_of(2)
    assert not parts.has_some_of(1)


@pytest.mark.parametrize("header", [{"exchange": ExchangeType.INFORMATIONAL}, {"flags": FLAG_RESPONSE}])
def test_fragments_of_one_message_are_of_one_exchange_and_direction(header: dict[str, object]) -> None:
    theirs, _, first, _ = sealed_twice()
    parts = Reassembly()
    put_together(theirs, [first.datagrams[0]], parts)
    assert judged(parts, first.datagrams[1], **header) is DropReason.FRAGMENT_UNFIT


def test_more_fragments_than_anybody_needs_are_refused_unseen() -> None:
    parts = Reassembly()
    assert parts.judge(HEADER, Skf(END, 2, MOST_FRAGMENTS, b"")) is None
    assert parts.judge(HEADER, Skf(END, 2, MOST_FRAGMENTS + 1, b"")) is DropReason.FRAGMENT_LIMIT
    assert parts.judge(HEADER, Skf(END, 65535, 65535, b"")) is DropReason.FRAGMENT_LIMIT


def test_a_message_is_never_longer_than_one_without_fragments_could_be() -> None:
    parts, piece = Reassembly(), bytes(MOST_OCTETS // 4)
    for number in range(1, 5):
        assert parts.judge(HEADER, Skf(END, number, 9, piece)) is None
        assert parts.add(HEADER, Skf(END, number, 9, piece), piece[:-17]) is None
    assert parts.judge(HEADER, Skf(END, 5, 9, piece)) is DropReason.FRAGMENT_LIMIT
    assert parts.judge(HEADER, Skf(END, 5, 9, bytes(3))) is None
    assert parts.judge(HEADER, Skf(END, 1, 1, bytes(MOST_OCTETS + 1))) is DropReason.FRAGMENT_LIMIT


@pytest.mark.parametrize(("number", "total"), [(0, 0), (0, 3), (1, 0), (4, 3), (65535, 1)])
def test_a_fragment_that_counts_wrongly_cannot_be_read(number: int, total: int) -> None:
    with pytest.raises(InvalidSyntax, match=f"fragment {number} of {total}"):
        Skf(END, number, total, b"")


def test_the_whole_message_is_given_as_if_it_had_come_in_one() -> None:
    theirs, message, first, _ = sealed_twice()
    (whole,) = put_together(theirs, list(first.datagrams))
    one = parse_message(whole.as_one())
    assert one.header.message_id == 1
    assert one.payloads == (Sk(PayloadType.CERT, build_chain(message.payloads)[1]),)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_arrives_in_whatever_order_a_message_is_right_or_not_there(data: st.DataObject) -> None:
    theirs, message, first, second = sealed_twice()
    pool = [*first.datagrams, *second.datagrams]
    order = data.draw(st.lists(st.sampled_from(range(len(pool))), max_size=60))
    for whole in put_together(theirs, [pool[each] for each in order]):
        assert parse_chain(whole.first_inner, whole.plaintext) == message.payloads


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2), st.binary(max_size=8), st.booleans()),
        max_size=40,
    )
)
def test_a_peer_that_cuts_badly_gets_what_it_sent_put_together_or_nothing(
    fragments: list[tuple[int, int, int, bytes, bool]],
) -> None:
    parts = Reassembly()
    for number, total, message_id, plaintext, other in fragments:
        if number > total:
            continue
        header = replace(HEADER, message_id=message_id, flags=FLAG_RESPONSE if other else FLAG_INITIATOR)
        fragment = Skf(END, number, total, plaintext + bytes(20))
        if parts.judge(header, fragment) is None:
            whole = parts.add(header, fragment, plaintext)
            assert whole is None or whole.fragments == total
