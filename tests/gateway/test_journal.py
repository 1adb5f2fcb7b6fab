"""What was changed is on disk before it is done; what cannot be read, or is of another boot, undoes nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from ikepy.gateway.journal import MOST_OCTETS, Changes, FileChange, Journal, SysctlChange, this_boot

CHANGES = Changes(
    (SysctlChange("net/ipv4/ip_forward", "0", "1"),),
    (("inet", "ikepy"),),
    (
        FileChange("/etc/resolv.conf", None, "../run/x", "nameserver 192.0.2.53\n"),
        FileChange("/x", "before", None, "o"),
    ),
    ("vpn0",),
    ("ikepy",),
)
GOOD = {
    "boot": "this",
    "sysctls": [{"name": "net/ipv4/ip_forward", "before": "0", "ours": "1"}],
    "tables": [["inet", "ikepy"]],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "undo.json"


def test_what_is_noted_is_what_is_left(path: Path) -> None:
    Journal(path, "this").note(CHANGES)
    assert Journal(path, "this").left() == CHANGES


def test_nobody_else_reads_it(path: Path) -> None:
    Journal(path).note(CHANGES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_closed_journal_leaves_nothing(path: Path) -> None:
    journal = Journal(path)
    journal.note(CHANGES)
    journal.close()
    journal.close()
    assert not journal.left()
    assert not path.exists()


def test_without_a_journal_nothing_is_left(path: Path) -> None:
    assert Journal(path).left() == Changes()


def test_what_was_changed_before_the_last_boot_is_gone_with_it(path: Path) -> None:
    Journal(path, "that").note(CHANGES)
    assert not Journal(path, "this").left()


def test_one_of_before_files_were_kept_in_it_is_read(path: Path) -> None:
    path.write_text(json.dumps(GOOD))
    assert Journal(path, "this").left() == Changes(CHANGES.sysctls, CHANGES.tables)


DAMAGED = {
    "nothing": "",
    "half": json.dumps(GOOD)[:40],
    "a list": "[]",
    "a number": "7",
    "null": "null",
    "no boot": json.dumps({key: value for key, value in GOOD.items() if key != "boot"}),
    "no sysctls": json.dumps({"boot": "this", "tables": []}),
    "no tables": json.dumps({"boot": "this", "sysctls": []}),
    "sysctls of text": json.dumps({**GOOD, "sysctls": "net/ipv4/ip_forward"}),
    "a sysctl without a value": json.dumps({**GOOD, "sysctls": [{"name": "x", "before": "0"}]}),
    "a sysctl with a number": json.dumps({**GOOD, "sysctls": [{"name": "x", "before": 0, "ours": "1"}]}),
    "a sysctl that is null": json.dumps({**GOOD, "sysctls": [None]}),
    "a table of three": json.dumps({**GOOD, "tables": [["inet", "a", "b"]]}),
    "a table of numbers": json.dumps({**GOOD, "tables": [[1, 2]]}),
    "tables that are a number": json.dumps({**GOOD, "tables": 3}),
    "a file without a path": json.dumps({**GOOD, "files": [{"before": None, "link": None, "ours": ""}]}),
    "a file with a list": json.dumps({**GOOD, "files": [{"path": [], "before": None, "link": None, "ours": ""}]}),
    "interfaces that are numbers": json.dumps({**GOOD, "resolved": [1]}),
    "records that are null": json.dumps({**GOOD, "resolvconf": None}),
    "brackets without end": "[" * 100_000,
    "no text": b"\xff\xfe\0",
    "too much": " " * (MOST_OCTETS + 1) + json.dumps(GOOD),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_cannot_be_read_undoes_nothing(damage: str, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written = DAMAGED[damage]
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    assert not Journal(path, "this").left()
    assert "is damaged" in caplog.text


def test_a_file_that_cannot_be_opened_undoes_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir()
    assert not Journal(path).left()
    assert "cannot be read" in caplog.text


def test_boots_and_namespaces_are_told_apart() -> None:
    assert "net:[" in this_boot()
