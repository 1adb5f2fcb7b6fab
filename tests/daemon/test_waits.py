"""How an operator's waits end, event by event, with an Endpoint that does what the test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import trio
import trio.testing

from ikepy.config.model import Config
from ikepy.daemon.api import RekeyOutcome, RekeyWish, TerminateOutcome, TerminateWish
from ikepy.daemon.driver import Driver
from ikepy.daemon.operator import Operator
from ikepy.daemon.publisher import Publisher
from ikepy.ike.actions import Publish
from ikepy.ike.endpoint import Endpoint
from ikepy.ike.errors import PeerUnknown
from ikepy.ike.events import AttemptFailed, ChildSaRekeyed, Event, IkeSaDown, IkeSaRekeyed, IkeSnapshot
from ikepy.ipsec import Mode
from ikepy.kernel.interface import Kernel
from tests.support.fake_daemon import make_child, make_connection, make_ike, make_policy
from tests.support.fake_endpoint import ScriptedEndpoint

SITE = make_ike()
OLD = SITE.children[0]
NEW = make_child("net", 2)
SUCCESSOR = replace(SITE, unique_id=2)


class Bench:
    """An operator before a scripted Endpoint."""

    def __init__(self, nursery: trio.Nursery, *sas: IkeSnapshot) -> None:
        shunt = replace(make_connection("shunts", "lan").children[0], mode=Mode.PASS)
        config = Config(connections=(make_connection(), replace(make_connection("shunts"), children=(shunt,))))
        self.endpoint, publisher = ScriptedEndpoint(sas=sas), Publisher()
        self.driver = Driver(
            cast("Endpoint", self.endpoint),
            cast("Any", None),
            cast("Any", None),
            nursery,
            trio.current_time,
            publisher.publish,
        )
        self.operator = Operator(config, self.driver, cast("Kernel", None), publisher, trio.current_time)
        self._nursery = nursery

    def say(self, event: Event, *sas: IkeSnapshot) -> None:
        """Let it be so, and be published."""
        self.endpoint.sas = sas
        self.driver.feed("a test", lambda _now: [Publish(event)])

    async def begin(self, wish: Callable[[], Awaitable[object]]) -> list[object]:
        """Begin a wait; the list has its outcome when it is there."""
        came: list[object] = []

        async def run() -> None:
            came.append(await wish())

        self._nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        return came


def play(*sas: IkeSnapshot) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    def run(scene: Callable[[Bench], Awaitable[None]]) -> None:
        async def main() -> None:
            with trio.fail_after(600):
                async with trio.open_nursery() as nursery:
                    await scene(Bench(nursery, *sas))
                    nursery.cancel_scope.cancel()

        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    return run


def wished(bench: Bench) -> list[tuple[str, object]]:
    return [(what, wish) for what, wish, _ in bench.endpoint.inputs]


def test_an_initiate_counts_a_child_as_up_that_is_rekeyed_at_once() -> None:
    @play(replace(SITE, children=()))
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.initiate("site", "net", None))
        bench.say(ChildSaRekeyed(SITE, OLD, NEW, by_peer=True), replace(SITE, children=()))
        await trio.sleep(1)
        assert [outcome.succeeded for outcome in came] == [True]


def test_an_initiate_waits_on_over_a_rekey_of_its_ike_sa_and_hears_of_the_successors_end() -> None:
    @play(replace(SITE, children=()))
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.initiate("site", "net", None))
        bench.say(IkeSaRekeyed(SITE, SUCCESSOR), replace(SUCCESSOR, children=()))
        await trio.sleep(10)
        assert not came
        bench.say(IkeSaDown(SUCCESSOR, "deleted by the peer"))
        await trio.sleep(1)
        assert [outcome.reason for outcome in came] == ["deleted by the peer"]


def test_a_terminate_waits_for_the_successor_of_what_it_named() -> None:
    @play(SITE)
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.terminate(TerminateWish(ike="site"), None))
        bench.say(IkeSaRekeyed(SITE, SUCCESSOR), SUCCESSOR)
        await trio.sleep(10)
        assert not came
        bench.say(IkeSaDown(SUCCESSOR, "terminated"))
        await trio.sleep(1)
        assert came == [TerminateOutcome(1, 1)]


def test_a_terminate_of_a_child_waits_though_its_ike_sa_changes_its_number() -> None:
    @play(SITE)
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.terminate(TerminateWish(child_id=1), None))
        bench.say(IkeSaRekeyed(SITE, SUCCESSOR), SUCCESSOR)
        await trio.sleep(10)
        assert not came
        bench.endpoint.sas = (replace(SUCCESSOR, children=()),)
        await trio.sleep(1)
        assert came == [TerminateOutcome(1, 1)]


def test_a_terminate_waits_for_what_the_peer_has_made_in_the_childs_place_before_any_event() -> None:
    both = replace(SITE, children=(replace(OLD, state="REKEYED"), NEW))

    @play(both)
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.terminate(TerminateWish(child="net"), None))
        assert wished(bench) == [("terminate", ((), (1, 2)))]
        bench.endpoint.sas = (replace(SITE, children=(NEW,)),)
        await trio.sleep(10)
        assert not came
        bench.endpoint.sas = (replace(SITE, children=()),)
        await trio.sleep(1)
        assert came == [TerminateOutcome(1, 1)]


def test_force_closes_the_successor_too() -> None:
    @play(SITE)
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.terminate(TerminateWish(ike="site", force=True), 5))
        bench.say(IkeSaRekeyed(SITE, SUCCESSOR), replace(SITE, state="REKEYED"), SUCCESSOR)
        await trio.sleep(6)
        assert came == [TerminateOutcome(1, 0, "1 of 1 not gone after 5 seconds")]
        assert bench.endpoint.failed == [1, 2]


def test_a_reauthentication_that_comes_to_nothing_is_said_so() -> None:
    @play(SITE)
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.rekey(RekeyWish(ike="site", reauth=True), None))
        assert wished(bench) == [("reauthenticate", ((1,), ()))]
        bench.say(AttemptFailed("site", None, 2, "the peer answered AUTHENTICATION_FAILED"), SITE)
        await trio.sleep(1)
        assert came == [RekeyOutcome(1, "the peer answered AUTHENTICATION_FAILED")]


def test_a_reauthentication_that_breaks_first_is_waited_for_over_the_gap() -> None:
    @play(SITE)
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.rekey(RekeyWish(ike="site", reauth=True), None))
        bench.say(IkeSaDown(SITE, "reauthentication"), replace(SUCCESSOR, state="CONNECTING"))
        await trio.sleep(10)
        assert not came
        bench.endpoint.sas = (SUCCESSOR,)
        await trio.sleep(1)
        assert came == [RekeyOutcome(1)]


def test_what_ends_instead_of_being_made_anew_ends_the_wait() -> None:
    @play(SITE)
    async def _(bench: Bench) -> None:
        came = await bench.begin(lambda: bench.operator.rekey(RekeyWish(ike="site", reauth=True), None))
        bench.say(IkeSaDown(SITE, "deleted by the peer"))
        await trio.sleep(1)
        assert came == [RekeyOutcome(1, "site ended before it was made anew")]


@pytest.mark.parametrize("wish", [RekeyWish(ike="site"), RekeyWish(ike="site", reauth=True), RekeyWish(child="net")])
def test_without_a_timeout_a_rekey_is_not_waited_for(wish: RekeyWish) -> None:
    @play(SITE)
    async def _(bench: Bench) -> None:
        assert await bench.operator.rekey(wish, 0) == RekeyOutcome(1)


def test_nothing_is_initiated_for_a_shunt() -> None:
    @play()
    async def _(bench: Bench) -> None:
        for child in (None, "lan"):
            outcome = await bench.operator.initiate("shunts", child, None)
            assert outcome.reason.startswith("child lan is a shunt (mode = pass): nothing is negotiated")
        assert not bench.endpoint.inputs


def test_tries_are_given_up_by_name_and_never_by_number() -> None:
    @play()
    async def _(bench: Bench) -> None:
        bench.endpoint.tried = frozenset({"site"})
        nothing = TerminateOutcome(0, 0, "no matching SAs to terminate found")
        assert await bench.operator.terminate(TerminateWish(ike_id=7), 1) == nothing
        assert await bench.operator.terminate(TerminateWish(), 1) == nothing
        assert await bench.operator.terminate(TerminateWish(ike="shunts"), 1) == nothing
        assert await bench.operator.terminate(TerminateWish(child="net"), 1) == TerminateOutcome(0, 0, given_up=True)
        assert wished(bench) == [("forget", ("shunts", None)), ("forget", ("site", "net"))]


def test_a_trap_that_is_not_in_the_kernel_in_time_is_said_so() -> None:
    @play()
    async def _(bench: Bench) -> None:
        outcome = await bench.operator.install("site", "net")
        assert outcome.reason == "it is not in the kernel after 10 seconds: the log says why; it goes on trying"
        bench.endpoint.placed = (make_policy("net"),)
        assert (await bench.operator.install(None, "net")).succeeded


def test_a_trap_for_nobody_is_refused_with_the_reason() -> None:
    def refuse(_wish: object, _now: float) -> list[Any]:
        raise PeerUnknown("child net can have no trap: set remote_addrs")

    @play()
    async def _(bench: Bench) -> None:
        bench.endpoint.on_wish = refuse
        assert (await bench.operator.install("site", "net")).reason == "child net can have no trap: set remote_addrs"
        assert bench.driver.faults == 0
