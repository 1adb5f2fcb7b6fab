"""The audit log."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.crypto.secret import Secret
from ikepy.trace.audit import AuditEvent, AuditLog, AuditRecord, line_of

AT = datetime(2026, 5, 9, 7, 35, 25, 120_000, UTC)
WHOLE = AuditRecord(
    AT,
    AuditEvent.ENDED,
    "office",
    7,
    "192.0.2.7",
    "alice",
    ("staff",),
    ip_address("192.0.2.7"),
    4500,
    "Windows 10",
    "EAP-MSCHAPv2",
    (ip_address("10.9.0.10"), ip_address("2001:db8::1")),
    AT - timedelta(hours=1),
    840,
    0,
    "the peer closed it",
)
SMALL = AuditRecord(AT, AuditEvent.BEGUN, user="alice")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_who_from_where_what_when_how_much_and_why() -> None:
    assert json.loads(line_of(WHOLE)) == {
        "at": "2026-05-09T07:35:25.120Z",
        "event": "ended",
        "connection": "office",
        "session": 7,
        "identity": "192.0.2.7",
        "user": "alice",
        "groups": ["staff"],
        "from": "192.0.2.7",
        "port": 4500,
        "client": "Windows 10",
        "method": "EAP-MSCHAPv2",
        "addresses": ["10.9.0.10", "2001:db8::1"],
        "began": "2026-05-09T06:35:25.120Z",
        "octets_in": 840,
        "octets_out": 0,
        "reason": "the peer closed it",
    }


def test_what_is_not_known_is_left_out_and_times_are_utc() -> None:
    record = AuditRecord(AT.astimezone(timezone(timedelta(hours=2))), AuditEvent.REFUSED, user="bob")

    assert line_of(record) == '{"at": "2026-05-09T07:35:25.120Z", "event": "refused", "user": "bob"}'


@given(st.text() | st.text(alphabet='\n\r\0\x1b\x7f\u2028\u202e\udcff"\\'))
def test_whatever_a_client_calls_itself_is_one_line_of_plain_ascii(name: str) -> None:
    line = line_of(AuditRecord(AT, AuditEvent.REFUSED, user=name, identity=name, reason=f"no user {name}"))

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line).get("user", "") == name


def test_long_texts_and_lists_are_cut() -> None:
    record = AuditRecord(AT, AuditEvent.BEGUN, identity="x" * 100_000, addresses=(ip_address("10.9.0.1"),) * 1000)

    assert len(line_of(record)) < 2000


def test_a_secret_has_no_place_in_a_record(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    for value in (Secret(b"hunter2"), b"hunter2", (b"hunter2",)):
        with pytest.raises(TypeError, match="has no place in the audit log") as caught:
            log.write(AuditRecord(AT, AuditEvent.REFUSED, reason=value))  # type: ignore[arg-type]
        assert "hunter2" not in str(caught.value)
    assert not (tmp_path / "audit.log").exists()


def test_records_are_appended_and_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.touch(0o666)
    for _ in range(2):
        log = AuditLog(path)
        log.write(SMALL)
        log.close()

    assert len(lines(path)) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_full_is_turned_over_and_a_few_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    size = len(line_of(SMALL)) + 1
    log = AuditLog(path, most_octets=2 * size, keep=2)

    for _ in range(9):
        log.write(SMALL)
    log.close()
    AuditLog(path, most_octets=2 * size, keep=2).write(SMALL)

    assert {each.name: len(lines(each)) for each in tmp_path.iterdir()} == {
        "audit.log": 2,
        "audit.log.1": 2,
        "audit.log.2": 2,
    }
    AuditLog(path, most_octets=1, keep=0).write(SMALL)
    assert len(lines(path)) == 1


def test_a_file_that_somebody_else_turned_over_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    log.write(SMALL)
    path.rename(tmp_path / "audit.old")
    log.write(SMALL)

    log.reopen()
    log.write(SMALL)
    log.close()

    assert (len(lines(tmp_path / "audit.old")), len(lines(path))) == (2, 1)


def test_a_log_that_cannot_be_written_is_told_once_and_goes_on_when_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AuditLog(tmp_path / "later" / "audit.log")
    with caplog.at_level(logging.WARNING):
        log.write(SMALL)
        log.write(SMALL)
    (tmp_path / "later").mkdir()

    log.write(SMALL)
    log.close()

    (record,) = caplog.records
    assert "cannot be written (No such file or directory): lines are lost" in record.message
    assert len(lines(tmp_path / "later" / "audit.log")) == 1


def test_a_line_that_broke_off_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    write = os.write
    answers = iter([20, OSError(28, "No space left on device"), None])

    def short(descriptor: int, octets: bytes) -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return write(descriptor, octets[:answer])

    monkeypatch.setattr(os, "write", short)
    log.write(SMALL)
    log.write(SMALL)
    log.close()

    torn, whole = path.read_text().splitlines()
    assert len(torn) == 20
    assert json.loads(whole)["user"] == "alice"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.log").symlink_to(tmp_path / "elsewhere")

    AuditLog(tmp_path / "audit.log").write(SMALL)

    assert not (tmp_path / "elsewhere").exists()


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log", most_octets=20_000, keep=100)
    threads = [threading.Thread(target=lambda: [log.write(WHOLE) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()

    assert sum(len(lines(each)) for each in tmp_path.iterdir()) == 200
