"""The table of chains once more, judged by openssl: where it thinks otherwise, why that is so is written here."""

from __future__ import annotations

import base64
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import NOW
from tests.support.chains import BAD, GOOD, Shown

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

OTHERWISE = {
    "below_one_of_two_anchors_of_one_name": "openssl takes the first anchor of a name, and looks at no other",
    "with_one_of_the_purposes": "one of several purposes is enough here; `-purpose` names one",
    "with_any_purpose": "anyExtendedKeyUsage counts for IKE (RFC 4945 §5.1.3.12), not for TLS",
    "a_ca_itself": "RFC 4945 wants an end entity; openssl takes any certificate as a leaf",
    "the_trust_anchor_itself": "the same",
    "not_for_signatures": "IKE signs (RFC 4945 §5.1.3.2); openssl does not know for what the key is meant",
    "for_no_purpose_where_one_is_asked_for": "a certificate without purposes does for TLS; here the operator asked for one",
    "below_ten_intermediates": "openssl goes a hundred deep",
    "with_a_weak_key": "1024 bits pass at security level 1",
    "with_a_key_on_an_odd_curve": "openssl knows secp256k1; no IKE method has it",
}
"""What openssl judges otherwise, and why."""
_PURPOSES = {"serverAuth": "sslserver", "clientAuth": "sslclient"}
Build = Callable[[str], Shown]


def pem(der: bytes) -> str:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----\n"])


def openssl_takes(shown: Shown, directory: Path) -> bool:
    leaf = shown.leaf if isinstance(shown.leaf, bytes) else shown.leaf.der
    (directory / "leaf.pem").write_text(pem(leaf))
    (directory / "others.pem").write_text("".join(pem(each.der) for each in shown.others))
    (directory / "anchors.pem").write_text("".join(pem(each.der) for each in shown.anchors))
    command = ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-no-CApath", "-no-CAstore"]
    command += ["-CAfile", "anchors.pem", *(["-untrusted", "others.pem"] if shown.others else [])]
    if shown.purposes:
        command += ["-purpose", _PURPOSES.get(shown.purposes[0].value, "any")]
    said = subprocess.run([*command, "leaf.pem"], check=False, capture_output=True, text=True, cwd=directory)
    return said.returncode == 0


@pytest.mark.parametrize("build", GOOD, ids=lambda build: build.__name__)
def test_openssl_takes_what_is_good_here(build: Build, tmp_path: Path) -> None:
    assert openssl_takes(build("p256"), tmp_path) is (build.__name__ not in OTHERWISE)


@pytest.mark.parametrize("build", [build for build, _ in BAD], ids=lambda build: build.__name__)
def test_openssl_refuses_what_is_bad_here(build: Build, tmp_path: Path) -> None:
    assert openssl_takes(build("p256"), tmp_path) is (build.__name__ in OTHERWISE)


def test_each_difference_is_of_the_table() -> None:
    assert OTHERWISE.keys() <= {build.__name__ for build in (*GOOD, *(build for build, _ in BAD))}
