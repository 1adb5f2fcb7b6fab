"""Clients that are sent to another gateway: at IKE_SA_INIT, at IKE_AUTH, and later (RFC 5685)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.config.model import Config, FollowRedirects, RedirectAt
from ikepy.ike.actions import Datagram
from ikepy.ike.events import AttemptFailed, IkeSaDown, IkeSaUp
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.message import Message, build_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Nonce
from ikepy.wire.redirect import Redirect, make_redirect, make_redirected_from, parse_gateway, redirect
from ikepy.wire.registry import ExchangeType, NotifyType
from tests.support.link import arriving
from tests.support.mirror import assert_mirror
from tests.support.pair import LEFT, RIGHT, Pair, make_config, make_pair, one_address
from tests.support.sealing import ask
from tests.support.stage import events_of

OTHER = IPv4Address("192.0.2.3")
ANY = FollowRedirects.ANY


def gateways(at: RedirectAt = RedirectAt.INIT, *, to: str | None = str(OTHER), back: str | None = None) -> Config:
    """The right is two gateways: by RIGHT it sends clients to `to`, by OTHER it takes them, or sends them `back`."""
    config = make_config(left=False)
    (site,) = config.connections
    first = replace(site, redirect_to=to, redirect_at=at)
    second = replace(site, name="other", local_addrs=one_address(OTHER), redirect_to=back, redirect_at=at)
    return replace(config, connections=(first, second))


def pair_of(right: Config, follow: FollowRedirects = ANY, **more: object) -> Pair:
    pair = make_pair(make_config(follow_redirects=follow, **more), right)
    pair.right.addresses = [RIGHT, OTHER]
    return pair


def begun(right: Config, follow: FollowRedirects = ANY, **more: object) -> Pair:
    pair = pair_of(right, follow, **more)
    pair.left.initiate()
    pair.run(25)
    return pair


def assert_at(pair: Pair, gateway: IPv4Address) -> None:
    """There is one IKE SA, with that gateway, and nothing is left of any other."""
    pair.run(200)
    assert_mirror(pair)
    assert pair.left.sa.path.remote.address == gateway


@pytest.mark.parametrize("at", RedirectAt)
def test_a_client_goes_where_it_is_sent(at: RedirectAt) -> None:
    pair = begun(gateways(at))
    assert_at(pair, OTHER)
    assert len(events_of(pair.left, IkeSaUp)) == 1


def test_at_the_new_gateway_it_says_where_it_comes_from() -> None:
    pair = begun(gateways())
    (said,) = [m for m, _ in pair.left.recorder.sent if m.notify(NotifyType.REDIRECTED_FROM) is not None]
    assert redirect(said.notify(NotifyType.REDIRECTED_FROM)).gateway == RIGHT
    assert said.notify(NotifyType.REDIRECT_SUPPORTED) is None


@pytest.mark.parametrize("at", RedirectAt)
def test_who_does_not_follow_is_served_where_it_is(at: RedirectAt) -> None:
    pair = begun(gateways(at), FollowRedirects.NO)
    assert_at(pair, RIGHT)


@pytest.mark.parametrize("at", RedirectAt)
def test_where_only_configured_gateways_are_followed_others_are_refused_and_it_is_said_what_to_do(
    at: RedirectAt,
) -> None:
    pair = begun(gateways(at), FollowRedirects.CONFIGURED)
    assert not pair.left.established
    failed = events_of(pair.left, AttemptFailed)[0]
    assert "remote_addrs" in failed.reason
    assert str(OTHER) in failed.reason

    both = (*one_address(RIGHT), *one_address(OTHER))
    assert_at(begun(gateways(at), FollowRedirects.CONFIGURED, remote_addrs=both), OTHER)


def test_gateways_that_point_at_each_other_are_left_after_some_redirects() -> None:
    pair = begun(gateways(RedirectAt.AUTH, back=str(RIGHT)))
    pair.run(100)
    assert not pair.left.established
    assert not pair.right.established
    assert "circle" in events_of(pair.left, AttemptFailed)[-1].reason


def test_a_gateway_does_not_send_a_client_back_to_where_it_was_sent_from() -> None:
    pair = begun(gateways(back=str(RIGHT)), FollowRedirects.ANY)
    first = next(m for m, _ in pair.left.recorder.sent if m.notify(NotifyType.REDIRECTED_FROM) is not None)
    assert first.notify(NotifyType.REDIRECTED_FROM) is not None
    assert_at(pair, OTHER)


def test_a_name_is_resolved_where_the_client_is() -> None:
    pair = pair_of(gateways(to="gw2.example.com"))
    pair.left.gateways["gw2.example.com"] = (OTHER,)
    pair.left.initiate()
    assert_at(pair, OTHER)


def test_a_client_that_is_up_goes_when_it_is_told_to_and_the_old_ike_sa_ends_after_that() -> None:
    pair = begun(gateways(to=None))
    (sa,) = pair.right.sas
    count, actions = pair.right.endpoint.redirect(OTHER, pair.now, ike_ids=(sa.unique_id,))
    pair.right.run(actions, pair.now)
    assert count == 1
    assert_at(pair, OTHER)
    kinds = [type(event) for event in pair.left.events]
    assert kinds.index(IkeSaDown) > len(kinds) - kinds[::-1].index(IkeSaUp) - 1


def test_a_client_that_does_not_follow_is_not_sent_on_and_one_that_stays_is_closed() -> None:
    pair = begun(gateways(to=None), FollowRedirects.NO)
    assert pair.right.endpoint.redirect(OTHER, pair.now, ike_ids=(pair.right.sa.unique_id,))[0] == 0

    stays = begun(gateways(to=None), FollowRedirects.CONFIGURED)
    _, actions = stays.right.endpoint.redirect(OTHER, stays.now, ike_ids=(stays.right.sa.unique_id,))
    stays.right.run(actions, stays.now)
    stays.run(100)
    assert not stays.right.established


def test_a_gateway_is_not_redirected_by_its_client() -> None:
    pair = begun(gateways(to=None))
    ask(pair, ExchangeType.INFORMATIONAL, make_redirect(LEFT))
    assert len(pair.right.sas) == 1
    assert pair.right.established


@pytest.mark.parametrize("nonce", [b"", bytes(32)])
def test_a_redirect_without_our_nonce_is_nobodys(nonce: bytes) -> None:
    pair = pair_of(gateways(to=None))
    pair.left.initiate()
    pair._collect()
    sent = pair.link.sent[-1]
    request = pair.left.recorder.sent[-1][0]
    assert request.all(Nonce)[0].octets != nonce
    header = replace(request.header, flags=0x20)
    forged = build_message(Message(header, (make_redirect(OTHER, nonce),)))
    back = arriving(Datagram(forged, replace(sent.path, local=sent.path.remote, remote=sent.path.local)))
    pair.left.run(pair.left.endpoint.receive_datagram(back, pair.now), pair.now)
    assert_at(pair, RIGHT)


# -- octets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["192.0.2.7", "2001:db8::7", "gw2.example.com"])
def test_a_gateway_comes_back_as_it_was_said(text: str) -> None:
    gateway = parse_gateway(text)
    assert redirect(make_redirect(gateway, b"n" * 16)) == Redirect(gateway, b"n" * 16)
    assert redirect(make_redirected_from(gateway)) == Redirect(gateway)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\1",
        b"\1\4abc",
        b"\1\3abc",
        b"\2\4abcd",
        b"\4\4abcd",
        b"\3\0",
        b"\3\7-x.test",
        b"\3\5a b.c",
        b"\3\6$(x).y",
        b"\3\3a\n.",
    ],
)
def test_what_is_no_gateway_is_invalid_syntax(octets: bytes) -> None:
    with pytest.raises(InvalidSyntax):
        redirect(Notify(NotifyType.REDIRECT, octets))


@given(st.binary(max_size=300))
def test_any_octets_are_a_gateway_or_invalid_syntax(octets: bytes) -> None:
    try:
        found = redirect(Notify(NotifyType.REDIRECT, octets))
    except InvalidSyntax:
        return
    assert parse_gateway(str(found.gateway)) == found.gateway


def test_a_client_that_is_sent_on_does_not_say_that_it_begins_anew() -> None:
    pair = begun(gateways(to=None))
    _, actions = pair.right.endpoint.redirect(OTHER, pair.now, ike_ids=(pair.right.sa.unique_id,))
    pair.right.run(actions, pair.now)
    pair.run(5)
    said = [m for m, _ in pair.left.recorder.sent if m.notify(NotifyType.INITIAL_CONTACT) is not None]
    assert len(said) == 1
