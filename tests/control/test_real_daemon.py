"""The control socket of whole daemons in memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from ikepy.daemon.instance import CONTROL_SOCKET
from tests.support.control_client import Talk
from tests.support.sites import Site, Sites, make_sites, play, until

__all__ = ["make_sites"]


@asynccontextmanager
async def talking_to(site: Site) -> AsyncIterator[Talk]:
    async with await trio.open_unix_socket(str(site.run_directory / CONTROL_SOCKET)) as stream:
        yield Talk(stream)


def test_a_tunnel_comes_up_is_listed_and_goes_down_over_the_control_socket(
    make_sites: Callable[..., Sites], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ikepy")
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        right = await nursery.start(sites.right.run)
        await nursery.start(sites.left.run)
        async with talking_to(sites.left) as talk:
            await talk.register("control-log", "list-sa")
            lines, answer = await talk.call_with_events("initiate", {"ike": "site", "timeout": "20000"})
            assert answer == {"success": "yes"}
            words = [str(line.message["msg"]) for line in lines]
            assert any("> IKE_SA_INIT request 0" in line for line in words), words
            assert any("installed: 10.1.0.0/24 = 10.2.0.0/24" in line for line in words), words

            (event,), _ = await talk.call_with_events("list-sas")
            site = event.message["site"]
            assert isinstance(site, dict)
            assert site["state"] == "ESTABLISHED"
            assert isinstance(site["child-sas"], dict)
            assert sorted(name.rpartition("-")[0] for name in site["child-sas"]) == ["net", "other"]

            lines, answer = await talk.call_with_events("terminate", {"ike": "site"})
            assert answer == {"success": "yes", "matches": "1", "terminated": "1"}
            assert any("closed: site" in str(line.message["msg"]) for line in lines)
        await until(lambda: not right.snapshot())

    play(main)


def test_rekeys_over_the_control_socket_are_told_as_progress_and_as_events(
    make_sites: Callable[..., Sites], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ikepy")
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        await nursery.start(sites.right.run)
        left = await nursery.start(sites.left.run)
        assert (await left.initiate("site", "net", 20)).succeeded
        async with talking_to(sites.left) as talk:
            await talk.register("control-log", "ike-rekey", "child-rekey")

            said, answer = await talk.call_with_events("rekey", {"child-id": "1", "timeout": "20000"})
            assert answer == {"success": "yes", "matches": "1"}
            assert {packet.name for packet in said} == {"control-log", "child-rekey"}
            words = [str(packet.message.get("msg")) for packet in said]
            assert any("child rekeyed by us: site/net, #1 " in line for line in words), words
            (event,) = (packet.message for packet in said if packet.name == "child-rekey")
            assert "'old': {'name': 'net', 'uniqueid': '1'" in str(event)
            assert "'new': {'name': 'net', 'uniqueid': '2'" in str(event)

            said, answer = await talk.call_with_events("rekey", {"ike": "site", "timeout": "20000"})
            assert answer == {"success": "yes", "matches": "1"}
            assert [packet.name for packet in said if packet.name != "control-log"] == ["ike-rekey"]

            said, answer = await talk.call_with_events("terminate", {"ike-id": "1"})
            assert answer == {"success": "yes", "matches": "1", "terminated": "1"}
            assert any("closed: site" in str(packet.message["msg"]) for packet in said)

    play(main)


@pytest.mark.parametrize(("words", "at_most"), [({}, 0.1), ({"timeout": "3000"}, 3.5)])
def test_force_does_not_wait_for_a_peer_that_is_gone(
    make_sites: Callable[..., Sites], words: dict[str, str], at_most: float
) -> None:
    sites = make_sites()

    async def main(nursery: trio.Nursery) -> None:
        left = await nursery.start(sites.left.run)
        async with trio.open_nursery() as elsewhere:
            await elsewhere.start(sites.right.run)
            assert (await left.initiate("site", "net", 20)).succeeded
            elsewhere.cancel_scope.cancel()
        before = trio.current_time()
        async with talking_to(sites.left) as talk:
            answer = await talk.call("terminate", {"ike": "site", "force": "yes"} | words)
        assert answer == {"success": "yes", "matches": "1", "terminated": "1"}
        assert trio.current_time() - before < at_most
        assert not left.snapshot()
        await until(lambda: not sites.left.kernel.memory.sad)

    play(main)
