"""The UDP sockets of IKE: which datagram came to which of our addresses, and answers that leave from there.

Rule 1: a datagram is read with the address it was sent to (IP_PKTINFO, IPV6_PKTINFO) and sent with the address it
        leaves from, so a wildcard socket serves addresses that appear later.
Rule 2: on the NAT-T port four zero octets go before IKE (RFC 3948 §2.2); what has none is ESP and is not ours.
Rule 3: sending never waits and never fails: what the kernel does not take is lost, as on any network.
Not here: what is in a datagram (ike/), the kernel's socket options for IPsec (kernel/).
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Protocol

import trio

from ikepy.config.model import Config
from ikepy.daemon.errors import StartupError
from ikepy.daemon.port_holder import port_holder
from ikepy.ike.actions import Datagram, Path, SocketAddress
from ikepy.ipsec import IpAddress

_log = logging.getLogger("ikepy.daemon")

NON_ESP_MARKER = bytes(4)
KEEPALIVE = b"\xff"
MAX_DATAGRAM_OCTETS = 65535
IN_A_ROW = 32
"""Datagrams read from one socket before the others have their turn."""
_WANTED_BUFFER_OCTETS = 1 << 20
_REMEMBERED_FAILURES = 1024
_V4_PARTS = 2
"Of a socket's address in Python; those of IPv6 have four."
_ANY_V4 = IPv4Address("0.0.0.0")  # noqa: S104 - a gateway answers on all its addresses unless told otherwise
_ANY_V6 = IPv6Address("::")

# linux/in.h, linux/in6.h: constants that Python 3.11 does not name.
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_DONT = 0
_IP_FREEBIND = 15
_IPV6_FREEBIND = 78
_SO_RCVBUFFORCE = 33
_IN_PKTINFO = struct.Struct("=I4s4s")
_IN6_PKTINFO = struct.Struct("=16sI")


class PreparesSockets(Protocol):
    """What is asked of the kernel for an IKE socket (architecture §6)."""

    def bypass(self, sock: socket.socket) -> None:
        """Let the socket's packets pass outside IPsec policy."""

    def enable_udp_encap(self, sock: socket.socket) -> None:
        """Let the kernel take ESP out of the socket's datagrams."""


@dataclass(slots=True)
class UdpCounters:
    """What the sockets saw that never reached the Endpoint, and what the kernel did not send.

    keepalives  of NATs (RFC 3948 §2.3); the kernel eats those that come to a socket with UDP encapsulation
    esp         what has no non-ESP marker; with UDP encapsulation only what is too short to be ESP comes here
    short       too short to have a non-ESP marker, and no keepalive
    """

    keepalives: int = 0
    esp: int = 0
    short: int = 0
    send_failures: int = 0
    receive_failures: int = 0

    def drops(self) -> dict[str, int]:
        """Datagrams that came to nothing, by their reasons; a keepalive has done its work."""
        counted = {"shorter than a non-ESP marker": self.short, "ESP that the kernel did not take": self.esp}
        return {reason: count for reason, count in counted.items() if count}


class UdpSocket:
    """One bound socket.

    marked   whether IKE goes behind the non-ESP marker here
    """

    def __init__(self, sock: socket.socket, *, marked: bool, counters: UdpCounters) -> None:
        self._sock = sock
        self.marked = marked
        self.family = sock.family
        name = sock.getsockname()
        self.bound = _address(name[0])
        self.port: int = name[1]
        self._counters = counters
        self._buffer = bytearray(MAX_DATAGRAM_OCTETS + 1)
        self._view = memoryview(self._buffer)

    async def receive(self, take: Callable[[Datagram], None]) -> None:
        """Hand every datagram of IKE to `take`, for ever; the other tasks have their turn after IN_A_ROW of them."""
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            for _ in range(IN_A_ROW):
                try:
                    datagram = self._read()
                except BlockingIOError:
                    break
                except OSError as error:
                    self._counters.receive_failures += 1
                    _log.debug("reading from port %d failed: %s", self.port, error)
                    await trio.sleep(0.1)
                    break
                if datagram is not None:
                    take(datagram)

    def _read(self) -> Datagram | None:
        count, ancillary, _flags, remote = self._sock.recvmsg_into([self._buffer], 128)
        octets = bytes(self._view[:count])
        if self.marked:
            if not self._carries_ike(octets):
                return None
            octets = octets[len(NON_ESP_MARKER) :]
        local = _destination(ancillary) or self.bound
        path = Path(
            SocketAddress(local, self.port), SocketAddress(_peer(remote), remote[1]), non_esp_marker=self.marked
        )
        return Datagram(octets, path)

    def _carries_ike(self, octets: bytes) -> bool:
        """Whether the datagram is IKE (RFC 3948 §2.2-2.3); counts it where it is not."""
        if octets[:4] == NON_ESP_MARKER:
            return True
        if octets == KEEPALIVE:
            self._counters.keepalives += 1
        elif len(octets) < len(NON_ESP_MARKER):
            self._counters.short += 1
        else:
            self._counters.esp += 1
        return False

    def send(self, datagram: Datagram) -> None:
        """Send from the path's local address; raises OSError."""
        path = datagram.path
        octets = NON_ESP_MARKER + datagram.octets if path.non_esp_marker else datagram.octets
        self._sock.sendmsg([octets], [_source(path.local.address)], 0, (str(path.remote.address), path.remote.port))

    def close(self) -> None:
        """Close it, when no receive() waits any more."""
        self._sock.close()


class UdpSockets:
    """All sockets of a daemon."""

    def __init__(self, sockets: Iterable[UdpSocket], counters: UdpCounters) -> None:
        self.sockets = tuple(sockets)
        self.counters = counters
        self._failing: dict[SocketAddress, int] = {}

    def send(self, datagram: Datagram) -> None:
        """Send from the socket the path names; a failure is said once for each peer, and is loss."""
        remote = datagram.path.remote
        try:
            self._socket_for(datagram.path).send(datagram)
        except OSError as error:
            self._note_failure(datagram.path, error)
        else:
            if self._failing:
                self._failing.pop(remote, None)

    def _socket_for(self, path: Path) -> UdpSocket:
        family = _family(path.local.address)
        fitting = [s for s in self.sockets if s.family == family and s.port == path.local.port]
        for found in fitting:
            if found.bound == path.local.address:
                return found
        for found in fitting:
            if found.bound.is_unspecified:
                return found
        raise OSError(errno.EADDRNOTAVAIL, f"no socket for {path.local}")

    def _note_failure(self, path: Path, error: OSError) -> None:
        self.counters.send_failures += 1
        number = error.errno or 0
        if self._failing.get(path.remote) == number:
            return
        if len(self._failing) >= _REMEMBERED_FAILURES:
            self._failing.clear()
        self._failing[path.remote] = number
        _log.warning(
            "sending from %s to %s failed: %s; taken as lost", path.local, path.remote, error.strerror or error
        )


@contextmanager
def open_sockets(config: Config, prepare: PreparesSockets) -> Iterator[UdpSockets]:
    """Bind both ports on every listen address, or on all addresses where none is given; closed with the context.

    Raises StartupError that names the port, and who has it.
    """
    counters = UdpCounters()
    opened: list[UdpSocket] = []
    try:
        for address in config.daemon.listen or (_ANY_V4, _ANY_V6):
            opened += _open_on(address, config, prepare, counters)
        yield UdpSockets(opened, counters)
    finally:
        for each in opened:
            each.close()


def _open_on(address: IpAddress, config: Config, prepare: PreparesSockets, counters: UdpCounters) -> list[UdpSocket]:
    opened: list[UdpSocket] = []
    for port, marked in _ports(config):
        try:
            sock = _bind(address, port, prepare, encap=port == config.daemon.port_nat_t)
        except OSError as error:
            for each in opened:
                each.close()
            if address is _ANY_V6 and _no_ipv6(error):
                _log.info("this host has no IPv6: listening on IPv4 only")
                return []
            raise _bind_error(address, port, error) from error
        opened.append(UdpSocket(sock, marked=marked, counters=counters))
    return opened


def _ports(config: Config) -> list[tuple[int, bool]]:
    """The ports to bind, and whether IKE is marked there: on every port but daemon.port."""
    ports = {config.daemon.port: False, config.daemon.port_nat_t: True}
    for connection in config.connections:
        if connection.local_port is not None:
            ports.setdefault(connection.local_port, True)
    return list(ports.items())


def _bind(address: IpAddress, port: int, prepare: PreparesSockets, *, encap: bool) -> socket.socket:
    family = _family(address)
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DONT)
            sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        _widen_buffer(sock)
        sock.bind((str(address), port))
        prepare.bypass(sock)
        if encap:
            prepare.enable_udp_encap(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _widen_buffer(sock: socket.socket) -> None:
    """Give a burst of requests room; beyond net.core.rmem_max only root may."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _WANTED_BUFFER_OCTETS)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WANTED_BUFFER_OCTETS)


def _no_ipv6(error: OSError) -> bool:
    return error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


def _bind_error(address: IpAddress, port: int, error: OSError) -> StartupError:
    where = f"UDP port {port} of {address}"
    if error.errno == errno.EADDRINUSE:
        holder = port_holder(port)
        return StartupError(
            f"{where} is taken" + (f" by {holder}" if holder else ""),
            "stop the other IKE daemon, or choose other ports with port and port_nat_t under [daemon]",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return StartupError(
            f"{where} cannot be opened ({error.strerror})",
            "start ikepy as root, or with CAP_NET_ADMIN and CAP_NET_BIND_SERVICE",
        )
    return StartupError(f"{where} cannot be opened ({error.strerror})", "check listen under [daemon]")


def _family(address: IpAddress) -> socket.AddressFamily:
    return socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET


def _peer(remote: tuple[Any, ...]) -> IpAddress:
    """Where a datagram came from; a link-local address with the name of its interface."""
    scope = remote[3] if len(remote) > _V4_PARTS else 0
    return _packed_address(_address(remote[0].partition("%")[0]).packed, scope) if scope else _address(remote[0])


@lru_cache(maxsize=4096)
def _address(text: str) -> IpAddress:
    return ip_address(text)


def _destination(ancillary: list[tuple[int, int, bytes]]) -> IpAddress | None:
    """The address of ours a datagram was sent to; None where the kernel did not say."""
    for level, kind, octets in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            _index, local, _header = _IN_PKTINFO.unpack_from(octets)
            return _packed_address(local, 0)
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            packed, index = _IN6_PKTINFO.unpack_from(octets)
            return _packed_address(packed, index if packed[:2] == b"\xfe\x80" else 0)
    return None


@lru_cache(maxsize=1024)
def _packed_address(packed: bytes, scope: int) -> IpAddress:
    if scope:
        return IPv6Address(f"{IPv6Address(packed)}%{socket.if_indextoname(scope)}")
    return ip_address(packed)


@lru_cache(maxsize=1024)
def _source(address: IpAddress) -> tuple[int, int, bytes]:
    """The ancillary item that makes a datagram leave from `address`."""
    if isinstance(address, IPv4Address):
        return socket.IPPROTO_IP, _IP_PKTINFO, _IN_PKTINFO.pack(0, address.packed, bytes(4))
    index = socket.if_nametoindex(address.scope_id) if address.scope_id else 0
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _IN6_PKTINFO.pack(address.packed, index)
