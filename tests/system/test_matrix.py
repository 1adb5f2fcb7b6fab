"""Each way to set up a tunnel, with each peer, in both roles: packets cross as ESP and nothing else does."""

from __future__ import annotations

import contextlib
import ipaddress

import pytest

from tests.lab.forge import put_on_cable, udp_packet
from tests.lab.gateway import await_true
from tests.lab.namespaces import Wire, addresses_of, crosses, leftovers, sh, states, udp
from tests.system.cases import Case, select
from tests.system.cast import route_to_us
from tests.system.conftest import Lab

ESP, UDP = 50, 17
IKE_PORTS = (b"\x01\xf4", b"\x11\x94")


@pytest.mark.parametrize("role", ["we initiate", "the peer initiates"])
@pytest.mark.parametrize(
    ("peer", "case"), select("ikepy", "strongswan", "libreswan"), ids=lambda value: getattr(value, "name", value)
)
def test_packets_cross_the_tunnel_as_esp_and_in_no_other_way(lab: Lab, peer: str, case: Case, role: str) -> None:
    name, other, wire = case.connection(peer), lab.peers[peer], lab.wires[peer]
    route_to_us(peer, case)
    wire.packets()
    if role == "we initiate":
        lab.left.up(name)
    else:
        for child in case.children:
            other.up(name, child)
    try:
        await_true(
            "all children are installed", lambda: len(of_case(lab, "left", peer, case)) == 2 * len(case.children)
        )
        for number in range(len(case.children)):
            assert_crosses(lab, peer, case, number)
        assert_counted(lab, peer, case)
        assert_nothing_in_clear(wire, case, peer)
        assert_nothing_leaves_outside(lab, peer, case)
        assert not forged_packet_arrives(lab, peer, case)
    finally:
        # Whoever began ends it: libreswan takes up again what it was told to initiate and a peer deletes.
        (lab.left if role == "we initiate" else other).down(name)
    await_true("the peer's states are gone", lambda: not of_case(lab, lab.namespace(peer), peer, case))
    await_true("our states are gone", lambda: not of_case(lab, "left", peer, case))
    assert case.addresses(peer).network(2).split("/")[0] not in leftovers("left")
    assert forged_packet_arrives(lab, peer, case)  # it was the tunnel that kept it out


def of_case(lab: Lab, namespace: str, peer: str, case: Case) -> list:
    """The states between the outer addresses of a case."""
    at = case.addresses(peer)
    mine = {str(ipaddress.ip_address(at.outer(side))) for side in (1, 2)}
    return [state for state in states(namespace) if {state.source, state.destination} == mine]


def assert_crosses(lab: Lab, peer: str, case: Case, number: int) -> None:
    at = case.addresses(peer)
    there = lab.namespace(peer)
    came = crosses("left", at.inner(1, number), there, at.inner(2, number), port=case.port or 5001)
    assert came == 3, f"{came} of 3 came back\n{sh('ip', '-n', 'left', 'xfrm', 'policy')}\n{lab.left.log()}"


def assert_counted(lab: Lab, peer: str, case: Case) -> None:
    """The kernels of both ends counted packets in all states."""
    for namespace in ("left", lab.namespace(peer)):
        for state in of_case(lab, namespace, peer, case):
            assert state.packets >= 3, state.text


def assert_nothing_in_clear(wire: Wire, case: Case, peer: str) -> None:
    """Nothing with an inner address was seen on the cable, and ESP was."""
    at = case.addresses(peer)
    inner = {
        ipaddress.ip_address(at.inner(side, number)).packed for side in (1, 2) for number in range(len(case.children))
    }
    esp = 0
    for packet in wire.packets():
        source, destination, protocol = addresses_of(packet)
        esp += protocol == ESP
        ports = packet[20:24] if packet[0] >> 4 == 4 else packet[40:44]
        is_ike = protocol == UDP and (ports[:2] in IKE_PORTS or ports[2:] in IKE_PORTS)
        if not case.transport:
            assert source not in inner, packet.hex()
            assert destination not in inner, packet.hex()
        elif protocol == UDP:
            assert is_ike, packet.hex()
    assert esp >= 6


def assert_nothing_leaves_outside(lab: Lab, peer: str, case: Case) -> None:
    """A packet to an address beside the peer's networks takes no way to the peer."""
    if case.transport:
        return
    at, wire = case.addresses(peer), lab.wires[peer]
    outside = outside_of(case, at.inner(2))
    wire.packets()
    with udp("left", at.inner(1)) as client, contextlib.suppress(OSError):  # no route: as good
        client.sendto(b"outside", (outside, 5001))
    assert not [packet for packet in wire.packets() if ipaddress.ip_address(outside).packed in addresses_of(packet)[:2]]


def forged_packet_arrives(lab: Lab, peer: str, case: Case) -> bool:
    """Whether a packet inside the selectors that comes in clear, not as ESP, is let in."""
    at, there = case.addresses(peer), lab.namespace(peer)
    port = case.port or 5009
    packet = udp_packet(at.inner(2), at.inner(1), port, b"forged")
    with udp("left", at.inner(1), port) as server:
        server.settimeout(0.15)
        put_on_cable((there, f"v-{there}-left"), ("left", f"v-left-{there}"), packet)
        try:
            return server.recv(100) == b"forged"
        except TimeoutError:
            return False


def outside_of(case: Case, address: str) -> str:
    """An address beside the case's networks."""
    return address.rsplit(".", 1)[0] + ".250" if "." in address else address.replace("::1", "") + ":ffff::1"
