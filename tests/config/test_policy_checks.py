"""Traps and shunts that want the same packets."""

from __future__ import annotations

import pytest

from ikepy.config.load import load
from tests.support.conf_files import Write, only, refusal

HEAD = """\
[secrets.all]
secret = "a secret that nobody will guess"
"""


def connection(name: str, addresses: str, child: str) -> str:
    return f"""\
[connections.{name}]
{addresses}
local = {{ auth = "psk", id = "{name}.left.example.com" }}
remote = {{ auth = "psk", id = "{name}.right.example.com" }}
[connections.{name}.children.net]
{child}
"""


def two(one: str, other: str, others_address: str = "203.0.113.3") -> str:
    return (
        HEAD
        + connection("one", 'remote_addrs = "203.0.113.2"', one)
        + connection("other", f'remote_addrs = "{others_address}"', other)
    )


TRAP = 'start_action = "trap"\n'
NETS = 'local_ts = "10.1.0.0/16"\nremote_ts = "10.2.0.0/16"\n'


@pytest.mark.parametrize(
    "text",
    [
        two(TRAP + NETS, TRAP + NETS),
        two(TRAP + NETS, 'mode = "pass"\n' + NETS),
        two('mode = "drop"\n' + NETS, 'mode = "pass"\n' + NETS),
        two(TRAP + NETS, TRAP + NETS.replace('"10.2.0.0/16"', '["10.3.0.0/16", "10.2.0.0/16"]')),
        two(TRAP + NETS + "mark = 7\n", TRAP + NETS + "mark = 7\n"),
        two(TRAP, TRAP, "203.0.113.2"),
        two(TRAP, TRAP + 'remote_ts = "203.0.113.2/32"\n'),
        two(TRAP, 'mode = "drop"\nremote_ts = "203.0.113.2"\nlocal_ts = "192.0.2.1"').replace(
            'remote_addrs = "203.0.113.2"', 'remote_addrs = "203.0.113.2"\nlocal_addrs = "192.0.2.1"'
        ),
    ],
)
def test_two_that_want_the_same_packets_are_refused_and_both_named(write: Write, text: str) -> None:
    message = refusal(write(text))

    assert (
        "[connections.other.children.net] remote_ts: its trap or shunt wants the same packets as "
        "connections.one.children.net; change the selectors, mark or if_id of one"
    ) in message


@pytest.mark.parametrize(
    "text",
    [
        two(TRAP + NETS, TRAP + NETS.replace("10.2.0.0/16", "10.3.0.0/16")),
        two(TRAP + NETS, TRAP + NETS.replace("10.2.0.0/16", "10.2.0.0/24")),
        two(TRAP + NETS, TRAP + NETS + "mark = 7\n"),
        two(TRAP + NETS, TRAP + NETS + "if_id = 7\n"),
        two(TRAP + NETS, NETS),
        two(TRAP + NETS, 'mode = "pass"\nstart_action = "none"\n' + NETS),
        two(TRAP, TRAP),
        two(TRAP + 'mode = "transport"\n', TRAP + 'mode = "transport"\n', "gw.example.com"),
        two(TRAP + NETS.replace('"10.1.0.0/16"', '["10.1.0.0/16", "10.1.0.0/16"]'), TRAP),
    ],
)
def test_two_that_do_not_are_taken(write: Write, text: str) -> None:
    assert len(only(load(write(text))).connections) == 2


def test_two_children_of_one_connection_are_told_apart_too(write: Write) -> None:
    text = HEAD + connection("one", 'remote_addrs = "203.0.113.2"', TRAP + NETS)
    text += "[connections.one.children.again]\n" + TRAP + NETS

    assert "[connections.one.children.again] remote_ts: its trap or shunt wants the same packets" in refusal(
        write(text)
    )
