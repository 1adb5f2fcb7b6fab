"""What a peer calls itself, wherever it goes: programs, the log, status, the control socket, nft. Nowhere is it more than data."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from ipaddress import ip_address

import pytest
from rich.console import Console

from ikepy.cli.table import DaemonStatus, make_status
from ikepy.control.codec import build_message
from ikepy.control.status import status_section
from ikepy.daemon.hook_values import environment_of
from ikepy.gateway.text import table_text
from ikepy.ike.events import IkeSaUp, IkeSnapshot, Session
from ikepy.trace.handlers import PlainFormatter
from ikepy.trace.log import word_event
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType
from tests.gateway.tables import table
from tests.support.fake_daemon import NOW, make_ike

NAMES = {
    "a command": b"$(reboot)",
    "backquotes": b"`reboot`;|&<>*?~!#",
    "line ends": b"a\nb\r\nIKEPY_USER=root\x0b\x0c\xc2\x85\xe2\x80\xa8",
    "a terminal's commands": b"\x1b[2J\x1b]0;title\x07\x9b31m",
    "an option": b"--exec=reboot",
    "no UTF-8": b"\xff\xfe\x00\xc0\xaf",
    "turned round": "alice\u202etxt.exe".encode(),
    "rich's markup": b"[bold red]x[/][link=http://x]",
    "JSON": b'"},{"table":{"name":"x"}}',
    "nft": b'" }; flush ruleset; #',
    "64 KiB": b"x" * 65535,
    "64 KiB of line ends": b"\n" * 65535,
}
KINDS = (IdType.ID_FQDN, IdType.ID_RFC822_ADDR, IdType.ID_KEY_ID, IdType.ID_DER_ASN1_DN, IdType(201))


def ike(octets: bytes, kind: IdType) -> IkeSnapshot:
    """An IKE SA of a peer that is called so."""
    name = octets.decode("utf-8", "replace")
    session = Session("EAP-MSCHAPv2", name, ("staff",), (ip_address("10.9.0.5"),))
    return replace(make_ike(session=session), remote_id=Identification(kind, octets))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_program_gets_it_as_one_value_of_its_environment(name: str, kind: IdType) -> None:
    sa = ike(NAMES[name], kind)
    environment = environment_of("up", sa, sa.children[0], "")
    assert all(key in {"PATH", "LANG"} or key.startswith("IKEPY_") for key in environment)
    for key, value in environment.items():
        assert value.isprintable(), (key, value)
        assert len(value) <= 4096
        os.fsencode(value)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_log_has_it_in_one_line(name: str, kind: IdType) -> None:
    sa = ike(NAMES[name], kind)
    for words in (word_event(IkeSaUp(sa)), f"established with {sa.remote_id}"):
        record = logging.LogRecord("ikepy", logging.INFO, "", 0, "%s", (words,), None)
        text = PlainFormatter().format(record)
        assert text.isprintable(), text[:200]
    assert len(str(sa.remote_id)) <= 2 * len(NAMES[name]) + 20


@pytest.mark.parametrize("width", [60, 200])
@pytest.mark.parametrize("name", NAMES)
def test_status_shows_it_and_does_nothing_else(name: str, width: int) -> None:
    sa = ike(NAMES[name], IdType.ID_FQDN)
    section = status_section(sa, NOW, {})
    answer = {"version": "1", "pid": "1", "uptime": "1", "idle": [], "drops": {}}
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(*make_status(DaemonStatus("/run/x", answer, ((sa.connection, section),), ()), console), sep="\n")
    for line in captured.get().splitlines():
        assert line.isprintable(), line[:200]
    build_message(section)
    json.dumps(section)


@pytest.mark.parametrize("name", NAMES)
def test_nft_never_hears_of_it(name: str) -> None:
    made = table()
    text = NAMES[name].decode("utf-8", "replace")
    commands = made.change({}, {ip_address("10.9.0.5"): (text, "staff")})
    assert text not in json.dumps(commands, ensure_ascii=False)
    assert text not in table_text(made.make({ip_address("10.9.0.5"): (text,)}))
