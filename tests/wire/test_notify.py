"""Notifies: their octets are kept, their typed bodies asked for."""

from __future__ import annotations

import pytest

from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.notify import (
    Cookie,
    CriticalPayload,
    Empty,
    HashAlgorithms,
    InvalidKe,
    InvalidMessageId,
    IpComp,
    NatHash,
    Notify,
    SelectorsMissed,
    SpiMeant,
    Typed,
    WindowSize,
    build_notify,
    cookie,
    hash_algorithms,
    invalid_ke_method,
    make_hash_algorithms,
    make_invalid_ke,
    parse_notify,
    rekeyed,
    typed,
)
from ikepy.wire.registry import HashAlgorithm, KeMethod, NotifyType, PayloadType, ProtocolId

ESP, SPI = ProtocolId.ESP, bytes.fromhex("01020304")
N = NotifyType


def test_a_notify_stands_as_the_rfc_draws_it() -> None:
    octets = bytes.fromhex("03044009 01020304 6162")

    assert parse_notify(octets) == Notify(N.REKEY_SA, b"ab", ESP, SPI)
    assert build_notify(Notify(N.REKEY_SA, b"ab", ESP, SPI)) == octets


def test_a_long_notify_is_read_too() -> None:
    octets = bytes.fromhex("00004006") + bytes(64)

    assert parse_notify(octets) == Notify(N.COOKIE, bytes(64))
    assert build_notify(parse_notify(octets)) == octets


def test_an_unknown_notify_keeps_its_octets_and_prints_its_number() -> None:
    notify = parse_notify(bytes.fromhex("0000a027 0a0d"))

    assert notify == Notify(NotifyType(40999), b"\n\r")
    assert str(notify) == "N(NotifyType.40999)"
    assert typed(notify) is None


@pytest.mark.parametrize("octets", ["", "030440", "03044009 010203", "03ff4009"])
def test_a_notify_shorter_than_it_says_is_refused(octets: str) -> None:
    with pytest.raises(TruncatedMessage, match="notify"):
        parse_notify(bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("notify", "expected"),
    [
        (Notify(N.COOKIE, b"c"), Cookie(b"c")),
        (Notify(N.COOKIE, bytes(64)), Cookie(bytes(64))),
        (Notify(N.INVALID_KE_PAYLOAD, b"\0\x1f"), InvalidKe(KeMethod.CURVE25519)),
        (Notify(N.UNSUPPORTED_CRITICAL_PAYLOAD, b"\xc8"), CriticalPayload(PayloadType(200))),
        (Notify(N.INVALID_MESSAGE_ID, bytes.fromhex("ffffffff")), InvalidMessageId(0xFFFFFFFF)),
        (Notify(N.SET_WINDOW_SIZE, b"\0\0\0\x0a"), WindowSize(10)),
        (Notify(N.NAT_DETECTION_SOURCE_IP, bytes(20)), NatHash(bytes(20))),
        (Notify(N.NAT_DETECTION_DESTINATION_IP, bytes(20)), NatHash(bytes(20))),
        (Notify(N.IPCOMP_SUPPORTED, b"\1\2\3"), IpComp(258, 3)),
        (Notify(N.REKEY_SA, b"", ESP, SPI), SpiMeant(ESP, SPI)),
        (Notify(N.CHILD_SA_NOT_FOUND, b"", ProtocolId.AH, SPI), SpiMeant(ProtocolId.AH, SPI)),
        (Notify(N.INVALID_SPI, SPI, ESP), SpiMeant(ESP, SPI)),
        (Notify(N.INVALID_SPI, b"", ESP, SPI), SpiMeant(ESP, SPI)),
        (Notify(N.INVALID_SELECTORS, b"\x45", ESP, SPI), SelectorsMissed(SPI, b"\x45")),
        (
            Notify(N.SIGNATURE_HASH_ALGORITHMS, b"\0\2\0\5"),
            HashAlgorithms((HashAlgorithm.SHA2_256, HashAlgorithm.IDENTITY)),
        ),
        (Notify(N.INITIAL_CONTACT), Empty(N.INITIAL_CONTACT)),
        (Notify(N.NO_PROPOSAL_CHOSEN, b"why"), Empty(N.NO_PROPOSAL_CHOSEN)),
    ],
    ids=lambda value: str(value) if isinstance(value, Notify) else "",
)
def test_a_notify_of_rfc_7296_says_what_it_means(notify: Notify, expected: Typed) -> None:
    assert typed(notify) == expected


@pytest.mark.parametrize(
    "notify",
    [
        Notify(N.COOKIE),
        Notify(N.COOKIE, bytes(65)),
        Notify(N.INVALID_KE_PAYLOAD),
        Notify(N.INVALID_KE_PAYLOAD, b"\0\0\0"),
        Notify(N.UNSUPPORTED_CRITICAL_PAYLOAD),
        Notify(N.INVALID_MESSAGE_ID, b"\0"),
        Notify(N.SET_WINDOW_SIZE, bytes(5)),
        Notify(N.NAT_DETECTION_SOURCE_IP, bytes(19)),
        Notify(N.NAT_DETECTION_DESTINATION_IP, bytes(21)),
        Notify(N.IPCOMP_SUPPORTED, b"\0\0"),
        Notify(N.REKEY_SA, b"", ESP),
        Notify(N.REKEY_SA, b"", ProtocolId.NONE, SPI),
        Notify(N.REKEY_SA, b"", ProtocolId.IKE, bytes(8)),
        Notify(N.CHILD_SA_NOT_FOUND, b"", ESP, bytes(5)),
        Notify(N.INVALID_SPI, bytes(3), ESP),
        Notify(N.INVALID_SPI),
        Notify(N.SIGNATURE_HASH_ALGORITHMS, b"\0"),
        Notify(N.SIGNATURE_HASH_ALGORITHMS, bytes(2 * 65)),
    ],
    ids=str,
)
def test_a_notify_with_a_body_that_cannot_be_is_refused(notify: Notify) -> None:
    with pytest.raises(
        InvalidSyntax, match=str(notify.type).split("_", maxsplit=1)[0].lower() + "|" + notify.type.name
    ):
        typed(notify)


def test_an_spi_in_an_error_is_escaped() -> None:
    with pytest.raises(InvalidSyntax) as raised:
        rekeyed(Notify(N.REKEY_SA, b"", ESP, b"\n\x1b[2J"))

    assert str(raised.value).isprintable()


def test_bodies_are_made_as_they_are_read() -> None:
    hashes = (HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_512, HashAlgorithm(99))

    assert hash_algorithms(make_hash_algorithms(hashes)) == hashes
    assert invalid_ke_method(make_invalid_ke(KeMethod.MODP_2048)) is KeMethod.MODP_2048
    assert make_invalid_ke(KeMethod.MODP_2048).octets == b"\0\x0e"
    assert cookie(Notify(N.COOKIE, b"abc")) == b"abc"


def test_an_spi_longer_than_its_length_octet_is_not_built() -> None:
    with pytest.raises(InvalidSyntax, match="notify"):
        build_notify(Notify(N.REKEY_SA, b"", ESP, bytes(256)))
