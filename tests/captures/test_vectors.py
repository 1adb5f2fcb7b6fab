"""The captures of other projects: each message parses, opens where keys are given, and is built again octet for octet.

What tshark read from the same captures stands in pcap/expected/.
"""

from __future__ import annotations

import json

import pytest

from ikepy.crypto.errors import IntegrityError
from ikepy.crypto.key_exchange import public_octets
from ikepy.wire.base import Payload
from ikepy.wire.errors import InvalidMajorVersion, InvalidSyntax, TruncatedMessage, WireError
from ikepy.wire.header import parse_header
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Auth, Ke, Nonce, Sk, VendorId
from ikepy.wire.registry import NotifyType, PayloadType, TransformType
from ikepy.wire.sa import Proposal, Sa
from ikepy.wire.ts import TrafficSelector, TsI, TsR
from tests.support.key_tables import KeyTable, read_key_table
from tests.support.pcap import read_datagrams, read_ike
from tests.support.vectors import VECTORS, needs_vectors, pcap_names

pytestmark = needs_vectors

CAPTURES = pcap_names("", "openswan")
UNVERIFIABLE = "tcpdump-ikev2pI2.pcap"
"Its ICV does not verify under the published key (README of the vectors): it must be dropped."

MALFORMED_INSIDE: dict[str, tuple[type[WireError], str]] = {
    "openswan/lp88-rekeyv2-inval-R1--rekeyCI1.pcap": (InvalidSyntax, "nonce of 2 octets"),
}
"What is wrong on purpose inside SK, and shows once it is opened."

MALFORMED: dict[str, list[tuple[type[WireError], str]]] = {
    "tcpdump-ikev2-id-short.pcap": [(TruncatedMessage, "identification: 1 octets")],
    "tcpdump-isakmp-3948-oobr-2.pcap": [],
    "tcpdump-isakmp-delete-segfault.pcap": [(InvalidMajorVersion, "IKE version 11.14")],
    "tcpdump-isakmp-ikev1_n_print-oobr.pcap": [
        (InvalidSyntax, "header says 4278190080, message has 42 octets"),
        (InvalidSyntax, "message has 42 octets"),
    ],
    "tcpdump-isakmp-pointer-loop.pcap": [(InvalidMajorVersion, "IKE version 1.0")],
    "tcpdump-isakmpv1-attr-oobr.pcap": [(InvalidMajorVersion, "IKE version 1.0")],
    "zeek-ipsec-ikev1-payload-bad-length.pcap": [(InvalidMajorVersion, "IKE version 1.0")],
}
"What each IKE message of a malformed capture ends in; an empty datagram on port 4500 is none."


def expectation(name: str):
    return json.loads((VECTORS / "pcap" / "expected" / (name.replace("/", "--") + ".json")).read_text())


def key_table(name: str) -> dict[tuple[bytes, bytes], KeyTable]:
    stem = name.replace("/", "--")
    for candidate in (stem, stem.removesuffix(".pcap")):
        path = VECTORS / "pcap" / "keys" / f"{candidate}.ikev2_decryption_table"
        if path.exists():
            return read_key_table(path)
    return {}


OPENABLE = [name for name in CAPTURES if key_table(name) and name not in {UNVERIFIABLE, *MALFORMED_INSIDE}]


def sealed_messages(name: str) -> list[tuple[KeyTable, bytes]]:
    tables = key_table(name)
    found = []
    for _, octets in read_ike(VECTORS / "pcap" / name):
        message = parse_message(octets)
        table = tables.get((message.header.spi_i, message.header.spi_r))
        if table is not None and message.first(Sk) is not None:
            found.append((table, octets))
    return found


@pytest.mark.parametrize("name", CAPTURES)
def test_every_message_is_built_again_octet_for_octet(name: str) -> None:
    messages = [octets for _, octets in read_ike(VECTORS / "pcap" / name)]

    assert len(messages) == expectation(name)["ikev2"]
    assert [build_message(parse_message(octets)) for octets in messages] == messages


@pytest.mark.parametrize("name", [name for name in CAPTURES if name not in MALFORMED_INSIDE])
def test_tshark_reads_the_same_from_every_message(name: str) -> None:
    tables = key_table(name)
    messages = [octets for _, octets in read_ike(VECTORS / "pcap" / name)]

    for octets, expected in zip(messages, expectation(name)["messages"], strict=True):
        outer = parse_message(octets)
        table = tables.get((outer.header.spi_i, outer.header.spi_r))
        is_opened = table is not None and outer.first(Sk) is not None
        inner = table.open(octets, verify=name != UNVERIFIABLE).payloads if is_opened else ()
        assert read_header(outer) == {key: expected[key] for key in read_header(outer)}
        read = read_payloads(outer.payloads + inner)
        assert read == {key: as_list(expected.get(key)) for key in read}


@pytest.mark.parametrize("name", OPENABLE)
def test_every_message_with_keys_opens_and_is_sealed_again_octet_for_octet(name: str) -> None:
    sealed = sealed_messages(name)

    assert sealed
    assert [table.seal(table.open(octets)) for table, octets in sealed] == [octets for _, octets in sealed]


@pytest.mark.parametrize(("name", "expected"), MALFORMED_INSIDE.items())
def test_what_is_malformed_inside_ends_in_its_error(name: str, expected: tuple[type[WireError], str]) -> None:
    [(table, octets)] = sealed_messages(name)

    with pytest.raises(expected[0], match=expected[1]):
        table.open(octets)


def test_no_message_that_has_keys_is_left_out() -> None:
    assert sum(len(sealed_messages(name)) for name in CAPTURES) == 23


def test_a_message_whose_icv_does_not_verify_is_not_opened() -> None:
    [(table, octets)] = sealed_messages(UNVERIFIABLE)

    with pytest.raises(IntegrityError):
        table.open(octets)


def test_the_same_message_unverified_holds_an_identity_and_a_proof_of_zeros() -> None:
    [(table, octets)] = sealed_messages(UNVERIFIABLE)
    opened = table.open(octets, verify=False)

    identification, auth = opened.payloads
    assert identification.payload_type is PayloadType.IDI
    assert isinstance(auth, Auth)
    assert not any(auth.octets)
    assert table.seal(opened)[:-12] == octets[:-12]


def test_the_table_of_malformed_captures_is_complete() -> None:
    assert {f"malformed/{name}" for name in MALFORMED} == set(pcap_names("malformed"))


@pytest.mark.parametrize(("name", "errors"), MALFORMED.items())
def test_every_malformed_message_ends_in_its_error(name: str, errors: list[tuple[type[WireError], str]]) -> None:
    messages = [octets for _, octets in read_ike(VECTORS / "pcap" / "malformed" / name, first_fragments=True)]

    assert len(messages) == len(errors)
    for octets, (error, words) in zip(messages, errors, strict=True):
        with pytest.raises(WireError, match=words) as raised:
            parse_message(octets)
        assert raised.type is error


def test_a_datagram_of_port_4500_without_octets_is_no_ike_message() -> None:
    [datagram] = read_datagrams(VECTORS / "pcap" / "malformed" / "tcpdump-isakmp-3948-oobr-2.pcap")

    assert datagram.octets == b""
    assert datagram.ike_octets is None


def test_a_public_value_too_short_for_its_group_is_read_here_and_left_to_crypto() -> None:
    [(_, octets)] = read_ike(VECTORS / "pcap" / "openswan" / "lp08-parentR1--parentI1syntax.pcap")
    ke = parse_message(octets).first(Ke)

    assert ke is not None
    assert len(ke.public) == 80 < public_octets(ke.method) == 256


def test_ikev1_is_refused_by_its_version() -> None:
    messages = [octets for name in pcap_names("ikev1") for _, octets in read_ike(VECTORS / "pcap" / name)]

    assert len(messages) == 9
    for octets in messages:
        with pytest.raises(InvalidMajorVersion) as raised:
            parse_message(octets)
        assert raised.value.notify is NotifyType.INVALID_MAJOR_VERSION


def test_encapsulated_esp_is_no_ike_message() -> None:
    datagrams = read_datagrams(VECTORS / "pcap" / "esp" / "tcpdump-espudp1.pcap")

    assert len(datagrams) == 8
    assert all(datagram.ike_octets is None for datagram in datagrams)


def test_a_message_in_ip_fragments_is_put_together() -> None:
    messages = [octets for _, octets in read_ike(VECTORS / "pcap" / "zeek-ipsec_client-windows.pcap")]

    assert [parse_header(octets).length for octets in messages[2:]] == [3468] * 3
    assert len({*messages[2:]}) == 1


# -- what tshark calls it ----------------------------------------------------------------------------------------------


def as_list(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def read_header(message: Message) -> dict[str, str]:
    header = message.header
    return {
        "ispi": header.spi_i.hex(),
        "rspi": header.spi_r.hex(),
        "version": f"0x{header.version:02x}",
        "exchangetype": str(int(header.exchange)),
        "flags": f"0x{header.flags:02x}",
        "messageid": f"0x{header.message_id:08x}",
        "length": str(header.length),
    }


def read_payloads(payloads: tuple[Payload, ...]) -> dict[str, list[str]]:
    return {"typepayload": types_of(payloads)} | read_offers(payloads) | read_selectors(payloads) | read_rest(payloads)


def types_of(payloads: tuple[Payload, ...]) -> list[str]:
    types = []
    for payload in payloads:
        types.append(str(int(payload.payload_type)))
        if isinstance(payload, Sa):
            types += [kind for proposal in payload.proposals for kind in ("2", *"3" * len(proposal.transforms))]
    return types


def read_offers(payloads: tuple[Payload, ...]) -> dict[str, list[str]]:
    offers = [offer for payload in payloads if isinstance(payload, Sa) for offer in payload.proposals]
    transforms = [transform for offer in offers for transform in offer.transforms]
    by_type = {
        f"tf.id.{name}": [str(int(transform.id)) for transform in transforms if transform.type is kind]
        for name, kind in (
            ("encr", TransformType.ENCR),
            ("prf", TransformType.PRF),
            ("integ", TransformType.INTEG),
            ("dh", TransformType.KE),
            ("esn", TransformType.ESN),
        )
    }
    lengths = [transform.key_length_bits for transform in transforms]
    return by_type | {
        "prop.number": [str(offer.number) for offer in offers],
        "prop.protoid": [str(int(offer.protocol)) for offer in offers],
        "prop.transforms": [str(len(offer.transforms)) for offer in offers],
        "tf.type": [str(int(transform.type)) for transform in transforms],
        "ike2.attr.key_length": [str(length) for length in lengths if length is not None],
        "spi": spis_of(offers),
    }


def spis_of(offers: list[Proposal]) -> list[str]:
    return [offer.spi.hex() for offer in offers if offer.spi]


def read_selectors(payloads: tuple[Payload, ...]) -> dict[str, list[str]]:
    every = [one for payload in payloads if isinstance(payload, TsI | TsR) for one in payload.selectors]
    selectors = [selector for selector in every if isinstance(selector, TrafficSelector)]
    return {
        "ts.type": [str(int(selector.type)) for selector in selectors],
        "ts.start_port": [str(selector.start_port) for selector in selectors],
        "ts.end_port": [str(selector.end_port) for selector in selectors],
        "ts.start_ipv4": [str(selector.start) for selector in selectors if selector.start.version == 4],
        "ts.end_ipv4": [str(selector.end) for selector in selectors if selector.end.version == 4],
    }


def read_rest(payloads: tuple[Payload, ...]) -> dict[str, list[str]]:
    return {
        "notify.msgtype": [str(int(payload.type)) for payload in payloads if isinstance(payload, Notify)],
        "nonce": [payload.octets.hex() for payload in payloads if isinstance(payload, Nonce)],
        "key_exchange.dh_group": [str(int(payload.method)) for payload in payloads if isinstance(payload, Ke)],
        "auth.method": [str(int(payload.method)) for payload in payloads if isinstance(payload, Auth)],
        "vid_bytes": [payload.octets.hex() for payload in payloads if isinstance(payload, VendorId)],
    }
