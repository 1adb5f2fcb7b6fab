"""A libreswan of one's own: pluto in a namespace, run from where tests/lab/libreswan.sh unpacked it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.lab.namespaces import LAB_DIRECTORY, SLOWNESS, kill, sh, spawn

ROOT = LAB_DIRECTORY / "libreswan"
BIN = ROOT / "usr" / "libexec" / "ipsec"


class Libreswan:
    """One pluto; `directory` holds ipsec.conf, ipsec.secrets and the NSS store."""

    def __init__(self, namespace: str, directory: Path) -> None:
        self.namespace, self.directory = namespace, directory
        for name in ("run", "nss", "ipsec.d"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        # pluto looks for addconn where it would be installed, whatever it is told.
        installed = Path("/usr/libexec/ipsec")
        if not installed.exists():
            installed.symlink_to(BIN)
        if not (directory / "nss" / "cert9.db").exists():
            sh("certutil", "-N", "-d", f"sql:{directory}/nss", "--empty-password")
        self._process: subprocess.Popen[bytes] | None = None
        self._connections: tuple[str, ...] = ()

    def configure(self, ipsec_conf: str, secrets: str, connections: tuple[str, ...]) -> None:
        """Write the configuration; `connections` are loaded at the start.

        None may be auto=add: pluto would load it once more by itself, and end what has been brought up meanwhile.
        """
        assert "auto=add" not in ipsec_conf
        (self.directory / "ipsec.conf").write_text(ipsec_conf)
        path = self.directory / "ipsec.secrets"
        path.touch(0o600)
        path.write_text(secrets)
        self._connections = connections

    def take_certificate(self, p12: Path, authority: Path) -> None:
        """Put a certificate with its key, and its CA, into the store; its nickname is its name."""
        store = f"sql:{self.directory}/nss"
        sh("pk12util", "-i", str(p12), "-d", store, "-W", "lab", "-K", "")
        sh("certutil", "-A", "-d", store, "-n", authority.stem, "-t", "CT,,", "-i", str(authority))

    def start(self) -> None:
        """Start pluto, let it listen, load the connections."""
        for name in ("pluto.ctl", "pluto.pid"):
            (self.directory / "run" / name).unlink(missing_ok=True)
        directory = str(self.directory)
        command = [
                "ip", "netns", "exec", self.namespace, str(BIN / "pluto"), "--nofork",
                "--config", f"{directory}/ipsec.conf", "--secretsfile", f"{directory}/ipsec.secrets",
                "--nssdir", f"{directory}/nss", "--rundir", f"{directory}/run", "--ipsecdir", f"{directory}/ipsec.d",
                "--dumpdir", f"{directory}/run", "--logfile", f"{directory}/pluto.log", "--no-dnssec", "--nhelpers", "0",
            ]  # fmt: skip
        environment = {**os.environ, "PATH": f"{ROOT}/usr/sbin:{os.environ['PATH']}"}
        self._process = spawn(command, self.directory / "pluto.out", environment)
        deadline = time.monotonic() + 20 * SLOWNESS
        while not (self.directory / "run" / "pluto.ctl").is_socket():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("pluto did not come up:\n" + self.log())
            time.sleep(0.05)
        self.whack("--listen")
        for connection in self._connections:
            self._addconn(connection)

    def stop(self) -> None:
        """End pluto."""
        if self._process is None:
            return
        self.whack("--shutdown", check=False)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            kill(self._process)
        self._process = None

    def up(self, connection: str, child: str = "") -> None:
        """Initiate a connection, or the one of another child of it."""
        connection = f"{connection}.{child}" if f"{connection}.{child}" in self._connections else connection
        said = self.whack("--name", connection, "--initiate", check=False)
        if "established" not in said:
            raise AssertionError(f"libreswan did not bring {connection} up:\n{said}\n{self.log()}")

    def down(self, connection: str) -> None:
        """Terminate a connection."""
        for each in reversed(self._connections):
            if each == connection or each.startswith(f"{connection}."):
                self.whack("--name", each, "--terminate", check=False)

    def whack(self, *arguments: str, check: bool = True) -> str:
        """Tell pluto."""
        socket_path = str(self.directory / "run" / "pluto.ctl")
        return sh(str(BIN / "whack"), "--ctlsocket", socket_path, *arguments, check=check, timeout=60)

    def log(self) -> str:
        """The last lines of its log."""
        path = self.directory / "pluto.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-60:]) if path.exists() else ""

    def version(self) -> str:
        """What pluto says it is."""
        return sh(str(BIN / "pluto"), "--version", check=False).strip()

    def _addconn(self, connection: str) -> None:
        directory = str(self.directory)
        sh(
            str(BIN / "addconn"),
            "--config",
            f"{directory}/ipsec.conf",
            "--ctlsocket",
            f"{directory}/run/pluto.ctl",
            connection,
        )
