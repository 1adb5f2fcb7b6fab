"""Messages sealed by hand with the keys of one side of a pair, and octets thrown at the other."""

from __future__ import annotations

from ikepy.ike.actions import Datagram
from ikepy.ike.drops import DropReason
from ikepy.wire.header import FLAG_INITIATOR, IkeHeader
from ikepy.wire.message import Message, parse_message
from ikepy.wire.registry import ExchangeType, PayloadType
from tests.support.link import arriving
from tests.support.pair import Pair, Side


def sa_of(side: Side):
    """The only IKE SA itself."""
    (sa,) = [sa for sa in side.endpoint._by_id.values() if sa.phase.__class__.__name__ != "Closed"]
    return sa


def ask(pair: Pair, exchange: ExchangeType, *payloads) -> Message:
    """Seal a request of the left's with its keys, hand it to the right, and open the answer."""
    left, right = sa_of(pair.left), pair.right
    number = sa_of(right).channel.responses.expected_id
    header = IkeHeader(left.channel.spi_i, left.channel.spi_r, PayloadType(0), exchange, FLAG_INITIATOR, number, 0)
    octets = left.channel._protection.seal(header, payloads)
    datagram = Datagram(octets, arriving(Datagram(b"", left.path)).path)
    right.run(right.endpoint.receive_datagram(datagram, pair.now), pair.now)
    answer = right.outbox.pop().octets
    return left.channel._protection.open(parse_message(answer), answer)


def raw(pair: Pair, octets: bytes) -> DropReason:
    """Hand octets to the right as if the left had sent them; why they came to nothing."""
    datagram = Datagram(octets, arriving(Datagram(b"", sa_of(pair.left).path)).path)
    pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
    return pair.right.recorder.drop_reasons[-1]
