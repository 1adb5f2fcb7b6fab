"""Distinguished names: DER, text and comparison."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ikepy.crypto.names import (
    IA5_STRING,
    MOST_RDNS,
    PRINTABLE_STRING,
    TELETEX_STRING,
    UTF8_STRING,
    Name,
    NameAttribute,
    build_name,
    format_name,
    names_equal,
    parse_name,
    read_name,
)

OIDS = ("2.5.4.3", "2.5.4.10", "2.5.4.5", "1.2.840.113549.1.9.1", "2.999.5", "1.3.6.1.4.1.99999.7")
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
attributes = st.builds(lambda oid, text: NameAttribute(oid, UTF8_STRING, text.encode()), st.sampled_from(OIDS), texts)
names = st.lists(st.lists(attributes, min_size=1, max_size=2).map(tuple), max_size=4).map(tuple)


def written(text: str) -> Name:
    return read_name(text).name


def der(*rdns: bytes) -> bytes:
    return wrap(0x30, b"".join(rdns))


def wrap(tag: int, contents: bytes) -> bytes:
    return bytes((tag, len(contents))) + contents


def rdn(value: bytes, oid: bytes = bytes.fromhex("0603550403")) -> bytes:
    return wrap(0x31, wrap(0x30, oid + value))


# -- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("CN=gate", [("2.5.4.3", UTF8_STRING, "gate")]),
        ("C=DE, O=Example, CN=gate", [("2.5.4.6", PRINTABLE_STRING, "DE"), ("2.5.4.10", UTF8_STRING, "Example"), ("2.5.4.3", UTF8_STRING, "gate")]),
        ("/C=DE/CN=gate, west", [("2.5.4.6", PRINTABLE_STRING, "DE"), ("2.5.4.3", UTF8_STRING, "gate, west")]),
        ("cn = gate ,o= Example", [("2.5.4.3", UTF8_STRING, "gate"), ("2.5.4.10", UTF8_STRING, "Example")]),
        (r"O=Example\, Inc., CN=a\+b\=c\\d", [("2.5.4.10", UTF8_STRING, "Example, Inc."), ("2.5.4.3", UTF8_STRING, "a+b=c\\d")]),
        (r"O=\c3\a9t\C3\A9", [("2.5.4.10", UTF8_STRING, "été")]),
        ('O="Example, Inc.", CN=gate', [("2.5.4.10", UTF8_STRING, "Example, Inc."), ("2.5.4.3", UTF8_STRING, "gate")]),
        ("O=#0c024142", [("2.5.4.10", UTF8_STRING, "AB")]),
        ("E=u@a.example, DC=example", [("1.2.840.113549.1.9.1", IA5_STRING, "u@a.example"), ("0.9.2342.19200300.100.1.25", IA5_STRING, "example")]),
        ("emailAddress=u@a.example", [("1.2.840.113549.1.9.1", IA5_STRING, "u@a.example")]),
        ("2.5.4.3=gate", [("2.5.4.3", UTF8_STRING, "gate")]),
        ("OID.1.2.3=x, serialNumber=7", [("1.2.3", UTF8_STRING, "x"), ("2.5.4.5", PRINTABLE_STRING, "7")]),
        ("O=été", [("2.5.4.10", UTF8_STRING, "été")]),
    ],
)  # fmt: skip
def test_a_name_is_read_from_text(text: str, attributes: list[tuple[str, int, str]]) -> None:
    found = [(attribute.oid, attribute.tag, attribute.text) for rdn in written(text) for attribute in rdn]

    assert found == attributes


def test_a_plus_joins_attributes_of_one_part() -> None:
    assert [len(rdn) for rdn in written("C=DE, CN=gate+serialNumber=7")] == [1, 2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gate", r"'gate' in a name is no TYPE=value"),
        ("C=DE, gate", r"no TYPE=value"),
        ("C=DE,", r"no TYPE=value"),
        ("C=", r"C in a name has no value"),
        ("XY=1", r"'XY' in a name is no attribute known here"),
        ("3.1=x", r"no attribute known"),
        ("0.40=x", r"no attribute known"),
        ("SN=7", r"two meanings; write serialNumber or surname"),
        ("S=Bavaria", r"two meanings; write ST \(state\) or surname"),
        ('O="Example', r"does not end"),
        ("O=a\\", r"ends with"),
        (r"O=\ff", r"no UTF-8"),
        ("O=#0c0341", r"are there"),
        ("O=#0c014141", r"octets after"),
        ("O=#0g", r"no hexadecimal"),
        ("O=#", r"no hexadecimal"),
        (", ".join(["CN=x"] * (MOST_RDNS + 1)), r"65 parts"),
        (r"CN=*, O=\*", r"only one of both"),
    ],
)
def test_text_that_is_no_name_is_refused_with_a_remedy(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_name(text)


@pytest.mark.parametrize(
    ("text", "wildcard"),
    [("C=DE, CN=*", True), ("CN=*.example", True), (r"CN=\*", False), ('CN="*"', False), ("CN=x", False)],
)
def test_a_star_is_a_wildcard_unless_it_is_escaped(text: str, wildcard: bool) -> None:
    assert read_name(text).wildcard is wildcard


@given(names.filter(bool))
def test_text_of_any_name_is_read_as_the_same_name(name: Name) -> None:
    text = format_name(name)

    again = read_name(text)

    assert names_equal(again.name, name)
    assert not again.wildcard
    assert text.isprintable()


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_a_value_error(text: str) -> None:
    try:
        name = read_name(text).name
    except ValueError:
        return
    assert parse_name(build_name(name)) is not None


def test_a_value_cannot_pass_for_another_part() -> None:
    evil = (((NameAttribute("2.5.4.3", UTF8_STRING, b"gate, O=Bank"),)),)

    assert format_name(evil) == r"CN=gate\, O\=Bank"


def test_a_value_that_is_no_text_is_shown_in_hexadecimal() -> None:
    assert format_name(((NameAttribute("2.5.4.45", 0x03, b"\0\x01"),),)) == "2.5.4.45=#03020001"
    assert format_name(((NameAttribute("2.5.4.3", UTF8_STRING, b"\xff"),),)) == "CN=#0c01ff"


# -- DER -----------------------------------------------------------------------------------------------------------


def test_der_is_what_cryptography_makes_of_the_same_name() -> None:
    theirs = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example" * 30, _validate=False),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "u@a.example"),
        ]
    )

    assert build_name(written(f"C=DE, O={'Example' * 30}, E=u@a.example")) == theirs.public_bytes()


@given(names)
def test_der_of_any_name_is_read_as_the_same_name(name: Name) -> None:
    assert names_equal(parse_name(build_name(name)), name)


@given(st.binary(max_size=60))
def test_any_octets_are_a_name_or_a_value_error(octets: bytes) -> None:
    try:
        name = parse_name(octets)
    except ValueError:
        return
    assert format_name(name) is not None


@given(names.filter(bool), st.data())
def test_a_name_cut_off_or_with_octets_behind_it_is_refused(name: Name, data: st.DataObject) -> None:
    octets = build_name(name)
    length = data.draw(st.integers(0, len(octets) - 1))

    with pytest.raises(ValueError, match=r".+"):
        parse_name(octets[:length])
    with pytest.raises(ValueError, match=r"after the name"):
        parse_name(octets + b"\0")


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", r"no name"),
        (b"\x30", r"no name"),
        (b"\x31\x00", r"no name"),
        (b"\x30\x80\x00\x00", r"not DER"),
        (b"\x30\x81\x00", r"not DER"),
        (b"\x30\x81\x05" + bytes(5), r"not DER"),
        (b"\x30\x82\x00\x80" + bytes(128), r"not DER"),
        (b"\x30\x84\x00\x00\x00\x01\x00", r"not DER"),
        (b"\x30\xff", r"not DER"),
        (b"\x30\x7f\x31", r"127 octets, 1 are there"),
        (der(b"\x31\x00"), r"without an attribute"),
        (der(wrap(0x31, wrap(0x30, bytes.fromhex("0603550403")))), r"without a value"),
        (der(wrap(0x31, wrap(0x30, b""))), r"no attribute type"),
        (der(rdn(b"\x0c\x05abc")), r"5 octets, 3 are there"),
        (der(rdn(b"\x0c\x01ab")), r"after an attribute's value"),
        (der(rdn(b"\x1f\x81\x01a")), r"no attribute value"),
        (der(rdn(b"\x0c\x01a", b"\x06\x00")), r"no object identifier"),
        (der(rdn(b"\x0c\x01a", b"\x06\x02\x55\x84")), r"no object identifier"),
        (der(rdn(b"\x0c\x01a", b"\x06\x03\x55\x80\x03")), r"no object identifier"),
        (der(rdn(b"\x0c\x01a", wrap(6, b"\x81" * 64 + b"\x01"))), r"no object identifier"),
        (b"\x30\x82\x03\x0c" + rdn(b"\x0c\x01a") * 65, r"more than 64 parts"),
    ],
)
def test_octets_that_are_no_der_name_are_refused(octets: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_name(octets)


def test_long_identifiers_keep_their_numbers() -> None:
    oid = bytes.fromhex("060488370304")

    assert parse_name(der(rdn(b"\x0c\x01a", oid)))[0][0].oid == "2.999.3.4"


# -- comparison ----------------------------------------------------------------------------------------------------


def test_names_are_equal_whatever_strings_case_and_space_they_are_written_with() -> None:
    printable = (((NameAttribute("2.5.4.10", PRINTABLE_STRING, b"Big  Example "),)),)
    teletex = (((NameAttribute("2.5.4.10", TELETEX_STRING, b"big example"),)),)

    assert names_equal(written("O=Big Example"), printable)
    assert names_equal(printable, teletex)


@pytest.mark.parametrize(
    "other",
    ["O=Example", "CN=Example, CN=gate", "O=Example, CN=gate, CN=gate", "CN=gate, O=Example", "O=Example+CN=gate", "O=Examp le, CN=gate"],
)  # fmt: skip
def test_names_of_other_parts_or_order_are_other_names(other: str) -> None:
    assert not names_equal(written("O=Example, CN=gate"), written(other))


def test_the_order_inside_a_part_means_nothing() -> None:
    assert names_equal(written("CN=gate+O=Example"), written("O=Example+CN=gate"))
