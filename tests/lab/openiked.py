"""An OpenIKED of one's own: iked in a namespace, with all its files in one directory.

/etc/iked is compiled in, so each runs in a mount namespace with its own. On Linux it speaks PF_KEY and knows of ESP only
AES-CBC with HMAC-SHA1, without a key exchange and without ESN.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from tests.lab.namespaces import SLOWNESS, kill, sh, spawn

CHILD = "childsa enc aes-256 auth hmac-sha1 group none noesn"
IKE = "ikesa enc aes-128-gcm prf hmac-sha2-256 group curve25519"


class OpenIked:
    """One iked; `directory/etc` stands in the place of /etc/iked."""

    def __init__(self, namespace: str, directory: Path) -> None:
        self.namespace, self.directory = namespace, directory
        for name in ("ca", "certs", "crls", "private", "pubkeys/fqdn", "pubkeys/ipv4", "pubkeys/ipv6", "pubkeys/ufqdn"):
            (directory / "etc" / name).mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, conf: str) -> None:
        """Write iked.conf."""
        path = self.directory / "iked.conf"
        path.touch(0o600)
        path.write_text(conf)

    def take_certificate(self, certificate: Path, key: Path, authority: Path) -> None:
        """Have a certificate, its key and the CA."""
        etc = self.directory / "etc"
        shutil.copy(authority, etc / "ca" / "ca.crt")
        shutil.copy(certificate, etc / "certs" / "local.crt")
        shutil.copy(key, etc / "private" / "local.key")
        (etc / "private" / "local.key").chmod(0o600)

    def start(self) -> None:
        """Start iked and wait until it has its configuration."""
        key = self.directory / "etc" / "private" / "local.key"
        if not key.exists():
            sh("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
            key.chmod(0o600)
        self._socket.unlink(missing_ok=True)
        inside = f"mount --bind {self.directory}/etc /etc/iked && exec iked -d -v -v -f {self.directory}/iked.conf"
        command = ["ip", "netns", "exec", self.namespace, "sh", "-c", f"{inside} -s {self._socket}"]
        log = self.directory / "iked.log"
        log.unlink(missing_ok=True)
        self._process = spawn(command, log)
        deadline = time.monotonic() + 20 * SLOWNESS
        while not (self._socket.is_socket() and b"config_getcompile" in log.read_bytes()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("iked did not come up:\n" + self.log())
            time.sleep(0.05)

    def stop(self) -> None:
        """End iked."""
        if self._process is not None:
            kill(self._process)
            self._process = None

    def ikectl(self, *arguments: str) -> str:
        """Run ikectl; its output."""
        return sh("ikectl", "-s", str(self._socket), *arguments, check=False)

    def log(self) -> str:
        """The last lines of its log."""
        path = self.directory / "iked.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-60:]) if path.exists() else ""

    @property
    def _socket(self) -> Path:
        return self.directory / "iked.sock"
