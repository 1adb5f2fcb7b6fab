"""openssl's index.txt: what is written is read, what cannot be read ends it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ikepy.pki.errors import PkiError
from ikepy.pki.index import Entry, read_index, write_index

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
VALID = Entry(0x0A1B, datetime(2027, 12, 24, 12, tzinfo=UTC), "certs/a.pem", "/CN=a")
LATE = Entry(0xFFEE, datetime(2061, 1, 1, tzinfo=UTC), "certs/ca.pem", "/CN=late")
OLD = Entry(7, datetime(2020, 1, 1, tzinfo=UTC), "certs/old.pem", "/CN=old")
GONE = Entry(8, datetime(2027, 1, 1, tzinfo=UTC), "certs/b.pem", "/CN=b", (NOW, "keyCompromise"))


def test_what_is_written_is_read() -> None:
    entries = [VALID, LATE, OLD, GONE]
    assert read_index(write_index(entries)) == entries
    assert read_index("") == []


def test_it_is_openssls_form() -> None:
    assert write_index([VALID]) == "V\t271224120000Z\t\t0A1B\tcerts/a.pem\t/CN=a\n"
    assert write_index([GONE]) == "R\t270101000000Z\t261124120000Z,keyCompromise\t08\tcerts/b.pem\t/CN=b\n"
    assert write_index([LATE]).split("\t")[1] == "20610101000000Z"


def test_how_it_stands_with_each() -> None:
    assert [each.state(NOW) for each in (VALID, OLD, GONE)] == ["valid", "expired", "revoked"]
    assert VALID.days_left(NOW) == 395


@pytest.mark.parametrize(
    "line",
    [
        "V",
        "X\t271224120000Z\t\t0A\tf\t/CN=a",
        "V\tsoon\t\t0A\tf\t/CN=a",
        "V\t271224120000Z\t\tnone\tf\t/CN=a",
        "V\t271224120000Z\t\t0A\tf\t/CN=a\tmore",
        "R\t271224120000Z\t\t0A\tf\t/CN=a",
        "R\t271224120000Z\tonce,why\t0A\tf\t/CN=a",
    ],
)
def test_a_line_that_cannot_be_read_ends_it(line: str) -> None:
    with pytest.raises(PkiError, match="line 2 cannot be read"):
        read_index(f"{write_index([VALID])}{line}\n")
