"""One client: registrations, order, progress, and clients that leave, stall or talk nonsense."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from ikepy.control.codec import PacketType
from ikepy.control.session import MOST_WAITING, SLOWEST_SECONDS
from ikepy.daemon.api import InitiateOutcome
from ikepy.ike.events import AttemptFailed, ChildSaDown, ChildSaUp, IkeSaDown, IkeSaUp
from tests.support.control_client import Stage, play, until
from tests.support.fake_daemon import FakeDaemon, make_child, make_ike


def test_events_are_confirmed_or_unknown_and_commands_too(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        for kind, name, expected in (
            (PacketType.EVENT_REGISTER, "list-sa", PacketType.EVENT_CONFIRM),
            (PacketType.EVENT_UNREGISTER, "list-sa", PacketType.EVENT_CONFIRM),
            (PacketType.EVENT_REGISTER, "list-cert", PacketType.EVENT_UNKNOWN),
            (PacketType.EVENT_UNREGISTER, "list-cert", PacketType.EVENT_UNKNOWN),
            (PacketType.CMD_REQUEST, "load-conn", PacketType.CMD_UNKNOWN),
            (PacketType.CMD_REQUEST, "get-conns", PacketType.CMD_RESPONSE),
        ):
            await talk.send(kind, name)
            assert (await talk.receive()).type is expected, name

    play(tmp_path, FakeDaemon(), scene)


def test_nothing_is_streamed_to_a_client_that_has_not_registered(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        assert await talk.call("list-sas") == {}
        await talk.register("list-sa")
        events, _ = await talk.call_with_events("list-sas")
        assert len(events) == 1
        await talk.send(PacketType.EVENT_UNREGISTER, "list-sa")
        await talk.receive()
        assert await talk.call("list-sas") == {}

    play(tmp_path, FakeDaemon(sas=[make_ike()]), scene)


def test_requests_sent_at_once_are_answered_in_their_order(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        for name in ("version", "get-conns", "nonsense", "version"):
            await talk.send(PacketType.CMD_REQUEST, name)
        packets = [await talk.receive() for _ in range(4)]
        assert [packet.type.name for packet in packets] == [
            "CMD_RESPONSE",
            "CMD_RESPONSE",
            "CMD_UNKNOWN",
            "CMD_RESPONSE",
        ]
        assert packets[1].message == {"conns": ["site"]}

    play(tmp_path, FakeDaemon(), scene)


# -- progress ----------------------------------------------------------------------------------------------------


def test_progress_is_told_of_what_was_asked_for_alone_and_before_the_answer(tmp_path: Path) -> None:
    other = replace(make_ike("other", 2), spi_i=bytes.fromhex("ffff000000000002"))
    daemon = FakeDaemon(
        sas=[make_ike(), other],
        initiating=InitiateOutcome(succeeded=False, reason="no"),
        says=(
            "7d0c…01 > IKE_SA_INIT request 0, 300 octets, 203.0.113.2:500: SA KE No",
            "ffff…02 < INFORMATIONAL request 7, 80 octets, 198.51.100.1:500: D",
            "dropped a datagram: shorter than an IKE header (1 from 198.51.100.9)",
            "connection site2 failed: another one",
            "connection site, child net failed: no answer",
        ),
    )

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("control-log")
        events, answer = await talk.call_with_events("initiate", {"ike": "site"})
        assert answer["success"] == "no"
        assert [event.message["msg"] for event in events] == [
            "7d0c...01 > IKE_SA_INIT request 0, 300 octets, 203.0.113.2:500: SA KE No",
            "connection site, child net failed: no answer",
        ]
        assert {name: events[0].message[name] for name in ("group", "level", "ikesa-name", "ikesa-uniqueid")} == {
            "group": "IKE",
            "level": "1",
            "ikesa-name": "site",
            "ikesa-uniqueid": "1",
        }

    play(tmp_path, daemon, scene)


@pytest.mark.parametrize("request_", [{"ike": "site"}, {"child": "net"}, {"ike-id": "1"}, {"child-id": "1"}])
def test_progress_of_a_terminate_is_told_of_the_ike_sas_meant(tmp_path: Path, request_: dict[str, str]) -> None:
    other = replace(make_ike("other", 2, children=(make_child("lan", 9),)), spi_i=bytes.fromhex("ffff000000000002"))
    daemon = FakeDaemon(sas=[make_ike(), other], says=("7d0c…01 closed: a", "ffff…02 closed: b"))

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("control-log")
        events, _ = await talk.call_with_events("terminate", request_)
        assert [event.message["msg"] for event in events] == ["7d0c...01 closed: a"]

    play(tmp_path, daemon, scene)


def test_progress_has_the_level_that_was_asked_for(tmp_path: Path) -> None:
    class Chatty(FakeDaemon):
        async def _fulfil(self) -> None:
            self.log("7d0c…01 a decision", logging.DEBUG)
            self.log("7d0c…01 a change", logging.INFO)
            self.log("7d0c…01 trouble", logging.WARNING)
            await trio.lowlevel.checkpoint()

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("control-log")
        counts = []
        for level in ("0", "1", "2"):
            events, _ = await talk.call_with_events("initiate", {"ike": "site", "loglevel": level})
            counts.append([str(event.message["msg"]).split()[-1] for event in events])
        assert counts == [["trouble"], ["change", "trouble"], ["decision", "change", "trouble"]]

    play(tmp_path, Chatty(sas=[make_ike()]), scene)


def test_an_ike_sa_that_begins_while_the_command_runs_is_told_of(tmp_path: Path) -> None:
    daemon = FakeDaemon(waits=trio.Event())

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("control-log")
        await talk.send(PacketType.CMD_REQUEST, "initiate", {"ike": "site"})
        await daemon.begun.wait()
        daemon.sas.append(make_ike())
        daemon.log("7d0c…01 > IKE_SA_INIT request 0")
        assert (await talk.receive()).message["msg"] == "7d0c...01 > IKE_SA_INIT request 0"
        daemon.sas.clear()
        daemon.log("7d0c…01 closed: gone, and still told of")
        assert daemon.waits is not None
        daemon.waits.set()
        assert (await talk.receive()).type is PacketType.EVENT
        assert (await talk.receive()).message == {"success": "yes"}

    play(tmp_path, daemon, scene)


@pytest.mark.parametrize("command", ["rekey", "terminate"])
def test_progress_is_told_of_what_has_come_in_an_ike_sas_place(tmp_path: Path, command: str) -> None:
    daemon = FakeDaemon(sas=[make_ike()], waits=trio.Event())

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("control-log")
        await talk.send(PacketType.CMD_REQUEST, command, {"ike-id": "1"})
        await daemon.begun.wait()
        daemon.log("7d0c…01 rekeyed by us")
        daemon.sas, daemon.successors = [make_ike(state="REKEYED"), make_ike(unique_id=2)], {1: 2}
        daemon.log("7d0c…02 > INFORMATIONAL request 0")
        assert (await talk.receive()).message["msg"] == "7d0c...01 rekeyed by us"
        assert (await talk.receive()).message["msg"] == "7d0c...02 > INFORMATIONAL request 0"

    play(tmp_path, daemon, scene)


def test_progress_of_a_reauthentication_is_told_of_the_new_ike_sa_and_of_no_other_peers(tmp_path: Path) -> None:
    daemon = FakeDaemon(sas=[make_ike()], waits=trio.Event())
    other = replace(
        make_ike("site", 3, addresses=("192.0.2.1", "198.51.100.9")), spi_i=bytes.fromhex("ffff000000000003")
    )

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("control-log")
        await talk.send(PacketType.CMD_REQUEST, "rekey", {"ike": "site", "reauth": "yes", "timeout": "9000"})
        await daemon.begun.wait()
        daemon.sas += [make_ike(unique_id=2), other]
        daemon.log("ffff…03 > IKE_SA_INIT request 0")
        daemon.log("7d0c…02 > IKE_SA_INIT request 0")
        assert (await talk.receive()).message["msg"] == "7d0c...02 > IKE_SA_INIT request 0"

    play(tmp_path, daemon, scene)


def test_log_tells_every_line_escaped_in_ascii(tmp_path: Path) -> None:
    daemon = FakeDaemon()

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("log")
        daemon.log("dropped: a\nb \x1b[31m, Zoë")
        event = await talk.receive()
        assert (event.name, event.message["msg"]) == ("log", "dropped: a\\nb \\x1b[31m, Zo\\xeb")

    play(tmp_path, daemon, scene)


# -- up and down -------------------------------------------------------------------------------------------------


def test_ups_and_downs_are_told_with_the_child_they_concern(tmp_path: Path) -> None:
    ike = make_ike(children=(make_child(), make_child("net6", 2)))
    daemon = FakeDaemon()

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("ike-updown", "child-updown")
        for event in (
            IkeSaUp(ike),
            ChildSaUp(ike, ike.children[1]),
            AttemptFailed("site", None, 1, "is not told"),
            ChildSaDown(ike, ike.children[0], "deleted"),
            IkeSaDown(ike, "terminated"),
        ):
            daemon.publish(event)
        told = [await talk.receive() for _ in range(4)]
        assert [(packet.name, packet.message.get("up")) for packet in told] == [
            ("ike-updown", "yes"),
            ("child-updown", "yes"),
            ("child-updown", None),
            ("ike-updown", None),
        ]
        site = told[1].message["site"]
        assert isinstance(site, dict)
        assert isinstance(site["child-sas"], dict)
        assert list(site["child-sas"]) == ["net6-2"]

    play(tmp_path, daemon, scene)


# -- clients that do not behave ----------------------------------------------------------------------------------


def test_a_client_that_leaves_while_its_command_runs_is_noticed(tmp_path: Path) -> None:
    daemon = FakeDaemon(waits=trio.Event())

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("control-log", "log", "ike-updown")
        await talk.send(PacketType.CMD_REQUEST, "initiate", {"ike": "site"})
        await daemon.begun.wait()
        await talk.stream.aclose()
        await until(lambda: daemon.left == 1)
        await until(lambda: not (daemon.lines or daemon.events))

    play(tmp_path, daemon, scene)


def test_a_client_that_does_not_read_costs_only_itself(tmp_path: Path) -> None:
    daemon = FakeDaemon(bound=10)

    async def scene(stage: Stage) -> None:
        stuck, other = await stage.connect(), await stage.connect()
        await stuck.register("log")
        for _ in range(100):
            for _ in range(20):
                daemon.log("x" * 60000)
            await trio.lowlevel.checkpoint()
        assert (await other.call("version"))["daemon"] == "ikepy"
        await trio.sleep(SLOWEST_SECONDS + 1)
        await until(lambda: stage.server.losses.clients_too_slow == 1)
        assert stage.server.losses.events_lost > 0
        assert not daemon.lines
        answer = await other.call("stats")
        assert isinstance(answer["control"], dict)
        assert answer["control"]["clients-too-slow"] == "1"

    play(tmp_path, daemon, scene)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\xff\xff\xff\xff", "segment of 4294967295 octets"),
        (b"\x00\x00\x00\x00", "a segment of no octets"),
        (b"\x00\x00\x00\x01\x01", "a client does not send CMD_RESPONSE"),
        (b"\x00\x00\x00\x01\x63", "packet type 99"),
        (b"GET / HTTP/1.1\r\n\r\n", "segment of"),
        (b"\x00\x00\x00\x04\x00\x02aa" * (MOST_WAITING + 100), "more than 16 requests at once"),
    ],
)
def test_nonsense_ends_the_connection_and_nothing_else(
    tmp_path: Path, octets: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ikepy.control")

    async def scene(stage: Stage) -> None:
        talk, other = await stage.connect(), await stage.connect()
        await talk.stream.send_all(octets)
        with pytest.raises((EOFError, trio.BrokenResourceError)):
            await talk.receive_all()
        assert (await other.call("version"))["daemon"] == "ikepy"

    play(tmp_path, FakeDaemon(), scene)
    assert words in caplog.text
    assert "fault" not in caplog.text
