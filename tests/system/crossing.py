"""Crossings on purpose: ikepy and strongSwan with 200 ms between them each way, both told to rekey at once.

Who has the lowest of the four nonces is chance: it is done again and again until each of the four has been it, read
from the captured exchanges with the keys of our keylog. Nothing in either daemon is told to be unlucky.

Used by test_crossings.py, and by tests/captures/record.py to record what it shows.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ikepy.wire.message import Message, parse_message
from ikepy.wire.payloads import Nonce
from ikepy.wire.registry import ExchangeType
from tests.lab.capturing import capturing
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import add_addresses, link, namespaces, sh, states
from tests.lab.strongswan import StrongSwan
from tests.support.pcap import read_ike
from tests.support.recorded import Recording, keys_as_toml
from tests.system.cases import CASES, ikepy_conf
from tests.system.cast import addresses, make_peer, route_to_us

CASE = next(case for case in CASES if case.name == "psk-gcm")
NAME = CASE.connection("strongswan")
LEFT, RIGHT = "xl", "xs"
DELAY = "200ms"
FOUR = ["our Ni", "our Nr", "their Ni", "their Nr"]
MOST = 40
"Times it is tried at most until each nonce has been the lowest."


class Kind(Enum):
    """What both rekey."""

    CHILD = "child"
    IKE = "ike"


@dataclass
class Crossing:
    """Both sides with the line between them."""

    left: Gateway
    swan: StrongSwan
    scratch: Path
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the last crossing was captured."""
        return self.scratch / "once"

    def until_each_was_lowest(self, kind: Kind) -> None:
        """Cross until each of the four nonces has been the lowest one."""
        for _ in range(MOST):
            lowest = self.once(kind)
            if lowest is not None:
                self.seen[lowest] = self.seen.get(lowest, 0) + 1
            if sorted(self.seen) == FOUR:
                return
        raise AssertionError(f"after {MOST} tries only {self.seen}")

    def once(self, kind: Kind) -> str | None:
        """Cross once, and come to rest; whose nonce was the lowest, None where the requests did not cross."""
        folder = self.folder
        folder.mkdir(exist_ok=True)
        with capturing(LEFT, f"v-{LEFT}-{RIGHT}", folder / "session.pcap"):
            self._tell_both(kind)
            time.sleep(1.2)
            await_true("it is at rest", self.is_at_rest, 20)
        keylog = (self.scratch / "keylog").read_text()
        (folder / "keys.toml").write_text(keys_as_toml(keylog, ""))
        return lowest_nonce(Recording(folder))

    def is_at_rest(self) -> bool:
        """Whether both have one IKE SA with one child, and nothing is under way."""
        _, seen = self.left.call("list-sas", {}, ("list-sa",))
        theirs = self.swan.swanctl("--list-sas")
        ours = [section[NAME] for section in seen]
        if len(ours) != 1 or theirs.count("ESTABLISHED") != 1 or theirs.count("INSTALLED") != 1:
            return False
        (sa,) = ours
        assert isinstance(sa, dict)
        children = sa["child-sas"]
        assert isinstance(children, dict)
        calm = "tasks-active" not in sa and "tasks-queued" not in sa
        return calm and [child["state"] for child in children.values() if isinstance(child, dict)] == ["INSTALLED"]

    def _tell_both(self, kind: Kind) -> None:
        what = ["--ike", NAME] + (["--child", "net"] if kind is Kind.CHILD else [])
        command = ["swanctl", "--rekey", "--uri", f"unix://{self.swan.directory}/charon.vici", *what]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(0.06)
            self.left.rekey(NAME, "net" if kind is Kind.CHILD else None)
            process.wait(10)


@contextlib.contextmanager
def crossing(scratch: Path) -> Iterator[Crossing]:
    """Both sides up, with a tunnel between them, on a slow line."""
    (scratch / "certificates").mkdir()
    left = Gateway(LEFT, scratch / "left")
    text = ikepy_conf([("strongswan", CASE)], str(scratch))
    left.configure(f'[daemon]\nkeylog = "{scratch}/keylog"\n\n{text}')
    swan = make_peer("strongswan", scratch / "peer", scratch / "certificates", [CASE], namespace=RIGHT)
    assert isinstance(swan, StrongSwan)
    with namespaces(LEFT, RIGHT):
        ends = link(LEFT, RIGHT)
        for side, (namespace, end) in enumerate(zip((LEFT, RIGHT), ends, strict=True), 1):
            add_addresses(namespace, addresses("strongswan", [CASE], side, end))
        route_to_us("strongswan", CASE, RIGHT)
        left.start()
        swan.start()
        try:
            left.up(NAME)
            for namespace, end in zip((LEFT, RIGHT), ends, strict=True):
                sh("tc", "-n", namespace, "qdisc", "add", "dev", end, "root", "netem", "delay", DELAY)
            yield Crossing(left, swan, scratch)
            left.down(NAME)
            await_true("nothing is left", lambda: not states(LEFT))
        finally:
            left.stop()
            swan.stop()


def lowest_nonce(recording: Recording) -> str | None:
    """Whose nonce is the lowest of two crossing exchanges: `our Ni`, `our Nr` (our request's answer), `their Ni`, ...

    None where no two exchanges crossed.
    """
    nonces: dict[bytes, str] = {}
    requests: dict[tuple[bytes, int, bool], str] = {}
    for is_ours, message in _create_child_messages(recording):
        nonce, header = message.first(Nonce), message.header
        if nonce is None:
            continue
        if not header.is_response:
            who = "our" if is_ours else "their"
            requests[header.spi_i, header.message_id, is_ours] = who
            nonces[nonce.octets] = f"{who} Ni"
        elif (header.spi_i, header.message_id, not is_ours) in requests:
            nonces[nonce.octets] = f"{requests[header.spi_i, header.message_id, not is_ours]} Nr"
    return nonces[min(nonces)] if sorted(nonces.values()) == FOUR else None


def _create_child_messages(recording: Recording) -> Iterator[tuple[bool, Message]]:
    """Each message of CREATE_CHILD_SA, and whether we sent it."""
    us = CASE.addresses("strongswan").outer(1)
    for datagram, octets in read_ike(recording.pcap):
        header = parse_message(octets).header
        table = recording.tables.get((header.spi_i, header.spi_r))
        if header.exchange is ExchangeType.CREATE_CHILD_SA and table is not None:
            yield str(datagram.source) == us, Message(header, table.open(octets).payloads)
