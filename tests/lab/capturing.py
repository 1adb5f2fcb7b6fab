"""tcpdump on a cable of the lab: IKE and ESP into a file."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab.gateway import await_true
from tests.lab.namespaces import kill, spawn

FILTER = "udp port 500 or udp port 4500 or ip proto 50 or ip6 proto 50"


@contextlib.contextmanager
def capturing(namespace: str, device: str, file: Path) -> Iterator[None]:
    """Run tcpdump meanwhile."""
    log = file.with_suffix(".log")
    command = ["tcpdump", "-i", device, "-s", "0", "-U", "--immediate-mode", "-Z", "root", "-w", str(file), FILTER]
    process = spawn(["ip", "netns", "exec", namespace, *command], log)
    await_true("tcpdump listens", lambda: b"listening on" in log.read_bytes())
    try:
        yield
    finally:
        time.sleep(0.3)
        kill(process)
