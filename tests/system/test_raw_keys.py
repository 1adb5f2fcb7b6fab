"""Raw public keys with real peers: no certificate anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import add_addresses, crosses, link, namespaces, sh, states
from tests.lab.strongswan import StrongSwan

NEAR, FAR = "west", "east"
OUTER = ("198.51.100.1", "198.51.100.2")
INNER = ("10.1.0.1", "10.2.0.1")
KINDS = {"rsa": ("RSA", "rsa_keygen_bits:2048"), "ecdsa": ("EC", "ec_paramgen_curve:P-256"), "ed25519": ("ED25519", "")}

OURS = """
[connections.raw]
{to}
local = {{ auth = "pubkey", id = "{own}.lab", key = "{place}/{own}.key" }}
remote = {{ auth = "pubkey", id = "{peer}.lab", pubkeys = ["{place}/{peer}.pub"] }}
[connections.raw.children.net]
local_ts = ["{near}/32"]
remote_ts = ["{far}/32"]
"""
SWANCTL = """
connections {
  raw {
    remote_addrs = 198.51.100.1
    local {
      auth = pubkey
      id = far.lab
      pubkeys = far.pub
    }
    remote {
      auth = pubkey
      id = near.lab
      pubkeys = near.pub
    }
    children {
      net {
        local_ts = 10.2.0.1/32
        remote_ts = 10.1.0.1/32
      }
    }
  }
}
"""


@pytest.fixture(scope="module", autouse=True)
def room() -> Iterator[None]:
    with namespaces(NEAR, FAR):
        ends = link(NEAR, FAR)
        for name, end, outer, inner in zip((NEAR, FAR), ends, OUTER, INNER, strict=True):
            add_addresses(name, {end: [f"{outer}/24"], "lo": [f"{inner}/32"]})
        yield


def make_keys(place: Path, kind: str) -> None:
    """Both ends' keys, by openssl as its users would."""
    algorithm, option = KINDS[kind]
    for name in ("near", "far"):
        key = str(place / f"{name}.key")
        options = ("-pkeyopt", option) if option else ()
        sh("openssl", "genpkey", "-quiet", "-algorithm", algorithm, *options, "-out", key)
        Path(key).chmod(0o600)
        sh("openssl", "pkey", "-in", key, "-pubout", "-out", str(place / f"{name}.pub"))


def far_end(kind: str, place: Path) -> Gateway | StrongSwan:
    if kind == "ikepy":
        gateway = Gateway(FAR, place / "daemon")
        to = f'remote_addrs = ["{OUTER[0]}"]'
        gateway.configure(OURS.format(to=to, own="far", peer="near", place=place, near=INNER[1], far=INNER[0]))
        return gateway
    swan = StrongSwan(FAR, place / "swan", routes=True)
    keys = swan.directory / "swanctl" / "pubkey"
    keys.mkdir()
    for name in ("near", "far"):
        (keys / f"{name}.pub").write_bytes((place / f"{name}.pub").read_bytes())
    (swan.directory / "swanctl/private/far.key").write_bytes((place / "far.key").read_bytes())
    swan.configure(SWANCTL)
    return swan


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize("kind", ["ikepy", "strongswan"])
def test_two_keys_make_a_tunnel(kind: str, key: str, tmp_path: Path) -> None:
    make_keys(tmp_path, key)
    near, far = Gateway(NEAR, tmp_path / "near"), far_end(kind, tmp_path)
    near.configure(OURS.format(to="", own="near", peer="far", place=tmp_path, near=INNER[0], far=INNER[1]))
    try:
        near.start()
        far.start()
        far.up("raw", "net")
        await_true("packets cross", lambda: crosses(NEAR, INNER[0], FAR, INNER[1]) == 3, 10)
        assert len(states(NEAR)) == 2
        assert "raw public key" in near.log()
    finally:
        near.stop()
        far.stop()
