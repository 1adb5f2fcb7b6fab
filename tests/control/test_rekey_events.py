"""The events of rekeys and moves, as VICI tells them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from ikepy.control.codec import Packet, Section
from ikepy.ike.actions import SocketAddress
from ikepy.ike.events import ChildSaRekeyed, Event, HookFailed, IkeSaMoved, IkeSaRekeyed
from tests.support.control_client import Stage, play
from tests.support.fake_daemon import FakeDaemon, make_child, make_ike


def inner(section: Section, *names: str) -> Section:
    """The section at the end of these names."""
    for name in names:
        found = section[name]
        assert isinstance(found, dict), name
        section = found
    return section


def hear(directory: Path, daemon: FakeDaemon, name: str, event: Event) -> list[Packet]:
    """What a client that has registered for events of that name is told of this one: one packet and no more."""
    told: list[Packet] = []

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register(name)
        daemon.publish(event)
        told.append(await talk.receive())
        assert (await talk.call("version"))["daemon"] == "ikepy"

    play(directory, daemon, scene)
    return told


def test_a_rekeyed_ike_sa_is_told_with_the_old_one_and_the_new_one_without_children(tmp_path: Path) -> None:
    event = IkeSaRekeyed(make_ike(), make_ike(unique_id=2, initiator=False))
    (packet,) = hear(tmp_path, FakeDaemon(), "ike-rekey", event)

    assert (packet.name, list(packet.message), list(inner(packet.message, "site"))) == (
        "ike-rekey",
        ["site"],
        ["old", "new"],
    )
    old, new = inner(packet.message, "site", "old"), inner(packet.message, "site", "new")
    assert (old["uniqueid"], old["state"], old["initiator-spi"]) == ("1", "REKEYED", "7d0c000000000001")
    assert (new["uniqueid"], new["state"], new["initiator-spi"]) == ("2", "ESTABLISHED", "7d0c000000000002")
    assert "child-sas" not in old.keys() | new.keys()


def test_a_rekeyed_child_is_told_inside_its_ike_sa_under_its_plain_name(tmp_path: Path) -> None:
    old_child, new_child = make_child(state="REKEYED"), make_child(unique_id=7)
    ike = make_ike(children=(old_child, make_child("other", 2), new_child))
    daemon = FakeDaemon()
    daemon.count(old_child, 8400, 84)
    (packet,) = hear(tmp_path, daemon, "child-rekey", ChildSaRekeyed(ike, old_child, new_child))

    assert packet.name == "child-rekey"
    assert inner(packet.message, "site")["uniqueid"] == "1"
    assert list(inner(packet.message, "site", "child-sas")) == ["net"]
    both = inner(packet.message, "site", "child-sas", "net")
    assert list(both) == ["old", "new"]
    old, new = inner(both, "old"), inner(both, "new")
    assert (old["uniqueid"], old["state"], old["spi-in"], old["bytes-in"]) == ("1", "REKEYED", "c0a81f01", "8400")
    assert (new["uniqueid"], new["state"], new["spi-in"], new["bytes-in"]) == ("7", "INSTALLED", "c0a81f07", "0")


def test_a_rekey_is_neither_up_nor_down_and_told_to_nobody_else(tmp_path: Path) -> None:
    ike = make_ike()
    daemon = FakeDaemon()

    async def scene(stage: Stage) -> None:
        talk = await stage.connect()
        await talk.register("ike-updown", "child-updown", "ike-rekey")
        daemon.publish(ChildSaRekeyed(ike, ike.children[0], make_child(unique_id=7)))
        daemon.publish(IkeSaRekeyed(ike, make_ike(unique_id=2)))
        assert (await talk.receive()).name == "ike-rekey"
        assert (await talk.call("version"))["daemon"] == "ikepy"

    play(tmp_path, daemon, scene)


def test_an_ike_sa_that_moved_is_told_with_its_new_ends_and_as_it_was(tmp_path: Path) -> None:
    ike = make_ike()
    before = replace(ike.path, local=SocketAddress(IPv4Address("198.51.100.7"), 4500))
    (packet,) = hear(tmp_path, FakeDaemon(), "ike-update", IkeSaMoved(ike, before))

    assert packet.name == "ike-update"
    assert packet.message["local-host"] == str(ike.path.local.address)
    assert packet.message["remote-port"] == str(ike.path.remote.port)
    assert inner(packet.message, "site")["local-host"] == "198.51.100.7"
    assert "child-sas" not in inner(packet.message, "site")


def test_a_program_that_failed_is_an_alert(tmp_path: Path) -> None:
    failed = HookFailed("site", "net", 3, "/etc/ikepy/updown up: it ended with 3")
    (packet,) = hear(tmp_path, FakeDaemon(), "alert", failed)

    assert packet.name == "alert"
    assert packet.message == {
        "type": "updown-failed",
        "ike": "site",
        "ike-uniqueid": "3",
        "child": "net",
        "message": "/etc/ikepy/updown up: it ended with 3",
    }
