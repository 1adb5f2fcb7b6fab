"""Packets and payloads of other projects' tests: each is read and built again, or ends in the error the tables name."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from ikepy.wire.base import Payload
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.errors import (
    InvalidMajorVersion,
    InvalidSyntax,
    TruncatedMessage,
    UnsupportedCriticalPayload,
    WireError,
)
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify, WindowSize, typed
from ikepy.wire.payloads import Delete, IdR, Ke, Nonce, Sk, UnknownPayload
from ikepy.wire.registry import ExchangeType, IdType, KeMethod, NotifyType, PayloadType
from ikepy.wire.sa import Sa
from ikepy.wire.shapes import IkeSaInitRequest
from ikepy.wire.ts import TsI, parse_selectors
from tests.support.vectors import load_json, needs_vectors

pytestmark = needs_vectors

Expected = type[WireError] | None

FREE5GC = load_json("messages/free5gc-payload-cases.json")
AOSP_MESSAGES = load_json("messages/aosp-header-message.json")
AOSP_PAYLOADS = load_json("messages/aosp-payloads.json")
AOSP_SESSION = load_json("messages/aosp-session-e2e.json")
IKE_SCAN = load_json("messages/ike-scan-packets.json")
LIBRESWAN = load_json("messages/libreswan-bad-packets.json")
OPENIKED = load_json("messages/openiked-parser-seeds.json")
RUSTICATA = load_json("messages/rusticata-init.json")
CHAPOLY = load_json("messages/rfc7634-ikev2-chapoly.json")


def case_ids(cases) -> list[str]:
    return [str(case.get("description", case.get("name", case.get("n", case.get("payload"))))) for case in cases]


def read_and_built_again(octets: bytes) -> Message:
    message = parse_message(octets)
    assert build_message(message) == octets
    return message


def read_body(kind: PayloadType, body: bytes) -> Payload:
    octets = bytes(2) + (len(body) + 4).to_bytes(2, "big") + body
    payloads = parse_chain(kind, octets)
    # SK keeps the type of what is inside in its header, 0 here.
    assert build_chain(payloads)[1] == octets
    return payloads[0]


# -- free5GC -----------------------------------------------------------------------------------------------------------

FREE5GC_TYPES = {
    "authentication": PayloadType.AUTH,
    "certificate": PayloadType.CERT,
    "certificaterequest": PayloadType.CERTREQ,
    "delete": PayloadType.D,
    "encrypted": PayloadType.SK,
    "identificationinitiator": PayloadType.IDI,
    "identificationresponder": PayloadType.IDR,
    "keyexchange": PayloadType.KE,
    "nonce": PayloadType.NONCE,
    "notification": PayloadType.N,
    "onfiguration": PayloadType.CP,
    "securityassociation": PayloadType.SA,
    "trafficselectorinitiator": PayloadType.TSI,
    "trafficselectorresponder": PayloadType.TSR,
    "vendorid": PayloadType.V,
}
FREE5GC_ERRORS: dict[str, Expected] = {
    "decode with short length message": TruncatedMessage,
    "No sufficient bytes to decode next delete": TruncatedMessage,
    "No sufficient bytes to decode next identification": TruncatedMessage,
    "No sufficient bytes to get SPI according to the length specified in header": TruncatedMessage,
    "No sufficient bytes to decode next configuration attribute": TruncatedMessage,
    "No sufficient bytes to decode next proposal": TruncatedMessage,
    "The length of received message not matchs the length specified in header": TruncatedMessage,
    "Illegal attribute length": TruncatedMessage,
    "No sufficient bytes to get number of traffic selector in header": TruncatedMessage,
    "A TS_IPV4_ADDR_RANGE type traffic selector should has length 16 bytes": TruncatedMessage,
    "A TS_IPV6_ADDR_RANGE type traffic selector should has length 40 bytes": TruncatedMessage,
    "Unsupported traffic selector type": TruncatedMessage,
    "No sufficient bytes to decode next individual traffic selector length in header": TruncatedMessage,
    "TS_IPV4_ADDR_RANGE No sufficient bytes to decode next individual traffic selector": TruncatedMessage,
    "TS_IPV6_ADDR_RANGE No sufficient bytes to decode next individual traffic selector": TruncatedMessage,
    # RFC 7296 §3.8 and §3.7 draw no least length for the data behind the fixed octets: AUTH without a proof is
    # refused where it is verified, CERTREQ without a hash names no authority.
    "No sufficient bytes to decode next Authentication": None,
    "No sufficient bytes to decode next certificate request": None,
}
"What free5GC refuses, and what it ends in here."

FREE5GC_DIFFERENT: dict[str, Expected] = {}
"What free5GC accepts and RFC 7296 does not."


@pytest.mark.parametrize("case", FREE5GC["cases"] if FREE5GC else [], ids=case_ids(FREE5GC["cases"] if FREE5GC else []))
def test_free5gc(case) -> None:
    octets = bytes.fromhex(next(case[key] for key in ("b", "expByte", "expMarshal") if key in case))
    table = FREE5GC_ERRORS if case.get("expErr") else FREE5GC_DIFFERENT
    expected = table[case["description"]] if case.get("expErr") else table.get(case["description"])

    def read() -> object:
        if case["payload"] == "message":
            return read_and_built_again(octets)
        return read_body(FREE5GC_TYPES[case["payload"]], octets)

    if expected is None:
        assert read() is not None
        return
    with pytest.raises(WireError) as raised:
        read()
    assert raised.type is expected


# -- AOSP --------------------------------------------------------------------------------------------------------------

AOSP_ERRORS: dict[str, Expected] = {
    "valid IKE_SA_INIT request": None,
    "major version 3 (and exchange type 0)": InvalidMajorVersion,
    "first payload unknown, not critical": None,
    "first payload unknown and critical": UnsupportedCriticalPayload,
}


@pytest.mark.parametrize("case", AOSP_MESSAGES or [], ids=case_ids(AOSP_MESSAGES or []))
def test_aosp_messages(case) -> None:
    octets, expected = bytes.fromhex(case["hex"]), AOSP_ERRORS[case["name"]]
    if expected is None:
        message = read_and_built_again(octets)
        assert len(message.payloads) == 6
        return
    with pytest.raises(WireError) as raised:
        parse_message(octets)
    assert raised.type is expected
    assert raised.value.data == (b"\xff" if expected is UnsupportedCriticalPayload else b"")


def test_aosp_message_has_the_fields_it_names() -> None:
    [case] = [case for case in AOSP_MESSAGES if "payloads" in case]
    message = parse_message(bytes.fromhex(case["hex"]))

    assert message.header.spi_i.hex() == case["spi_i"]
    assert message.header.exchange is ExchangeType.IKE_SA_INIT
    assert message.header.length == case["length"]
    assert [payload.payload_type for payload in message.payloads] == case["payloads"]
    assert IkeSaInitRequest.of(message).ke.method is KeMethod.MODP_1024


def test_aosp_message_with_an_unknown_payload_keeps_it() -> None:
    [case] = [case for case in AOSP_MESSAGES if "not critical" in case["name"]]

    unknown = parse_message(bytes.fromhex(case["hex"])).payloads[0]

    assert isinstance(unknown, UnknownPayload)
    assert unknown.type == 0xFF


@pytest.mark.parametrize("case", AOSP_PAYLOADS or [], ids=case_ids(AOSP_PAYLOADS or []))
def test_aosp_payloads(case) -> None:
    octets, expect = bytes.fromhex(case["hex"]), case["expect"]
    match case["payload"]:
        case "TS substructure":
            body = b"\1\0\0\0" + octets
            if isinstance(expect, str):
                with pytest.raises(InvalidSyntax, match="start"):
                    parse_selectors(body)
                return
            [selector], _ = parse_selectors(body)
            assert [selector.start_port, selector.end_port] == expect["ports"]
            assert [str(selector.start), str(selector.end)] == expect["addr"]
        case "IDr body":
            # An identity of type 0 is read: nobody is called so, and authentication fails later.
            payload = read_body(PayloadType.IDR, octets)
            assert isinstance(payload, IdR)
            assert payload.identification.type == 0
        case "IDr":
            payload = read_body(PayloadType.IDR, octets[4:])
            assert isinstance(payload, IdR)
            assert payload.identification.type == expect["id_type"]
        case "TSi":
            payload = read_body(PayloadType.TSI, octets[4:])
            assert isinstance(payload, TsI)
            assert len(payload.selectors) == expect["n"]
        case "D":
            payload = read_body(PayloadType.D, octets[4:])
            assert isinstance(payload, Delete)
            assert (payload.protocol, payload.spi_octets, payload.spis) == (expect["proto"], 0, ())
        case other:
            assert other == "Nonce"
            payload = read_body(PayloadType.NONCE, octets[4:])
            assert isinstance(payload, Nonce)
            assert payload.octets.hex() == expect["nonce"]


def test_aosp_session_reads_inside_and_outside() -> None:
    session = AOSP_SESSION
    init = read_and_built_again(bytes.fromhex(session["ike_sa_init_request"]))
    auth = read_and_built_again(bytes.fromhex(session["ike_auth_request"]))
    [sk] = auth.payloads
    assert isinstance(sk, Sk)
    plain = bytes.fromhex(session["ike_auth_request_plain_inner"])
    inner = Message(auth.header, parse_chain(sk.first_inner, plain))

    assert init.first(Nonce) == Nonce(bytes.fromhex(session["ni"]))
    assert inner.summary() == "IKE_AUTH request 1: IDi IDr AUTH SA TSi TSr N(INITIAL_CONTACT) N(SET_WINDOW_SIZE)"
    assert build_chain(inner.payloads) == (sk.first_inner, plain)
    identity = inner.first(IdR)
    assert identity is not None
    assert identity.identification.type is IdType.ID_IPV4_ADDR
    assert str(identity.identification) == str(IPv4Address("10.80.80.80"))


# -- whole packets -----------------------------------------------------------------------------------------------------

IKE_SCAN_ERRORS: dict[str, Expected] = {
    "pkt-ikev2.dat": None,
    "pkt-malformed.dat": InvalidMajorVersion,
    "pkt-default-proposal.dat": InvalidMajorVersion,
    "pkt-single-trans.dat": InvalidMajorVersion,
}
LIBRESWAN_ERRORS: dict[int, Expected] = {
    # Exchange 0 and, in case 6, a nonce that calls itself payload 2: read here, refused by exchange or by shape.
    0: None,
    2: InvalidSyntax,
    4: InvalidSyntax,
    6: None,
    8: None,
}
OPENIKED_ERRORS: dict[str, Expected] = {
    "sa_pld": None,
    "ke_pld": None,
    "notify_pld": InvalidSyntax,
    "cert_pld": InvalidSyntax,
    "auth_pld": None,
    "vendor_pld": None,
    "skf_1of1_pld": None,
    "cp_pld": None,
    "valid_packet": None,
}
"Behind the last payload: in notify_pld a second one nobody announced, in cert_pld eight octets."


def check(octets: bytes, expected: Expected) -> Message | None:
    if expected is None:
        return read_and_built_again(octets)
    with pytest.raises(WireError) as raised:
        parse_message(octets)
    assert raised.type is expected
    return None


@pytest.mark.parametrize("case", IKE_SCAN or [], ids=case_ids(IKE_SCAN or []))
def test_ike_scan(case) -> None:
    check(bytes.fromhex(case["hex"]), IKE_SCAN_ERRORS[case["name"]])


@pytest.mark.parametrize(
    "case", LIBRESWAN["cases"] if LIBRESWAN else [], ids=case_ids((LIBRESWAN or {"cases": []})["cases"])
)
def test_packets_that_crashed_pluto(case) -> None:
    message = check(bytes.fromhex(case["hex"]), LIBRESWAN_ERRORS[case["n"]])

    if message is not None:
        assert [payload.payload_type for payload in message.payloads] == [
            kind for kind, _ in case["payload_chain_type_len"]
        ]


def test_a_packet_that_crashed_pluto_without_its_nonce_has_no_shape() -> None:
    [case] = [case for case in LIBRESWAN["cases"] if case["n"] == 6]

    with pytest.raises(InvalidSyntax, match="IKE_SA_INIT without payload NONCE"):
        IkeSaInitRequest.of(parse_message(bytes.fromhex(case["hex"])))


def test_a_packet_that_crashed_pluto_has_a_public_value_without_octets() -> None:
    [case] = [case for case in LIBRESWAN["cases"] if case["n"] == 8]

    assert parse_message(bytes.fromhex(case["hex"])).first(Ke) == Ke(KeMethod.MODP_1024, b"")


@pytest.mark.parametrize(
    "case", OPENIKED["cases"] if OPENIKED else [], ids=case_ids((OPENIKED or {"cases": []})["cases"])
)
def test_openiked_seeds(case) -> None:
    check(bytes.fromhex(case["packet"]), OPENIKED_ERRORS[case["name"]])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", OPENIKED["cases"] if OPENIKED else [], ids=case_ids((OPENIKED or {"cases": []})["cases"])
)
def test_openiked_seeds_with_every_octet_flipped_and_every_length_cut(case) -> None:
    octets = bytes.fromhex(case["packet"])
    changed = [octets[:at] + bytes([octets[at] ^ 0xFF]) + octets[at + 1 :] for at in range(len(octets))]
    cut = [octets[:24] + at.to_bytes(4, "big") + octets[28:at] for at in range(28, len(octets))]

    for one in changed + cut:
        try:
            message = parse_message(one)
        except WireError:
            continue
        assert build_message(message) == one


@pytest.mark.parametrize("case", RUSTICATA or [], ids=case_ids(RUSTICATA or []))
def test_rusticata(case) -> None:
    octets = bytes.fromhex(case["hex"])
    message = read_and_built_again(octets.removeprefix(bytes(4)))

    if "expect" in case:
        sa, ke = message.first(Sa), message.first(Ke)
        assert sa is not None
        assert ke is not None
        assert len(sa.proposals) == case["expect"]["proposals"]
        assert ke.method == case["expect"]["ke_group"]


def test_rfc_7634_appendix_b() -> None:
    message = read_and_built_again(bytes.fromhex(CHAPOLY["message"]))
    [sk] = message.payloads
    assert isinstance(sk, Sk)
    assert sk.body[:8].hex() == CHAPOLY["iv"]

    [notify] = parse_chain(sk.first_inner, bytes.fromhex(CHAPOLY["plaintext_with_pad_length"])[:-1])
    assert notify == Notify(NotifyType.SET_WINDOW_SIZE, b"\0\0\0\x0a")
    assert typed(notify) == WindowSize(10)
