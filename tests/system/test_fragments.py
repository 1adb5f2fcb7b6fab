"""IKE_AUTH with three RSA-4096 certificates over a path of 576 octets that drops IP fragments and a fifth of all packets.

    near -- 1500 -- mid -- 576 -- far

Our own sizes are the defaults: 1280 octets are tried first, and do not arrive. strongSwan tries no smaller size by itself,
so it is told. All times are short, and there are many tries: what is shown is that fragments get through, not how long a
line may be as bad as that before its peer is given up.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.deep_chain import DeepChain
from tests.lab.gateway import Gateway, await_true
from tests.lab.libreswan import Libreswan
from tests.lab.namespaces import add_addresses, crosses, inside, link, namespaces, sh, states
from tests.lab.strongswan import StrongSwan

Daemon = Gateway | StrongSwan | Libreswan
SECRET = "a secret between two ends of a narrow path"
COUPLES = [("ikepy", "ikepy"), ("ikepy", "strongswan"), ("strongswan", "ikepy")]
NAMES = [f"{near}-to-{far}" for near, far in COUPLES]
SPACES = "near", "mid", "far"
OUTER = {"near": "10.88.1.1", "far": "10.88.2.1"}
INNER = {"near": "172.29.1.1", "far": "172.29.2.1"}
OTHER = {"near": "far", "far": "near"}
MTU = 576
UP_WITHIN = 90.0
_TIMES = "[retransmission]\ntimeout = 1\nbase = 1.2\nlimit = 3\ntries = 25\n[daemon]\nhalf_open_timeout = 100\n"
_SWAN_TIMES = f"""retransmit_timeout = 1
  retransmit_base = 1.2
  retransmit_limit = 3
  retransmit_tries = 25
  half_open_timeout = 100
  fragment_size = {MTU}"""
DROP = "chain path { type filter hook prerouting priority -450; ip frag-off & 0x1fff != 0 counter drop; }"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> DeepChain:
    made = DeepChain(tmp_path_factory.mktemp("deep"))
    for side in OUTER:
        made.issue(f"{side}.lab")
    return made


@contextlib.contextmanager
def path() -> Iterator[None]:
    """The path."""
    with namespaces(*SPACES):
        first, second = link("near", "mid"), link("mid", "far")
        sh("ip", "-n", "mid", "link", "set", second[0], "mtu", str(MTU))
        sh("ip", "-n", "far", "link", "set", second[1], "mtu", str(MTU))
        inside("mid", lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
        add_addresses("mid", {first[1]: ["10.88.1.2/24"], second[0]: ["10.88.2.2/24"]})
        for side, end in (("near", first[0]), ("far", second[1])):
            add_addresses(side, {end: [f"{OUTER[side]}/24"], "lo": [f"{INNER[side]}/32"]})
            sh("ip", "-n", side, "route", "add", "default", "via", OUTER[side][:-1] + "2", "src", INNER[side])
            sh("ip", "-n", side, "route", "add", f"{OUTER[OTHER[side]]}/32", "via", OUTER[side][:-1] + "2")
        for space in ("mid", "far"):
            sh("ip", "netns", "exec", space, "nft", f"table inet lab {{ {DROP}; }}")
        yield


def lose(percent: int) -> None:
    """Lose so many packets in each direction; with 0 none."""
    for end in ("v-mid-near", "v-mid-far"):
        if percent:
            sh("tc", "-n", "mid", "qdisc", "replace", "dev", end, "root", "netem", "loss", f"{percent}%")
        else:
            sh("tc", "-n", "mid", "qdisc", "del", "dev", end, "root")


def make(kind: str, side: str, directory: Path, chain: DeepChain) -> Daemon:
    """A daemon that proves itself by three certificates."""
    directory.mkdir()
    if kind == "ikepy":
        gateway = Gateway(side, directory)
        gateway.configure(_TIMES + ikepy_conf(side, chain))
        return gateway
    swan = StrongSwan(side, directory, _SWAN_TIMES)
    swan.configure(swanctl_conf(side))
    home = directory / "swanctl"
    for authority in (chain.root, *chain.intermediates):
        shutil.copy(authority, home / "x509ca")
    shutil.copy(chain.root.parent / f"{side}.lab.cert.pem", home / "x509")
    shutil.copy(chain.root.parent / f"{side}.lab.key.pem", home / "private")
    return swan


def ikepy_conf(side: str, chain: DeepChain) -> str:
    files = chain.root.parent
    return f"""
[connections.tun]
remote_addrs = ["{OUTER[OTHER[side]]}"]
local = {{ auth = "pubkey", id = "{side}.lab", certs = "{files}/{side}.lab.chain.pem", key = "{files}/{side}.lab.key.pem" }}
remote = {{ auth = "pubkey", id = "{OTHER[side]}.lab", cacerts = "{chain.root}" }}
[connections.tun.children.net]
local_ts = ["{INNER[side]}/32"]
remote_ts = ["{INNER[OTHER[side]]}/32"]
esp_proposals = ["aes256gcm16"]
"""


def swanctl_conf(side: str) -> str:
    return f"""connections {{
  tun {{
    version = 2
    local_addrs = %any
    remote_addrs = {OUTER[OTHER[side]]}
    proposals = aes256gcm16-prfsha256-x25519
    local {{
      auth = pubkey
      id = {side}.lab
      certs = {side}.lab.cert.pem
    }}
    remote {{
      auth = pubkey
      id = {OTHER[side]}.lab
    }}
    children {{
      net {{
        local_ts = {INNER[side]}/32
        remote_ts = {INNER[OTHER[side]]}/32
        esp_proposals = aes256gcm16
      }}
    }}
  }}
}}
"""


@contextlib.contextmanager
def running(near: Daemon, far: Daemon) -> Iterator[None]:
    """Both daemons, meanwhile."""
    try:
        far.start()
        near.start()
        yield
    finally:
        near.stop()
        far.stop()


def begin(near: Daemon) -> None:
    """Have near begin, and wait as long as it takes."""
    if isinstance(near, Gateway):
        near.call("initiate", {"ike": "tun", "child": "net", "timeout": str(int(UP_WITHIN * 1000))})
    else:
        assert isinstance(near, StrongSwan)
        near.swanctl("--initiate", "--child", "net", "--timeout", str(int(UP_WITHIN)), check=False)


def story(near: Daemon, far: Daemon) -> str:
    return f"-- near\n{near.log()}\n-- far\n{far.log()}"


def assert_crosses(near: Daemon, far: Daemon) -> None:
    """Datagrams cross, and the states of both ends count them."""
    await_true("states on both sides", lambda: all(len(states(side)) == 2 for side in OUTER))
    before = counted()
    assert crosses("near", INNER["near"], "far", INNER["far"]) == 3, story(near, far)
    after = counted()
    assert all(after[spi] - before[spi] == 3 for spi in after), (before, after)


def counted() -> dict[tuple[str, str], int]:
    return {(side, state.spi): state.packets for side in OUTER for state in states(side)}


def dropped(space: str) -> int:
    """IP fragments that did not get through there."""
    found = re.search(r"counter packets (\d+)", sh("ip", "netns", "exec", space, "nft", "list", "table", "inet", "lab"))
    assert found is not None
    return int(found[1])


def fragments_in(log: str, arrow: str, kind: str) -> list[int]:
    """In how many fragments each IKE_AUTH message went, by our log."""
    return [int(count) for count in re.findall(rf"{arrow} IKE_AUTH {kind} 1, \d+ octets in (\d+) fragments", log)]


@pytest.mark.parametrize(("near_kind", "far_kind"), COUPLES, ids=NAMES)
@pytest.mark.parametrize("percent", [0, 20])
def test_three_certificates_get_through_a_narrow_path_that_loses_packets(
    tmp_path: Path, chain: DeepChain, near_kind: str, far_kind: str, percent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with path():
        near = make(near_kind, "near", tmp_path / "near", chain)
        far = make(far_kind, "far", tmp_path / "far", chain)
        with running(near, far):
            if percent:
                lose(percent)
            began = time.monotonic()
            begin(near)
            took = time.monotonic() - began
            if percent:
                lose(0)
            assert len(states("near")) == 2, story(near, far)
            with capsys.disabled():
                print(f"\n{near_kind} to {far_kind}, {percent} % lost: {took:.1f} s", end=" ")
            assert_crosses(near, far)
            for daemon, arrow, kind in ((near, ">", "request"), (far, ">", "response")):
                if isinstance(daemon, Gateway):
                    counts = fragments_in(daemon.log(), arrow, kind)
                    assert counts, story(near, far)
                    assert counts[-1] >= 10, counts
            if near_kind == "ikepy" and not percent:
                assert dropped("far") > 0, "1280 octets are tried first, and become IP fragments"
            if far_kind == "ikepy" and not percent:
                assert dropped("mid") == 0, "the peer's fragments have told which size comes through"
        assert not states("near")


@pytest.mark.parametrize("far_kind", ["ikepy", "strongswan", "libreswan"])
def test_a_tunnel_made_and_rekeyed_in_fragments_comes_up_lives_and_ends(tmp_path: Path, far_kind: str) -> None:
    with path():
        near = Gateway("near", tmp_path / "near")
        near.configure(forced("near"))
        far = make_forced_far(far_kind, tmp_path / "far")
        with running(near, far):
            begin(near)
            assert_crosses(near, far)
            near.rekey("tun", "net")
            await_true("the old child is gone", lambda: all(len(states(side)) == 2 for side in OUTER), 20)
            near.rekey("tun")
            assert_crosses(near, far)
            assert re.search(r"> CREATE_CHILD_SA request \d+, \d+ octets in [2-9] fragments", near.log()), near.log()
        assert not states("near")
        assert not states("far")


def forced(side: str) -> str:
    """The connection with a pre-shared key, all in fragments of 256 octets."""
    return f"""
[daemon]
fragment_size = 256
[connections.tun]
remote_addrs = ["{OUTER[OTHER[side]]}"]
fragmentation = "force"
local = {{ auth = "psk", id = "{side}.lab" }}
remote = {{ auth = "psk", id = "{OTHER[side]}.lab" }}
[connections.tun.children.net]
local_ts = ["{INNER[side]}/32"]
remote_ts = ["{INNER[OTHER[side]]}/32"]
esp_proposals = ["aes256gcm16"]
[secrets.tun]
ids = ["near.lab", "far.lab"]
secret = "{SECRET}"
"""


def make_forced_far(kind: str, directory: Path) -> Daemon:
    """Who answers, with a pre-shared key."""
    if kind == "ikepy":
        gateway = Gateway("far", directory)
        gateway.configure(forced("far"))
        return gateway
    if kind == "strongswan":
        swan = StrongSwan("far", directory, _SWAN_TIMES)
        without = "\n".join(line for line in swanctl_conf("far").splitlines() if "certs =" not in line)
        secret = f'ike-tun {{\n    id-1 = near.lab\n    id-2 = far.lab\n    secret = "{SECRET}"\n  }}'
        swan.configure(without.replace("auth = pubkey", "auth = psk") + f"\nsecrets {{\n  {secret}\n}}\n")
        return swan
    lines = (
        "conn tun",
        f"left={OUTER['far']}",
        "leftid=@far.lab",
        f"leftsubnet={INNER['far']}/32",
        f"right={OUTER['near']}",
        "rightid=@near.lab",
        f"rightsubnet={INNER['near']}/32",
        "authby=secret",
        "ikev2=insist",
        "ike=aes_gcm256-sha2_256-dh31",  # IKE_SA_INIT is never cut, and with a MODP group it would not come through
        "esp=aes_gcm256",
        "pfs=no",
        "leftupdown=%disabled",
        "auto=ignore",
    )
    directory.mkdir()
    libre = Libreswan("far", directory)
    libre.configure("\n\t".join(lines) + "\n", f'@far.lab @near.lab : PSK "{SECRET}"\n', ("tun",))
    return libre
