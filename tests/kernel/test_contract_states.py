"""What every kernel must do, continued: each kind of state and policy comes back as it went in."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from ikepy.crypto.secret import Secret
from ikepy.ipsec import (
    Lifetime,
    Mark,
    Mode,
    Owner,
    SaSpec,
    Selector,
    Spi,
    UdpEncap,
)
from ikepy.kernel.algorithms import CIPHERS, INTEGRITIES
from ikepy.kernel.base import BookedKernel
from ikepy.wire.registry import EncrId, IntegId
from tests.kernel.rig import (
    OUR_ADDRESS,
    PEER_ADDRESS,
    Host,
    make_child,
    make_policies,
)
from tests.kernel.story import contents, play

# -- all kinds of states -----------------------------------------------------------------------------------------


def all_kinds() -> dict[str, SaSpec]:
    """A state for each algorithm, key length and feature."""
    base = make_child().inbound
    base = replace(base, inbound=False)
    kinds: dict[str, SaSpec] = {}
    for encr, cipher in CIPHERS.items():
        for octets in cipher.key_octets:
            spec = replace(base, encr=encr, encr_key=Secret(distinct(octets + cipher.salt_octets)))
            if not cipher.is_aead:
                spec = replace(spec, integ=IntegId.HMAC_SHA2_256_128, integ_key=Secret(distinct(32)))
            kinds[f"{encr} {octets * 8}"] = spec
    for integ, algorithm in INTEGRITIES.items():
        kinds[str(integ)] = replace(
            base,
            encr=EncrId.AES_CBC,
            encr_key=Secret(distinct(16)),
            integ=integ,
            integ_key=Secret(distinct(algorithm.key_octets)),
        )
    for window in (1, 32, 33, 64, 1000, 4096):
        kinds[f"window {window}"] = replace(base, replay_window=window)
        kinds[f"ESN and window {window}"] = replace(base, replay_window=window, esn=True)
    kinds["no replay check"] = replace(base, replay_window=0)
    kinds["in UDP"] = replace(base, encap=UdpEncap(4500, 34567))
    kinds["limits"] = replace(base, lifetime=Lifetime(10, 20, 1 << 40, 1 << 41, 5000, 6000))
    kinds["mark"] = replace(base, mark=Mark(0x10, 0xF0))
    kinds["interface ID"] = replace(base, if_id=77)
    kinds["transport"] = replace(base, mode=Mode.TRANSPORT)
    selector = Selector(IPv4Network("192.0.2.2/32"), IPv4Network("192.0.2.1/32"), 6, 443, 0xFFFF, 0, 0)
    kinds["transport with a selector"] = replace(base, mode=Mode.TRANSPORT, selector=selector)
    return kinds


def distinct(octets: int) -> bytes:
    """Octets none of which is another (3DES wants three keys that differ)."""
    return bytes(range(1, octets + 1))


def test_every_kind_of_state_comes_back_as_it_went_in(host: Host) -> None:
    kinds = all_kinds()

    async def story(kernel: BookedKernel) -> None:
        for number, (name, spec) in enumerate(kinds.items()):
            state = replace(spec, spi=Spi(0xA0000000 + number))
            outbound = replace(make_child(number + 1).outbound)
            child = replace(make_child(number + 1), inbound=state, outbound=outbound, policies=())
            await kernel.install_child(child)
            found = {found.id: found for found in await kernel.dump_states()}
            assert found[state.id] == state, name
            assert await kernel.counters(state.id) is not None, name
            await kernel.remove_child(child)
            assert await kernel.dump_states() == (), name

    play(host, story)


def test_policies_of_one_selector_differ_by_mark_and_interface(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        plain = make_child().policies[0]
        policies = {
            plain,
            replace(plain, mark=Mark(1, 0xFF)),
            replace(plain, mark=Mark(2, 0xFF)),
            replace(plain, if_id=3),
        }
        for number, policy in enumerate(policies):
            await kernel.install_policies(Owner(f"owner {number}"), (policy,))
        assert set(await kernel.dump_policies()) == policies
        for number in range(len(policies)):
            await kernel.remove_policies(Owner(f"owner {number}"))
        assert await kernel.dump_policies() == ()

    play(host, story)


def test_a_tunnel_of_ipv4_in_ipv6_is_taken(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        child = make_child(here="2001:db8::1", there="2001:db8::2")
        await kernel.install_child(child)
        assert set(await kernel.dump_policies()) == set(child.policies)

    play(host, story)


def test_a_child_of_more_policies_than_one_write_holds_goes_in_and_out(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        child = make_child()
        selectors = [Selector(IPv4Network(f"10.1.{n}.0/24"), IPv4Network("10.2.0.0/16")) for n in range(120)]
        policies = tuple(
            policy
            for selector in selectors
            for policy in make_policies(selector, OUR_ADDRESS, PEER_ADDRESS, child.inbound.reqid)
        )
        big = replace(child, policies=policies)
        await kernel.install_child(big)
        assert len(await kernel.dump_policies()) == 360
        await kernel.remove_child(big)
        assert await contents(kernel) == (set(), set())

    play(host, story)


def test_the_address_of_a_state_is_part_of_its_name(host: Host) -> None:
    async def story(kernel: BookedKernel) -> None:
        one, two = make_child(1), make_child(2, local="10.9.0.0/24")
        two = replace(two, inbound=replace(two.inbound, spi=one.inbound.spi, destination=IPv4Address("192.0.2.9")))
        await kernel.install_child(one)
        await kernel.install_child(two)
        assert len(await kernel.dump_states()) == 4

    play(host, story)
