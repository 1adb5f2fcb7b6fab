"""Interfaces of the configuration, put into addresses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikepy.config.errors import Unfit
from ikepy.config.model import (
    AddressPatternKind,
    AuthKind,
    Config,
    ConnectionConfig,
    DaemonConfig,
    LocalAuthConfig,
    RemoteAuthConfig,
)
from ikepy.config.selectors import parse_address_pattern
from ikepy.daemon.interfaces import names_interfaces, on_interfaces, unknown_interfaces
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.selection import candidates_by_address

ONE, TWO, SIX, DSL = map(ip_address, ("192.0.2.1", "192.0.2.2", "2001:db8::1", "203.0.113.9"))
THERE = {"eth0": (ONE, TWO, SIX), "ppp0": (DSL,), "lo": (ip_address("127.0.0.1"),)}
PEER = ip_address("198.51.100.1")


def config(*local: str, **daemon: tuple[str, ...]) -> Config:
    connection = ConnectionConfig(
        "site",
        LocalAuthConfig(AuthKind.PSK),
        RemoteAuthConfig(AuthKind.PSK),
        local_addrs=tuple(parse_address_pattern(each, ours=True) for each in local),
    )
    return Config((connection,), daemon=DaemonConfig(**daemon))  # type: ignore[arg-type]


def answers_at(used: Config) -> set[str]:
    """At which of our addresses, and one that comes later, a peer is answered."""
    every = [*(address for each in THERE.values() for address in each), ip_address("192.0.2.77")]
    remote = {4: PEER, 6: ip_address("2001:db8:1::1")}
    return {
        str(address)
        for address in every
        if candidates_by_address(used, Path(SocketAddress(address, 500), SocketAddress(remote[address.version], 500)))
    }


def test_a_configuration_without_interfaces_is_used_as_it_is() -> None:
    plain = config("192.0.2.1")
    assert not names_interfaces(plain)
    assert on_interfaces(plain, THERE) is plain


def test_an_interface_stands_for_its_addresses() -> None:
    written = config("%eth0")
    assert names_interfaces(written)
    assert answers_at(on_interfaces(written, THERE)) == {"192.0.2.1", "192.0.2.2", "2001:db8::1"}


def test_an_interface_beside_an_address() -> None:
    assert answers_at(on_interfaces(config("%ppp0", "192.0.2.2"), THERE)) == {"203.0.113.9", "192.0.2.2"}


def test_an_address_that_comes_later_is_used_when_it_has_come() -> None:
    later = THERE | {"eth0": (*THERE["eth0"], ip_address("192.0.2.77"))}
    assert "192.0.2.77" not in answers_at(on_interfaces(config("%eth0"), THERE))
    assert "192.0.2.77" in answers_at(on_interfaces(config("%eth0"), later))


def test_an_interface_that_is_not_there_means_no_address_and_not_any() -> None:
    written = config("%wwan0")
    assert unknown_interfaces(written, THERE) == ("wwan0",)
    assert answers_at(on_interfaces(written, THERE)) == set()


@pytest.mark.parametrize(
    ("daemon", "used"),
    [
        ({"interfaces_use": ("eth*",)}, {"192.0.2.1", "192.0.2.2", "2001:db8::1"}),
        ({"interfaces_use": ("ppp0", "lo")}, {"203.0.113.9", "127.0.0.1"}),
        ({"interfaces_ignore": ("eth?", "lo")}, {"203.0.113.9"}),
        ({"interfaces_use": ("wlan0",)}, set()),
    ],
    ids=str,
)
def test_interfaces_that_are_used_and_ignored(daemon: dict[str, tuple[str, ...]], used: set[str]) -> None:
    assert answers_at(on_interfaces(config(**daemon), THERE)) == used


def test_what_is_ignored_is_not_used_though_a_connection_names_it() -> None:
    both = on_interfaces(config("192.0.2.1", "%ppp0", interfaces_ignore=("ppp0",)), THERE)
    assert answers_at(both) == {"192.0.2.1"}


def test_any_beside_ignored_interfaces_is_all_others() -> None:
    assert answers_at(on_interfaces(config("%any", interfaces_ignore=("eth0",)), THERE)) == {"203.0.113.9", "127.0.0.1"}


def test_an_interface_is_read_for_our_side_and_not_for_the_peers() -> None:
    pattern = parse_address_pattern("%eth0", ours=True)
    assert (pattern.kind, pattern.name, pattern.single) == (AddressPatternKind.INTERFACE, "eth0", None)
    assert not pattern.matches(ONE)
    with pytest.raises(Unfit, match="is not an address"):
        parse_address_pattern("%eth0")
    assert parse_address_pattern("%any", ours=True).kind is AddressPatternKind.ANY
    for wrong in ("%", "%a/b", "%" + "x" * 16):
        with pytest.raises(Unfit):
            parse_address_pattern(wrong, ours=True)


def test_the_host_of_a_link_local_socket_has_no_scope() -> None:
    scoped = SocketAddress(ip_address("fe80::1%eth0"), 500)
    assert scoped.host == ip_address("fe80::1")
    assert str(scoped) == "[fe80::1%eth0]:500"
    plain = SocketAddress(SIX, 500)
    assert plain.host is SIX
    assert replace(scoped, address=ONE).host is ONE
