"""Identities: their text, their patterns, and who fits whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.config.identities import (
    EXACT,
    format_identity,
    format_pattern,
    matches,
    name_of,
    parse_identity,
    parse_identity_pattern,
    same_identity,
    specificity,
)
from ikepy.config.model import IdentityPattern
from ikepy.crypto.names import build_name, read_name
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType


def dn(text: str) -> bytes:
    return build_name(read_name(text).name)


any_identification = st.builds(
    Identification, st.integers(0, 255).map(IdType), st.one_of(st.binary(max_size=40), st.just(dn("C=DE, CN=gate")))
)


# -- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "octets"),
    [
        ("gate.example", IdType.ID_FQDN, b"gate.example"),
        ("gate", IdType.ID_FQDN, b"gate"),
        (" gate.example ", IdType.ID_FQDN, b"gate.example"),
        ("@gate.example", IdType.ID_FQDN, b"gate.example"),
        ("@192.0.2.1", IdType.ID_FQDN, b"192.0.2.1"),
        ("fqdn:192.0.2.1", IdType.ID_FQDN, b"192.0.2.1"),
        ("FQDN:Gate.Example", IdType.ID_FQDN, b"Gate.Example"),
        ("dns:gate.example", IdType.ID_FQDN, b"gate.example"),
        ("fqdn:#6761746520", IdType.ID_FQDN, b"gate "),
        ("user@gate.example", IdType.ID_RFC822_ADDR, b"user@gate.example"),
        ("@@user@gate.example", IdType.ID_RFC822_ADDR, b"user@gate.example"),
        ("email:user", IdType.ID_RFC822_ADDR, b"user"),
        ("rfc822:a=b@gate.example", IdType.ID_RFC822_ADDR, b"a=b@gate.example"),
        ("userfqdn:u@x", IdType.ID_RFC822_ADDR, b"u@x"),
        ("192.0.2.1", IdType.ID_IPV4_ADDR, bytes((192, 0, 2, 1))),
        ("ipv4:192.0.2.1", IdType.ID_IPV4_ADDR, bytes((192, 0, 2, 1))),
        ("2001:db8::1", IdType.ID_IPV6_ADDR, bytes.fromhex("20010db8000000000000000000000001")),
        ("ipv6:::1", IdType.ID_IPV6_ADDR, bytes(15) + b"\x01"),
        ("::", IdType.ID_IPV6_ADDR, bytes(16)),
        ("C=DE, O=Example, CN=gate", IdType.ID_DER_ASN1_DN, dn("C=DE, O=Example, CN=gate")),
        ("/C=DE/CN=gate", IdType.ID_DER_ASN1_DN, dn("C=DE, CN=gate")),
        ("asn1dn:CN=gate", IdType.ID_DER_ASN1_DN, dn("CN=gate")),
        ("asn1dn:#" + dn("CN=gate").hex(), IdType.ID_DER_ASN1_DN, dn("CN=gate")),
        ("asn1gn:#8201ff", IdType.ID_DER_ASN1_GN, b"\x82\x01\xff"),
        ("@#0a0B0c", IdType.ID_KEY_ID, b"\x0a\x0b\x0c"),
        ("keyid:some group", IdType.ID_KEY_ID, b"some group"),
        ("keyid:#00ff", IdType.ID_KEY_ID, b"\x00\xff"),
        ("{201}:#00ff", IdType(201), b"\x00\xff"),
    ],
)
def test_text_is_read_as_the_identity_it_means(text: str, kind: IdType, octets: bytes) -> None:
    assert parse_identity(text) == Identification(kind, octets)
    assert parse_identity_pattern(text) == IdentityPattern(Identification(kind, octets))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"empty"),
        ("  ", r"empty"),
        ("a b", r"is no identity; write gate.example"),
        ("-gate", r"is no identity"),
        ("gäte.example", r"is no identity"),
        ("@", r"is no identity"),
        ("a" * 5000, r"5000 characters"),
        ("@@", r"no mail address"),
        ("us er@gate", r"no mail address"),
        ("üser@gate", r"no mail address"),
        ("192.0.2", r"no address; write all of it"),
        ("192.0.2.256", r"no address"),
        ("192.0.2.0/24", r"no address; wildcards and prefixes go to remote_addrs"),
        ("10.0.*", r"no address; wildcards and prefixes go to remote_addrs"),
        ("2001:db8::g", r"no address"),
        ("fe80::1%eth0", r"names an interface"),
        ("ipv4:gate", r"no address"),
        ("ipv4:#0102", r"address of 2 octets"),
        ("{1}:#0102", r"address of 2 octets"),
        ("@#", r"no hexadecimal"),
        ("@#abc", r"no hexadecimal"),
        ("@#xy", r"no hexadecimal"),
        ("keyid:", r"nothing behind it"),
        ("asn1gn:x", r"no hexadecimal"),
        ("asn1dn:#3001", r"are there"),
        ("C=DE, gate", r"no TYPE=value"),
        ("unknown:gate", r"no address"),
    ],
)
def test_text_that_is_no_identity_is_refused_with_a_remedy(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_identity_pattern(text)


@pytest.mark.parametrize("text", ["%any", "*", "*.example", "*@example", "C=DE, CN=*", "keyid:a*"])
def test_where_one_identity_is_wanted_a_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"means more than one identity"):
        parse_identity(text)


@pytest.mark.parametrize("text", ["%any", "%ANY", "*", " %any "])
def test_any_identity_has_a_word(text: str) -> None:
    assert parse_identity_pattern(text) == IdentityPattern()


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_a_value_error(text: str) -> None:
    try:
        pattern = parse_identity_pattern(text)
    except ValueError:
        return
    assert format_pattern(pattern)


# -- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identification", "text"),
    [
        (Identification(IdType.ID_FQDN, b"gate.example"), "gate.example"),
        (Identification(IdType.ID_FQDN, b"192.0.2.1"), "fqdn:192.0.2.1"),
        (Identification(IdType.ID_FQDN, b"gate\n; rm -rf /"), "fqdn:#676174650a3b20726d202d7266202f"),
        (Identification(IdType.ID_FQDN, b"*.example"), "fqdn:#2a2e6578616d706c65"),
        (Identification(IdType.ID_RFC822_ADDR, b"u@x"), "u@x"),
        (Identification(IdType.ID_RFC822_ADDR, b"u"), "email:u"),
        (Identification(IdType.ID_RFC822_ADDR, b"\xff@x"), "email:#ff4078"),
        (Identification(IdType.ID_IPV4_ADDR, bytes((192, 0, 2, 1))), "192.0.2.1"),
        (Identification(IdType.ID_IPV4_ADDR, b"\x01"), "{1}:#01"),
        (Identification(IdType.ID_DER_ASN1_DN, dn("C=DE, CN=a b")), "C=DE, CN=a b"),
        (Identification(IdType.ID_DER_ASN1_DN, b"\x30\x05"), "asn1dn:#3005"),
        (Identification(IdType.ID_DER_ASN1_DN, b"\x30\x00"), "asn1dn:#3000"),
        (Identification(IdType.ID_KEY_ID, b"abc"), "@#616263"),
        (Identification(IdType(201), b"abc"), "{201}:#616263"),
        (Identification(IdType.ID_NULL, b""), "{13}:#"),
    ],
)
def test_an_identity_is_shown_without_anything_that_could_mislead(identification: Identification, text: str) -> None:
    assert format_identity(identification) == text


@given(any_identification)
def test_what_is_shown_is_printable_and_read_as_the_same_identity(identification: Identification) -> None:
    text = format_identity(identification)
    assert text.isprintable()
    try:
        again = parse_identity(text)
    except ValueError:  # empty, or octets that its type forbids
        assert not identification.octets or identification.type in {
            IdType.ID_IPV4_ADDR,
            IdType.ID_IPV6_ADDR,
            IdType.ID_DER_ASN1_DN,
        }
        return
    assert same_identity(again, identification)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("%any", "%any"), ("*.example", "*.example"), ("C=DE, CN=*", "C=DE, CN=*"), ("gate", "gate"), ("u@*", "u@*")],
)
def test_a_pattern_is_shown_as_it_is_written(text: str, shown: str) -> None:
    assert format_pattern(parse_identity_pattern(text)) == shown


# -- fitting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "identity"),
    [
        ("%any", "gate.example"),
        ("%any", "@#00"),
        ("gate.example", "GATE.example"),
        ("*.example", "gate.example"),
        ("*.example", "a.b.EXAMPLE"),
        ("gate*", "gate.example"),
        ("g*e.ex*le", "gate.example"),
        ("*a*a*", "@aa"),
        ("u@example", "u@EXAMPLE"),
        ("*@example", "u@example"),
        ("u@*.example", "u@a.example"),
        ("email:*", "u@a.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("keyid:a*", "keyid:abc"),
        ("C=DE, CN=gate", "C=de, CN=Gate"),
        ("C=DE, CN=gate", "asn1dn:#" + dn("C=DE, CN=#130467617465").hex()),
        ("C=DE, O=*, CN=*", "C=DE, O=Example, CN=gate"),
        ("C=DE, CN=*.example", "C=DE, CN=gate.example"),
        ("C=DE, CN=*+O=x", "C=DE, O=x+CN=gate"),
    ],
)
def test_an_identity_fits(pattern: str, identity: str) -> None:
    assert matches(parse_identity_pattern(pattern), parse_identity(identity))


@pytest.mark.parametrize(
    ("pattern", "identity"),
    [
        ("gate.example", "gate.example.org"),
        ("gate.example", "email:gate.example"),
        ("gate.example", "keyid:gate.example"),
        ("*.example", "example"),
        ("*.example", "gate.example.org"),
        ("ab*ba", "@aba"),
        ("*a*b*", "@ba"),
        ("u@example", "U@example"),
        ("*@example", "u@sub.example"),
        ("u@*", "v@example"),
        ("u@example", "email:u"),
        ("192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "fqdn:192.0.2.1"),
        ("keyid:a*", "keyid:Abc"),
        ("C=DE, CN=gate", "C=DE, CN=gate, CN=gate"),
        ("C=DE, CN=gate", "CN=gate, C=DE"),
        ("C=DE, CN=*", "C=DE, O=Example, CN=gate"),
        ("C=DE, CN=*", "C=FR, CN=gate"),
        ("C=DE, CN=*", "C=DE, O=gate"),
        ("CN=*", r"CN=a+O=b"),
        ("CN=*", "asn1dn:#" + dn("CN=#0300").hex()),
        ("O=*, CN=gate", r"O=x\, CN=gate"),
    ],
)
def test_an_identity_does_not_fit(pattern: str, identity: str) -> None:
    assert not matches(parse_identity_pattern(pattern), parse_identity(identity))


# CVE-2013-6075: an ID_DER_ASN1_DN that is shorter than its DER says.
@pytest.mark.parametrize("octets", [dn("C=DE, CN=gate")[:-1], dn("C=DE, CN=gate") + b"x", b"\x30\xff", b"\x30", b""])
@pytest.mark.parametrize("pattern", ["C=DE, CN=gate", "C=DE, CN=*", "CN=*"])
def test_a_name_that_is_no_good_der_fits_no_pattern_of_names(pattern: str, octets: bytes) -> None:
    broken = Identification(IdType.ID_DER_ASN1_DN, octets)

    assert not matches(parse_identity_pattern(pattern), broken)
    assert name_of(broken) is None


@given(st.sampled_from(["%any", "*.example", "*@example", "C=DE, CN=*", "192.0.2.1", "@#00"]), any_identification)
def test_any_identity_fits_or_does_not(text: str, identification: Identification) -> None:
    assert matches(parse_identity_pattern(text), identification) in (True, False)


def test_a_pattern_of_many_stars_is_compared_in_no_time() -> None:
    pattern = parse_identity_pattern("a*" * 1000 + "b")

    assert not matches(pattern, Identification(IdType.ID_FQDN, b"a" * 60000))


def test_the_closer_a_pattern_the_more_specific() -> None:
    ranks = [
        specificity(parse_identity_pattern(text)) for text in ("%any", "*.com", "*.example.com", "gate.example.com")
    ]

    assert ranks == sorted(set(ranks))
    assert ranks[-1] == EXACT
    assert specificity(IdentityPattern(Identification(IdType.ID_KEY_ID, bytes(EXACT + 5)), wildcard=True)) < EXACT


def test_the_name_of_an_identity_is_there_for_names_only() -> None:
    assert name_of(parse_identity("C=DE, CN=gate")) == read_name("C=DE, CN=gate").name
    assert name_of(parse_identity("gate.example")) is None
