"""A gateway between the world and a network of its own; clients out in the world; a web server, a resolver, a server inside.

    client n 10.90.n.2, 2001:db8:90:n::2 --- world --- 203.0.113.1, 2001:db8:f::1 gateway 10.1.0.1, fd00:1::1 --- inside
             web 198.51.100.80, 2001:db8:80::80; resolver 198.51.100.53                            10.1.0.80, fd00:1::80

Rule 1: whoever answers says who has asked: what it saw as the source is all that it sends back.
Not here: the daemons' configurations (world_conf.py).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.namespaces import Wire, add_addresses, inside, link, namespaces, sh

GATEWAY, GATEWAY6 = "203.0.113.1", "2001:db8:f::1"
WORLD_END, WORLD_END6 = "203.0.113.254", "2001:db8:f::254"
WEB, WEB6, RESOLVER = "198.51.100.80", "2001:db8:80::80", "198.51.100.53"
INSIDE, INSIDE6 = "10.1.0.80", "fd00:1::80"
NAMESPACE = "gw"
UPLINK, INLINK = "v-gw-world", "v-gw-inside"
HTTP, DNS = 80, 53
_QUESTION = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01"


@dataclass(frozen=True)
class WorldRoom:
    """The room, and how many clients are in it."""

    clients: int

    def client(self, number: int) -> str:
        """A client's namespace."""
        return f"cl{number}"

    def end(self, number: int) -> str:
        """The client's interface."""
        return f"v-cl{number}-world"

    @contextlib.contextmanager
    def laid(self) -> Iterator[None]:
        """All of it; taken away in the end."""
        names = [self.client(number) for number in range(self.clients)]
        with namespaces(NAMESPACE, "world", "inside", *names), contextlib.ExitStack() as stack:
            for namespace in (NAMESPACE, "world", "inside", *names):
                inside(namespace, without_dad)
            self._lay_gateway()
            for number, name in enumerate(names):
                self._lay_client(number, name)
            for namespace in ("world",):
                forward(namespace)
            for namespace, addresses in (("world", (WEB, WEB6)), ("inside", (INSIDE, INSIDE6))):
                for address in addresses:
                    stack.enter_context(web(namespace, address))
            stack.enter_context(resolver("world", RESOLVER))
            yield

    @staticmethod
    def _lay_gateway() -> None:
        link(NAMESPACE, "world")
        link(NAMESPACE, "inside")
        add_addresses(
            NAMESPACE,
            {UPLINK: [f"{GATEWAY}/24", f"{GATEWAY6}/64"], INLINK: ["10.1.0.1/16", "fd00:1::1/64"]},
        )
        add_addresses(
            "world",
            {
                "v-world-gw": [f"{WORLD_END}/24", f"{WORLD_END6}/64"],
                "lo": [f"{WEB}/32", f"{RESOLVER}/32", f"{WEB6}/128"],
            },
        )
        add_addresses("inside", {"v-inside-gw": [f"{INSIDE}/16", f"{INSIDE6}/64"]})
        for namespace, four, six in ((NAMESPACE, WORLD_END, WORLD_END6), ("inside", "10.1.0.1", "fd00:1::1")):
            sh("ip", "-n", namespace, "route", "add", "default", "via", four)
            sh("ip", "-n", namespace, "-6", "route", "add", "default", "via", six)

    def _lay_client(self, number: int, name: str) -> None:
        _, theirs = link(name, "world")
        add_addresses(name, {self.end(number): [f"10.90.{number}.2/30", f"2001:db8:90:{number}::2/64"]})
        add_addresses("world", {theirs: [f"10.90.{number}.1/30", f"2001:db8:90:{number}::1/64"]})
        sh("ip", "-n", name, "route", "add", "default", "via", f"10.90.{number}.1")
        sh("ip", "-n", name, "-6", "route", "add", "default", "via", f"2001:db8:90:{number}::1")

    def wire(self, number: int) -> Wire:
        """Watches a client's cable."""
        return Wire((self.client(number), self.end(number)), ("world", f"v-world-cl{number}"))


def without_dad() -> None:
    """Have addresses of interfaces that come at once: what a host has is compared, and must not come by and by."""
    Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")


def forward(namespace: str) -> None:
    """Have a namespace forward, as a router."""

    def write() -> None:
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")

    inside(namespace, write)


@contextlib.contextmanager
def web(namespace: str, address: str) -> Iterator[None]:
    """A web server that says by which address it was asked."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def make() -> socket.socket:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, HTTP))
        listening.listen(8)
        return listening

    with inside(namespace, make) as listening:
        threading.Thread(target=_serve_web, args=(listening,), daemon=True).start()
        yield
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def _serve_web(listening: socket.socket) -> None:
    while True:
        try:
            peer, (source, *_) = listening.accept()
        except OSError:
            return
        with peer, contextlib.suppress(OSError):
            peer.settimeout(2)
            peer.recv(2000)
            body = source.encode()
            peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@contextlib.contextmanager
def resolver(namespace: str, address: str) -> Iterator[None]:
    """A resolver that answers with who has asked, after the question."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, DNS))
        return made

    def serve(sock: socket.socket) -> None:
        while True:
            try:
                octets, sender = sock.recvfrom(2000)
                if not octets:
                    return
                sock.sendto(octets + sender[0].encode(), sender)
            except OSError:
                return

    with inside(namespace, make) as sock:
        thread = threading.Thread(target=serve, args=(sock,), daemon=True)
        thread.start()
        yield
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def browse(namespace: str, address: str, source: str = "", seconds: float = 3) -> str:
    """Whom the web server at an address saw; empty where it was not reached."""

    def ask() -> str:
        try:
            bound = (source, 0) if source else None
            with socket.create_connection((address, HTTP), seconds, bound) as sock:
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                octets = b""
                while more := sock.recv(2000):
                    octets += more
                return octets.rpartition(b"\r\n")[2].decode()
        except OSError:
            return ""

    return inside(namespace, ask)


def resolve(namespace: str, address: str, source: str = "") -> str:
    """Whom the resolver saw; empty where it was not reached."""

    def ask() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            try:
                if source:
                    sock.bind((source, 0))
                sock.sendto(_QUESTION, (address, DNS))
                return sock.recv(2000)[len(_QUESTION) :].decode()
            except OSError:
                return ""

    return inside(namespace, ask)
