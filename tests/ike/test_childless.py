"""IKE SAs that begin without a child (RFC 6023): who wants that, who may, and what is said where they differ."""

from __future__ import annotations

import pytest

from ikepy.config.model import Childless
from ikepy.ike.events import AttemptFailed, ChildSaUp, IkeSaUp
from ikepy.wire.payloads import Auth
from ikepy.wire.registry import NotifyType
from tests.support.mirror import assert_mirror
from tests.support.pair import Pair, make_config, make_pair
from tests.support.stage import events_of

ALLOW, NEVER, PREFER, FORCE = Childless.ALLOW, Childless.NEVER, Childless.PREFER, Childless.FORCE


def begun(left: Childless, right: Childless, child: str | None = "net") -> Pair:
    """A pair of which the left has begun."""
    pair = make_pair(make_config(childless=left), make_config(left=False, childless=right))
    pair.left.run(pair.left.endpoint.initiate("site", child, pair.now), pair.now)
    pair.run(30)
    return pair


def auth_request(pair: Pair) -> str:
    """What stood in the left's IKE_AUTH request."""
    (message,) = [message for message, repeat in pair.left.recorder.sent if message.all(Auth) and not repeat]
    return message.summary()


@pytest.mark.parametrize("right", [ALLOW, PREFER, FORCE])
@pytest.mark.parametrize("left", [PREFER, FORCE])
def test_who_prefers_it_begins_without_a_child_and_makes_that_with_its_own_key_exchange(
    left: Childless, right: Childless
) -> None:
    pair = begun(left, right)
    assert " SA " not in auth_request(pair)
    assert_mirror(pair, ike_sas=1, children={"net": 1})
    kinds = [type(event) for event in pair.left.events]
    assert kinds.index(IkeSaUp) < kinds.index(ChildSaUp)


@pytest.mark.parametrize(("left", "right"), [(ALLOW, ALLOW), (NEVER, ALLOW), (PREFER, NEVER), (ALLOW, PREFER)])
def test_where_one_does_not_want_it_the_child_goes_with_ike_auth(left: Childless, right: Childless) -> None:
    pair = begun(left, right)
    assert " SA " in auth_request(pair)
    assert_mirror(pair, ike_sas=1, children={"net": 1})


def test_who_must_have_it_does_not_begin_with_a_peer_that_cannot() -> None:
    pair = begun(FORCE, NEVER)
    assert not pair.left.sas
    (failed,) = events_of(pair.left, AttemptFailed)
    assert "childless" in failed.reason


def test_a_responder_that_wants_none_at_first_refuses_the_child_and_keeps_the_ike_sa() -> None:
    pair = begun(ALLOW, FORCE)
    (sa,) = pair.left.sas
    assert not sa.children
    answer = next(message for message, _ in pair.right.recorder.sent if message.all(Auth))
    assert answer.notify(NotifyType.NO_ADDITIONAL_SAS) is not None

    pair.left.run(pair.left.endpoint.initiate("site", "net", pair.now), pair.now)
    pair.run(10)
    assert_mirror(pair, ike_sas=1, children={"net": 1})


def test_it_is_announced_only_by_who_can_answer_it() -> None:
    for right, announced in ((ALLOW, True), (NEVER, False)):
        pair = begun(ALLOW, right)
        answer = pair.right.recorder.sent[0][0]
        assert (answer.notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED) is not None) == announced
