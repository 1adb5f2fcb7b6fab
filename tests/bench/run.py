"""make bench: CPU of a responder for one IKE_SA_INIT + IKE_AUTH with one child, ikepy beside Debian's charon.

One load generator drives both in turn, on one real kernel: PSK, Curve25519, AES-256-GCM for IKE and for ESP. Times are
user and system from /proc, of all threads, over many set-ups; what matters is the ratio of one run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rich.console import Console
from rich.table import Table

from tests.bench import micro
from tests.lab.gateway import Gateway
from tests.lab.namespaces import add_addresses, link, namespaces, sh
from tests.lab.strongswan import StrongSwan
from tests.support.pair import SECRET

WARM_UP, SET_UPS, ROUNDS = 50, 400, 3
PEER = "10.99.0.2"
_TICK = os.sysconf("SC_CLK_TCK")
_IKEPY = f"""
[connections.load]
local_addrs = ["{PEER}"]
proposals = ["aes256gcm16-prfsha256-x25519"]
local = {{ auth = "psk", id = "responder.bench" }}
remote = {{ auth = "psk" }}
[connections.load.children.net]
local_ts = ["10.200.0.0/16"]
remote_ts = ["10.0.0.0/8"]
esp_proposals = ["aes256gcm16"]
[secrets.load]
secret = "{SECRET.reveal().decode()}"
"""
_SWANCTL = f"""connections {{
  load {{
    version = 2
    local_addrs = {PEER}
    remote_addrs = %any
    proposals = aes256gcm16-prfsha256-x25519
    rekey_time = 0
    local {{
      auth = psk
      id = responder.bench
    }}
    remote {{
      auth = psk
    }}
    children {{
      net {{
        local_ts = 10.200.0.0/16
        remote_ts = 10.0.0.0/8
        esp_proposals = aes256gcm16
        rekey_time = 0
      }}
    }}
  }}
}}
secrets {{
  ike-load {{
    secret = "{SECRET.reveal().decode()}"
  }}
}}
"""


@dataclass
class Cost:
    """What the set-ups cost a responder."""

    microseconds: float
    octets: float
    a_second: float


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident(pid: int) -> int:
    """Resident octets of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def load(count: int, first: int) -> float:
    """Run the load; set-ups a second."""
    said = sh(
        "ip",
        "netns",
        "exec",
        "load",
        sys.executable,
        "-m",
        "tests.bench.load",
        PEER,
        str(count),
        str(first),
        timeout=300,
    )
    done, seconds = said.split()[-2:]
    return int(done) / float(seconds)


def measure(pid: int, first: int) -> Cost:
    """Warm up, then count."""
    load(WARM_UP, first)
    cpu, memory = cpu_seconds(pid), resident(pid)
    rate = load(SET_UPS, first + WARM_UP)
    return Cost((cpu_seconds(pid) - cpu) / SET_UPS * 1e6, (resident(pid) - memory) / SET_UPS, rate)


def responders(directory: Path) -> dict[str, list[Cost]]:
    """Both in turn, several rounds, each round with fresh processes."""
    costs: dict[str, list[Cost]] = {"ikepy": [], "charon": []}
    for number in range(ROUNDS):
        gateway = Gateway("peer", directory / f"ikepy{number}")
        gateway.configure(_IKEPY)
        gateway.start()
        costs["ikepy"].append(measure(gateway.pid, 0))
        gateway.stop(30)
        swan = StrongSwan("peer", directory / f"swan{number}", routes=True)
        swan.configure(_SWANCTL)
        swan.start()
        costs["charon"].append(measure(swan.pid, 0))
        swan.stop()
        sh("ip", "-n", "peer", "xfrm", "state", "flush")
        sh("ip", "-n", "peer", "xfrm", "policy", "flush")
    return costs


def main() -> None:
    """Measure and print."""
    console = Console(width=110, highlight=False)
    with tempfile.TemporaryDirectory() as directory, namespaces("load", "peer"):
        ends = link("load", "peer")
        add_addresses("load", {ends[0]: ["10.99.0.1/24"]})
        add_addresses("peer", {ends[1]: [f"{PEER}/24"], "lo": ["10.200.0.1/32"]})
        costs = responders(Path(directory))
    table = Table(title=f"responder, {SET_UPS} set-ups, median of {ROUNDS} rounds")
    for title in ("", "CPU a set-up, us", "memory a set-up, KiB", "set-ups a second"):
        table.add_column(title, justify="left" if not title else "right")
    middle = {name: sorted(each, key=lambda cost: cost.microseconds)[ROUNDS // 2] for name, each in costs.items()}
    for name, cost in middle.items():
        table.add_row(name, f"{cost.microseconds:.0f}", f"{cost.octets / 1024:.1f}", f"{cost.a_second:.0f}")
    ratio = [
        ours.microseconds / theirs.microseconds for ours, theirs in zip(costs["ikepy"], costs["charon"], strict=True)
    ]
    table.add_row("ratio", f"{middle['ikepy'].microseconds / middle['charon'].microseconds:.2f}", "", "")
    console.print(table)
    console.print("ratio round by round: " + ", ".join(f"{each:.2f}" for each in ratio))
    calls = Table(title="one call, best of several rounds")
    calls.add_column("what")
    calls.add_column("us", justify="right")
    for what, cost in micro.run():
        calls.add_row(what, f"{cost:.1f}")
    console.print(calls)


if __name__ == "__main__":
    main()
