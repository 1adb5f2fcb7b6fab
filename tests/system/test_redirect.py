"""Redirects between real daemons: strongSwan sent elsewhere by ikepy, and ikepy by strongSwan."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.daemon import Daemon, End, make_daemon
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import add_addresses, crosses, link, namespaces, sh, states
from tests.lab.strongswan import StrongSwan

FIRST, SECOND, CLIENT = "10.83.0.1", "10.83.0.3", "10.83.0.2"
INNER = {"near": "172.30.200.1", "far": "172.31.200.1"}
NEAR_NET, FAR_NET = "172.30.200.0/24", "172.31.200.0/24"


@dataclass
class Gateways:
    """A client, and a host that is two gateways, by two addresses."""

    client: Daemon
    host: Daemon

    def is_at(self, gateway: str) -> bool:
        """Whether the client has one tunnel, with that gateway, and it carries."""
        ends = {frozenset((state.source, state.destination)) for state in states("near")}
        if ends != {frozenset((CLIENT, gateway))} or len(states("near")) != 2 or len(states("far")) != 2:
            return False
        return crosses("near", INNER["near"], "far", INNER["far"]) == 3

    def story(self) -> str:
        return f"-- client\n{self.client.log()}\n-- gateways\n{self.host.log()}"


@contextlib.contextmanager
def gateways(directory: Path, kinds: tuple[str, str], at: str = "") -> Iterator[Gateways]:
    """Both of these kinds, the client's first; `at` is when an ikepy sends clients from the first address on."""
    with namespaces("near", "far"):
        near, far = link("near", "far")
        add_addresses("near", {near: [f"{CLIENT}/24"], "lo": [f"{INNER['near']}/32"]})
        add_addresses("far", {far: [f"{FIRST}/24", f"{SECOND}/24"], "lo": [f"{INNER['far']}/32"]})
        sh("ip", "-n", "near", "route", "add", FAR_NET, "via", FIRST, "src", INNER["near"])
        sh("ip", "-n", "far", "route", "add", NEAR_NET, "via", CLIENT, "src", INNER["far"])
        client_end = End(
            "near.lab",
            "far.lab",
            FIRST,
            CLIENT,
            NEAR_NET,
            FAR_NET,
            mobike=False,
            more=(("ikepy", 'follow_redirects = "any"'),),
        )
        sends = f'redirect_to = "{SECOND}"\nredirect_at = "{at}"\n' if at else ""
        first = End(
            "far.lab", "near.lab", "", FIRST, FAR_NET, NEAR_NET, mobike=False,
            more=(("ikepy", f'local_addrs = ["{FIRST}"]\n{sends}'),),
        )  # fmt: skip
        second = End(
            "far.lab", "near.lab", "", SECOND, FAR_NET, NEAR_NET, mobike=False,
            more=(("ikepy", f'local_addrs = ["{SECOND}"]'),),
        )  # fmt: skip
        ends = {"tun": first, "other": second} if kinds[1] == "ikepy" else {"tun": first}
        pair = Gateways(
            make_daemon(kinds[0], "near", directory / "near", {"tun": client_end}),
            make_daemon(kinds[1], "far", directory / "far", ends),
        )
        try:
            pair.host.start()
            pair.client.start()
            yield pair
        finally:
            for daemon in (pair.client, pair.host):
                with contextlib.suppress(AssertionError):
                    daemon.stop()


def await_at(pair: Gateways, gateway: str) -> None:
    try:
        await_true(f"the client is at {gateway}", lambda: pair.is_at(gateway), 25)
    except AssertionError as fault:
        raise AssertionError(f"{fault}\n{pair.story()}") from fault


# strongSwan 5.9.8 that is sent on with IKE_AUTH says that it begins there, and sends nothing.
@pytest.mark.parametrize(("client", "at"), [("strongswan", "init"), ("ikepy", "init"), ("ikepy", "auth")])
def test_a_client_goes_where_ikepy_sends_it_at_first(tmp_path: Path, client: str, at: str) -> None:
    with gateways(tmp_path, (client, "ikepy"), at) as pair:
        with contextlib.suppress(AssertionError):  # strongSwan's answer is of its first try
            pair.client.up("tun", "net")
        await_at(pair, SECOND)


@pytest.mark.parametrize("client", ["strongswan", "ikepy"])
def test_a_client_that_is_up_goes_where_ikepy_sends_it(tmp_path: Path, client: str) -> None:
    with gateways(tmp_path, (client, "ikepy")) as pair:
        pair.client.up("tun", "net")
        await_at(pair, FIRST)
        assert isinstance(pair.host, Gateway)
        assert "told to go" in pair.host.ikepy("redirect", "tun", SECOND)
        await_at(pair, SECOND)


def test_ikepy_goes_where_strongswan_sends_it(tmp_path: Path) -> None:
    with gateways(tmp_path, ("ikepy", "strongswan")) as pair:
        pair.client.up("tun", "net")
        await_at(pair, FIRST)
        assert isinstance(pair.host, StrongSwan)
        pair.host.swanctl("--redirect", "--ike", "tun", "--gateway", SECOND)
        await_at(pair, SECOND)
