"""Two gateways with one connection between them, and nothing else: ikepy near, an ikepy or a strongSwan far.

For tests that take something away: the cable, the addresses, a daemon, what a name says. Many pairs can be there at once.

Rule 1: the times are short (a peer is given up after 6 s, looked for after 2 s of silence), so that tests are.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import add_addresses, crosses, link, sh, states, udp
from tests.lab.strongswan import StrongSwan

SECRET = "a secret of a pair and of nothing else"
IDENTITIES = ("near.lab", "far.lab")
STAYS = 12.0
"Seconds until of states that were replaced nothing is left."
_TIMES = "[retransmission]\ntimeout = 0.5\nbase = 1.5\nlimit = 2\ntries = 4\n"
_SWAN_TIMES = """retransmit_timeout = 0.5
  retransmit_base = 1.5
  retransmit_limit = 2
  retransmit_tries = 4
  retry_initiate_interval = 2"""


@dataclass
class Wanted:
    """What one of both is configured with: its peer's addresses, whether it begins, and more children."""

    remote_addrs: tuple[str, ...] = ()
    begins: str = "none"
    more: str = ""


@dataclass(eq=False)
class Pair:
    """One pair, by its number and the peer's kind; `begin` makes it, and `end` takes it away."""

    number: int
    peer: str
    directory: Path
    near: Wanted = field(default_factory=Wanted)
    far: Wanted = field(default_factory=Wanted)

    def __post_init__(self) -> None:
        self.spaces = f"near{self.number}", f"far{self.number}"
        self.ends = f"v-{self.spaces[0]}-{self.spaces[1]}", f"v-{self.spaces[1]}-{self.spaces[0]}"
        self.left = Gateway(self.spaces[0], self.directory / "near")
        self.right = self._make_right()

    def __str__(self) -> str:
        begins = "ikepy begins" if self.near.begins != "none" else "the peer begins"
        return f"{self.peer}, {begins}"

    # -- where it takes place ------------------------------------------------------------------------------------

    def outer(self, side: int) -> str:
        """The outer address of near (1), of far (2), of nobody or what far gets later (3)."""
        return f"10.77.{self.number}.{side}"

    def inner(self, side: int) -> str:
        """The inner address of a side."""
        return f"172.{26 + side}.{self.number}.1"

    def network(self, side: int) -> str:
        """The network behind a side."""
        return f"172.{26 + side}.{self.number}.0/24"

    def lay(self) -> None:
        """Cable, addresses, and the peer's route where it installs none itself."""
        link(*self.spaces)
        for side in (1, 2):
            outer, inner = [f"{self.outer(side)}/24"], [f"{self.inner(side)}/32"]
            add_addresses(self.spaces[side - 1], {self.ends[side - 1]: outer, "lo": inner})
        self.route()

    def route(self) -> None:
        """The peer's route to us: in the lab a strongSwan installs none."""
        if self.peer == "strongswan":
            how = ["via", self.outer(1), "src", self.inner(2)]
            sh("ip", "-n", self.spaces[1], "route", "replace", self.network(1), *how)

    # -- configuring ---------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """Write both configurations."""
        self.left.configure(self._ikepy(1, self.near))
        if isinstance(self.right, StrongSwan):
            self.right.configure(self._swanctl())
        else:
            self.right.configure(self._ikepy(2, self.far))

    def _make_right(self) -> Gateway | StrongSwan:
        if self.peer == "strongswan":
            return StrongSwan(self.spaces[1], self.directory / "far", _SWAN_TIMES)
        return Gateway(self.spaces[1], self.directory / "far")

    def _ikepy(self, side: int, wanted: Wanted) -> str:
        other = 3 - side
        remote = ", ".join(f'"{each}"' for each in wanted.remote_addrs or (self.outer(other),))
        mine, theirs = IDENTITIES[side - 1], IDENTITIES[other - 1]
        return f"""{_TIMES}
[connections.pair]
remote_addrs = [{remote}]
dpd_delay = "2s"
local = {{ auth = "psk", id = "{mine}" }}
remote = {{ auth = "psk", id = "{theirs}" }}
[connections.pair.children.net]
local_ts = ["{self.network(side)}"]
remote_ts = ["{self.network(other)}"]
esp_proposals = ["aes256gcm16"]
start_action = "{wanted.begins}"
{wanted.more}
[secrets.pair]
ids = ["near.lab", "far.lab"]
secret = "{SECRET}"
"""

    def _swanctl(self) -> str:
        begins = self.far.begins
        dead = "clear" if begins == "none" else begins
        return f"""connections {{
  pair {{
    version = 2
    keyingtries = 0
    local_addrs = %any
    remote_addrs = {", ".join(self.far.remote_addrs) or self.outer(1)}
    dpd_delay = 2s
    local {{
      auth = psk
      id = far.lab
    }}
    remote {{
      auth = psk
      id = near.lab
    }}
    children {{
      net {{
        local_ts = {self.network(2)}
        remote_ts = {self.network(1)}
        esp_proposals = aes256gcm16
        start_action = {begins}
        dpd_action = {dead}
        close_action = {begins}
      }}
      {self.far.more}
    }}
  }}
}}
secrets {{
  ike-pair {{
    id-1 = near.lab
    id-2 = far.lab
    secret = "{SECRET}"
  }}
}}
"""

    # -- disturbing ----------------------------------------------------------------------------------------------

    def kill_right(self) -> None:
        """The peer and all it had in its kernel, gone at once, as when a host loses power."""
        self.right.kill()
        for table in ("state", "policy"):
            sh("ip", "-n", self.spaces[1], "xfrm", table, "flush")

    def set_link(self, way: str) -> None:
        """Our end of the cable `up` or `down`."""
        sh("ip", "-n", self.spaces[0], "link", "set", self.ends[0], way)

    def drop_all(self) -> None:
        """Lose what arrives by the cable on either side, as when a provider's network is broken: the sender is not told."""
        for space, end in zip(self.spaces, self.ends, strict=True):
            chain = f"chain lost {{ type filter hook prerouting priority -300; iifname {end} drop; }}"
            sh("ip", "netns", "exec", space, "nft", f"table inet lab {{ {chain}; }}")

    def drop_nothing(self) -> None:
        """Let all through again."""
        for space in self.spaces:
            sh("ip", "netns", "exec", space, "nft", "delete table inet lab")

    # -- looking -------------------------------------------------------------------------------------------------

    def answers(self) -> bool:
        """Whether one of a few datagrams got there and back; without waiting long for it."""
        try:
            with udp(self.spaces[0], self.inner(1)) as client, udp(self.spaces[1], self.inner(2), 5002) as server:
                client.settimeout(0.3)
                server.settimeout(0.3)
                client.sendto(b"there", (self.inner(2), 5002))
                octets, sender = server.recvfrom(100)
                server.sendto(octets, sender)
                return client.recvfrom(100)[0] == b"there"
        except OSError:
            return False

    def is_up(self) -> bool:
        """Whether there is a pair of states on each side and they carry datagrams."""
        return self.answers() and all(len(states(space)) >= 2 for space in self.spaces)

    def await_up(self, seconds: float, since: float) -> float:
        """Wait until it is up; how long that took since then."""
        while not self.is_up():
            if time.monotonic() - since > seconds:
                raise AssertionError(f"{self}: not up after {seconds} s\n{self.story()}")
            time.sleep(0.2)
        return time.monotonic() - since

    def check(self) -> None:
        """The tunnel carries datagrams, all of them inside ESP, with exactly one pair of states on each side."""
        for space in self.spaces:
            await_true(f"{self}: one pair of states in {space}", lambda space=space: len(states(space)) == 2, STAYS)
        before = self._carried()
        assert crosses(self.spaces[0], self.inner(1), self.spaces[1], self.inner(2)) == 3, f"{self}\n{self.story()}"
        after = self._carried()
        assert set(before) == set(after), f"{self}: other states meanwhile\n{self.story()}"
        assert all(after[spi] - before[spi] == 3 for spi in after), f"{self}: {before} and then {after}"

    def _carried(self) -> dict[tuple[str, str], int]:
        return {(space, state.spi): state.packets for space in self.spaces for state in states(space)}

    def story(self) -> str:
        """What both say has happened, and what their kernels have."""
        tables = [sh("ip", "-n", space, "xfrm", table) for space in self.spaces for table in ("state", "policy")]
        logs = ["-- near", self.left.log(), "-- far", self.right.log()]
        return "\n".join([*logs, "-- near's and far's states and policies", *tables])

    def end(self) -> None:
        """Both daemons, whatever state they are in."""
        for each in (self.left, self.right):
            with contextlib.suppress(AssertionError):
                each.stop()
