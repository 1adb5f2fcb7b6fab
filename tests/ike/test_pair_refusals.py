"""Set-ups that must not succeed, or only after a detour: cookies, other methods, wrong secrets, forged answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.config.model import DaemonConfig, IdentityPattern, PskConfig
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Datagram
from ikepy.ike.drops import DropReason
from ikepy.ike.errors import KernelRefused, SpiTaken
from ikepy.ike.events import AttemptFailed
from ikepy.ipsec import Mode
from ikepy.wire.header import FLAG_RESPONSE, IkeHeader
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify, make_invalid_ke
from ikepy.wire.registry import ExchangeType, KeMethod, NotifyType, PayloadType, ProtocolId
from tests.ike.test_pair_set_up import mirrored, nothing_left
from tests.support.link import arriving
from tests.support.pair import Pair, fqdn, make_child, make_config, make_pair, networks

TWO_METHODS = parse_proposals(("aes256gcm16-prfsha256-x25519-ecp256",), ProtocolId.IKE)


def attempt(pair: Pair, seconds: float = 300) -> None:
    pair.left.initiate()
    pair.run(seconds)


def reasons(pair: Pair) -> list[str]:
    return [event.reason for event in pair.left.events if isinstance(event, AttemptFailed)]


def forged(request: Datagram, *payloads: Notify, spi_r: bytes = bytes(8)) -> Datagram:
    """An answer that anybody on the path could send."""
    asked = parse_message(request.octets).header
    header = IkeHeader(asked.spi_i, spi_r, PayloadType(0), ExchangeType.IKE_SA_INIT, FLAG_RESPONSE, 0, 0)
    return Datagram(build_message(Message(header, payloads)), request.path)


def test_above_the_threshold_a_cookie_is_asked_for_and_sent_back() -> None:
    right = replace(make_config(left=False), daemon=DaemonConfig(cookie_threshold=0))
    pair = make_pair(None, right)
    attempt(pair)

    mirrored(pair)
    assert DropReason.COOKIE_REQUESTED in pair.right.recorder.drop_reasons
    assert len(pair.link.sent) == 6


def test_a_cookie_and_another_method_can_both_be_asked_for() -> None:
    right = replace(
        make_config(left=False, proposals=parse_proposals(("aes256gcm16-prfsha256-ecp256",), ProtocolId.IKE)),
        daemon=DaemonConfig(cookie_threshold=0),
    )
    pair = make_pair(make_config(left=True, proposals=TWO_METHODS), right)
    attempt(pair)

    mirrored(pair)
    assert len(pair.link.sent) == 8


def test_another_method_is_tried_when_it_is_asked_for() -> None:
    right = make_config(left=False, proposals=parse_proposals(("aes256gcm16-prfsha256-ecp256",), ProtocolId.IKE))
    pair = make_pair(make_config(left=True, proposals=TWO_METHODS), right)
    attempt(pair)

    mirrored(pair)
    assert len(pair.link.sent) == 6
    assert not any(sa.state == "CONNECTING" for sa in pair.right.sas)


@pytest.mark.parametrize(
    "lie",
    [
        Notify(NotifyType.NO_PROPOSAL_CHOSEN),
        Notify(NotifyType.AUTHENTICATION_FAILED),
        make_invalid_ke(KeMethod.MODP_1024),
        Notify(NotifyType.INVALID_KE_PAYLOAD, b"x"),
        Notify(NotifyType.COOKIE, bytes(65)),
        Notify(NotifyType.COOKIE, b""),
        Notify(NotifyType.MOBIKE_SUPPORTED),
    ],
    ids=str,
)
def test_a_forged_answer_before_the_real_one_ends_nothing(lie: Notify) -> None:
    pair = make_pair()
    pair.left.initiate()
    request = pair.left.outbox[0]
    pair.left.run(pair.left.endpoint.receive_datagram(forged(request, lie), pair.now), pair.now)
    pair.run(60)

    mirrored(pair)


def test_a_forged_cookie_and_a_forged_method_are_detours_only() -> None:
    pair = make_pair(*(make_config(left=left, proposals=TWO_METHODS) for left in (True, False)))
    pair.left.initiate()
    for lie in (Notify(NotifyType.COOKIE, b"cookie"), make_invalid_ke(KeMethod.ECP_256)):
        request = pair.left.outbox.pop()
        pair.left.run(pair.left.endpoint.receive_datagram(forged(request, lie), pair.now), pair.now)
    pair.run(60)

    mirrored(pair)


def test_endless_detours_end() -> None:
    pair = make_pair()
    pair.left.initiate()
    for _ in range(20):
        if not pair.left.outbox:
            break
        request = pair.left.outbox.pop()
        lie = forged(request, Notify(NotifyType.COOKIE, b"again"))
        pair.left.run(pair.left.endpoint.receive_datagram(lie, pair.now), pair.now)

    assert "8 times" in reasons(pair)[0]
    nothing_left(pair)


def test_no_proposal_in_common_fails_soon_and_says_so_on_both_sides() -> None:
    right = make_config(left=False, proposals=parse_proposals(("aes128-sha256-modp2048",), ProtocolId.IKE))
    pair = make_pair(None, right)
    attempt(pair, 30)

    assert reasons(pair) == ["the peer answered NO_PROPOSAL_CHOSEN"]
    assert any("compare `proposals`" in decision for decision in pair.right.recorder.decisions)
    nothing_left(pair)


@pytest.mark.parametrize("seed", range(5))
def test_wrong_secrets_fail_and_neither_side_is_told_more_than_that(seed: int) -> None:
    right = replace(make_config(left=False), psks=(PskConfig("psk", Secret(b"another secret of twenty octets")),))
    pair = make_pair(None, right, seed=seed)
    attempt(pair, 100)

    assert "AUTHENTICATION_FAILED" in reasons(pair)[0]
    assert not pair.right.established
    assert pair.left.kernel.is_clean
    assert pair.right.kernel.is_clean
    pair.run(100)
    nothing_left(pair)


def test_an_initiator_that_does_not_believe_the_responder_tells_it_and_leaves() -> None:
    left = make_config(left=True)
    connection = left.connections[0]
    somebody = replace(connection.remote, id=IdentityPattern(fqdn("somebody.else")))
    left = replace(
        left,
        connections=(replace(connection, remote=somebody),),
        psks=(*left.psks, PskConfig("else", left.psks[0].secret, (fqdn("left.test"), fqdn("somebody.else")))),
    )
    right = make_config(left=False)
    keyed = replace(right.psks[0], owners=())
    pair = make_pair(left, replace(right, psks=(keyed,)))
    attempt(pair, 100)

    assert reasons(pair)
    assert not pair.left.established
    assert not pair.right.established


def test_a_stranger_is_answered_and_not_kept() -> None:
    right = make_config(left=False, remote_addrs=make_config(left=False).connections[0].local_addrs)
    pair = make_pair(None, right)
    attempt(pair, 30)

    assert pair.right.recorder.drop_reasons[0] is DropReason.NO_CONNECTION
    nothing_left(pair)


def test_selectors_with_nothing_in_common_keep_the_ike_sa_and_say_why() -> None:
    right = make_config(left=False, children=(make_child(local="10.8.0.0/24", remote="10.9.0.0/24"),))
    pair = make_pair(None, right)
    attempt(pair, 30)

    assert "TS_UNACCEPTABLE" in reasons(pair)[0]
    assert len(pair.left.established) == len(pair.right.established) == 1
    assert pair.left.kernel.is_clean
    assert pair.right.kernel.is_clean


def test_a_child_without_a_proposal_in_common_keeps_the_ike_sa() -> None:
    child = make_child(esp_proposals=parse_proposals(("aes128-sha256",), ProtocolId.ESP))
    pair = make_pair(None, make_config(left=False, children=(child,)))
    attempt(pair, 30)

    assert "NO_PROPOSAL_CHOSEN" in reasons(pair)[0]
    assert len(pair.left.established) == 1


def test_a_responder_that_wants_transport_mode_takes_no_tunnel() -> None:
    child = make_child(mode=Mode.TRANSPORT)
    pair = make_pair(None, make_config(left=False, children=(child,)))
    attempt(pair, 30)

    assert "NO_PROPOSAL_CHOSEN" in reasons(pair)[0]


def test_an_initiator_that_wants_transport_mode_deletes_the_tunnel_it_is_given() -> None:
    child = make_child(mode=Mode.TRANSPORT, local_ts=networks("192.0.2.1/32"), remote_ts=networks("192.0.2.2/32"))
    tunnel = make_child(local_ts=networks("192.0.2.1/32"), remote_ts=networks("192.0.2.2/32"))
    pair = make_pair(make_config(left=True, children=(child,)), make_config(left=False, children=(tunnel,)))
    attempt(pair, 30)

    assert "transport mode" in reasons(pair)[0]
    assert len(pair.right.established) == 1
    assert not pair.right.sa.children
    assert pair.left.kernel.is_clean
    assert pair.right.kernel.is_clean


def test_a_kernel_that_refuses_at_the_responder_keeps_the_ike_sa_and_leaves_nothing() -> None:
    pair = make_pair()
    pair.right.kernel.refuse = KernelRefused("no room")
    attempt(pair, 30)

    assert "NO_ADDITIONAL_SAS" in reasons(pair)[0]
    assert pair.right.kernel.is_clean
    assert pair.left.kernel.is_clean


def test_a_kernel_that_has_each_spi_already_is_asked_a_few_times() -> None:
    pair = make_pair()
    pair.right.kernel.refuse = SpiTaken("there")
    attempt(pair, 30)

    assert "NO_ADDITIONAL_SAS" in reasons(pair)[0]
    assert pair.right.kernel.is_clean


def test_a_kernel_that_refuses_at_the_initiator_has_the_peer_delete_its_half() -> None:
    pair = make_pair()
    pair.left.kernel.refuse = KernelRefused("no room")
    attempt(pair, 30)

    assert "no room" in reasons(pair)[0]
    assert not pair.right.sa.children
    assert pair.left.kernel.is_clean
    assert pair.right.kernel.is_clean


def test_a_peer_that_never_answers_is_given_up_with_the_number_of_tries() -> None:
    pair = make_pair()
    pair.link.loss = 1.0
    attempt(pair, 400)

    assert "no answer to IKE_SA_INIT after 7 tries from 192.0.2.2:500" in reasons(pair)[0]
    assert len({d.octets for d in pair.link.sent}) == 1
    nothing_left(pair)


def test_half_open_ike_sas_are_forgotten_in_time() -> None:
    pair = make_pair()
    pair.left.initiate()
    request = arriving(pair.left.outbox.pop())
    pair.right.run(pair.right.endpoint.receive_datagram(request, pair.now), pair.now)
    assert pair.right.endpoint.half_open == 1
    pair.left.run(pair.left.endpoint.abandon(pair.now), pair.now)
    pair.right.outbox.clear()
    pair.run(200)

    nothing_left(pair)


def test_limits_of_half_open_ike_sas_hold_for_all_and_for_one_source() -> None:
    for limits, reason in (
        (DaemonConfig(half_open_limit=2), DropReason.HALF_OPEN_LIMIT),
        (DaemonConfig(half_open_per_source=2), DropReason.HALF_OPEN_PER_SOURCE),
    ):
        pair = make_pair(None, replace(make_config(left=False), daemon=limits))
        for seed in range(4):
            other = make_pair(seed=seed + 10)
            other.left.initiate()
            request = arriving(other.left.outbox.pop())
            pair.right.run(pair.right.endpoint.receive_datagram(request, pair.now), pair.now)
        assert pair.right.endpoint.half_open == 2
        assert pair.right.recorder.drop_reasons == [reason, reason]


def test_a_request_in_progress_is_not_answered_twice() -> None:
    pair = make_pair()
    pair.right.hold = lambda effect: type(effect).__name__ == "VerifyAuth"
    pair.left.initiate()
    pair.run(5)
    assert DropReason.IN_PROGRESS in pair.right.recorder.drop_reasons
    pair.right.hold = lambda effect: False
    pair.right.release(pair.now)
    pair.run(60)

    mirrored(pair)


def test_what_an_abandoned_exchange_had_done_is_undone_when_its_outcome_comes() -> None:
    pair = make_pair()
    pair.right.hold = lambda effect: type(effect).__name__ in {"InstallChildSa", "AllocateSpi"}
    pair.left.initiate()
    pair.run(1)
    pair.right.run(pair.right.endpoint.abandon(pair.now), pair.now)
    pair.right.hold = lambda effect: False
    pair.right.release(pair.now)

    assert pair.right.kernel.is_clean
    assert pair.right.endpoint.is_idle
