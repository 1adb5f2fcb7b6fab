"""Passwords as they are kept."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.crypto.password import make_scrypt_hash, nt_hash, parse_scrypt_hash


def test_the_nt_hash_is_that_of_rfc_2759() -> None:
    assert nt_hash("clientPass").reveal().hex() == "44ebba8d5312b8d611474411f56989ae"  # §9.2
    assert nt_hash("").reveal().hex() == "31d6cfe0d16ae931b73c59d7e0c089c0"


def test_a_scrypt_hash_fits_its_password_and_no_other_and_survives_its_text() -> None:
    made = make_scrypt_hash("Passwört".encode(), bytes(range(16)))

    read = parse_scrypt_hash(made.text())

    assert read == made
    assert read.fits("Passwört".encode())
    assert not read.fits(b"password")
    assert "Secret(32 octets)" in repr(read)


def test_the_cost_is_that_of_rfc_7914() -> None:
    digest = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )

    read = parse_scrypt_hash(f"scrypt$14$8$1$U29kaXVtQ2hsb3JpZGU=${b64encode(digest).decode()}")

    assert read.fits(b"pleaseletmein")  # §12, third vector
    assert not read.fits(b"pleaseletmeout")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "scrypt$14$8$1$AAAA$AAAA",
        "scrypt$31$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "scrypt$14$0$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "scrypt$14$8$1$AAAAA=AAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "scrypt$14$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAA==",
    ],
)
def test_what_is_no_scrypt_hash_or_costs_too_much_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="scrypt hash"):
        parse_scrypt_hash(text)


@given(st.text(alphabet="scrypt$0123456789ABCabc=+/", max_size=200))
def test_any_text_is_a_hash_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        parse_scrypt_hash("scrypt$14$8$1$" + text)
