"""What a peer that has authenticated may not do all the same."""

from __future__ import annotations

from dataclasses import replace

from ikepy.ike import viewing
from ikepy.ike.actions import Datagram
from ikepy.wire.header import FLAG_INITIATOR, IkeHeader
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import Nonce
from ikepy.wire.registry import ExchangeType, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI, TsR
from tests.support.link import arriving
from tests.support.pair import established_pair, make_child, make_config, make_pair, networks
from tests.support.sealing import ask, sa_of


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


def test_a_rekey_notify_in_ike_auth_replaces_nothing() -> None:
    pair = make_pair()
    pair.left.initiate()
    for side, other in ((pair.left, pair.right), (pair.right, pair.left)):
        other.run(other.endpoint.receive_datagram(arriving(side.outbox.pop()), pair.now), pair.now)
    (request, _), left = pair.left.recorder.sent[-1], sa_of(pair.left)
    rekey = Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"abcd")
    spis = left.channel.spi_i, left.channel.spi_r
    header = IkeHeader(*spis, PayloadType(0), ExchangeType.IKE_AUTH, FLAG_INITIATOR, 1, 0)
    octets = left.channel._protection.seal(header, (rekey, *request.payloads))
    datagram = Datagram(octets, arriving(Datagram(b"", left.path)).path)
    pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
    assert len(pair.right.kernel.states) <= 2
    assert not sa_of(pair.right).table.replacements
