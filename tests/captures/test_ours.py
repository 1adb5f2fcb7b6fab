"""Our own recordings with packaged peers: each message parses, opens with its keys, and is built again octet for octet.

And tshark, given the same keys, reads every one of them without finding fault (it is asked where it is installed).
"""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from ikepy.crypto.errors import IntegrityError
from ikepy.wire.message import build_message, parse_message
from ikepy.wire.registry import EsnId, TransformType
from ikepy.wire.sa import Sa
from tests.captures.stories import STORIES
from tests.support.recorded import CAPTURES, Recording, recordings

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.fixture(params=recordings())
def recording(request: pytest.FixtureRequest) -> Recording:
    return Recording(CAPTURES / request.param)


def test_every_story_is_recorded_and_nothing_else_is() -> None:
    assert recordings() == sorted(story.folder for story in STORIES)


def test_every_message_is_built_again_octet_for_octet(recording: Recording) -> None:
    assert len(recording.messages) >= 4
    assert [build_message(parse_message(octets)) for octets in recording.messages] == recording.messages


def test_every_protected_message_opens_and_is_sealed_again_octet_for_octet(recording: Recording) -> None:
    assert len(recording.sealed) >= 2
    assert [table.seal(table.open(octets)) for table, octets in recording.sealed] == [
        octets for _, octets in recording.sealed
    ]


def test_a_changed_octet_does_not_open(recording: Recording) -> None:
    for table, octets in recording.sealed:
        with pytest.raises(IntegrityError):
            table.open(octets[:-1] + bytes([octets[-1] ^ 1]))


def test_what_was_said_is_what_the_story_tells(recording: Recording) -> None:
    told = (recording.folder / "story.md").read_text()

    assert "\n".join(recording.lines()) in told


def test_every_child_carried_packets_both_ways(recording: Recording) -> None:
    spis = [row["spi"] for row in recording.keys.get("esp_sa", [])]
    octets = recording.pcap.read_bytes()

    assert spis or recording.folder.name in {story.folder for story in STORIES if story.is_quiet}
    for spi in spis:
        assert octets.count(bytes.fromhex(spi[2:]) + (1).to_bytes(4, "big")) == 1, f"no first packet of {spi}"
        assert octets.count(bytes.fromhex(spi[2:]) + (3).to_bytes(4, "big")) == 1, f"no third packet of {spi}"


@needs_tshark
@pytest.mark.slow
def test_tshark_opens_all_of_it_and_finds_no_fault(recording: Recording) -> None:
    frames = dissected(recording)
    esp = [frame["esp"] for frame in frames if "esp" in frame]

    faults = [frame for frame in map(json.dumps, frames) if "_ws.malformed" in frame or "is incorrect" in frame]
    assert faults == []
    assert sum("isakmp.enc.decrypted" in json.dumps(frame) for frame in frames) == len(recording.sealed)
    if not has_extended_sequence_numbers(recording):  # tshark 4.0 cannot be told the upper 32 bits
        assert [packet["esp.icv_tree"]["esp.icv_good"] for packet in esp] == ["1"] * len(esp)
    assert all("esp.decrypted_data" in packet for packet in esp)


@needs_tshark
@pytest.mark.slow
def test_tshark_with_another_key_does_find_fault() -> None:
    recording = Recording(CAPTURES / "strongswan-psk")
    recording.keys["ike_sa"][0]["sk_er"] = "00" * 36

    assert "is incorrect" in json.dumps(dissected(recording))


def has_extended_sequence_numbers(recording: Recording) -> bool:
    """Whether a response took them."""
    opened = [table.open(octets) for table, octets in recording.sealed]
    return any(
        transform.type is TransformType.ESN and transform.id is EsnId.ESN
        for one in opened
        if one.message.header.is_response
        for payload in one.payloads
        if isinstance(payload, Sa)
        for transform in payload.proposals[0].transforms
    )


def dissected(recording: Recording) -> list[dict]:
    """The layers tshark finds in each frame."""
    said = subprocess.run(
        ["tshark", "-r", str(recording.pcap), *recording.preferences(), "-T", "json", "--no-duplicate-keys"],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return [frame["_source"]["layers"] for frame in json.loads(said.stdout)]
