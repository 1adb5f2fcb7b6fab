"""The request socket, against a kernel that is the other end of a socket pair and answers when the test says so."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EEXIST, ESRCH

import pytest
import trio
import trio.testing

from ikepy.ike.errors import KernelRefused
from ikepy.kernel.messages import MESSAGE_CLASSES, dump, numbers
from ikepy.kernel.messages.message import make
from ikepy.kernel.netlink import MOST_IN_A_WRITE, Connection, NetlinkFailed, Refusal, read_error, split
from ikepy.kernel.translate import make_policy_id, make_state, make_state_id
from tests.kernel.rig import make_child

CHILD = make_child()
NLMSG_ERROR, NLMSG_DONE = 2, 3


class Peer:
    """What plays the kernel."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = trio.socket.from_stdlib_socket(sock)

    async def requests(self) -> list[tuple[int, int, int, bytes]]:
        return split(await self.sock.recv(1 << 20))

    async def acknowledge(self, sequence: int, errno: int = 0, words: str = "") -> None:
        await self.sock.send(error_message(sequence, errno, words))


def error_message(sequence: int, errno: int = 0, words: str = "", *, capped: bool = True) -> bytes:
    asked = struct.pack("=IHHII", 250, 16, 5, sequence, 0) + (b"" if capped else bytes(236))
    body = struct.pack("=i", -errno) + asked
    if words:
        text = words.encode() + b"\0"
        body += struct.pack("=HH", 4 + len(text), 1) + text + bytes(-len(text) % 4)
    flags = (0x100 if capped else 0) | (0x200 if words else 0)
    return struct.pack("=IHHII", 16 + len(body), NLMSG_ERROR, flags, sequence, 0) + body


@contextmanager
def wired(patience: float = 4.0) -> Iterator[tuple[Connection, Peer]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    connection = Connection(ours, MESSAGE_CLASSES, patience)
    peer = Peer(theirs)
    try:
        yield connection, peer
    finally:
        connection.close()
        peer.sock.close()


def run(main: Callable[..., object]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def add() -> object:
    return make_state(CHILD.inbound)


def test_an_answer_that_comes_45_s_late_is_not_taken_for_a_later_requests() -> None:
    async def main() -> None:
        with wired() as (connection, peer):

            async def kernel() -> None:
                ((_, _, first, _),) = await peer.requests()
                ((_, _, second, _),) = await peer.requests()
                assert second != first
                await trio.sleep(45 - 4)
                await peer.acknowledge(first, EEXIST)
                await peer.acknowledge(second)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kernel)
                with pytest.raises(NetlinkFailed, match="did not answer within 4 s"):
                    await connection.request([add()])
                connection._patience = 100
                (answer,) = await connection.request([add()])
                assert answer.refusal is None
                assert connection.late_answers == 1

    run(main)


def test_a_late_answer_in_one_read_with_the_right_one_is_dropped_too() -> None:
    async def main() -> None:
        with wired() as (connection, peer):

            async def kernel() -> None:
                ((_, _, sequence, _),) = await peer.requests()
                stale = error_message(sequence - 1 & 0xFFFFFFFF, ESRCH, "stale")
                await peer.sock.send(stale + error_message(sequence))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kernel)
                (answer,) = await connection.request([add()])
                assert answer.refusal is None
                assert connection.late_answers == 1

    run(main)


def test_a_child_is_one_write_and_only_its_last_message_asks_for_an_ack() -> None:
    async def main() -> None:
        with wired() as (connection, peer):

            async def kernel() -> None:
                requests = await peer.requests()
                assert [flags & 4 for _, flags, _, _ in requests] == [0, 0, 4]
                sequences = [sequence for _, _, sequence, _ in requests]
                assert sequences == list(range(sequences[0], sequences[0] + 3))
                await peer.acknowledge(sequences[1], EEXIST, "it is there")
                await peer.acknowledge(sequences[2])

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kernel)
                answers = await connection.request([add(), add(), add()])
                assert [answer.refusal for answer in answers] == [None, Refusal(EEXIST, "it is there"), None]

    run(main)


def test_more_than_one_write_holds_is_several_writes() -> None:
    async def main() -> None:
        with wired() as (connection, peer):
            seen = []

            async def kernel() -> None:
                while sum(seen) < MOST_IN_A_WRITE + 7:
                    requests = await peer.requests()
                    seen.append(len(requests))
                    await peer.acknowledge(requests[-1][2])

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kernel)
                message = make_policy_id(CHILD.policies[0], numbers.XFRM_MSG_DELPOLICY)
                answers = await connection.request([message] * (MOST_IN_A_WRITE + 7))
                assert len(answers) == MOST_IN_A_WRITE + 7
                assert seen == [MOST_IN_A_WRITE, 7]

    run(main)


def test_requests_are_written_in_the_order_of_the_calls() -> None:
    async def main() -> None:
        with wired() as (connection, peer):
            asked = []

            async def kernel() -> None:
                while len(asked) < 10:
                    ((kind, _, sequence, _),) = await peer.requests()
                    asked.append(kind)
                    await peer.acknowledge(sequence)

            async def ask(kind: int) -> None:
                await connection.request([make_state_id(CHILD.inbound.id, kind)])

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kernel)
                for kind in (numbers.XFRM_MSG_GETSA, numbers.XFRM_MSG_DELSA) * 5:
                    nursery.start_soon(ask, kind)
                    await trio.testing.wait_all_tasks_blocked()
            assert asked == [numbers.XFRM_MSG_GETSA, numbers.XFRM_MSG_DELSA] * 5

    run(main)


def test_a_dump_that_changed_meanwhile_is_asked_for_again() -> None:
    async def main() -> None:
        with wired() as (connection, peer):

            async def kernel() -> None:
                for interrupted in (0x10, 0):
                    ((_, flags, sequence, _),) = await peer.requests()
                    assert flags & 0x300 == 0x300
                    state = make_state(CHILD.inbound)
                    state["header"].update(flags=2 | interrupted, sequence_number=sequence)
                    state.encode()
                    await peer.sock.send(bytes(state.data))
                    await peer.sock.send(struct.pack("=IHHIIi", 20, NLMSG_DONE, 2, sequence, 0, 0))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kernel)
                (found,) = await connection.dump(make(dump, numbers.XFRM_MSG_GETSA, nothing=None))
                assert found["sa"].id.spi == CHILD.inbound.spi

    run(main)


def test_a_dump_that_is_refused_says_why() -> None:
    async def main() -> None:
        with wired() as (connection, peer):

            async def kernel() -> None:
                ((_, _, sequence, _),) = await peer.requests()
                await peer.acknowledge(sequence, 1)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kernel)
                with pytest.raises(KernelRefused, match="cannot be read: Operation not permitted"):
                    await connection.dump(make(dump, numbers.XFRM_MSG_GETSA, nothing=None))

    run(main)


def test_a_cancelled_request_does_not_disturb_the_next_one() -> None:
    async def main() -> None:
        with wired() as (connection, peer):

            async def kernel() -> None:
                ((_, _, first, _),) = await peer.requests()
                ((_, _, second, _),) = await peer.requests()
                await peer.acknowledge(first, EEXIST)
                await peer.acknowledge(second, ESRCH)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kernel)
                with trio.move_on_after(1):
                    await connection.request([add()])
                (answer,) = await connection.request([add()])
                assert answer.refusal == Refusal(ESRCH)

    run(main)


@pytest.mark.parametrize("capped", [True, False])
def test_the_kernels_own_words_are_kept(capped: bool) -> None:
    ((_, flags, _, message),) = split(error_message(7, EEXIST, "SA is already there", capped=capped))
    refusal = read_error(message, flags)
    assert refusal == Refusal(EEXIST, "SA is already there")
    assert str(refusal) == "File exists: SA is already there"


def test_a_truncated_message_ends_the_reading() -> None:
    whole = error_message(7, EEXIST)
    assert len(split(whole + whole[:20])) == 1
    assert split(b"\xff" * 20) == []
    assert read_error(b"", 0) is None
