"""Keys for Wireshark."""

from __future__ import annotations

import logging
import os
import stat
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikepy.crypto.secret import Secret
from ikepy.ipsec import Mode, SaSpec, Spi
from ikepy.kernel.algorithms import CIPHERS, INTEGRITIES
from ikepy.trace.keylog import KeylogObserver, esp_sa_line, ike_sa_line
from ikepy.wire.registry import EncrId, IntegId

KEYS = {"SK_ei": Secret(b"\x01\x02"), "SK_er": Secret(b"\x03\x04"), "SK_ai": Secret(b"\x05"), "SK_ar": Secret(b"\x06")}


def make_state(**changes: object) -> SaSpec:
    values: dict[str, object] = {
        "source": ip_address("192.0.2.1"),
        "destination": ip_address("192.0.2.2"),
        "spi": Spi(0xC0FFEE),
        "mode": Mode.TUNNEL,
        "reqid": 1,
        "encr": EncrId.AES_GCM_16,
        "encr_key": Secret(bytes.fromhex("aabb")),
    }
    return SaSpec(**(values | changes))  # type: ignore[arg-type]


def test_an_ike_sa_is_a_line_of_wiresharks_table(tmp_path: Path) -> None:
    keylog = KeylogObserver(tmp_path / "keys")

    keylog.keys_derived(bytes(7) + b"\1", bytes(7) + b"\2", KEYS, "AES_CBC-128", "HMAC_SHA1_96")

    assert (tmp_path / "keys").read_text() == (
        '0000000000000001,0000000000000002,0102,0304,"AES-CBC-128 [RFC3602]",05,06,"HMAC_SHA1_96 [RFC2404]"\n'
    )


@pytest.mark.parametrize("encr", list(CIPHERS))
@pytest.mark.parametrize("integ", ["NONE", *(str(integ) for integ in IntegId if integ in INTEGRITIES)])
def test_every_algorithm_of_ike_that_wireshark_knows_has_its_word(encr: EncrId, integ: str) -> None:
    line = ike_sa_line(bytes(8), bytes(8), KEYS, f"{encr}-256", integ)

    known = encr is not EncrId.CHACHA20_POLY1305
    assert line.startswith("0000") == known
    assert ("RFC" in line) or not known


def test_the_file_is_its_owners_alone_even_where_it_was_everybodys(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        (tmp_path / "keys").touch(0o666)
        KeylogObserver(tmp_path / "keys").keys_derived(bytes(8), bytes(8), KEYS, "e", "i")
    finally:
        os.umask(old_mask)

    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_a_link_in_the_keylogs_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "keys").symlink_to(tmp_path / "elsewhere")

    KeylogObserver(tmp_path / "keys").keys_derived(bytes(8), bytes(8), KEYS, "e", "i")

    assert not (tmp_path / "elsewhere").exists()


def test_a_keylog_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keylog = KeylogObserver(tmp_path / "nowhere" / "keys")

    with caplog.at_level(logging.WARNING, "ikepy"):
        for _ in range(3):
            keylog.keys_derived(bytes(8), bytes(8), KEYS, "e", "i")

    assert len(caplog.records) == 1
    assert "0102" not in caplog.text


def test_an_esp_state_with_an_aead_is_a_line_of_esp_sa() -> None:
    assert esp_sa_line(make_state(esn=True)) == (
        '"IPv4","192.0.2.1","192.0.2.2","0x00c0ffee","AES-GCM with 16 octet ICV [RFC4106]","0xaabb","NULL",""'
    )


def test_an_esp_state_with_integrity_names_both_keys() -> None:
    state = make_state(encr=EncrId.AES_CBC, integ=IntegId.HMAC_SHA2_256_128, integ_key=Secret(b"\x07"))

    assert esp_sa_line(state).endswith('"AES-CBC [RFC3602]","0xaabb","HMAC-SHA-256-128 [RFC4868]","0x07"')


def test_an_esp_cipher_without_a_word_of_wiresharks_is_a_comment() -> None:
    assert esp_sa_line(make_state(encr=EncrId.CHACHA20_POLY1305)).startswith("# ")
