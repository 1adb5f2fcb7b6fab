"""Keys of one table: what they are read as, their defaults, and which exclude each other."""

from __future__ import annotations

import pytest

from ikepy.config.algorithms import default_proposals
from ikepy.config.load import load
from ikepy.config.model import (
    ChildConfig,
    Childless,
    CloseAction,
    ConnectionConfig,
    DpdAction,
    Fragmentation,
    StartAction,
    Unique,
)
from ikepy.config.selectors import parse_selector
from ikepy.ipsec import Mode
from ikepy.wire.registry import ProtocolId
from tests.support.conf_files import SITE, Write, changed, only, refusal


def connection_of(write: Write, lines: str) -> ConnectionConfig:
    (connection,) = only(load(write(changed(SITE, ("local = {", f"{lines}\nlocal = {{"))))).connections
    return connection


def child_of(write: Write, lines: str) -> ChildConfig:
    (child,) = only(load(write(changed(SITE, ("local_ts =", f"{lines}\nlocal_ts ="))))).connections[0].children
    return child


def shunt_of(write: Write, lines: str) -> ChildConfig:
    text = f"{SITE}[connections.site.children.shunt]\n{lines}\n"
    shunt = only(load(write(text))).connections[0].child("shunt")
    assert shunt is not None
    return shunt


def test_a_tunnel_stays_up_by_the_defaults_of_the_file(write: Write) -> None:
    connection = connection_of(write, "")
    (child,) = connection.children

    assert (connection.rekey_time, connection.reauth_time, connection.dpd_delay) == (14400.0, 0.0, 30.0)
    assert (connection.over_time, connection.rand_time, connection.keyingtries) == (None, None, 0)
    assert (connection.unique, connection.childless, connection.make_before_break) == (
        Unique.NO,
        Childless.ALLOW,
        True,
    )
    assert (child.rekey_time, child.life_time, child.rand_time) == (3600.0, None, None)
    assert (child.rekey_bytes, child.rekey_packets) == (0, 0)
    assert (child.start_action, child.dpd_action, child.close_action) == (StartAction.NONE, None, None)


def test_every_key_of_a_connection_that_keeps_it_up_is_read(write: Write) -> None:
    connection = connection_of(
        write,
        'rekey_time = "2h"\nreauth_time = "1d"\nover_time = "5m"\nrand_time = "90s"\nmake_before_break = false\n'
        'unique = "replace"\nchildless = "force"\ndpd_delay = "1m"\nhold_early = true\n'
        'fragmentation = "accept"',
    )

    assert connection.hold_early
    assert connection.fragmentation is Fragmentation.ACCEPT
    assert (connection.rekey_time, connection.reauth_time) == (7200.0, 86400.0)
    assert (connection.over_time, connection.rand_time, connection.dpd_delay) == (300.0, 90.0, 60.0)
    assert (connection.make_before_break, connection.unique, connection.childless) == (
        False,
        Unique.REPLACE,
        Childless.FORCE,
    )


def test_every_key_of_a_child_that_keeps_it_up_is_read(write: Write) -> None:
    child = child_of(
        write,
        'start_action = "trap"\ndpd_action = "restart"\nclose_action = "start"\n'
        'rekey_time = "30m"\nlife_time = "1h"\nrand_time = "5m"\n'
        'rekey_bytes = "500M"\nlife_bytes = "1G"\nrand_bytes = 1000\n'
        "rekey_packets = 1000000\nlife_packets = 2000000\nrand_packets = 1000",
    )

    assert (child.start_action, child.dpd_action, child.close_action) == (
        StartAction.TRAP,
        DpdAction.RESTART,
        CloseAction.START,
    )
    assert (child.rekey_time, child.life_time, child.rand_time) == (1800.0, 3600.0, 300.0)
    assert (child.rekey_bytes, child.life_bytes, child.rand_bytes) == (500 << 20, 1 << 30, 1000)
    assert (child.rekey_packets, child.life_packets, child.rand_packets) == (1000000, 2000000, 1000)


def test_tries_are_read(write: Write) -> None:
    text = changed(
        SITE, ("local = {", "keyingtries = 3\nlocal = {"), ("local_ts =", 'start_action = "start"\nlocal_ts =')
    )

    assert only(load(write(text))).connections[0].keyingtries == 3


@pytest.mark.parametrize(
    ("written", "octets"),
    [("0", 0), ("5000", 5000), ('"5000"', 5000), ('"1 k"', 1024), ('"2T"', 2 << 40), ('"3m"', 3 << 20)],
)
def test_octets_are_a_number_or_a_multiple_of_1024(write: Write, written: str, octets: int) -> None:
    assert child_of(write, f"rekey_bytes = {written}").rekey_bytes == octets


@pytest.mark.parametrize("written", ['"1.5G"', '"many"', "true", "-1", "1.5", '"9000000000T"', str(1 << 63)])
def test_what_is_no_number_of_octets_is_refused(write: Write, written: str) -> None:
    message = refusal(write(changed(SITE, ("local_ts =", f"rekey_bytes = {written}\nlocal_ts ="))))

    assert "[connections.site.children.net] rekey_bytes: " in message
    assert "no number of octets; write it like" in message or "is out of range" in message


def test_zero_switches_renewal_off(write: Write) -> None:
    assert child_of(write, "rekey_time = 0").rekey_time == 0.0
    assert connection_of(write, "rekey_time = 0").rekey_time == 0.0


def test_a_life_time_alone_sets_when_the_child_is_rekeyed(write: Write) -> None:
    child = child_of(write, 'life_time = "11m"')

    assert child.rekey_time == pytest.approx(600.0)
    assert child.life_time == 660.0


def test_reauthentication_alone_takes_the_place_of_rekeying(write: Write) -> None:
    assert connection_of(write, 'reauth_time = "1h"').rekey_time == 0.0
    assert connection_of(write, 'reauth_time = "1h"\nrekey_time = "30m"').rekey_time == 1800.0


def test_other_words_of_swanctl_conf_mean_the_same(write: Write) -> None:
    child = child_of(write, 'start_action = "route"\ndpd_action = "start"')

    assert (child.start_action, child.dpd_action) == (StartAction.TRAP, DpdAction.RESTART)


@pytest.mark.parametrize("mode", [Mode.PASS, Mode.DROP])
def test_a_shunt_needs_its_mode_and_the_other_side(write: Write, mode: Mode) -> None:
    shunt = shunt_of(write, f'mode = "{mode.value}"\nremote_ts = ["10.9.0.0/16", "2001:db8:9::/48"]')

    assert shunt.is_shunt
    assert shunt.mode is mode
    assert shunt.start_action is StartAction.TRAP
    assert shunt.local_ts == (parse_selector("0.0.0.0/0"), parse_selector("::/0"))
    assert (shunt.esp_proposals, shunt.rekey_time) == ((), 0.0)


def test_a_shunt_is_not_there_where_the_file_says_none(write: Write) -> None:
    shunt = shunt_of(write, 'mode = "pass"\nremote_ts = "10.9.0.0/16"\nstart_action = "none"')

    assert shunt.start_action is StartAction.NONE


def test_a_shunt_may_stand_in_a_connection_that_only_answers(write: Write) -> None:
    text = changed(SITE, ('remote_addrs = ["203.0.113.2"]\n', ""))
    text += '[connections.site.children.shunt]\nmode = "drop"\nremote_ts = "10.9.0.0/16"\n'

    assert only(load(write(text))).connections[0].child("shunt") is not None


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('remote_ts = "10.9.0.0/16"\nesp_proposals = "aes256gcm16"', "esp_proposals: nothing is negotiated where mode"),
        (
            'remote_ts = "10.9.0.0/16"\nrekey_time = 0',
            'rekey_time: nothing is negotiated where mode = "pass"; leave it',
        ),
        ('remote_ts = "10.9.0.0/16"\nlife_bytes = 7', "life_bytes: nothing is negotiated where mode"),
        ('remote_ts = "10.9.0.0/16"\ndpd_action = "clear"', "dpd_action: nothing is negotiated where mode"),
        ('remote_ts = "10.9.0.0/16"\nreplay_window = 32', "replay_window: nothing is negotiated where mode"),
        ('remote_ts = "10.9.0.0/16"\nstart_action = "start"', "start_action: nothing is brought up where mode"),
        ("", 'remote_ts: where mode = "pass" there is no peer whose address `dynamic` could be; write prefixes'),
        ('remote_ts = "dynamic"', 'remote_ts: where mode = "pass" there is no peer'),
        ('remote_ts = "10.9.0.0/16"\nlocal_ts = "dynamic"', 'local_ts: where mode = "pass" there is no peer'),
    ],
)
def test_what_means_nothing_for_a_shunt_is_refused(write: Write, lines: str, words: str) -> None:
    message = refusal(write(f'{SITE}[connections.site.children.shunt]\nmode = "pass"\n{lines}\n'))

    assert f"[connections.site.children.shunt] {words}" in message


def test_a_child_has_the_default_proposals(write: Write) -> None:
    assert child_of(write, "").esp_proposals == default_proposals(ProtocolId.ESP)
