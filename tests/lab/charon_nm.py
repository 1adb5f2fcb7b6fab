"""NetworkManager's strongSwan service in a namespace, driven over a D-Bus of its own as NetworkManager does it.

It negotiates, and installs policies and addresses; NetworkManager itself, which would set DNS and routes, is not there.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from jeepney import DBusAddress, MatchRule, message_bus, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from tests.lab.namespaces import SLOWNESS, kill, spawn

SERVICE = "org.freedesktop.NetworkManager.strongswan"
_PLUGIN = DBusAddress(
    "/org/freedesktop/NetworkManager/VPN/Plugin", SERVICE, "org.freedesktop.NetworkManager.VPN.Plugin"
)
_STARTED = 4
"NM_VPN_SERVICE_STATE_STARTED"
_BUS = """<busconfig><type>custom</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
"""
_CONF = """charon-nm {{
  filelog {{
    f {{
      path = {directory}/charon-nm.log
      default = 1
      flush_line = yes
    }}
  }}
}}
"""


class CharonNm:
    """A bus and the service on it; made by start(), ended by stop()."""

    def __init__(self, namespace: str, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.namespace, self.directory = namespace, directory
        self._socket = directory / "bus"
        (directory / "bus.conf").write_text(_BUS.format(socket=self._socket))
        (directory / "strongswan.conf").write_text(_CONF.format(directory=directory))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._bus: DBusConnection | None = None

    def start(self) -> None:
        """Start both, and wait until the service has its name."""
        bus = ["dbus-daemon", "--config-file", str(self.directory / "bus.conf"), "--nofork", "--nopidfile"]
        self._processes.append(spawn(bus, self.directory / "bus.log"))
        deadline = time.monotonic() + 10 * SLOWNESS
        while not self._socket.is_socket():
            assert time.monotonic() < deadline, (self.directory / "bus.log").read_text()
            time.sleep(0.05)
        self._bus = open_dbus_connection(bus=f"unix:path={self._socket}")
        self._bus.send_and_get_reply(message_bus.AddMatch(MatchRule(type="signal")))
        own = {
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self._socket}",
            "STRONGSWAN_CONF": str(self.directory / "strongswan.conf"),
        }
        service = ["ip", "netns", "exec", self.namespace, "/usr/lib/ipsec/charon-nm"]
        self._processes.append(spawn(service, self.directory / "charon-nm.out", {**os.environ, **own}))
        while not self._bus.send_and_get_reply(message_bus.NameHasOwner(SERVICE)).body[0]:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def up(self, data: dict[str, str], secrets: dict[str, str]) -> list[str]:
        """Connect with what stands in a connection of NetworkManager; return the names of the signals until it is up."""
        assert self._bus is not None
        settings = {
            "connection": {
                "id": ("s", "gate"),
                "uuid": ("s", "2f7b3e0c-5d0e-4d0d-9a55-0d6a4b1f3a11"),
                "type": ("s", "vpn"),
            },
            "vpn": {"service-type": ("s", SERVICE), "data": ("a{ss}", data), "secrets": ("a{ss}", secrets)},
            "ipv4": {"method": ("s", "auto")},
            "ipv6": {"method": ("s", "auto")},
        }
        self._bus.send_and_get_reply(new_method_call(_PLUGIN, "Connect", "a{sa{sv}}", (settings,)), timeout=10)
        heard: list[str] = []
        while True:
            try:
                signal = self._bus.receive(timeout=15 * SLOWNESS)
            except TimeoutError as error:
                raise AssertionError(f"charon-nm did not come up: {heard}\n{self.log()}") from error
            name = _member(signal)
            heard.append(name)
            if name == "Failure":
                raise AssertionError(f"charon-nm failed: {signal.body}\n{self.log()}")
            if name == "StateChanged" and signal.body[0] == _STARTED:
                return heard

    def down(self) -> None:
        """Disconnect."""
        assert self._bus is not None
        self._bus.send_and_get_reply(new_method_call(_PLUGIN, "Disconnect"), timeout=10)

    def stop(self) -> None:
        """End both."""
        if self._bus is not None:
            self._bus.close()
        for process in reversed(self._processes):
            kill(process)
        self._processes.clear()

    def log(self) -> str:
        """What the service has said."""
        path = self.directory / "charon-nm.log"
        return path.read_text(errors="replace") if path.exists() else ""


def _member(message: object) -> str:
    fields = message.header.fields  # type: ignore[attr-defined]
    return str(next((value for field, value in fields.items() if field.name == "member"), ""))
