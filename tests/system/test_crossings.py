"""Crossing rekeys with strongSwan: whichever of the four nonces is the lowest, one child on one IKE SA is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.gateway import await_true
from tests.lab.namespaces import crosses, states
from tests.system.crossing import CASE, LEFT, RIGHT, Kind, crossing


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_crossing_rekeys_end_with_one_of_each_whichever_nonce_is_lowest(
    kind: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with crossing(tmp_path) as both:
        both.until_each_was_lowest(kind)
        with capsys.disabled():
            print(f"\ncrossing {kind.value} rekeys, by the lowest nonce: {both.seen}", end="")
        at = CASE.addresses("strongswan")
        for namespace in (LEFT, RIGHT):
            await_true("one pair of states is left", lambda namespace=namespace: len(states(namespace)) == 2, 12)
        assert crosses(LEFT, at.inner(1), RIGHT, at.inner(2)) == 3
