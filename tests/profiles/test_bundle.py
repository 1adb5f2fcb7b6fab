"""Which files there are, what they are called, and who may read them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ikepy.crypto.secret import Secret
from ikepy.profiles.bundle import Options, make_bundle, slug_of, write_bundle
from ikepy.profiles.facts import ClientFacts, SignIn
from ikepy.profiles.guides import Platform
from tests.profiles.conftest import HOSTILE

ALL = list(Platform)


def test_every_platform_gets_its_files(facts: ClientFacts) -> None:
    bundle = make_bundle(facts, ALL, Options())

    assert sorted(bundle.files) == [
        "alice-android.txt",
        "alice-ca.crt",
        "alice-ca.pem",
        "alice-laptop.conf",
        "alice-networkmanager.sh",
        "alice-qr.png",
        "alice-swanctl.conf",
        "alice-windows.ps1",
        "alice.html",
        "alice.mobileconfig",
        "alice.sswan",
    ]
    assert (bundle.made, bundle.refused) == (tuple(ALL), ())


def test_certificates_bring_their_files_and_the_password_of_the_p12_apart(certified: ClientFacts) -> None:
    files = make_bundle(certified, ALL, Options()).files

    assert files["alice.p12"] == b"p12 octets"
    assert files["alice-p12-password.txt"] == b"opens it\n"
    assert {"alice-cert.pem", "alice-key.pem"} <= set(files)
    assert [name for name, octets in files.items() if b"opens it" in octets] == ["alice-p12-password.txt"]


def test_what_a_platform_cannot_do_is_told_and_the_others_are_made(facts: ClientFacts) -> None:
    bundle = make_bundle(replace(facts, sign_in=SignIn.TOKEN), ALL, Options())

    assert [platform for platform, _ in bundle.refused] == [Platform.APPLE, Platform.WINDOWS, Platform.ANDROID]
    assert "alice.sswan" in bundle.files
    assert b'id="apple"' not in bundle.files["alice.html"]


def test_a_password_that_a_format_cannot_hold_is_that_platforms_refusal(facts: ClientFacts) -> None:
    bundle = make_bundle(replace(facts, password=Secret(b"a\x01b")), [Platform.APPLE, Platform.SSWAN], Options())

    assert [platform for platform, _ in bundle.refused] == [Platform.APPLE]
    assert bundle.made == (Platform.SSWAN,)


@pytest.mark.parametrize("platform", ALL)
def test_without_asking_no_file_holds_a_password_and_with_asking_only_where_it_is_needed(
    facts: ClientFacts, platform: Platform
) -> None:
    asked = make_bundle(replace(facts, password=Secret(b"correct horse")), [platform], Options()).files

    holding = [name for name, octets in asked.items() if b"correct horse" in octets]
    assert (
        holding
        == {
            Platform.APPLE: ["alice.mobileconfig"],
            Platform.WINDOWS: [],
            Platform.SSWAN: ["alice.sswan"],
            Platform.ANDROID: ["alice-android.txt"],
            Platform.NETWORKMANAGER: ["alice-networkmanager.sh"],
            Platform.STRONGSWAN: ["alice-swanctl.conf"],
            Platform.IKEPY: ["alice-password"],
        }[platform]
    )
    assert b"correct horse" not in b"".join(make_bundle(facts, [platform], Options()).files.values())


def test_files_are_their_owners_alone_and_written_again_as_a_whole(facts: ClientFacts, tmp_path: Path) -> None:
    bundle = make_bundle(facts, ALL, Options())
    for _ in range(2):
        written = write_bundle(bundle, tmp_path / "out")

    assert {path.name: path.read_bytes() for path in written} == bundle.files
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == sorted(bundle.files)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_a_link_is_replaced_and_not_followed(facts: ClientFacts, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("as it was")
    (tmp_path / "alice.html").symlink_to(tmp_path / "victim")

    write_bundle(make_bundle(facts, [Platform.SSWAN], Options()), tmp_path)

    assert (tmp_path / "victim").read_text() == "as it was"
    assert not (tmp_path / "alice.html").is_symlink()


def test_a_plain_name_is_the_files_name() -> None:
    assert slug_of("alice.b-c_d") == "alice.b-c_d"


@pytest.mark.parametrize("name", [*HOSTILE, "../../etc/passwd", "..", "a/b", "alice@example.com", "x" * 128])
def test_another_name_becomes_a_safe_one_that_is_nobody_elses(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*-[0-9a-f]{8}", slug_of(name))
    assert slug_of(name) != slug_of(name + "x")
