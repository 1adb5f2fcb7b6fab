"""The pages in docs/ name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ikepy.control.commands import COMMANDS
from ikepy.control.session import EVENTS
from ikepy.ike.drops import DropReason

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
OPERATING = (ROOT / "docs" / "operating.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_module_that_a_page_names_is_there(page: Path) -> None:
    for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", page.read_text()):
        places = [ROOT / name, ROOT / "ikepy" / name, ROOT / "ikepy" / "ike" / name]
        assert any(place.is_file() for place in places), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_page_that_a_page_links_is_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("reason", DropReason, ids=lambda reason: reason.name)
def test_operating_says_what_each_drop_means(reason: DropReason) -> None:
    assert reason.value in OPERATING


def test_operating_names_each_command_and_event_of_the_control_socket() -> None:
    for name in (*COMMANDS, *EVENTS):
        assert name in OPERATING
