"""Network namespaces for system tests: links between them, sockets and commands in them, what the kernel counts.

Rule 1: few processes are started: in the lab each costs up to 80 ms.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
SLOWNESS = float(os.environ.get("IKEPY_LAB_SLOWNESS", "1"))
"How many times longer than usual anything may take here: an emulated processor computes at a twentieth."
LAB_DIRECTORY = Path(__file__).resolve().parents[2] / ".lab"


def sh(*command: str, check: bool = True, timeout: float = 60, stdin: str | None = None) -> str:
    """Run a command; its output, standard error in it."""
    outcome = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, input=stdin
    )
    if check and outcome.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {outcome.returncode}:\n{outcome.stdout}")
    return outcome.stdout


def inside(namespace: str, function: Callable[[], T]) -> T:
    """Call a function in a namespace, in a thread of its own; sockets it makes stay there."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            with Path(f"/run/netns/{namespace}").open("rb") as handle:
                if _libc.setns(handle.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns {namespace}")
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - it goes on in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


@contextlib.contextmanager
def namespaces(*names: str) -> Iterator[None]:
    """Make namespaces with lo up, and take them away again."""
    try:
        for name in names:
            sh("ip", "netns", "add", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for name in names:
            sh("ip", "netns", "del", name, check=False)


def link(left: str, right: str) -> tuple[str, str]:
    """Join two namespaces by a cable; the names of its ends."""
    ends = f"v-{left}-{right}", f"v-{right}-{left}"
    sh("ip", "link", "add", ends[0], "netns", left, "type", "veth", "peer", "name", ends[1], "netns", right)
    for namespace, end in zip((left, right), ends, strict=True):
        sh("ip", "-n", namespace, "link", "set", end, "up")
    return ends


def add_addresses(namespace: str, addresses: dict[str, list[str]]) -> None:
    """Add addresses by interface, in one go."""
    lines = [
        f"address add {address} dev {device}" + (" nodad" if ":" in address else "")
        for device, each in addresses.items()
        for address in each
    ]
    sh("ip", "-n", namespace, "-batch", "-", stdin="\n".join(lines) + "\n")


@dataclass(frozen=True)
class State:
    """One ESP state as the kernel shows it."""

    source: str
    destination: str
    spi: str
    packets: int
    text: str


def states(namespace: str) -> list[State]:
    """The ESP states of a namespace."""
    found = []
    for block in re.split(r"\n(?=src )", sh("ip", "-n", namespace, "-s", "xfrm", "state")):
        head = re.match(r"src (\S+) dst (\S+)\n\s+proto esp spi (0x[0-9a-f]+)", block)
        count = re.search(r"lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)", block)
        if head:
            found.append(State(head[1], head[2], head[3], int(count[1]) if count else 0, block))
    return found


def policies(namespace: str) -> str:
    """The policies of a namespace that have a template, as text."""
    blocks = re.split(r"\n(?=src )", sh("ip", "-n", namespace, "xfrm", "policy"))
    return "\n".join(block for block in blocks if "tmpl" in block)


def leftovers(namespace: str) -> str:
    """All that is left in the kernel: states, policies other than sockets' own."""
    policy = sh("ip", "-n", namespace, "xfrm", "policy")
    blocks = [block for block in re.split(r"\n(?=src )", policy) if block.strip() and "socket " not in block]
    return "\n".join([*(state.text for state in states(namespace)), *blocks])


def udp(namespace: str, address: str, port: int = 0) -> socket.socket:
    """A UDP socket in a namespace."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, port))
        made.settimeout(2)
        return made

    return inside(namespace, make)


def crosses(left: str, left_address: str, right: str, right_address: str, *, port: int = 5001, count: int = 3) -> int:
    """Send datagrams there and back; how many came back."""
    came = 0
    with udp(left, left_address) as client, udp(right, right_address, port) as server:
        for number in range(count):
            with contextlib.suppress(OSError):
                client.sendto(b"there %d" % number, (right_address, port))
                octets, sender = server.recvfrom(2000)
                server.sendto(octets, sender)
                client.recvfrom(2000)
                came += 1
    return came


class Wire:
    """Watches what leaves by the two ends of a cable (what arrives is seen again after the kernel has opened it)."""

    def __init__(self, *ends: tuple[str, str]) -> None:
        self._sockets = [inside(namespace, lambda device=device: _watch(device)) for namespace, device in ends]

    def packets(self) -> list[bytes]:
        """The IP packets since the last look, without their Ethernet headers."""
        found = []
        for watcher in self._sockets:
            with contextlib.suppress(OSError):  # one that says that the cable was out, once
                watcher.recvfrom(0, socket.MSG_PEEK)
            with contextlib.suppress(BlockingIOError):
                while True:
                    frame, (_, _, direction, *_) = watcher.recvfrom(65535)
                    if direction == socket.PACKET_OUTGOING and frame[12:14] in {b"\x08\x00", b"\x86\xdd"}:
                        found.append(frame[14:])
        return found

    def close(self) -> None:
        for watcher in self._sockets:
            watcher.close()


def _watch(device: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.bind((device, 0))
    made.setblocking(False)
    return made


def addresses_of(packet: bytes) -> tuple[bytes, bytes, int]:
    """Source, destination and protocol of an IP packet."""
    if packet[0] >> 4 == 4:
        return packet[12:16], packet[16:20], packet[9]
    return packet[8:24], packet[24:40], packet[6]


def spawn(command: list[str], log: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a daemon in a session of its own; what it says is added to `log`."""
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def kill(process: subprocess.Popen[bytes], seconds: float = 6) -> int:
    """End a process kindly, then not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 15)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return process.wait()
