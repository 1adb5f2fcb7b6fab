"""docs/configuration.md and conf/ are what the program does."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from ikepy.config.load import load
from ikepy.config.reference import build_reference, sentence_of
from ikepy.config.schema import SECTIONS, Section

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "conf").glob("*.conf"))
NAMED_BY_TABLES = {"name", "local", "remote", "children", "local2", "remote2"}
"Fields that tables fill, not keys."


def test_the_documentation_is_not_stale() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text()

    assert written == build_reference(), "run: python -m ikepy.config.reference > docs/configuration.md"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: str(section.path))
def test_every_key_has_a_sentence_and_a_row(section: Section[object]) -> None:
    reference = build_reference()

    assert f"## `[{section.path}]`" in reference
    for key in section.keys:
        assert sentence_of(section, key), key.name
        assert f"| `{key.name}` |" in reference


@pytest.mark.parametrize(
    "section", [s for s in SECTIONS if not s.path.startswith("secrets")], ids=lambda section: str(section.path)
)
def test_every_field_of_the_model_has_a_key_and_every_key_a_field(section: Section[object]) -> None:
    fields = {field.name for field in dataclasses.fields(section.model)} - NAMED_BY_TABLES

    assert {key.name for key in section.keys} == fields


def test_no_word_is_both_supported_and_not_yet() -> None:
    for section in SECTIONS:
        assert not section.later & set(section.words), section.path


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.name))
def test_a_sample_loads_without_a_warning(sample: Path, tmp_path: Path) -> None:
    for name in (
        *("site.secret", "hosts.secret", "branch.secret", "password"),
        *("aws-1.secret", "aws-2.secret", "azure.secret", "gcp.secret", "crl.pem"),
        *("left-cert.pem", "left-key.pem", "vpn-cert.pem", "vpn-key.pem", "ca-cert.pem"),
    ):
        (tmp_path / name).write_text("c2l0ZSBzZWNyZXQgc2l0ZSBzZWNyZXQ=\n")
        (tmp_path / name).chmod(0o600)
    path = Path(shutil.copy(sample, tmp_path))

    loaded = load(path)

    assert loaded.warnings == ()
    assert loaded.config.connections
    assert all(connection.children for connection in loaded.config.connections)


def test_the_ten_line_sample_has_ten_lines_and_is_the_example_of_the_documentation() -> None:
    text = (ROOT / "conf" / "ten-lines.conf").read_text()

    assert len(text.splitlines()) == 10
    assert f"```toml\n{text}```" in build_reference()


def test_the_samples_are_the_ones_this_file_knows() -> None:
    assert {path.name for path in SAMPLES} == {
        "site.conf",
        "site-cert.conf",
        "route-based.conf",
        "gateway.conf",
        "eap-tls.conf",
        "aws.conf",
        "azure.conf",
        "google-cloud.conf",
        "laptop.conf",
        "transport.conf",
        "trap.conf",
        "ten-lines.conf",
    }
