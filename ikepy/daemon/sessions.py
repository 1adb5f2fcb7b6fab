"""Sessions: who has come to us, from when to when, how much went by, and what ends a session before its peer does.

    sessions.note(event)       each event, as it is published
    await sessions.keep()      for ever: users that are out, clients that are idle, lines for the audit log

Rule 1: a session is one peer that came to us, whatever is rekeyed meanwhile; its number is that of its first IKE SA.
Rule 2: a line of the audit log is written when the octets are known, in the order of the ends.
Rule 3: who is disabled, expired or removed, or has other groups or another password, has its session ended at once.
Not here: the audit log's file (trace/audit.py), users (auth/users.py), the number of sessions each (ike/peering.py).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

import trio

from ikepy.auth.users import Changes, User, UserStore
from ikepy.auth.users_file import UsersFileError
from ikepy.config.identities import format_identity
from ikepy.daemon.clock import Clock
from ikepy.ike.events import (
    AttemptFailed,
    ChildSaRekeyed,
    ChildSaUp,
    Event,
    IkeSaDown,
    IkeSaMoved,
    IkeSaRekeyed,
    IkeSaUp,
    IkeSnapshot,
)
from ikepy.ipsec import Owner, SaId
from ikepy.kernel.interface import Kernel
from ikepy.kernel.tallies import Octets
from ikepy.trace.audit import AuditEvent, AuditLog, AuditRecord

_log = logging.getLogger("ikepy.daemon")

JOB_SECONDS = 2.0
"How long the kernel may take to count a session's octets."
LOOK_SECONDS = 2.0
"How often users and idle clients are looked at."
_MOST_IDENTITY = 1024
"""Characters of an identity in the audit log."""
MOST_OWNERS = 32
"Children of a session whose octets are counted one by one; those that are gone are then added up."

LOOKS_A_LIMIT = 8
"Looks at a client's packets in the time that it may be idle."

EndSas = Callable[[tuple[int, ...], str], None]
"Ends IKE SAs by their unique numbers, for a reason."


@dataclass
class Running:
    """A session that is there.

    number   of its first IKE SA
    user     as it was when the session began; None without one, or where a certificate was enough
    ike      as it was when something was last said of it
    owners   of the kernel's tallies: all children it has had, and the states it sends by
    before   octets of those that were added up
    used_at  when a packet of its last came in, as far as was looked; seconds since the epoch
    look_at  when that is looked at again
    """

    number: int
    ike: IkeSnapshot
    began: datetime
    user: User | None = None
    owners: dict[Owner, SaId] = field(default_factory=dict)
    before: Octets = field(default_factory=Octets)
    used_at: float = field(default_factory=time.time)
    look_at: float = 0.0
    is_ending: bool = False


class Sessions:
    """All sessions of one daemon."""

    def __init__(
        self, users: UserStore, kernel: Kernel, audit: AuditLog | None, clock: Clock, end_sas: EndSas | None = None
    ) -> None:
        self.end_sas = end_sas
        self._users, self._kernel, self._audit, self._clock = users, kernel, audit, clock
        self._running: dict[int, Running] = {}
        self._jobs_in, self._jobs = trio.open_memory_channel[Callable[[], object]](math.inf)
        # Unbounded: as many as IKE SAs begin, end or are refused, which all else bounds.

    # -- what happens --------------------------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """An event is published."""
        match event:
            case IkeSaUp(ike) if not ike.initiator and ike.session is not None:
                self._begin(ike)
            case IkeSaRekeyed(old, new) if old.unique_id in self._running:
                session = self._running[new.unique_id] = self._running.pop(old.unique_id)
                session.ike = new
            case IkeSaMoved(ike, _) if ike.unique_id in self._running:
                self._running[ike.unique_id].ike = ike
            case ChildSaUp(ike, child) | ChildSaRekeyed(ike, _, child) if ike.unique_id in self._running:
                if child.spec is not None:
                    self._count(self._running[ike.unique_id], child.spec.owner, child.spec.inbound.id)
            case IkeSaDown(ike, reason) if ike.unique_id in self._running:
                session = self._running.pop(ike.unique_id)
                self._do(partial(self._end, session, reason, datetime.now(UTC)))
            case AttemptFailed() if event.claim is not None:
                self._write(_refused(event))

    def _begin(self, ike: IkeSnapshot) -> None:
        name = ike.session.user if ike.session is not None else None
        user = self._users.find(name) if name is not None else None
        session = self._running[ike.unique_id] = Running(ike.unique_id, ike, datetime.now(UTC), user)
        self._write(_record(AuditEvent.BEGUN, session, session.began))

    def _count(self, session: Running, owner: Owner, state: SaId) -> None:
        self._kernel.count_octets(owner)
        session.owners[owner] = state
        if len(session.owners) > MOST_OWNERS:
            self._do(partial(self._add_up, session))

    def _do(self, job: Callable[[], object]) -> None:
        self._jobs_in.send_nowait(job)

    def _write(self, record: AuditRecord) -> None:
        if self._audit is not None:
            self._do(partial(self._audit.write, record))

    # -- for ever ------------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Do what is to be done for sessions, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work)
            while True:
                await trio.sleep(LOOK_SECONDS)
                self.reread_users()
                self._end_refused()
                await self._end_idle()

    async def _work(self) -> None:
        async for job in self._jobs:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + JOB_SECONDS):
                await self._run(job)  # once begun it ends, or its line would be lost with the daemon

    async def finish(self) -> None:
        """Do what waits, and end what is there still: the daemon ends."""
        for session in tuple(self._running.values()):
            self._do(partial(self._end, session, "the daemon ends", datetime.now(UTC)))
        self._running.clear()
        while True:
            try:
                job = self._jobs.receive_nowait()
            except trio.WouldBlock:
                break
            await self._run(job)
        if self._audit is not None:
            self._audit.close()

    def reopen_log(self) -> None:
        """Open the audit log anew: somebody has turned it over."""
        if self._audit is not None:
            self._audit.reopen()

    async def _run(self, job: Callable[[], object]) -> None:
        try:
            result = job()
            if hasattr(result, "__await__"):
                await result
        except Exception as error:  # noqa: BLE001 - one line less, and never the daemon
            _log.error("the books of sessions have a fault of ikepy's: %s: %s", type(error).__name__, error)

    # -- octets --------------------------------------------------------------------------------------------------

    async def _add_up(self, session: Running) -> None:
        """Of children that are gone only the sum stays."""
        for owner, state in tuple(session.owners.items()):
            if await self._kernel.counters(state) is None:
                session.before += await self._kernel.octets_of(owner)
                self._kernel.forget_octets(owner)
                session.owners.pop(owner, None)

    async def _end(self, session: Running, reason: str, at: datetime) -> None:
        total = session.before
        for owner in session.owners:
            total += await self._kernel.octets_of(owner)
            self._kernel.forget_octets(owner)
        if self._audit is not None:
            self._audit.write(_record(AuditEvent.ENDED, session, at, reason, total))

    # -- ends ----------------------------------------------------------------------------------------------------

    def reread_users(self) -> None:
        """Take what `ikepy user` has changed; sessions of whoever it concerns end."""
        try:
            changes = self._users.refresh()
        except UsersFileError as error:
            _log.warning("%s; the users stay as they were", error)
            return
        if changes:
            _log.info("users: %s", _worded(changes))
        self._end_refused()

    def _end_refused(self) -> None:
        """End the sessions of who is removed, disabled, has expired, or is not any more who came in."""
        today = datetime.now(UTC).date()
        for number, session in tuple(self._running.items()):
            if session.user is not None:
                self._end_sa(number, _why_out(session.user, self._users.find(session.user.name), today))

    async def _end_idle(self) -> None:
        for number, session in tuple(self._running.items()):
            limit = session.ike.session.idle_timeout if session.ike.session is not None else None
            if limit is None or time.time() < session.look_at:
                continue
            # Often enough that what came by a child is seen before that is replaced by another.
            session.look_at = time.time() + limit / LOOKS_A_LIMIT
            seen = await self._kernel.seen_inbound(tuple(session.owners.values()))
            if seen.idle is not None:
                session.used_at = max(session.used_at, time.time() - seen.idle)
            if time.time() - session.used_at >= limit:
                self._end_sa(number, f"idle for {limit:g} seconds, which is as long as its group allows")

    def _end_sa(self, number: int, reason: str) -> None:
        session = self._running.get(number)
        if reason and self.end_sas is not None and session is not None and not session.is_ending:
            session.is_ending = True
            self.end_sas((number,), reason)


def _why_out(was: User, is_now: User | None, today: date) -> str:
    """Why a user's session is to end; empty where it goes on."""
    if is_now is None or not is_now.exists:
        return f"user {was.name} is removed"
    refusal = is_now.refusal(today)
    if refusal:
        return f"{was.name}: {refusal}"
    return f"user {was.name} was changed" if is_now != was else ""


def _worded(changes: Changes) -> str:
    parts = ((changes.added, "added"), (changes.altered, "changed"), (changes.removed, "removed"))
    return "; ".join(f"{', '.join(names)} {what}" for names, what in parts if names)


def _record(
    event: AuditEvent, session: Running, at: datetime, reason: str = "", octets: Octets | None = None
) -> AuditRecord:
    ike, known = session.ike, session.ike.session
    assert known is not None  # noqa: S101 - only such sessions are kept
    return AuditRecord(
        at=at,
        event=event,
        connection=ike.connection,
        session=session.number,
        identity=format_identity(ike.remote_id)[:_MOST_IDENTITY] if ike.remote_id is not None else "",
        user=known.user or "",
        groups=known.groups,
        source=ike.path.remote.address,
        port=ike.path.remote.port,
        client=known.client or "",
        method=known.method,
        addresses=known.lent,
        began=session.began if event is AuditEvent.ENDED else None,
        octets_in=octets.inbound if octets is not None else None,
        octets_out=octets.outbound if octets is not None else None,
        reason=reason,
    )


def _refused(event: AttemptFailed) -> AuditRecord:
    claim = event.claim
    assert claim is not None  # noqa: S101 - see note()
    return AuditRecord(
        at=datetime.now(UTC),
        event=AuditEvent.REFUSED,
        connection=event.connection or "",
        session=event.ike_unique_id,
        identity=format_identity(claim.identity),
        user=claim.user,
        source=claim.path.remote.address,
        port=claim.path.remote.port,
        client=claim.client or "",
        method=claim.method,
        reason=event.reason,
    )
