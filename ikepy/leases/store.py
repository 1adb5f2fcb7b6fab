"""The table of leases in SQLite: one row an address that anybody has or had.

    family, address   4 or 6, and the packed octets: the key, so that no address is ever lent twice
    pool              the pool's name; empty where no pool has the address any more
    online            1 while somebody has it
    fixed             1 where it is one identity's own (a static lease)
    turn              when it was last lent or given back, by count; of a lease somebody has, its number

Rule 1: an operation is one transaction; whoever dies in it, however, leaves all of it or nothing.
Rule 2: one process has the file: the lock is the kernel's and ends with the process.
Not here: which address somebody gets (book.py).

The journal is a write-ahead log with synchronous = NORMAL: what is committed has left the process, so kill -9 loses
nothing. A power failure may take the last moments away (never the rest); no session outlives one either, so all that is
lost is who had an address before, of those who came last. FULL would cost a disk flush, milliseconds, each time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from ikepy.config.access import AddressRange
from ikepy.ipsec import IpAddress
from ikepy.leases.errors import LeaseStoreError

VERSION = 1
_BUSY_SECONDS = 0.2
_SCHEMA = (
    """CREATE TABLE lease (
        family INTEGER NOT NULL, address BLOB NOT NULL, pool TEXT NOT NULL, identity TEXT NOT NULL,
        online INTEGER NOT NULL, fixed INTEGER NOT NULL, turn INTEGER NOT NULL,
        PRIMARY KEY (family, address)) WITHOUT ROWID""",
    "CREATE INDEX by_age ON lease (pool, online, fixed, turn)",
    "CREATE INDEX by_identity ON lease (identity, online, turn)",
    f"PRAGMA user_version = {VERSION}",
)
_COLUMNS = "address, pool, identity, online, turn"


@dataclass(frozen=True, slots=True)
class Row:
    """One address that somebody has or had."""

    address: IpAddress
    pool: str
    identity: str
    online: bool
    turn: int


class LeaseTable:
    """The rows; every method but transaction() is called inside one."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it (mode 0600) where it is missing; raises LeaseStoreError."""
        self._path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise LeaseStoreError(path, f"cannot be opened ({error})", "check the directory's permissions") from error
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; nothing may be asked afterwards."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside is done as one; raises LeaseStoreError where the disk does not take it."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._fault(error) from error

    # -- looking ----------------------------------------------------------------------------------------------------

    def row(self, address: IpAddress) -> Row | None:
        """The row of an address, None where nobody ever had it."""
        return self._one("WHERE family = ? AND address = ?", address.version, address.packed)

    def latest_of(self, identity: str, pool: str) -> Row | None:
        """What the identity gave back last, of a pool, and nobody has now; what is one identity's own is left out."""
        where = "WHERE identity = ? AND online = 0 AND pool = ? AND fixed = 0 ORDER BY turn DESC LIMIT 1"
        return self._one(where, identity, pool)

    def oldest_free(self, pool: str) -> Row | None:
        """What was given back longest ago, of a pool; what is one identity's own is left out."""
        return self._one("WHERE pool = ? AND online = 0 AND fixed = 0 ORDER BY turn LIMIT 1", pool)

    def addresses(self, within: AddressRange) -> Iterator[IpAddress]:
        """The addresses of a range that have rows, in their order."""
        found = self._db.execute(
            "SELECT address FROM lease WHERE family = ? AND address BETWEEN ? AND ? ORDER BY family, address",
            (within.family, within.first.packed, within.last.packed),
        )
        return (ip_address(octets) for (octets,) in found)

    def online(self) -> Iterator[Row]:
        """The rows of what somebody has."""
        return (_row(*values) for values in self._db.execute(f"SELECT {_COLUMNS} FROM lease WHERE online = 1"))  # noqa: S608 - constants

    def counts(self) -> dict[tuple[str, bool], int]:
        """How many rows there are of a pool that somebody has (True) or had."""
        found = self._db.execute("SELECT pool, online, count(*) FROM lease GROUP BY pool, online")
        return {(pool, bool(online)): count for pool, online, count in found}

    def last_turn(self) -> int:
        """The highest turn there is."""
        (turn,) = self._db.execute("SELECT coalesce(max(turn), 0) FROM lease").fetchone()
        return int(turn)

    # -- changing ---------------------------------------------------------------------------------------------------

    def put(self, row: Row, *, fixed: bool) -> None:
        """Write the row of an address, in the place of the one it may have."""
        self._db.execute(
            "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.address.version, row.address.packed, row.pool, row.identity, int(row.online), int(fixed), row.turn),
        )

    def end(self, address: IpAddress, turn: int, ended: int, *, is_kept: bool) -> str | None:
        """Give back the lease of that number; return its pool's name, None where it had ended before.

        is_kept   whether it is remembered who had the address
        """
        key = (address.version, address.packed, turn)
        found = self._db.execute(
            "SELECT pool FROM lease WHERE family = ? AND address = ? AND online = 1 AND turn = ?", key
        ).fetchone()
        if found is None:
            return None
        if is_kept and found[0]:
            self._db.execute(
                "UPDATE lease SET online = 0, turn = ? WHERE family = ? AND address = ?", (ended, *key[:2])
            )
        else:
            self._db.execute("DELETE FROM lease WHERE family = ? AND address = ?", key[:2])
        return str(found[0])

    def assign_pools(self, ranges: Mapping[str, tuple[AddressRange, ...]], owners: Mapping[IpAddress, str]) -> None:
        """Say of every row which pool it is in now; forget those that are in none and that nobody has.

        owners   whose own an address is
        """
        self._db.execute("UPDATE lease SET pool = '', fixed = 0")
        for pool, parts in ranges.items():
            for part in parts:
                self._db.execute(
                    "UPDATE lease SET pool = ? WHERE family = ? AND address BETWEEN ? AND ?",
                    (pool, part.family, part.first.packed, part.last.packed),
                )
        for address, owner in owners.items():
            key = (address.version, address.packed)
            self._db.execute("UPDATE lease SET fixed = 1 WHERE family = ? AND address = ?", key)
            self._db.execute(
                "DELETE FROM lease WHERE family = ? AND address = ? AND online = 0 AND identity <> ?", (*key, owner)
            )
        self._db.execute("DELETE FROM lease WHERE pool = '' AND online = 0")

    # -- the file ---------------------------------------------------------------------------------------------------

    def _one(self, where: str, *values: object) -> Row | None:
        found = self._db.execute(f"SELECT {_COLUMNS} FROM lease {where}", values).fetchone()  # noqa: S608 - constants
        return _row(*found) if found is not None else None

    def _prepare(self) -> None:
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            with self.transaction():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in _SCHEMA:
                        self._db.execute(statement)
                elif version != VERSION:
                    raise LeaseStoreError(self._path, f"it is of version {version}", "run the ikepy that made it")
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: sqlite3.Error) -> LeaseStoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            return LeaseStoreError(self._path, "another process has it", "stop the other daemon")
        if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            return LeaseStoreError(
                self._path, f"it is damaged ({error})", "move it away: clients then get other addresses"
            )
        return LeaseStoreError(self._path, f"cannot be used ({error})", "check the disk: is it full?")


def _row(address: bytes, pool: str, identity: str, online: int, turn: int) -> Row:
    return Row(ip_address(address), pool, identity, bool(online), turn)
