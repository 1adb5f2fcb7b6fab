"""The payloads with plain bodies, CP and EAP."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from ikepy.wire.base import Payload
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.cp import MOST_ATTRIBUTES, CfgAttribute, Cp
from ikepy.wire.eap import Eap
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.payloads import (
    Auth,
    Cert,
    CertReq,
    Delete,
    Identification,
    IdI,
    IdR,
    Ke,
    Nonce,
    Skf,
    UnknownPayload,
    VendorId,
    build_identification,
)
from ikepy.wire.registry import (
    AuthMethod,
    CertEncoding,
    CfgAttributeType,
    CfgType,
    EapCode,
    EapType,
    IdType,
    KeMethod,
    PayloadType,
    ProtocolId,
)

ADDRESS = Identification(IdType.ID_IPV4_ADDR, bytes.fromhex("c0000264"))


def body_of(payload: Payload) -> str:
    return build_chain([payload])[1][4:].hex()


def read_body(kind: PayloadType, body: str) -> Payload:
    octets = bytes.fromhex(body)
    [payload] = parse_chain(kind, bytes(2) + (len(octets) + 4).to_bytes(2, "big") + octets)
    return payload


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        (Ke(KeMethod.CURVE25519, b"\xaa\xbb"), "001f0000aabb"),
        (Ke(KeMethod.MODP_2048, b"", b"\1\2"), "000e0102"),
        (IdI(ADDRESS), "01000000c0000264"),
        (IdR(Identification(IdType.ID_KEY_ID, b"k", b"\1\2\3")), "0b0102036b"),
        (Cert(CertEncoding.X509_SIGNATURE, b"\x30"), "0430"),
        (CertReq(CertEncoding.X509_SIGNATURE, b""), "04"),
        (Auth(AuthMethod.DIGITAL_SIGNATURE, b"s", b"\0\0\1"), "0e00000173"),
        (Nonce(bytes(16)), "00" * 16),
        (Delete(ProtocolId.IKE), "01000000"),
        (Delete(ProtocolId.ESP, (b"abcd", b"efgh"), 4), "030400026162636465666768"),
        (Delete(ProtocolId.ESP, (), 4), "03040000"),
        (VendorId(b"me"), "6d65"),
        (Skf(PayloadType.NO_NEXT_PAYLOAD, 2, 3, b"x"), "0002000378"),
        (UnknownPayload(PayloadType(200), b"?"), "3f"),
        (Cp(CfgType.CFG_REQUEST), "01000000"),
        (
            Cp(CfgType.CFG_REPLY, (CfgAttribute(CfgAttributeType.INTERNAL_IP4_ADDRESS, b"\x0a\0\0\1"),)),
            "02000000000100040a000001",
        ),
        (Cp(CfgType(9), (CfgAttribute(CfgAttributeType(0x7FFF), b"", 1),), b"\1\2\3"), "09010203ffff0000"),
        (Eap(EapCode.REQUEST, 7, b"\1"), "0107000501"),
        (Eap(EapCode.SUCCESS, 7), "03070004"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Payload) else "",
)
def test_a_payload_stands_as_the_rfc_draws_it(payload: Payload, body: str) -> None:
    assert body_of(payload) == body
    assert read_body(payload.payload_type, body) == payload


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (PayloadType.KE, "001f00", "KE: 3 octets"),
        (PayloadType.IDI, "", "identification: 0 octets"),
        (PayloadType.IDR, "010203", "identification: 3 octets"),
        (PayloadType.CERT, "", "CERT: 0 octets"),
        (PayloadType.CERTREQ, "", "CERTREQ: 0 octets"),
        (PayloadType.AUTH, "020000", "AUTH: 3 octets"),
        (PayloadType.NONCE, "00" * 15, "nonce of 15 octets"),
        (PayloadType.NONCE, "00" * 257, "nonce of 257 octets"),
        (PayloadType.D, "010203", "delete: 3 octets"),
        (PayloadType.D, "0304000161", "1 SPIs of 4 octets in 1 octets"),
        (PayloadType.D, "03043fff61626364", "16383 SPIs of 4 octets in 4 octets"),
        (PayloadType.D, "0304000061626364", "0 SPIs of 4 octets in 4 octets"),
        (PayloadType.D, "01000001", "1 SPIs of 0 octets"),
        (PayloadType.CP, "0100", "CP: 2 octets"),
        (PayloadType.CP, "01000000000100", "CP attribute: 3 octets"),
        (PayloadType.CP, "010000000001000161" + "00010001", "1 octets, 0 octets left"),
        (PayloadType.EAP, "010700", "EAP: 3 octets"),
        (PayloadType.EAP, "01070003", "EAP packet of length 3 in 4"),
        (PayloadType.EAP, "01070006" + "01", "EAP packet of length 6 in 5"),
        (PayloadType.EAP, "01070004" + "01", "EAP packet of length 4 in 5"),
    ],
)
def test_a_body_that_cannot_be_is_refused(kind: PayloadType, body: str, words: str) -> None:
    with pytest.raises(InvalidSyntax, match=words):
        read_body(kind, body)


def test_too_few_octets_are_told_from_wrong_ones() -> None:
    with pytest.raises(TruncatedMessage):
        read_body(PayloadType.KE, "00")


@pytest.mark.parametrize("spis", [(b"abc",), (b"abcd", b"abcde")])
def test_spis_of_a_delete_have_the_size_it_says(spis: tuple[bytes, ...]) -> None:
    with pytest.raises(InvalidSyntax, match="has not 4 octets"):
        Delete(ProtocolId.ESP, spis, 4)


def test_spis_of_a_delete_have_octets() -> None:
    with pytest.raises(InvalidSyntax, match="2 SPIs of no octets"):
        Delete(ProtocolId.ESP, (b"", b""), 0)


def test_a_delete_of_more_spis_than_can_be_counted_is_not_built() -> None:
    with pytest.raises(InvalidSyntax, match="delete"):
        build_chain([Delete(ProtocolId.ESP, (b"abcd",) * 65536, 4)])


def test_more_attributes_than_a_configuration_needs_are_refused() -> None:
    attribute = CfgAttribute(CfgAttributeType.INTERNAL_IP4_ADDRESS)
    most = Cp(CfgType.CFG_REQUEST, (attribute,) * MOST_ATTRIBUTES)

    assert parse_chain(*build_chain([most])) == (most,)
    with pytest.raises(InvalidSyntax, match="more than 1024 CP attributes"):
        parse_chain(*build_chain([Cp(CfgType.CFG_REQUEST, (attribute,) * (MOST_ATTRIBUTES + 1))]))


def test_certificate_authorities_are_hashes_of_20_octets() -> None:
    assert CertReq(CertEncoding.X509_SIGNATURE, b"a" * 20 + b"b" * 20).hashes == (b"a" * 20, b"b" * 20)
    assert CertReq(CertEncoding.X509_SIGNATURE, b"a" * 39).hashes == (b"a" * 20,)
    assert CertReq(CertEncoding.X509_SIGNATURE).hashes == ()


def test_an_identification_is_built_as_auth_is_taken_from_it() -> None:
    assert build_identification(ADDRESS) == bytes.fromhex("01000000c0000264")


@pytest.mark.parametrize(
    ("kind", "octets", "text"),
    [
        (IdType.ID_IPV4_ADDR, bytes.fromhex("c0000264"), "192.0.2.100"),
        (IdType.ID_IPV6_ADDR, bytes.fromhex("20010db8" + "00" * 11 + "01"), "2001:db8::1"),
        (IdType.ID_IPV4_ADDR, b"abc", "ID_IPV4_ADDR:616263"),
        (IdType.ID_IPV6_ADDR, b"", "ID_IPV6_ADDR:"),
        (IdType.ID_FQDN, b"moon.example", "moon.example"),
        (IdType.ID_FQDN, b"a\n\x1b[0m`;", "a\\x0a\\x1b[0m`;"),
        (IdType.ID_RFC822_ADDR, b"carol@example", "carol@example"),
        (IdType.ID_RFC822_ADDR, b"a" * 300, "a" * 256 + "..."),
        (IdType.ID_DER_ASN1_DN, b"\x30\0", "ID_DER_ASN1_DN:3000"),
        (IdType.ID_KEY_ID, b"a" * 300, "ID_KEY_ID:" + "61" * 256 + "..."),
        (IdType.ID_NULL, b"", "(null)"),
        (IdType(0), b"", "IdType.0:"),
        (IdType(255), b"\r", "IdType.255:0d"),
    ],
)
def test_an_identity_prints_in_one_escaped_line(kind: IdType, octets: bytes, text: str) -> None:
    assert str(Identification(kind, octets)) == text


def test_a_vendor_id_prints_escaped_and_cut() -> None:
    assert str(VendorId(b"\x93\n")) == "V(\\x93\\x0a)"
    assert str(VendorId(b"a" * 60000)) == "V(" + "a" * 256 + "...)"


def test_the_type_of_an_eap_packet_is_its_first_octet() -> None:
    assert Eap(EapCode.RESPONSE, 1, b"\x1aabc").method is EapType.MSCHAPV2
    assert Eap(EapCode.FAILURE, 1).method is None


@pytest.mark.parametrize(
    "payload", [Eap(EapCode.REQUEST, 256), Ke(KeMethod.MODP_2048, b"", b"\0"), Auth(AuthMethod.NULL, b"", bytes(4))]
)
def test_a_value_that_does_not_fit_is_not_built(payload: Payload) -> None:
    with pytest.raises(InvalidSyntax):
        build_chain([payload])


def test_payloads_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        VendorId(b"").octets = b"x"
