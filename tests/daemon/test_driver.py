"""Running an Endpoint: order, time, and faults."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, cast

import pytest
import trio
import trio.testing

from ikepy.daemon.driver import LOOK_AGAIN_SECONDS, Driver
from ikepy.daemon.performer import Complete
from ikepy.ike.actions import (
    Action,
    Datagram,
    Done,
    Failed,
    Path,
    Perform,
    Publish,
    SendDatagram,
    SocketAddress,
    Ticket,
)
from ikepy.ike.effects import Effect
from ikepy.ike.endpoint import Endpoint
from ikepy.ike.errors import LocalFault
from ikepy.ike.events import AddressesChanged, AttemptFailed, Event
from tests.support.fake_endpoint import ScriptedEndpoint

PATH = Path(SocketAddress(ip_address("192.0.2.1"), 500), SocketAddress(ip_address("192.0.2.2"), 500))
EVENT = AttemptFailed("site", None, 1, "no answer")


def make_datagram(octets: bytes) -> Datagram:
    return Datagram(octets, PATH)


class World:
    """All that a driver acts upon, in one list: what was sent, performed, published."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def send(self, datagram: Datagram) -> None:
        if datagram.octets == b"unsendable":
            raise RuntimeError("a fault of the socket's")
        self.done.append(f"sent {datagram.octets.decode()}")

    def perform(self, ticket: Ticket, effect: Effect[Any], nursery: trio.Nursery, complete: Complete) -> None:
        self.done.append(f"performed {ticket}")
        complete(ticket, Done(None))

    def publish(self, event: Event) -> None:
        self.done.append(f"published {type(event).__name__}")


def drive(
    endpoint: ScriptedEndpoint, play: Callable[[Driver], Awaitable[None]], clock: Callable[[], float] | None = None
) -> World:
    """Run a play with a driver whose time is kept, on trio's autojump clock."""
    world = World()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            now = clock if clock is not None else trio.current_time
            driver = Driver(cast("Endpoint", endpoint), world, world, nursery, now, world.publish)
            nursery.start_soon(driver.keep_time)
            await play(driver)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return world


def send_action(text: str) -> Action:
    return SendDatagram(make_datagram(text.encode()))


def test_actions_are_done_in_order_and_outcomes_go_in_after_them() -> None:
    endpoint = ScriptedEndpoint(
        on_datagram=lambda *_: [send_action("1"), Perform(Ticket(7), Effect()), send_action("2"), Publish(EVENT)],
        on_outcome=lambda *_: [send_action("3")],
    )

    async def play(driver: Driver) -> None:
        driver.datagram(make_datagram(b"x"))

    world = drive(endpoint, play)

    assert world.done == ["sent 1", "performed 7", "sent 2", "published AttemptFailed", "sent 3"]


def test_a_timeout_comes_when_the_endpoint_wants_it() -> None:
    endpoint = ScriptedEndpoint(due=20.0)

    def on_timeout(_what: object, _now: float) -> list[Action]:
        endpoint.due = 21.5 if endpoint.due == 20.0 else None
        return []

    endpoint.on_timeout = on_timeout

    async def play(_driver: Driver) -> None:
        await trio.sleep(60)

    drive(endpoint, play)

    assert [round(now, 3) for _, _, now in endpoint.inputs] == [20.0, 21.5]


def test_an_input_that_brings_a_timeout_nearer_is_heeded() -> None:
    endpoint = ScriptedEndpoint(due=None)

    def on_datagram(_what: object, now: float) -> list[Action]:
        endpoint.due = now + 0.5
        return []

    def on_timeout(_what: object, _now: float) -> list[Action]:
        endpoint.due = None
        return []

    endpoint.on_datagram, endpoint.on_timeout = on_datagram, on_timeout

    async def play(driver: Driver) -> None:
        await trio.sleep(1)
        driver.datagram(make_datagram(b"x"))
        await trio.sleep(10)

    drive(endpoint, play)

    assert [(what, round(now, 3)) for what, _, now in endpoint.inputs] == [("datagram", 1.0), ("timeout", 1.5)]


def test_after_a_suspended_night_the_clock_is_looked_at_again_within_seconds() -> None:
    """CLOCK_BOOTTIME goes on while trio's clock stands still: here it jumps by a night."""
    endpoint = ScriptedEndpoint(due=1000.0)
    asleep_for = 0.0

    def on_timeout(_what: object, _now: float) -> list[Action]:
        endpoint.due = None
        return []

    endpoint.on_timeout = on_timeout

    async def play(driver: Driver) -> None:
        nonlocal asleep_for
        await trio.sleep(1)
        asleep_for = 30_000.0
        await trio.sleep(LOOK_AGAIN_SECONDS)

    drive(endpoint, play, clock=lambda: trio.current_time() + asleep_for)

    assert [what for what, _, _ in endpoint.inputs] == ["timeout"]


def test_a_timer_that_stays_due_stops_nothing_else() -> None:
    endpoint = ScriptedEndpoint(due=0.0)

    async def play(driver: Driver) -> None:
        await trio.sleep(0.01)
        driver.datagram(make_datagram(b"x"))

    drive(endpoint, play)

    assert ("datagram", b"x") in [(what, value) for what, value, _ in endpoint.inputs]


def test_kernel_events_go_in() -> None:
    endpoint = ScriptedEndpoint()

    async def play(driver: Driver) -> None:
        driver.kernel_event(AddressesChanged())

    drive(endpoint, play)

    assert [(what, value) for what, value, _ in endpoint.inputs] == [("kernel event", AddressesChanged())]


def test_a_fault_of_ours_costs_its_datagram_and_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    def on_datagram(what: object, _now: float) -> list[Action]:
        assert isinstance(what, Datagram)
        if what.octets == b"bad":
            raise RuntimeError("a fault of ours")
        return [send_action("fine")]

    endpoint = ScriptedEndpoint(on_datagram=on_datagram)

    async def play(driver: Driver) -> None:
        driver.datagram(make_datagram(b"bad"))
        driver.datagram(make_datagram(b"good"))
        assert driver.faults == 1

    with caplog.at_level(logging.INFO, "ikepy"):
        world = drive(endpoint, play)

    assert world.done == ["sent fine"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "RuntimeError: a fault of ours" in caplog.text


def test_a_fault_while_an_outcome_is_taken_ends_the_ike_sa_that_waited() -> None:
    def on_outcome(_what: object, _now: float) -> list[Action]:
        raise RuntimeError("a fault of ours")

    endpoint = ScriptedEndpoint(on_outcome=on_outcome, tickets={Ticket(3): 42})

    async def play(driver: Driver) -> None:
        driver.complete(Ticket(3), Failed(LocalFault("no")))

    drive(endpoint, play)

    assert endpoint.failed == [42]


def test_an_action_that_fails_does_not_take_the_others_with_it() -> None:
    endpoint = ScriptedEndpoint(on_datagram=lambda *_: [send_action("unsendable"), send_action("2")])

    async def play(driver: Driver) -> None:
        driver.datagram(make_datagram(b"x"))
        assert driver.faults == 1

    assert drive(endpoint, play).done == ["sent 2"]
