"""charon-cmd in a namespace: strongSwan's client for one connection, which asks for its password on a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from pathlib import Path

from tests.lab.namespaces import SLOWNESS

_CONF = """charon-cmd {{
  port = 0
  port_nat_t = 0
  install_virtual_ip_on = lo
  plugins {{
    include /etc/strongswan.d/charon/*.conf
  }}
}}
"""


class CharonCmd:
    """One connection; made by start(), ended by stop()."""

    def __init__(self, namespace: str, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.namespace, self._conf = namespace, directory / "strongswan.conf"
        self._conf.write_text(_CONF.format())
        self.said = b""
        self._pid = self._terminal = 0

    def start(self, *options: str, password: str = "") -> None:
        """Connect, and wait until a child is up; the password is typed where it is asked for."""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.environ["STRONGSWAN_CONF"] = str(self._conf)
            os.execvp("ip", ["ip", "netns", "exec", self.namespace, "charon-cmd", *options])
        deadline, typed = time.monotonic() + 20 * SLOWNESS, False
        while b"CHILD_SA" not in self.said or b"established" not in self.said.rpartition(b"CHILD_SA")[2]:
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"charon-cmd did not come up:\n{self.log()}")
            if not typed and b"assword" in self.said:
                os.write(self._terminal, password.encode() + b"\n")
                typed = True

    def stop(self) -> None:
        """Interrupt it, as one does at a terminal."""
        if self._pid:
            os.kill(self._pid, signal.SIGINT)
            deadline = time.monotonic() + 10 * SLOWNESS
            while self._read() and time.monotonic() < deadline:
                pass
            os.close(self._terminal)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def log(self) -> str:
        """What it said."""
        return self.said.decode(errors="replace")

    def _read(self) -> bool:
        """Take what it says; False where it has ended."""
        if select.select([self._terminal], [], [], 0.2)[0]:
            try:
                octets = os.read(self._terminal, 4096)
            except OSError:
                return False
            self.said += octets
            return bool(octets)
        return True
