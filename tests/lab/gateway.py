"""The real command `ikepy --conf FILE` in a namespace, and what one does to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

from ikepy.control.client import ViciClient, connect
from ikepy.control.codec import Section
from tests.lab.namespaces import SLOWNESS, sh, spawn

_SECRET = re.compile(r'^(?:secret|password) = "([^"\\\\]{6,})"$', re.MULTILINE)


class Gateway:
    """One ikepy daemon."""

    made: ClassVar[list[Gateway]] = []
    "All there have been."

    def __init__(self, namespace: str, directory: Path) -> None:
        self.made.append(self)
        self.secrets: set[str] = set()
        "All that its configurations have had."
        self.namespace, self.directory = namespace, directory
        directory.mkdir(parents=True, exist_ok=True)
        self.conf, self.run_directory = directory / "site.conf", directory / "run"
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, text: str) -> None:
        """Write the configuration."""
        self.conf.touch(0o600)
        self.conf.write_text(text)
        self.secrets.update(_SECRET.findall(text))

    def start(self, *options: str) -> None:
        """Start it and wait until it is ready."""
        log = self.directory / "ikepy.log"
        already = log.stat().st_size if log.exists() else 0
        self._process = spawn(self.command(*options), log)
        deadline = time.monotonic() + 30 * SLOWNESS
        while b"is ready" not in log.read_bytes()[already:]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("ikepy did not come up:\n" + self.log())
            time.sleep(0.03)

    def command(self, *options: str) -> list[str]:
        """The command that runs it."""
        return [
            "ip", "netns", "exec", self.namespace, sys.executable, "-m", "ikepy", "--conf", str(self.conf),
            "--run-dir", str(self.run_directory), *options,
        ]  # fmt: skip

    def stop(self, seconds: float = 8 * SLOWNESS) -> int:
        """SIGTERM; its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        process, self._process = self._process, None
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"ikepy did not end within {seconds} s:\n{self.log()}") from None

    def kill(self) -> None:
        """SIGKILL: no word to anybody."""
        assert self._process is not None
        os.killpg(self._process.pid, 9)
        self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def uri(self) -> str:
        """Its control socket, as swanctl wants it."""
        return f"unix://{self.run_directory}/control.sock"

    def ikepy(self, *arguments: str, check: bool = True) -> str:
        """Run the command line for this daemon; its output."""
        return sh(sys.executable, "-m", "ikepy", "--run-dir", str(self.run_directory), *arguments, check=check)

    def call(self, command: str, request: Section, events: tuple[str, ...] = ()) -> tuple[Section, list[Section]]:
        """Ask over the control socket: the answer, and the events."""
        seen: list[Section] = []
        with connect(self.run_directory / "control.sock", 60) as client:
            assert isinstance(client, ViciClient)
            answer = client.call(command, request, events, lambda _name, section: seen.append(section))
        return answer, seen

    def up(self, connection: str, child: str | None = None) -> None:
        """Bring a connection up."""
        request: Section = {"ike": connection, "timeout": "20000"}
        if child is not None:
            request["child"] = child
        answer, _ = self.call("initiate", request)
        assert answer.get("success") == "yes", f"{answer}\n{self.log()}"

    def rekey(self, connection: str, child: str | None = None, *, reauth: bool = False) -> None:
        """Rekey a child, or without one the IKE SA."""
        request: Section = {"ike": connection} | ({"child": child} if child is not None else {})
        answer, _ = self.call("rekey", request | ({"reauth": "yes"} if reauth else {}))
        assert answer.get("success") == "yes", f"{answer}\n{self.log()}"

    def down(self, connection: str) -> None:
        """Take a connection down."""
        self.call("terminate", {"ike": connection, "timeout": "10000"})

    def log(self) -> str:
        """The last lines of its log."""
        path = self.directory / "ikepy.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-80:]) if path.exists() else ""


def await_true(what: str, condition: object, seconds: float = 8) -> None:
    """Look until it holds."""
    assert callable(condition)
    deadline = time.monotonic() + seconds * SLOWNESS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {seconds * SLOWNESS:g} s: {what}")
        time.sleep(0.05)
