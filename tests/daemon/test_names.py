"""Names of gateways: what they were is used while they do not resolve."""

from __future__ import annotations

import stat
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from ikepy.daemon import names as names_module
from ikepy.daemon.names import MOST_ADDRESSES, MOST_NAMES, Names
from ikepy.ipsec import IpAddress

FIRST, SECOND = ip_address("192.0.2.1"), ip_address("2001:db8::1")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[IpAddress]]:
    """What the resolver knows."""
    found: dict[str, list[IpAddress]] = {}

    async def look_up(name: str) -> list[IpAddress]:
        await trio.lowlevel.checkpoint()
        return found.get(name, [])

    monkeypatch.setattr(names_module, "look_up", look_up)
    return found


def resolve(names: Names, name: str) -> list[IpAddress]:
    return trio.run(names.resolve, name)


def test_what_a_name_was_is_used_when_it_does_not_resolve(tmp_path: Path, known: dict[str, list[IpAddress]]) -> None:
    path = tmp_path / "state" / "names.json"
    known["gw.example"] = [FIRST, SECOND]
    assert resolve(Names(path), "gw.example") == [FIRST, SECOND]
    known.clear()
    assert resolve(Names(path), "gw.example") == [FIRST, SECOND]
    assert resolve(Names(path), "other.example") == []
    known["gw.example"] = [SECOND]
    assert resolve(Names(path), "gw.example") == [SECOND]
    known.clear()
    assert resolve(Names(path), "gw.example") == [SECOND]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_file_nothing_is_kept(known: dict[str, list[IpAddress]]) -> None:
    known["gw.example"] = [FIRST]
    names = Names()
    assert resolve(names, "gw.example") == [FIRST]
    known.clear()
    assert resolve(names, "gw.example") == []


def test_names_are_learnt_all_at_once(tmp_path: Path, known: dict[str, list[IpAddress]]) -> None:
    known |= {"a.example": [FIRST], "b.example": [SECOND]}
    names = Names(tmp_path / "names.json")
    trio.run(names.learn, ["a.example", "b.example", "a.example", "c.example"])
    known.clear()
    assert [resolve(names, f"{each}.example") for each in "abc"] == [[FIRST], [SECOND], []]


def test_what_is_kept_is_bounded(tmp_path: Path, known: dict[str, list[IpAddress]]) -> None:
    path = tmp_path / "names.json"
    names = Names(path)
    for number in range(MOST_NAMES + 10):
        known[f"gw{number}"] = [FIRST + each for each in range(MOST_ADDRESSES + 5)]
        resolve(names, f"gw{number}")
    known.clear()
    assert resolve(Names(path), "gw0") == []
    assert len(resolve(Names(path), f"gw{MOST_NAMES + 9}")) == MOST_ADDRESSES


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", '{"a": 1}', '{"a": ["x"]}', '{"a": [null]}', "[" * 50_000, '{"a": ["10.0.0.1"'],
    ids=str.__len__,
)
def test_a_damaged_file_is_forgotten(
    text: str, tmp_path: Path, known: dict[str, list[IpAddress]], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "names.json"
    path.write_text(text)
    assert resolve(Names(path), "a") == []
    assert "is damaged" in caplog.text


def test_a_file_that_cannot_be_written_ends_nothing(
    tmp_path: Path, known: dict[str, list[IpAddress]], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "names.new").mkdir()
    known["gw.example"] = [FIRST]
    assert resolve(Names(tmp_path / "names.json"), "gw.example") == [FIRST]
    assert "cannot be written" in caplog.text


def test_localhost_resolves() -> None:
    assert trio.run(names_module.look_up, "localhost")
    assert trio.run(names_module.look_up, "a name that is none") == []
