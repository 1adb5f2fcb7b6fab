"""What a peer that has authenticated may not do all the same."""

from __future__ import annotations

from dataclasses import replace

from ikepy.ike import viewing
from ikepy.wire.payloads import Nonce
from ikepy.wire.registry import ExchangeType, NotifyType
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.support.pair import established_pair, make_child, make_config, networks
from tests.support.sealing import ask


def test_a_peer_cannot_make_children_without_end(monkeypatch) -> None:
    monkeypatch.setattr(viewing, "MOST_CHILDREN", 5)
    wide = make_child("net", "10.1.0.0/16", "10.2.0.0/16")
    pair = established_pair(*(make_config(left=left, children=(wide,)) for left in (True, False)))
    proposal = replace(wide.esp_proposals[0], number=1)
    for number in range(8):
        spi = (0x1000 + number).to_bytes(4, "big")
        answer = ask(
            pair,
            ExchangeType.CREATE_CHILD_SA,
            Sa((replace(proposal, spi=spi),)),
            Nonce(bytes(32)),
            TsI(networks(f"10.1.{number}.0/24")),
            TsR(networks(f"10.2.{number}.0/24")),
        )
    assert answer.error_notify is not None
    assert answer.error_notify.type is NotifyType.NO_ADDITIONAL_SAS
    assert len(pair.right.sa.children) == 5
    assert len(pair.right.established) == 1
