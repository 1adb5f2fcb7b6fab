"""The list of what a CA has issued: openssl's own `index.txt`, which other tools read (openssl-ca(1)).

    V  260101120000Z                                 0A1B...  certs/vpn.example.com.pem  /CN=vpn.example.com
    R  260101120000Z  250301080000Z,keyCompromise    0C2D...  certs/alice.pem            /CN=alice

Rule 1: a line that cannot be read ends the reading: a CA that has lost track of what it issued must not issue more.
Not here: the file itself (store.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from ikepy.pki.errors import PkiError

_FIELDS = 6
_CENTURY = 50
REASONS = {
    "unspecified": x509.ReasonFlags.unspecified,
    "keyCompromise": x509.ReasonFlags.key_compromise,
    "CACompromise": x509.ReasonFlags.ca_compromise,
    "affiliationChanged": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessationOfOperation": x509.ReasonFlags.cessation_of_operation,
}
"Why a certificate is revoked (RFC 5280 §5.3.1), as openssl writes it."


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate.

    file      relative to the directory
    revoked   when, and why; None where it is not
    """

    serial: int
    until: datetime
    file: str
    subject: str
    revoked: tuple[datetime, str] | None = None

    def state(self, now: datetime) -> str:
        """How it stands with it."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.until <= now else "valid"

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires."""
        return (self.until - now).days


def read_index(text: str) -> list[Entry]:
    """All of a file; raises PkiError."""
    return [_read(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def write_index(entries: list[Entry]) -> str:
    """The file."""
    return "".join(f"{_line(entry)}\n" for entry in entries)


def _read(line: str, number: int) -> Entry:
    fields = line.split("\t")
    try:
        if len(fields) != _FIELDS or fields[0] not in {"V", "R", "E"}:
            raise ValueError(fields[0])
        at, _, reason = fields[2].partition(",")
        revoked = (_instant(at), reason or "unspecified") if fields[0] == "R" else None
        return Entry(int(fields[3], 16), _instant(fields[1]), fields[4], fields[5], revoked)
    except ValueError as error:
        raise PkiError(
            f"index.txt, line {number} cannot be read: restore the file before anything is issued"
        ) from error


def _line(entry: Entry) -> str:
    revoked = f"{_stamp(entry.revoked[0])},{entry.revoked[1]}" if entry.revoked is not None else ""
    state = "R" if entry.revoked is not None else "V"
    serial = f"{entry.serial:X}"
    return "\t".join(
        (state, _stamp(entry.until), revoked, serial.zfill(len(serial) + len(serial) % 2), entry.file, entry.subject)
    )


def _stamp(at: datetime) -> str:
    form = "%y%m%d%H%M%SZ" if at.year < 2000 + _CENTURY else "%Y%m%d%H%M%SZ"
    return at.strftime(form)


def _instant(text: str) -> datetime:
    form = "%y%m%d%H%M%SZ" if len(text) == 13 else "%Y%m%d%H%M%SZ"  # noqa: PLR2004 - UTCTime
    return datetime.strptime(text, form).replace(tzinfo=UTC)
