"""The page for a user, read again by an HTML parser; and QR codes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import pytest

from ikepy.crypto.secret import Secret
from ikepy.profiles.facts import EVERYWHERE, ClientFacts
from ikepy.profiles.guides import GUIDES, Platform
from ikepy.profiles.page import make
from ikepy.profiles.qr import png, terminal, text_for
from tests.profiles.conftest import HOSTILE

ALL = list(Platform)


@dataclass
class Read(HTMLParser):
    """The elements of a page, and its text."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text.append(data)


def read(page: str) -> Read:
    parser = Read()
    parser.feed(page)
    parser.close()
    return parser


def test_each_platform_has_its_steps_and_its_errors(facts: ClientFacts) -> None:
    page = read(make(facts, "alice", ALL))

    titles = [attributes["id"] for tag, attributes in page.elements if tag == "h2"]
    assert titles == [platform.value for platform in Platform]
    for guide in GUIDES.values():
        for step in guide.steps:
            assert step.format(slug="alice") in page.text
        for shown, _ in guide.errors:
            assert shown in page.text


def test_only_platforms_there_are_files_for_are_on_it(facts: ClientFacts) -> None:
    page = read(make(facts, "alice", [Platform.WINDOWS]))

    assert [attributes["id"] for tag, attributes in page.elements if tag == "h2"] == ["windows"]


def test_it_says_what_goes_through_the_tunnel(facts: ClientFacts) -> None:
    assert "10.1.0.0/16, fd00:1::/32" in make(facts, "alice", ALL)
    assert "All traffic" in make(replace(facts, is_full=True, networks=EVERYWHERE), "alice", ALL)


def test_nothing_is_fetched_and_nothing_runs(facts: ClientFacts) -> None:
    page = read(make(facts, "alice", ALL, png("x")))

    assert {"script", "link", "iframe", "a"}.isdisjoint(tag for tag, _ in page.elements)
    sources = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,")


def test_a_password_is_never_on_it(facts: ClientFacts) -> None:
    assert "correct horse" not in make(replace(facts, password=Secret(b"correct horse")), "alice", ALL)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_on_it(facts: ClientFacts, name: str) -> None:
    usual, page = read(make(facts, "alice", ALL)), read(make(replace(facts, user=name), "alice", ALL))

    assert page.elements == usual.elements
    assert name in page.text


def test_a_qr_code_says_where_the_profile_is_or_what_is_typed_and_no_password(facts: ClientFacts) -> None:
    asked = replace(facts, password=Secret(b"correct horse"))

    assert text_for(asked, "https://vpn.example.com/alice.sswan") == "https://vpn.example.com/alice.sswan"
    assert text_for(asked, None) == "VPN IKEv2\nServer: gate.example.com\nServer ID: gate.example.com\nUser: alice\n"
    with pytest.raises(ValueError, match="do not fit"):
        text_for(facts, "https://example.com/" + "x" * 1200)


def test_a_qr_code_is_a_png_and_half_blocks_in_a_terminal() -> None:
    assert png("hello").startswith(b"\x89PNG\r\n")
    lines = terminal("hello").splitlines()
    assert len(lines) > 10
    assert set(terminal("hello")) <= set("█▀▄ \n") | set("\x1b[0123456789;m")
