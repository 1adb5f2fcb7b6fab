"""All that is logged of the protocol, worded in one place.

    7d0c…e1 < IKE_AUTH request 1, 1284 octets, 192.0.2.7:4500: IDi CERT AUTH SA TSi TSr N(MOBIKE_SUPPORTED)
    7d0c…e1 child c0a81f03/9be2d211 installed: 10.1.0.0/24 = 10.2.0.0/24, ESP aes256gcm16
    7d0c…e1 child rekeyed by us: site/net, #1 c0a81f03/9be2d211 goes on as #2 c6a90b12/91d6e23f: 10.1.0.0/24 = ...
    dropped IKE_AUTH request 1: integrity (3 from 198.51.100.9)

Rule 1: INFO is one line a message and one a change; WARNING: the operator should act; DEBUG: a decision and its reason.
Rule 2: the same words in the same order for both directions; `<` came, `>` went.
Rule 3: a flood is counted, not written down.
Rule 4: no key is ever worded; what a peer chose is worded by wire/, which escapes it.
Not here: keys (keylog.py), where lines go (handlers.py).
"""

from __future__ import annotations

import logging
import time
from typing import assert_never

from ikepy.config.algorithms import proposal_words
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path
from ikepy.ike.drops import DropReason
from ikepy.ike.events import (
    AttemptFailed,
    ChildSaDown,
    ChildSaRekeyed,
    ChildSaUp,
    ChildSnapshot,
    Event,
    HookFailed,
    IkeSaDown,
    IkeSaMoved,
    IkeSaRekeyed,
    IkeSaUp,
    IkeSnapshot,
    Session,
)
from ikepy.ipsec import Mode
from ikepy.trace.limits import Bucket, Clock, Tally, is_worth_a_line
from ikepy.wire.message import Message

_MESSAGE_LINES_PER_SECOND = 100.0
_MESSAGE_LINES_AT_ONCE = 2000
_DROP_LINES_PER_SECOND = 2.0
_DROP_LINES_AT_ONCE = 50
_FAILURE_LINES_PER_SECOND = 2.0
_FAILURE_LINES_AT_ONCE = 100


class LoggingObserver:
    """Words what the Endpoint tells, for logger `ikepy.ike`."""

    def __init__(self, logger: logging.Logger | None = None, clock: Clock = time.monotonic) -> None:
        self._log = logger if logger is not None else logging.getLogger("ikepy.ike")
        self._messages = Bucket(_MESSAGE_LINES_PER_SECOND, _MESSAGE_LINES_AT_ONCE, clock)
        self._drops = Bucket(_DROP_LINES_PER_SECOND, _DROP_LINES_AT_ONCE, clock)
        self._failures = Bucket(_FAILURE_LINES_PER_SECOND, _FAILURE_LINES_AT_ONCE, clock)
        self._tally = Tally()

    def message_received(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        """One line a message that came."""
        self._word_message("<", message, octets, path, repeat=repeat, fragments=fragments)

    def message_sent(self, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int = 1) -> None:
        """One line a message that went."""
        self._word_message(">", message, octets, path, repeat=repeat, fragments=fragments)

    def dropped(self, path: Path, reason: DropReason, detail: str, header: str) -> None:
        """One line for the 1st, 2nd, 4th, 8th ... of a reason and an address, while not too many come at once."""
        if not self._log.isEnabledFor(logging.INFO):
            return
        count = self._tally.add((reason, path.remote.address))
        if not is_worth_a_line(count) or not self._drops.allows():
            return
        self._say_left_out(self._drops, "drops")
        self._log.info(
            "dropped %s: %s%s (%d from %s)",
            header or "a datagram",
            reason.value,
            f", {detail}" if detail and detail != reason.value else "",
            count,
            path.remote.address,
        )

    def decided(self, spi_i: bytes, spi_r: bytes, decision: str, *, warning: bool = False) -> None:
        """One line at DEBUG, or at WARNING."""
        if not warning:
            self._log.debug("%s%s", _prefix(spi_i), decision)
        elif self._failures.allows():
            self._say_left_out(self._failures, "warnings")
            self._log.warning("%s%s", _prefix(spi_i), decision)

    def keys_derived(
        self,
        spi_i: bytes,
        spi_r: bytes,
        keys: dict[str, Secret],
        encr: str,
        integ: str,
    ) -> None:
        """Say that there are keys, and no more."""
        self._log.debug("%s keys derived: %s, %s", short_spi(spi_i), encr, integ)

    def published(self, event: Event) -> None:
        """One line a change."""
        if isinstance(event, IkeSaRekeyed):
            self._log.info("%s %s", short_spi(event.old.spi_i), word_event(event))
        elif not isinstance(event, AttemptFailed | HookFailed):
            self._log.info("%s %s", short_spi(event.ike.spi_i), word_event(event))
        elif self._failures.allows():
            self._say_left_out(self._failures, "warnings")
            self._log.warning("%s", word_event(event))

    def _word_message(
        self, arrow: str, message: Message, octets: int, path: Path, *, repeat: bool, fragments: int
    ) -> None:
        if not self._log.isEnabledFor(logging.INFO) or not self._messages.allows():
            return
        self._say_left_out(self._messages, "messages")
        heading, _, payloads = message.summary().partition(": ")
        self._log.info(
            "%s %s %s, %d octets%s, %s%s%s",
            short_spi(message.header.spi_i),
            arrow,
            heading.rstrip(": "),
            octets,
            f" in {fragments} fragments" if fragments > 1 else "",
            path.remote,
            " (repeat)" if repeat else "",
            f": {payloads}"
            if message.payloads or not repeat
            else "",  # a repeat is octets, its payloads may be unknown
        )

    def _say_left_out(self, bucket: Bucket, what: str) -> None:
        left_out = bucket.take_left_out()
        if left_out:
            self._log.info("%d %s more were not written down: too many at once", left_out, what)


def short_spi(spi: bytes) -> str:
    """An IKE SPI as the log names it: `7d0c…e1`."""
    return f"{spi[:2].hex()}…{spi[-1:].hex()}"


def _prefix(spi_i: bytes) -> str:
    """Before what concerns an IKE SA its SPI; before what concerns none (all zero), nothing."""
    return f"{short_spi(spi_i)} " if any(spi_i) else ""


def word_event(event: Event) -> str:  # noqa: PLR0911 - one for each kind
    """One event in words, without its SPI."""
    match event:
        case IkeSaUp(ike):
            return f"established: {_peers(ike)}, {_words(ike)}{_session(ike.session)}"
        case IkeSaDown(ike, reason):
            return f"closed: {_peers(ike)}: {reason}"
        case ChildSaUp(_, child):
            return f"child {_spis(child)} installed: {word_selectors(child)}, ESP {_suite(child)}"
        case ChildSaDown(_, child, reason):
            return f"child {_spis(child)} removed: {word_selectors(child)}: {reason}"
        case IkeSaMoved(ike, before):
            return f"moved: {ike.connection}, {_ends(before)} is {_ends(ike.path)} now"
        case IkeSaRekeyed(old, new):
            who = "us" if new.initiator else "the peer"
            return (
                f"rekeyed by {who}: {new.connection}, {_ike_number(old)} goes on as {_ike_number(new)}, {_words(new)}"
            )
        case ChildSaRekeyed(ike, old, new, by_peer):
            who, name = "the peer" if by_peer else "us", f"{ike.connection}/{new.name}"
            numbers = f"#{old.unique_id} {_spis(old)} goes on as #{new.unique_id} {_spis(new)}"
            return f"child rekeyed by {who}: {name}, {numbers}: {word_selectors(new)}, ESP {_suite(new)}"
        case AttemptFailed(connection, child, _, reason):
            return f"{_attempt(connection, child)} failed: {reason}"
        case HookFailed(connection, child, _, reason):
            return f"updown of {_attempt(connection, child)} failed: {reason}"
        case _:
            assert_never(event)


def _session(session: Session | None) -> str:
    """`; alice by EAP-MSCHAPv2, in staff, Windows, has 10.9.0.10`."""
    if session is None:
        return ""
    words = [f"{session.user} by {session.method}" if session.user is not None else session.method]
    words += [f"in {' and '.join(session.groups)}"] if session.groups else []
    words += [session.client] if session.client is not None else []
    words += [f"has {', '.join(map(str, session.lent))}"] if session.lent else []
    words += [f"gives us {', '.join(map(str, session.given))}"] if session.given else []
    return f"; {', '.join(words)}"


def word_selectors(child: ChildSnapshot) -> str:
    """`10.1.0.0/24 = 10.2.0.0/24`, ours first."""
    return f"{' '.join(map(str, child.local_ts))} = {' '.join(map(str, child.remote_ts))}"


def _peers(ike: IkeSnapshot) -> str:
    return f"{ike.connection}, {ike.local_id} at {ike.path.local} = {ike.remote_id} at {ike.path.remote}"


def _ends(path: Path) -> str:
    return f"{path.local} = {path.remote}"


def _ike_number(ike: IkeSnapshot) -> str:
    """Its unique number and both SPIs, the initiator's first."""
    return f"#{ike.unique_id} {short_spi(ike.spi_i)}/{short_spi(ike.spi_r)}"


def _words(ike: IkeSnapshot) -> str:
    return proposal_words(ike.proposal) if ike.proposal is not None else "no proposal"


def _spis(child: ChildSnapshot) -> str:
    """Ours and theirs in hexadecimal, as `ip xfrm state` prints them."""
    if child.spec is None:
        return child.name
    return f"{child.spec.inbound.spi:08x}/{child.spec.outbound.spi:08x}"


def _suite(child: ChildSnapshot) -> str:
    transport = ", transport mode" if child.mode is Mode.TRANSPORT else ""
    return proposal_words(child.proposal) + transport + (", in UDP" if child.encap else "")


def _attempt(connection: str | None, child: str | None) -> str:
    if connection is None:
        return "an attempt of a peer's"
    return f"connection {connection}" + (f", child {child}" if child else "")
