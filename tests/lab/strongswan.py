"""A strongSwan of one's own: charon-systemd in a namespace, with all its files in one directory.

charon-systemd writes no pid file, takes its settings from STRONGSWAN_CONF and its socket from them; so any number of
them can run at once. swanctl.conf wants one setting a line.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.lab.namespaces import LAB_DIRECTORY, kill, sh, spawn

PLUGINS = (
    "random nonce openssl aes sha1 sha2 hmac kdf gcm ccm ctr chapoly cmac xcbc drbg curve25519 pem pkcs1 pkcs8 pubkey "
    "x509 constraints kernel-netlink socket-default counters vici md5 mgf1 attr "
    "eap-identity eap-md5 eap-mschapv2 eap-gtc eap-tls eap-ttls"
)
_CONF = """charon {{
  load = {plugins}
  retransmit_tries = 3
  install_routes = {routes}
  {extra}
  plugins {{
    vici {{
      socket = unix://{directory}/charon.vici
    }}
  }}
  filelog {{
    f {{
      path = {directory}/charon.log
      default = 1
      time_format = %T
      flush_line = yes
    }}
  }}
  syslog {{
    daemon {{
      default = -1
    }}
    auth {{
      default = -1
    }}
  }}
}}
charon-systemd {{
  journal {{
    default = -1
  }}
}}
"""


class StrongSwan:
    """One charon; `directory/swanctl` holds what swanctl loads."""

    def __init__(
        self, namespace: str, directory: Path, extra: str = "", *, routes: bool = False, newer: bool = False
    ) -> None:
        """Lay its files out; `newer` takes the one that tests/lab/newer.sh unpacked."""
        self.namespace, self.directory = namespace, directory
        self._root = LAB_DIRECTORY / "newer" if newer else None
        for name in ("x509", "x509ca", "private"):
            (directory / "swanctl" / name).mkdir(parents=True, exist_ok=True)
        (directory / "strongswan.conf").write_text(
            _CONF.format(plugins=PLUGINS, directory=directory, extra=extra, routes="yes" if routes else "no")
        )
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, swanctl_conf: str) -> None:
        """Write swanctl.conf; `load` or `start` puts it into force."""
        (self.directory / "swanctl" / "swanctl.conf").write_text(swanctl_conf)

    def start(self) -> None:
        """Start charon and load all."""
        (self.directory / "charon.vici").unlink(missing_ok=True)
        command = ["ip", "netns", "exec", self.namespace, *self._in_root(), "charon-systemd"]
        self._process = spawn(command, self.directory / "charon.out", self._environment())
        deadline = time.monotonic() + 20
        while not (self.directory / "charon.vici").is_socket():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("charon did not come up:\n" + self.log())
            time.sleep(0.05)
        self.load()

    def load(self) -> None:
        """Load connections, keys and certificates."""
        self.swanctl("--load-all", "--clear")

    def stop(self) -> None:
        """End charon."""
        if self._process is not None:
            kill(self._process)
            self._process = None

    def kill(self) -> None:
        """SIGKILL: no word to anybody."""
        assert self._process is not None
        os.killpg(self._process.pid, 9)
        self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """charon's process."""
        assert self._process is not None
        return self._process.pid

    def swanctl(self, *arguments: str, check: bool = True, uri: str | None = None) -> str:
        """Run swanctl; its output."""
        command, *rest = arguments
        outcome = subprocess.run(
            [*self._in_root(), "swanctl", command, "--uri", uri or f"unix://{self.directory}/charon.vici", *rest],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
            env=self._environment(),
        )  # fmt: skip
        if check and outcome.returncode:
            raise AssertionError(f"swanctl {command} ended with {outcome.returncode}:\n{outcome.stdout}\n{self.log()}")
        return outcome.stdout

    def up(self, connection: str, child: str) -> None:
        """Initiate a child."""
        self.swanctl("--initiate", "--ike", connection, "--child", child, "--timeout", "20")

    def down(self, connection: str) -> None:
        """Terminate an IKE SA."""
        self.swanctl("--terminate", "--ike", connection, "--timeout", "10", check=False)

    def log(self) -> str:
        """The last lines of its log."""
        path = self.directory / "charon.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-60:]) if path.exists() else ""

    def version(self) -> str:
        """What swanctl says it is."""
        return self.swanctl("--version", "--daemon", check=False).strip()

    def _in_root(self) -> list[str]:
        """What has a command run in the newer root, with the kernel's file systems and /tmp of this one."""
        if self._root is None:
            return []
        for directory in ("/proc", "/sys", "/dev", "/run", "/tmp"):
            inside = f"{self._root}{directory}"
            if Path(directory).stat().st_ino != Path(inside).stat().st_ino:
                sh("mount", "--rbind", directory, inside)
        return ["chroot", str(self._root)]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "STRONGSWAN_CONF": str(self.directory / "strongswan.conf"),
            "SWANCTL_DIR": str(self.directory / "swanctl"),
        }
