"""Record ikepy with packaged peers: captures/<peer>-<story>/{session.pcap, keys.toml, story.md}.

    tests/lab/run.sh .venv/bin/python tests/captures/record.py [FOLDER...]

Each story has daemons of its own that know nothing but its one connection. What is recorded is what the cable carried:
UDP 500 and 4500, and ESP. The keys are those of that one session, of secrets made for the lab.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from tests.captures.stories import STORIES, Story
from tests.lab.capturing import capturing
from tests.lab.gateway import Gateway, await_true
from tests.lab.libreswan import Libreswan
from tests.lab.namespaces import add_addresses, crosses, link, namespaces, sh, states
from tests.lab.strongswan import StrongSwan
from tests.support.pcap import read_ike
from tests.support.recorded import Recording, keys_as_toml
from tests.system.cases import ikepy_conf
from tests.system.cast import NAMESPACES, Peer, addresses, issue_certificates, make_peer, route_to_us
from tests.system.crossing import MOST, Kind, crossing
from tests.system.rekeys import rekeys

CAPTURES = CHECKOUT / "captures"


def main(wanted: list[str]) -> int:
    """Record the stories named, or all."""
    record_crossings([story for story in STORIES if story.lowest and (not wanted or story.folder in wanted)])
    for story in STORIES:
        if not story.lowest and (not wanted or story.folder in wanted):
            with tempfile.TemporaryDirectory() as scratch:
                record(story, Path(scratch), CAPTURES / story.folder)
            print(f"{story.folder}: {len(read_ike(CAPTURES / story.folder / 'session.pcap'))} IKE messages", flush=True)
    return 0


def record_crossings(stories: list[Story]) -> None:
    """Have both rekey at once until each story has happened, and keep each the first time."""
    for kind in Kind:
        missing = {story.lowest: story for story in stories if story.renews == kind.value}
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as scratch, crossing(Path(scratch)) as both:
            for _ in range(MOST):
                story = missing.pop(both.once(kind) or "", None)
                if story is not None:
                    into = CAPTURES / story.folder
                    into.mkdir(parents=True, exist_ok=True)
                    for name in ("session.pcap", "keys.toml"):
                        shutil.copyfile(both.folder / name, into / name)
                    keep_only_own_keys(into)
                    (into / "story.md").write_text(told(story, both.left, both.swan, into))
                    print(f"{story.folder}: recorded", flush=True)
                if not missing:
                    break
        if missing:
            raise SystemExit(f"after {MOST} tries these have not happened: {sorted(missing)}")


def keep_only_own_keys(into: Path) -> None:
    """Leave out the keys of IKE SAs that are not in the capture."""
    there = {octets[:8].hex() for _, octets in read_ike(into / "session.pcap")}
    head, *tables = (into / "keys.toml").read_text().split("[[")
    kept = [table for table in tables if any(f'spi_i = "{spi}"' in table for spi in there)]
    (into / "keys.toml").write_text("[[".join([head, *kept]))


def record(story: Story, scratch: Path, into: Path) -> None:
    """Play one story and keep it."""
    left, peer = cast(story, scratch)
    there = NAMESPACES[story.peer]
    with namespaces("left", there):
        ends = link("left", there)
        for side, (namespace, end) in enumerate(zip(("left", there), ends, strict=True), 1):
            add_addresses(namespace, addresses(story.peer, [story.case], side, end))
        route_to_us(story.peer, story.case)
        with capturing("left", ends[0], scratch / "session.pcap"):
            left.start()
            peer.start()
            try:
                play(story, left, peer)
            finally:
                left.stop()
                peer.stop()
    into.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(scratch / "session.pcap", into / "session.pcap")
    esp = scratch / "keylog.esp_sa"
    (into / "keys.toml").write_text(
        keys_as_toml((scratch / "keylog").read_text(), esp.read_text() if esp.exists() else "")
    )
    (into / "story.md").write_text(told(story, left, peer, into))


def cast(story: Story, scratch: Path) -> tuple[Gateway, Peer]:
    """Both sides, configured for this story alone."""
    certificates = scratch / "certificates"
    certificates.mkdir()
    issue_certificates(certificates, [(story.peer, story.case)])
    text = ikepy_conf([(story.peer, story.case)], str(certificates))
    if story.changed is not None:
        text = text.replace(*story.changed)
    left = Gateway("left", scratch / "left")
    left.configure(f'[daemon]\nkeylog = "{scratch}/keylog"\n\n{text}')
    return left, make_peer(story.peer, scratch / "peer", certificates, [story.case])


def play(story: Story, left: Gateway, peer: Peer) -> None:
    """Up, three packets there and back in each child, down."""
    name, there = story.case.connection(story.peer), NAMESPACES[story.peer]
    if story.fails:
        with contextlib.suppress(AssertionError):
            left.up(name)
        return
    if story.we_begin:
        left.up(name)
    else:
        for child in story.case.children:
            peer.up(name, child)
    await_true("all children are installed", lambda: len(states("left")) == 2 * len(story.case.children))
    at = story.case.addresses(story.peer)
    for number in range(len(story.case.children)):
        came = crosses("left", at.inner(1, number), there, at.inner(2, number), port=story.case.port or 5001, count=3)
        assert came == 3, f"{story.folder}: {came} of 3 came back\n{left.log()}\n{peer.log()}"
    if story.renews:
        renew(story, left, peer)
        assert crosses("left", at.inner(1), there, at.inner(2), count=3) == 3, f"{story.folder}\n{left.log()}"
    (left if story.we_begin else peer).down(name)
    await_true("nothing is left", lambda: not states("left"))


def renew(story: Story, left: Gateway, peer: Peer) -> None:
    """Rekey or reauthenticate, and wait until it is done."""
    name = story.case.connection(story.peer)
    before = {state.spi for state in states("left")}
    ikes = left.call("list-sas", {}, ("list-sa",))[1][0][name]
    if story.renews == "reauth":
        left.rekey(name, reauth=True)
    else:
        of_child, of_ike = rekeys(left if story.we_begin else peer, name)
        (of_child if story.renews == "child" else of_ike)()
    if story.renews == "child":
        await_true("the child is rekeyed", lambda: len({state.spi for state in states("left")} - before) == 2, 12)
    else:
        assert isinstance(ikes, dict)
        old = ikes["initiator-spi"]
        await_true("the IKE SA is another", lambda: old not in spis_of(left, name), 12)
    time.sleep(1.5)


def spis_of(left: Gateway, name: str) -> list[object]:
    """The initiator SPIs of a connection's IKE SAs; of none, none is another."""
    found = [section[name] for section in left.call("list-sas", {}, ("list-sa",))[1]]
    return [sa["initiator-spi"] for sa in found if isinstance(sa, dict)]


# -- story.md ------------------------------------------------------------------------------------------------------


def told(story: Story, left: Gateway, peer: Peer, folder: Path) -> str:
    """The story in words: versions, what was said, both configurations."""
    said = "\n".join(Recording(folder).lines())
    theirs = "\n\n".join(f"`{name}`:\n\n```\n{text.strip()}\n```" for name, text in peer_files(peer))
    scratch = str(left.directory.parent)
    ours = left.conf.read_text().strip().replace(scratch, "/etc/ikepy")
    return f"""# {story.folder}: {story.is_pair_of_roles}

{story.what}

| | |
| --- | --- |
| ikepy (left) | {sh(sys.executable, "-m", "ikepy", "--version").strip()} |
| {story.peer} (right) | {peer_version(peer)} |
| kernel | Linux {os.uname().release} |

## What was said

```
{said}
```

## ikepy

```toml
{ours}
```

## {story.peer}

{theirs.replace(scratch, "/etc")}
"""


def peer_files(peer: Peer) -> list[tuple[str, str]]:
    """The peer's configuration files."""
    match peer:
        case StrongSwan():
            paths = [peer.directory / "swanctl" / "swanctl.conf"]
        case Libreswan():
            paths = [peer.directory / "ipsec.conf", peer.directory / "ipsec.secrets"]
        case _:
            paths = [peer.conf]
    return [(path.name, path.read_text()) for path in paths]


def peer_version(peer: Peer) -> str:
    """What the peer is."""
    match peer:
        case StrongSwan():
            return "strongSwan " + sh("dpkg-query", "-W", "-f", "${Version}", "charon-systemd")
        case Libreswan():
            return peer.version().splitlines()[0]
    return sh(sys.executable, "-m", "ikepy", "--version").strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
