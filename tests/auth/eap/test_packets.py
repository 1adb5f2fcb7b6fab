"""What is behind the EAP type: any octets end in a value or EapError, and values come back as they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ikepy.auth.eap.identity import MOST_IDENTITY_OCTETS, build_identity, parse_identity
from ikepy.auth.eap.method import EapError
from ikepy.auth.eap.packets import (
    ChapAnswer,
    ChapChallenge,
    ChapChange,
    ChapFailure,
    ChapReply,
    ChapRequest,
    ChapResponse,
    ChapSuccess,
    Md5Value,
    build_chap,
    build_md5,
    build_nak,
    parse_chap_reply,
    parse_chap_request,
    parse_md5,
    parse_nak,
    parse_password,
    parse_text,
)
from ikepy.wire.registry import EapType

PARSERS: tuple[Callable[[bytes], object], ...] = (
    parse_chap_request,
    parse_chap_reply,
    parse_md5,
    parse_nak,
    parse_text,
    parse_password,
    parse_identity,
)
octet = st.integers(0, 255)
sixteen = st.binary(min_size=16, max_size=16)
names = st.binary(max_size=256).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
printable = st.text(max_size=60).filter(str.isprintable)
proofs = st.binary(min_size=20, max_size=20).map(lambda octets: b"S=" + octets.hex().upper().encode())
requests = st.one_of(
    st.builds(ChapChallenge, octet, sixteen, names),
    st.builds(ChapSuccess, octet, proofs, printable.filter(lambda text: not text.startswith((" ", "M=")))),
    st.builds(ChapFailure, octet, st.integers(0, 10**10 - 1), st.booleans(), st.none() | sixteen, printable),
)
replies = st.one_of(
    st.builds(ChapResponse, octet, sixteen, st.binary(min_size=24, max_size=24), names),
    st.builds(ChapAnswer, st.booleans()),
)
# Octets that look like MSCHAPv2 up to their length, so that what is behind it is looked at.
framed = st.builds(
    lambda op, identifier, rest: bytes([op, identifier]) + (4 + len(rest)).to_bytes(2, "big") + rest,
    st.integers(0, 8),
    octet,
    st.binary(max_size=600)
    | st.binary(max_size=40).map(lambda rest: b"\x10" + rest)
    | st.binary(max_size=90).map(lambda rest: b"\x31" + rest)
    | st.text("ERCVMS=0123456789ABCDEFabcdef ", max_size=90).map(str.encode),
)


def chap(op: int, rest: bytes, length: int | None = None) -> bytes:
    return bytes([op, 5]) + (4 + len(rest) if length is None else length).to_bytes(2, "big") + rest


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(octets=st.binary(max_size=2000) | framed)
@example(octets=b"")
def test_any_octets_are_a_value_or_an_eap_error(parse: Callable[[bytes], object], octets: bytes) -> None:
    fault: EapError | None = None
    try:
        parse(octets)
    except EapError as error:
        fault = error
    assert fault is None or fault.__cause__ is None
    assert len(str(fault)) < 200


@given(requests)
def test_requests_come_back_as_they_were(packet: ChapRequest) -> None:
    assert parse_chap_request(build_chap(packet)) == packet


@given(replies)
def test_replies_come_back_as_they_were(packet: ChapReply) -> None:
    assert not isinstance(packet, ChapChange)
    assert parse_chap_reply(build_chap(packet)) == packet


@given(st.builds(Md5Value, sixteen, names))
def test_md5_values_come_back_as_they_were(packet: Md5Value) -> None:
    assert parse_md5(build_md5(packet)) == packet


@given(printable.filter(lambda name: len(name.encode()) <= MOST_IDENTITY_OCTETS))
def test_identities_come_back_as_they_were(name: str) -> None:
    assert parse_identity(build_identity(name)) == name


@given(st.lists(st.sampled_from([EapType.TLS, EapType.MSCHAPV2, EapType(99)]), max_size=4).map(tuple))
def test_naks_come_back_as_they_were(types: tuple[EapType, ...]) -> None:
    assert parse_nak(build_nak(types)) == types


@given(st.one_of(requests, replies.filter(lambda packet: not isinstance(packet, ChapAnswer))), st.data())
def test_another_length_is_refused(packet: ChapRequest | ChapResponse, data: st.DataObject) -> None:
    octets = build_chap(packet)
    parse = parse_chap_reply if isinstance(packet, ChapResponse) else parse_chap_request
    cut = data.draw(st.integers(0, len(octets) - 1))
    for wrong in (octets[:cut], octets + b"\0"):
        with pytest.raises(EapError):
            parse(wrong)


@pytest.mark.parametrize(
    "octets",
    [
        chap(1, b"\x0f" + bytes(15)),
        chap(1, b"\x11" + bytes(17)),
        chap(1, b"\x10" + bytes(15)),
        chap(1, b""),
        chap(1, b"\x10" + bytes(16) + b"n" * 257),
        chap(1, b"\x10" + bytes(16), 3),
        chap(1, b"\x10" + bytes(16), 0),
        chap(1, b"\x10" + bytes(16), 0xFFFF),
        chap(2, b"\x31" + bytes(49)),
        chap(3, b"S=" + b"A" * 39),
        chap(3, b"S=" + b"G" * 40),
        chap(3, b"s=" + b"A" * 40),
        chap(3, b""),
        chap(3, b"S=" + b"A" * 40 + b" M=" + b"x" * 1100),
        chap(9, b""),
        b"\x03",
        b"\x04",
    ],
)
def test_requests_that_are_not_as_the_draft_has_them_are_refused(octets: bytes) -> None:
    with pytest.raises(EapError):
        parse_chap_request(octets)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"E",
        b"E=",
        b"E= R=0",
        b"E=691 R=2",
        b"E=691 R=0 C=",
        b"E=691 R=0 C=0",
        b"E=691 R=0 C=" + b"0" * 31,
        b"E=691 R=0 C=" + b"0" * 33,
        b"E=691 R=0 C=" + b"0" * 64,
        b"E=691 R=0 C=" + b"z" * 32,
        b"E=12345678901 R=0",
        b"E=-1 R=0",
        b"R=0 E=691",
        b"M=" + b"x" * 2000,
    ],
)
def test_a_failure_with_a_short_or_odd_message_is_refused(message: bytes) -> None:
    # CVE-2025-62291: a client that computed the length of C= from what was left.
    with pytest.raises(EapError):
        parse_chap_request(chap(4, message))


@pytest.mark.parametrize("length", range(5))
def test_a_failure_whose_length_is_less_than_its_header_is_refused(length: int) -> None:
    with pytest.raises(EapError):
        parse_chap_request(bytes([4, 5]) + length.to_bytes(2, "big") + b"E=691 R=0")
    with pytest.raises(EapError):
        parse_chap_request((bytes([4, 5]) + length.to_bytes(2, "big"))[:length])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"E=691 R=0 C=" + b"0A" * 16 + b" V=3 M=No", ChapFailure(5, 691, False, b"\x0a" * 16, "No")),
        (b"E=691 R=1", ChapFailure(5, 691, True)),
        (b"E=0000000648", ChapFailure(5, 648)),
        (b"E=691 R=0 V=3 M=two\r\nlines \xff", ChapFailure(5, 691, text="two  lines \ufffd")),
    ],
)
def test_failures_as_they_are_met(message: bytes, expected: ChapFailure) -> None:
    assert parse_chap_request(chap(4, message)) == expected


def test_a_success_may_have_a_text_and_its_digits_in_small_letters() -> None:
    proof = b"S=" + b"AB" * 20
    assert parse_chap_request(chap(3, proof)) == ChapSuccess(5, proof)
    assert parse_chap_request(chap(3, proof.replace(b"AB", b"ab") + b" M=OK")) == ChapSuccess(5, proof, "OK")


def test_a_change_of_password_is_known_by_its_length_and_not_kept() -> None:
    assert parse_chap_reply(chap(7, b"p" * 582)) == ChapChange(5)
    for size in (0, 581, 583):
        with pytest.raises(EapError, match="586"):
            parse_chap_reply(chap(7, b"p" * size))


@pytest.mark.parametrize("octets", [b"", b"\x03\x05", b"\x04\x05\x00\x04", b"\x03\x05\x00\x04", b"\x01", b"\x05"])
def test_an_answer_is_one_octet_and_no_more(octets: bytes) -> None:
    with pytest.raises(EapError):
        parse_chap_reply(octets)


@pytest.mark.parametrize("octets", [b"", b"\x10", b"\x10" + bytes(15), b"\x0f" + bytes(16), b"\xff" + bytes(16)])
def test_md5_values_have_16_octets(octets: bytes) -> None:
    with pytest.raises(EapError):
        parse_md5(octets)


def test_a_nak_names_something_and_zero_is_nothing() -> None:
    assert parse_nak(b"\0") == ()
    assert parse_nak(b"\x1a\x0d") == (EapType.MSCHAPV2, EapType.TLS)
    for octets in (b"", bytes(33)):
        with pytest.raises(EapError):
            parse_nak(octets)


@pytest.mark.parametrize("octets", [b"a\0b", b"a\nb", b"\xff", b"\x1b[2J", b"x" * 254])
def test_names_that_do_not_print_are_refused(octets: bytes) -> None:
    with pytest.raises(EapError):
        parse_identity(octets)


@pytest.mark.parametrize("name", ["x" * 254, "a\nb"])
def test_an_identity_that_nobody_takes_is_not_sent(name: str) -> None:
    with pytest.raises(ValueError, match="eap_id"):
        build_identity(name)


def test_passwords_are_bounded() -> None:
    assert parse_password(b"x") == b"x"
    for octets in (b"", b"x" * 1025):
        with pytest.raises(EapError) as caught:
            parse_password(octets)
        assert "xx" not in str(caught.value)
