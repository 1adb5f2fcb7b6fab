"""What CAs say is fetched from where certificates say: over a real network, from servers that answer and one that hangs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikepy.pki.making import KeyKind
from ikepy.pki.store import Pki
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import add_addresses, kill, link, namespaces, sh, spawn, states

NEAR, FAR = "west", "east"
HERE, THERE = "198.51.100.1", "198.51.100.2"
SECRET = "a secret of the lab and of nothing else"
HANGING = "import socket,time; s=socket.create_server(('198.51.100.2',8081)); k=[]\nwhile True: k.append(s.accept())"
PEOPLE = {"good": 1, "gone": 2, "slow": 3}


@pytest.fixture
def room() -> Iterator[None]:
    with namespaces(NEAR, FAR):
        for (name, end), outer in zip(zip((NEAR, FAR), link(NEAR, FAR), strict=True), (HERE, THERE), strict=True):
            inner = [f"10.{1 if name == NEAR else 2}.0.{number}/32" for number in range(1, 5)]
            add_addresses(name, {end: [f"{outer}/24"], "lo": inner})
        yield


def certified(name: str, number: int, *, is_ours: bool, place: Path, more: str = "") -> str:
    """A connection by certificates, of one side."""
    us, them = ("gate", name) if is_ours else (name, "gate")
    near, far = (HERE, THERE) if is_ours else (THERE, HERE)
    ca = "slow" if name == "slow" else "quick"
    own = "quick" if is_ours else ca
    return f"""
[connections.{name}]
local_addrs = ["{near}"]
{"" if is_ours else f'remote_addrs = ["{far}"]'}
keyingtries = 1
local = {{ auth = "pubkey", id = "{us}.lab", certs = ["{place}/{own}/certs/{us}.lab.pem"], key = "{place}/{own}/private/{us}.lab.key" }}
remote = {{ auth = "pubkey", id = "{them}.lab", cacerts = ["{place}/{ca if is_ours else "quick"}/ca.pem"]{more} }}
[connections.{name}.children.net]
local_ts = ["10.{1 if is_ours else 2}.0.{number}/32"]
remote_ts = ["10.{2 if is_ours else 1}.0.{number}/32"]
"""


def keyed(*, is_ours: bool) -> str:
    near, far = ("1", "2") if is_ours else ("2", "1")
    to = "" if is_ours else f'remote_addrs = ["{HERE}"]'
    return f"""
[connections.keyed]
{to}
local = {{ auth = "psk", id = "k{near}.lab" }}
remote = {{ auth = "psk", id = "k{far}.lab" }}
[connections.keyed.children.net]
local_ts = ["10.{near}.0.4/32"]
remote_ts = ["10.{far}.0.4/32"]
[secrets.keyed]
secret = "{SECRET}"
"""


def issue(place: Path) -> None:
    """Two CAs: one whose list is served, one whose list hangs."""
    for ca, url, names in (
        ("quick", f"http://{THERE}:8080/crl.der", ("gate", "good", "gone")),
        ("slow", f"http://{THERE}:8081/crl.der", ("slow",)),
    ):
        pki = Pki(place / ca)
        pki.init(f"{ca} CA", KeyKind.P256, crl_url=url)
        for name in names:
            pki.issue_server([f"{name}.lab"], KeyKind.P256)
        if ca == "quick":
            pki.revoke("gone.lab")
        pki.make_crl()


@pytest.mark.usefixtures("room")
def test_a_ca_is_asked_and_one_that_hangs_delays_nobody_else(tmp_path: Path) -> None:
    issue(tmp_path)
    ours, theirs = Gateway(NEAR, tmp_path / "near"), Gateway(FAR, tmp_path / "far")
    strict = ', revocation = "strict"'
    ways = [(name, number, "" if name == "slow" else strict) for name, number in PEOPLE.items()]
    ours.configure(
        "".join(certified(name, number, is_ours=True, place=tmp_path, more=more) for name, number, more in ways)
        + keyed(is_ours=True)
    )
    theirs.configure(
        "".join(certified(name, number, is_ours=False, place=tmp_path) for name, number in PEOPLE.items())
        + keyed(is_ours=False)
    )
    web = [sys.executable, "-m", "http.server", "8080", "--bind", THERE, "--directory", str(tmp_path / "quick")]
    inside = ("ip", "netns", "exec", FAR)
    servers = [
        spawn([*inside, *web], tmp_path / "web.log"),
        spawn([*inside, sys.executable, "-c", HANGING], tmp_path / "hanging.log"),
    ]
    try:
        await_true("the servers listen", lambda: all(port in listeners() for port in (":8080", ":8081")))
        ours.start()
        theirs.start()
        theirs.up("good", "net")
        assert len(states(NEAR)) == 2
        assert (tmp_path / "near/run/state/revocation").is_dir()
        with pytest.raises(AssertionError, match="AUTHENTICATION_FAILED"):
            theirs.up("gone", "net")
        assert f"says http://{THERE}:8080/crl.der" in ours.log()
        waiting = spawn(theirs_up(theirs, "slow"), tmp_path / "up.log")
        await_true("the slow one is asked for", lambda: "slow" in ours.ikepy("status"), 5)
        theirs.up("keyed", "net")
        assert "does not answer within" not in ours.log(), "the other waits still"
        await_true("the slow one is in, too", lambda: len(states(NEAR)) == 6, 20)
        assert "is taken, though" in ours.log()
        waiting.wait(20)
    finally:
        theirs.stop()
        ours.stop()
        for server in servers:
            kill(server)


def theirs_up(gateway: Gateway, connection: str) -> list[str]:
    """The command that brings a connection up, for who does not wait for it."""
    return [sys.executable, "-m", "ikepy", "--run-dir", str(gateway.run_directory), "up", connection]


def listeners() -> str:
    return sh("ip", "netns", "exec", FAR, "ss", "-ltn")
