"""EAP in IKE_AUTH: a gateway with users, a client with a password or a certificate, both ours, on the Pair."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest

from ikepy.config.access import GroupConfig, UserConfig
from ikepy.config.identities import parse_identity, parse_identity_pattern
from ikepy.config.model import AuthKind, LocalAuthConfig, PskConfig, RemoteAuthConfig, Unique
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path as Path_
from ikepy.ike.actions import SocketAddress
from ikepy.ike.admission import Admission, Lease
from ikepy.ike.ends import ends_of
from ikepy.ike.events import AttemptFailed
from ikepy.wire.registry import EapType
from ikepy.wire.ts import TrafficSelector
from tests.support.access import (
    ANY4,
    ANY6,
    PASSWORD,
    POOL4,
    POOL6,
    WRONG,
    client_config,
    gateway_config,
    make_access_pair,
    write_files,
)
from tests.support.certificates import make_ca
from tests.support.link import Link
from tests.support.pair import LEFT, RIGHT, Pair

ALL_METHODS = [EapType.MSCHAPV2, EapType.TLS, EapType.TTLS, EapType.PEAP, EapType.GTC, EapType.MD5_CHALLENGE]
PLAIN = UserConfig("alice", password=Secret(PASSWORD.encode()))


def bring_up(pair: Pair) -> Pair:
    pair.left.initiate("vpn")
    pair.run(60)
    return pair


def failures(pair: Pair) -> list[str]:
    return [
        event.reason for side in (pair.left, pair.right) for event in side.events if isinstance(event, AttemptFailed)
    ]


@pytest.mark.parametrize("method", ALL_METHODS, ids=str)
def test_a_client_comes_in_by_each_method_and_gets_an_address(tmp_path: Path, method: EapType) -> None:
    files = write_files(tmp_path)
    gateway = gateway_config(files, methods=(method,), users=(PLAIN,))
    client = client_config(files, methods=(method,), name="alice@example.com" if method is EapType.TLS else "alice")
    pair = bring_up(make_access_pair(tmp_path, gateway, client))
    assert pair.left.established, failures(pair)
    (child,) = pair.left.sa.children
    assert [str(ts) for ts in child.local_ts] == ["10.9.0.10/32"]
    assert [str(ts) for ts in pair.right.sa.children[0].remote_ts] == ["10.9.0.10/32"]
    assert pair.left.kernel.addresses == {IPv4Address("10.9.0.10"): 1}


def test_the_end_of_a_session_gives_the_address_back(tmp_path: Path) -> None:
    pair = bring_up(make_access_pair(tmp_path))
    assert pair.right.leases is not None
    assert len(pair.right.leases.in_use()) == 1
    pair.left.terminate()
    pair.run(60)
    assert pair.right.leases.in_use() == ()
    assert pair.left.kernel.is_clean
    assert pair.right.kernel.is_clean


def test_a_rekeyed_ike_sa_keeps_the_address_until_its_end(tmp_path: Path) -> None:
    pair = bring_up(make_access_pair(tmp_path))
    unique_id = pair.left.sa.unique_id
    pair.left.run(pair.left.endpoint.rekey(pair.now, ike_ids=(unique_id,)), pair.now)
    pair.run(40)
    assert pair.right.leases is not None
    assert len(pair.right.leases.in_use()) == 1
    assert pair.left.kernel.addresses[IPv4Address("10.9.0.10")] == 1
    pair.left.terminate()
    pair.run(60)
    assert pair.right.leases.in_use() == ()
    assert pair.left.kernel.is_clean


def test_addresses_of_both_families(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    gateway = gateway_config(files, pools=(POOL4, POOL6))
    pair = bring_up(make_access_pair(tmp_path, gateway, client_config(files, vips=(ANY4, ANY6))))
    assert set(pair.left.kernel.addresses) == {IPv4Address("10.9.0.10"), IPv6Address("2001:db8:9::10")}


def test_a_wrong_password_ends_in_eap_failure_and_authentication_failed(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    pair = bring_up(make_access_pair(tmp_path, client=client_config(files, password=WRONG)))
    assert not pair.left.established
    assert not pair.right.established
    assert any("wrong password of 'alice'" in reason for reason in failures(pair))
    assert any("user name or the password is wrong" in reason for reason in failures(pair))
    assert pair.right.kernel.is_clean


def test_who_is_in_no_group_gets_nothing(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    gateway = gateway_config(files, groups=(GroupConfig("staff", users=("bob",)),))
    pair = bring_up(make_access_pair(tmp_path, gateway))
    assert not pair.left.established
    assert any("in no group" in reason for reason in failures(pair))


def test_a_group_says_what_is_reached(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    reach = (TrafficSelector.from_network(ip_network("10.1.7.0/24")),)
    gateway = gateway_config(files, groups=(GroupConfig("staff", users=("alice",), subnets=reach),))
    pair = bring_up(make_access_pair(tmp_path, gateway))
    assert [str(ts) for ts in pair.left.sa.children[0].remote_ts] == ["10.1.7.0/24"]


@pytest.mark.parametrize("method", [EapType.TLS, None], ids=str)
@pytest.mark.parametrize("ours", [True, False])
def test_a_group_knows_its_members_by_the_ca_above_them(tmp_path: Path, method: EapType | None, *, ours: bool) -> None:
    files = write_files(tmp_path)
    other = tmp_path / "other.pem"
    other.write_bytes(make_ca("CN=Other").pem)
    groups = (GroupConfig("staff", cacerts=(files.root if ours else other,)),)
    if method is not None:
        gateway = gateway_config(files, methods=(method,), groups=groups)
        client = client_config(files, methods=(method,), name="alice@example.com")
    else:
        gateway = gateway_config(files, groups=groups, remote=RemoteAuthConfig(AuthKind.PUBKEY, cacerts=(files.root,)))
        client = client_config(files, local=LocalAuthConfig(AuthKind.PUBKEY, None, (files.alice[0],), files.alice[1]))
    pair = bring_up(make_access_pair(tmp_path, gateway, client))
    assert bool(pair.left.established) is ours, failures(pair)


def test_exhausted_pools_leave_the_ike_sa_without_a_child_and_name_the_pool(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    only = replace(POOL4, addrs=(replace(POOL4.addrs[0], last=POOL4.addrs[0].first),))
    pair = make_access_pair(tmp_path, gateway_config(files, pools=(only,)))
    assert pair.right.leases is not None
    pair.right.leases.acquire(("v4",), "bob", 4)
    bring_up(pair)
    assert pair.right.sa.children == ()
    assert any("pool v4: 1 of 1 in use" in reason for reason in failures(pair))
    assert any("INTERNAL_ADDRESS_FAILURE" in reason for reason in failures(pair))


def test_eap_only_where_the_method_proves_the_gateway(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    methods = (EapType.TLS,)
    gateway = gateway_config(files, methods=methods, eap_only=True)
    pair = bring_up(make_access_pair(tmp_path, gateway, client_config(files, methods=methods, eap_only=True)))
    assert pair.left.established, failures(pair)
    assert not any("SignAuth" in str(line) for line in pair.link.log)


def test_a_certificate_first_and_a_password_second(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    second = RemoteAuthConfig(AuthKind.EAP, eap_methods=(EapType.MSCHAPV2,))
    gateway = gateway_config(files, remote=RemoteAuthConfig(AuthKind.PUBKEY, cacerts=(files.root,)), remote2=second)
    client = client_config(
        files,
        local=LocalAuthConfig(AuthKind.PUBKEY, None, (files.alice[0],), files.alice[1]),
        local2=LocalAuthConfig(AuthKind.EAP, eap_id="alice", eap_methods=(EapType.MSCHAPV2,)),
    )
    pair = bring_up(make_access_pair(tmp_path, gateway, client))
    assert pair.left.established, failures(pair)
    assert pair.left.kernel.addresses == {IPv4Address("10.9.0.10"): 1}


def test_a_right_certificate_and_a_wrong_password_is_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    second = RemoteAuthConfig(AuthKind.EAP, eap_methods=(EapType.MSCHAPV2,))
    gateway = gateway_config(files, remote=RemoteAuthConfig(AuthKind.PUBKEY, cacerts=(files.root,)), remote2=second)
    client = client_config(
        files,
        password=WRONG,
        local=LocalAuthConfig(AuthKind.PUBKEY, None, (files.alice[0],), files.alice[1]),
        local2=LocalAuthConfig(AuthKind.EAP, eap_id="alice", eap_methods=(EapType.MSCHAPV2,)),
    )
    pair = bring_up(make_access_pair(tmp_path, gateway, client))
    assert not pair.left.established
    assert not pair.right.established


def test_a_domain_before_the_name_is_left_out(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    pair = bring_up(make_access_pair(tmp_path, client=client_config(files, name="CORP\\alice")))
    assert pair.left.established, failures(pair)
    assert pair.right.leases is not None
    assert [lease.identity for lease in pair.right.leases.in_use()] == ["alice"]


def test_the_third_session_of_who_may_have_two_ends_the_first(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    users = (UserConfig("alice", nt_hash=nt_hash(PASSWORD)),)
    group = GroupConfig("staff", users=("alice",), max_sessions=2)
    gateway = gateway_config(files, users=users, groups=(group,), unique=Unique.NEVER)
    pair = make_access_pair(tmp_path, gateway)
    for _ in range(3):
        connection = pair.left.config.connections[0]
        pair.left.endpoint.begin_connection(connection, connection.children)
        pair.left.run(pair.left.endpoint.handle_timeout(pair.now), pair.now)
        pair.run(20)
    assert len(pair.right.established) == 2


def test_of_who_comes_by_a_key_the_number_of_sessions_is_limited_too(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    shared = (PskConfig("all", Secret(b"a key of twenty octets and more")),)
    group = GroupConfig("partners", psk_ids=(parse_identity_pattern("one.test"),), max_sessions=1)
    gateway = gateway_config(
        files,
        local=LocalAuthConfig(AuthKind.PSK, parse_identity("gate.example.com")),
        remote=RemoteAuthConfig(AuthKind.PSK),
        groups=(group,),
        unique=Unique.NEVER,
    )
    client = client_config(
        files, local=LocalAuthConfig(AuthKind.PSK, parse_identity("one.test")), remote=RemoteAuthConfig(AuthKind.PSK)
    )
    pair = make_access_pair(tmp_path, replace(gateway, psks=shared), replace(client, psks=shared))
    for _ in range(3):
        connection = pair.left.config.connections[0]
        pair.left.endpoint.begin_connection(connection, connection.children)
        pair.left.run(pair.left.endpoint.handle_timeout(pair.now), pair.now)
        pair.run(20)
    assert len(pair.right.established) == 1
    assert pair.right.leases is not None
    (lease,) = pair.right.leases.in_use()
    assert str(lease.address) == "10.9.0.10"


@pytest.mark.parametrize("seed", range(10))
def test_eap_over_a_line_that_loses_doubles_and_reorders(tmp_path: Path, seed: int) -> None:
    link = Link(seed, loss=0.1, duplication=0.05, jitter=0.05)
    pair = bring_up(make_access_pair(tmp_path, link=link, seed=seed))
    pair.run(200)
    assert pair.left.established, failures(pair)


def test_a_client_that_does_not_like_the_certificate_ends_it_and_both_logs_say_so(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    other = tmp_path / "other.pem"
    other.write_bytes(make_ca("CN=Other").pem)
    remote = RemoteAuthConfig(AuthKind.PUBKEY, parse_identity_pattern("gate.example.com"), cacerts=(other,))
    pair = bring_up(make_access_pair(tmp_path, client=client_config(files, remote=remote)))
    assert not pair.left.established
    assert not pair.right.established


def test_a_client_that_names_no_address_of_its_own_means_the_one_it_is_lent(tmp_path: Path) -> None:
    ends = ends_of(
        Path_(SocketAddress(LEFT, 500), SocketAddress(RIGHT, 500)),
        Admission(leases=(Lease(IPv4Address("10.9.0.10"), "v4", "alice", 1),)),
    )
    nothing = TrafficSelector.from_network(ip_network("0.0.0.0/32"))
    web = replace(nothing, protocol=6, start_port=443, end_port=443)
    other = TrafficSelector.from_network(ip_network("10.7.0.0/16"))
    assert [str(each) for each in ends.meant((nothing, other))] == ["10.9.0.10/32", "10.7.0.0/16"]
    assert [str(each) for each in ends.meant((web,))] == ["10.9.0.10/32[tcp/443]"]
    assert ends_of(Path_(SocketAddress(LEFT, 500), SocketAddress(RIGHT, 500))).meant((nothing,)) == (nothing,)
