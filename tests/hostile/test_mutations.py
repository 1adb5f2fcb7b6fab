"""No datagram ends the daemon: 100,000 wrong messages, most of them sealed with the right keys, in every phase and crossing.

Each comes to a value, a named drop or a notify; none to an exception; nothing grows without a bound; and the same endpoint
negotiates on. IKEPY_SEED repeats a run, IKEPY_MUTATIONS changes the number.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.hostile.rekey_ways import rekeyings
from tests.hostile.ways import (
    Target,
    anything,
    assert_bounded,
    init_requests,
    init_responses,
    sealed_auth_requests,
    sealed_auth_responses,
    sealed_requests,
    sealed_responses,
    sealed_to_closing,
)

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("IKEPY_SEED", str(random.randrange(1 << 32))))
TOTAL = int(os.environ.get("IKEPY_MUTATIONS", "100000"))
SHARES = {
    "sealed requests to an established responder": 0.10,
    "sealed requests to an established initiator": 0.08,
    "sealed IKE_AUTH requests": 0.07,
    "sealed IKE_AUTH responses": 0.05,
    "sealed responses to an established initiator": 0.03,
    "sealed requests to a closing side": 0.04,
    "sealed requests while effects are pending": 0.05,
    "sealed requests while children and IKE SAs are rekeyed": 0.12,
    "sealed answers to rekeyings of ours": 0.06,
    "sealed requests and answers while a rekeying waits for effects": 0.05,
    "IKE_SA_INIT requests": 0.12,
    "IKE_SA_INIT responses": 0.08,
    "anything to an established side": 0.05,
    "anything while effects are pending": 0.10,
}

WAYS: dict[str, Callable[[Target, int, Counter[str]], None]] = {
    "sealed requests to an established responder": lambda t, n, e: sealed_requests(t, n, e, to_responder=True),
    "sealed requests to an established initiator": lambda t, n, e: sealed_requests(t, n, e, to_responder=False),
    "sealed requests while effects are pending": lambda t, n, e: sealed_requests(
        t, n, e, to_responder=True, pending=True
    ),
    "sealed IKE_AUTH requests": sealed_auth_requests,
    "sealed IKE_AUTH responses": sealed_auth_responses,
    "sealed responses to an established initiator": sealed_responses,
    "sealed requests to a closing side": sealed_to_closing,
    "sealed requests while children and IKE SAs are rekeyed": rekeyings,
    "sealed answers to rekeyings of ours": lambda t, n, e: rekeyings(t, n, e, answer=0.9),
    "sealed requests and answers while a rekeying waits for effects": lambda t, n, e: rekeyings(
        t, n, e, answer=0.4, pending=True
    ),
    "IKE_SA_INIT requests": init_requests,
    "IKE_SA_INIT responses": init_responses,
    "anything to an established side": lambda t, n, e: anything(t, n, e, pending=False),
    "anything while effects are pending": lambda t, n, e: anything(t, n, e, pending=True),
}


@pytest.fixture(scope="module")
def summary() -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines
    print("\n" + "\n".join(lines))


@pytest.mark.parametrize("way", SHARES)
def test_wrong_messages_end_nothing_but_themselves(
    way: str, summary: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    count, ends = int(TOTAL * SHARES[way]), Counter[str]()
    with capsys.disabled():
        print(f"\n{count} {way}, IKEPY_SEED={SEED}", end=" ", flush=True)
    target = Target(random.Random(f"{SEED} {way}"))
    WAYS[way](target, count, ends)
    with capsys.disabled():
        print(dict(ends), f"pairs made: {target.made}", end=" ")

    assert ends.total() == count
    right = target.right
    assert right is not None
    assert_bounded(right)
    pair = target.established()
    assert len(pair.left.sa.children) == 1
    pair.left.terminate()
    pair.run(60)
    assert not pair.left.sas
    assert pair.left.kernel.is_clean


def test_more_than_half_are_sealed_with_the_right_keys_and_all_are_a_hundred_thousand() -> None:
    assert sum(share for way, share in SHARES.items() if way.startswith("sealed")) >= 0.5
    assert sum(SHARES.values()) == pytest.approx(1.0)
