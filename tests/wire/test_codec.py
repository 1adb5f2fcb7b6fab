"""The door to construct: sizes are exact, nothing foreign comes out, and what is remembered is bounded."""

from __future__ import annotations

import pytest

from ikepy.wire import codec
from ikepy.wire.codec import Body, Memory, Number16, Octet, Octets, Rest, printable
from ikepy.wire.errors import InvalidSyntax, TruncatedMessage
from ikepy.wire.registry import PayloadType

pair: Body[tuple[int, bytes]] = Body(
    "pair",
    {"number": Number16, "two": Octets(2)},
    lambda number, two: (number, two),
    lambda value: {"number": value[0], "two": value[1]},
)
tail: Body[tuple[int, bytes]] = Body(
    "tail",
    {"number": Octet, "rest": Rest},
    lambda number, rest: (number, rest),
    lambda value: {"number": value[0], "rest": value[1]},
)


def test_a_body_is_read_and_built() -> None:
    assert pair.parse(b"\1\2ab") == (258, b"ab")
    assert pair.build((258, b"ab")) == b"\1\2ab"
    assert tail.parse(b"\1") == (1, b"")
    assert tail.build((1, b"rest")) == b"\1rest"


@pytest.mark.parametrize("octets", [b"", b"\1", b"\1\2", b"\1\2a"])
def test_missing_octets_are_named(octets: bytes) -> None:
    with pytest.raises(TruncatedMessage, match=f"pair: {len(octets)} octets, it has at least 4"):
        pair.parse(octets)


def test_octets_left_over_are_named() -> None:
    with pytest.raises(InvalidSyntax, match="pair: 1 octets left over"):
        pair.parse(b"\1\2abc")


def test_a_body_inside_others_says_where_it_ends() -> None:
    assert pair.parse_at(b"..\1\2ab..", 2) == ((258, b"ab"), 6)
    with pytest.raises(TruncatedMessage, match="pair: 3 octets"):
        pair.parse_at(b"..\1\2a", 2)


@pytest.mark.parametrize("value", [(65536, b"ab"), (-1, b"ab"), (1, b"a"), (1, b"abc"), ("1", b"ab"), (1, None)])
def test_a_value_that_does_not_fit_is_refused(value: tuple[int, bytes]) -> None:
    with pytest.raises(InvalidSyntax, match="pair"):
        pair.build(value)


def test_what_a_loader_raises_comes_out_as_a_wire_error() -> None:
    def load(number: int) -> PayloadType:
        return PayloadType(number + 1)

    body: Body[PayloadType] = Body("type", {"number": Octet}, load, lambda value: {"number": value - 1})

    assert body.parse(b"\x20") is PayloadType.SA
    with pytest.raises(InvalidSyntax, match="type: 256 is not a valid PayloadType"):
        body.parse(b"\xff")


def test_an_error_without_words_is_named_by_its_kind() -> None:
    def load(number: int) -> int:
        raise KeyError

    with pytest.raises(InvalidSyntax, match="none: KeyError"):
        Body("none", {"number": Octet}, load, lambda value: {"number": value}).parse(b"\0")


def test_equal_octets_are_read_once() -> None:
    read: list[bytes] = []
    memory = Memory(lambda octets: read.append(octets) or octets.hex())

    assert [memory(b"a"), memory(b"b"), memory(b"a")] == ["61", "62", "61"]
    assert read == [b"a", b"b"]


def test_a_failure_is_not_remembered() -> None:
    def refuse(octets: bytes) -> str:
        raise InvalidSyntax(octets.hex())

    memory = Memory(refuse)
    for _ in range(2):
        with pytest.raises(InvalidSyntax, match="61"):
            memory(b"a")
    assert memory.octets == 0


def test_long_bodies_are_not_remembered() -> None:
    memory = Memory(len)

    assert memory(bytes(codec.MEMO_BODY_OCTETS + 1)) == codec.MEMO_BODY_OCTETS + 1
    assert memory.octets == 0


def test_memory_is_bounded_and_forgets_what_was_not_used_for_longest() -> None:
    read: list[bytes] = []
    memory = Memory(lambda octets: read.append(octets) or octets)
    first, second = b"first", b"second"
    memory(first)
    memory(second)

    for number in range(2000):
        memory(first)
        memory(number.to_bytes(2, "big") * 200)
        assert memory.octets <= codec.MEMO_OCTETS

    memory(first)
    memory(second)
    assert read.count(first) == 1
    assert read.count(second) == 2


def test_what_is_not_printable_is_escaped() -> None:
    assert printable(b"a\n\x1b[0m\\\xff ") == "a\\x0a\\x1b[0m\\x5c\\xff "
