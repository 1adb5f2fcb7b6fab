"""Any octets come to a value or WireError; any value comes to octets and back; what was read is built as it came."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.wire import shapes
from ikepy.wire.base import Payload
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.errors import WireError
from ikepy.wire.header import build_header, parse_header
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify, typed
from ikepy.wire.payloads import IdI, VendorId
from ikepy.wire.registry import PayloadType
from ikepy.wire.sa import Sa
from ikepy.wire.ts import TsI
from tests.support import wire_values as wire

pytestmark = pytest.mark.slow

few = settings(max_examples=60, deadline=None)
many = settings(max_examples=120, deadline=None)
KINDS = sorted(wire.strategies, key=lambda kind: kind.__name__)
SHAPES = [
    shapes.IkeSaInitRequest,
    shapes.IkeSaInitResponse,
    shapes.IkeAuthRequest,
    shapes.IkeAuthResponse,
    shapes.CreateChildSaRequest,
    shapes.CreateChildSaResponse,
    shapes.Informational,
]


def framed(kind: PayloadType, body: bytes) -> tuple[PayloadType, bytes]:
    return kind, bytes(2) + (4 + len(body)).to_bytes(2, "big") + body


def read_or_refuse(first: PayloadType, octets: bytes) -> tuple[Payload, ...] | None:
    try:
        return parse_chain(first, octets)
    except WireError:
        return None


@pytest.mark.parametrize("kind", KINDS)
@few
@given(data=st.data())
def test_any_payload_is_read_back_as_it_was(kind: type[Payload], data: st.DataObject) -> None:
    payload = data.draw(wire.strategies[kind])

    first, octets = build_chain([payload])

    assert parse_chain(first, octets) == (payload,)


@pytest.mark.parametrize("kind", [*sorted(wire.known_types), PayloadType(200)], ids=str)
@few
@given(body=st.binary(max_size=80))
def test_any_body_is_read_or_refused_and_built_as_it_came(kind: PayloadType, body: bytes) -> None:
    first, octets = framed(kind, body)

    payloads = read_or_refuse(first, octets)

    assert payloads is None or kind is PayloadType.NO_NEXT_PAYLOAD or build_chain(payloads)[1][2:] == octets[2:]


@pytest.mark.parametrize("kind", KINDS)
@many
@given(data=st.data())
def test_any_changed_body_is_read_or_refused_and_built_as_it_came(kind: type[Payload], data: st.DataObject) -> None:
    body = wire.strategies[kind].map(lambda payload: build_chain([payload])[1][4:])
    payload_type = data.draw(wire.strategies[kind]).payload_type
    first, octets = framed(payload_type, data.draw(wire.mutated(body)))

    payloads = read_or_refuse(first, octets)

    assert payloads is None or build_chain(payloads) == (first, octets)


@many
@given(wire.chains)
def test_any_chain_is_read_back_as_it_was(payloads: tuple[Payload, ...]) -> None:
    first, octets = build_chain(payloads)

    assert parse_chain(first, octets) == payloads


@many
@given(wire.octet, st.binary(max_size=120))
def test_any_octets_are_a_chain_or_refused(first: int, octets: bytes) -> None:
    payloads = read_or_refuse(PayloadType(first), octets)

    assert payloads is None or build_chain(payloads) == (first, octets)


@few
@given(st.binary(min_size=28, max_size=40))
def test_any_28_octets_are_a_header_and_are_built_again(octets: bytes) -> None:
    assert build_header(parse_header(octets)) == octets[:28]


@many
@given(wire.messages)
def test_any_message_is_built_as_it_was_read(message: Message) -> None:
    octets = build_message(message)
    try:
        read = parse_message(octets)
    except WireError:
        assert message.header.major != 2
        return

    assert read.payloads == message.payloads
    assert build_message(read) == octets


@many
@given(wire.mutated(wire.messages.map(build_message)))
def test_any_changed_message_is_read_or_refused_and_built_as_it_came(octets: bytes) -> None:
    try:
        message = parse_message(octets)
    except WireError:
        return

    assert build_message(message) == octets


@pytest.mark.parametrize("shape", SHAPES)
@few
@given(message=wire.messages)
def test_any_message_has_a_shape_or_is_refused(shape: type[shapes.Informational], message: Message) -> None:
    try:
        found = shape.of(message)
    except WireError:
        return

    assert found.notifies == message.all(Notify)


@many
@given(wire.strategies[Notify])
def test_any_notify_says_something_nothing_or_is_refused(notify: Notify) -> None:
    try:
        typed(notify)
    except WireError:
        assert notify.type.is_known


@many
@given(wire.messages)
def test_what_is_printed_of_any_message_is_one_line_of_printable_ascii(message: Message) -> None:
    texts = [message.summary()]
    texts += [str(payload.identification) for payload in message.all(IdI)]
    texts += [str(selector) for payload in message.all(TsI) for selector in payload.selectors]
    texts += [str(vendor) for vendor in message.all(VendorId)]
    texts += [str(transform) for payload in message.all(Sa) for p in payload.proposals for transform in p.transforms]

    assert all(text.isascii() and text.isprintable() for text in texts)
