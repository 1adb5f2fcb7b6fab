"""The load: an Endpoint of ikepy's that brings up one IKE SA with one child after the other, over a real socket.

    python -m tests.bench.load NAMESPACE COUNT PEER FIRST

Prints the set-ups done and the seconds they took. Its own kernel is in memory: nothing is installed on its side.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from dataclasses import replace
from ipaddress import IPv4Address

from ikepy.auth.credentials import load_credentials
from ikepy.auth.service import AuthService
from ikepy.config.model import Config, IdentityPattern, LocalAuthConfig, PskConfig
from ikepy.crypto.entropy import SystemEntropy
from ikepy.ike.actions import Datagram, Path, SocketAddress
from ikepy.ike.events import AttemptFailed, ChildSaUp
from ikepy.ike.observer import SilentObserver
from tests.support.pair import SECRET, fqdn, make_child, make_config, one_address
from tests.support.world import World

OURS, PEER_ID = "10.99.0.1", fqdn("responder.bench")
PATIENCE = 10.0


class Generator:
    """One socket, and a World for each set-up."""

    def __init__(self, peer: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((OURS, 500))
        self._peer = IPv4Address(peer)

    def set_up(self, number: int) -> None:
        """One IKE_SA_INIT and IKE_AUTH with one child; raises AssertionError where it fails."""
        world = self._world(number)
        now = time.monotonic()
        world.run(world.endpoint.initiate("site", None, now), now)
        while True:
            for datagram in world.outbox:
                self._socket.sendto(datagram.octets, (str(self._peer), datagram.path.remote.port))
            world.outbox.clear()
            if any(isinstance(event, ChildSaUp) for event in world.events):
                return
            failed = [event.reason for event in world.events if isinstance(event, AttemptFailed)]
            assert not failed, failed
            ready, _, _ = select.select([self._socket], [], [], PATIENCE)
            assert ready, f"no answer to set-up {number}"
            octets, _ = self._socket.recvfrom(65535)
            path = Path(SocketAddress(IPv4Address(OURS), 500), SocketAddress(self._peer, 500))
            now = time.monotonic()
            world.run(world.endpoint.receive_datagram(Datagram(octets, path), now), now)

    def _world(self, number: int) -> World:
        inner = f"10.{10 + (number >> 16)}.{number >> 8 & 0xFF}.{number & 0xFF}/32"
        mine = fqdn(f"load{number}.bench")
        base = make_config(children=(make_child(local=inner, remote="10.200.0.0/16"),))
        connection = replace(
            base.connections[0],
            local=LocalAuthConfig(base.connections[0].local.auth, mine),
            remote=replace(base.connections[0].remote, id=IdentityPattern(PEER_ID)),
            local_addrs=one_address(IPv4Address(OURS)),
            remote_addrs=one_address(self._peer),
        )
        config = Config((connection,), (PskConfig("psk", SECRET),))
        auth = AuthService(config, load_credentials(config))
        return World(config, IPv4Address(OURS), auth, SystemEntropy(), observer=SilentObserver())


def main() -> None:
    """Run the load."""
    peer, count, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    generator = Generator(peer)
    began = time.monotonic()
    for number in range(first, first + count):
        generator.set_up(number)
    print(count, time.monotonic() - began)


if __name__ == "__main__":
    main()
