"""Lifetimes that do not fit together."""

from __future__ import annotations

import pytest

from ikepy.config.load import load
from tests.support.conf_files import SITE, Write, changed, only, refusal

CHILD = "[connections.site.children.net] "


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            'life_time = "30m"\nrekey_time = "30m"',
            "life_time: 1800 is not more than rekey_time 1800: the child would end",
        ),
        ("life_time = 0\nrekey_time = 60", "life_time: 0 is not more than rekey_time 60"),
        (
            "rekey_time = 60\nrand_time = 61",
            "rand_time: 61 cannot be taken off rekey_time 60; write less than rekey_time",
        ),
        ('rekey_time = 0\nlife_time = "1h"\nrand_time = 9', "rand_time: nothing is done with it where rekey_time is 0"),
        ('rekey_bytes = "1G"\nlife_bytes = "500M"', "life_bytes: 524288000 is not more than rekey_bytes"),
        ('rekey_bytes = "1M"\nrand_bytes = "2M"', "rand_bytes: 2097152 cannot be taken off rekey_bytes"),
        ("rand_bytes = 1", "rand_bytes: nothing is done with it where rekey_bytes is 0"),
        ("rekey_packets = 1000\nlife_packets = 999", "life_packets: 999 is not more than rekey_packets 1000"),
        ("rekey_packets = 1000\nrand_packets = 1001", "rand_packets: 1001 cannot be taken off rekey_packets 1000"),
        ("rand_packets = 1", "rand_packets: nothing is done with it where rekey_packets is 0"),
    ],
)
def test_limits_of_a_child_that_do_not_fit_are_refused(write: Write, lines: str, words: str) -> None:
    message = refusal(write(changed(SITE, ("local_ts =", f"{lines}\nlocal_ts ="))))

    assert CHILD + words in message


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("rekey_time = 0\nover_time = 60", "over_time: nothing is done with it where rekey_time and reauth_time are 0"),
        ("rekey_time = 0\nrand_time = 60", "rand_time: nothing is done with it where rekey_time and reauth_time are 0"),
        ("over_time = 0", "over_time: 0 would close an IKE SA the moment it is to be renewed; write a time"),
        ("rekey_time = 60\nrand_time = 61", "rand_time: 61 cannot be taken off rekey_time 60"),
        ("reauth_time = 60\nrand_time = 61", "rand_time: 61 cannot be taken off reauth_time 60; write less than"),
    ],
)
def test_times_of_an_ike_sa_that_do_not_fit_are_refused(write: Write, lines: str, words: str) -> None:
    message = refusal(write(changed(SITE, ("local = {", f"{lines}\nlocal = {{"))))

    assert "[connections.site] " + words in message


@pytest.mark.parametrize(
    "lines",
    [
        "rekey_time = 60\nlife_time = 61\nrand_time = 60",
        "rekey_time = 0\nlife_time = 3600",
        "rekey_time = 0\nlife_time = 0\nrand_time = 0",
        "life_bytes = 1",
        "rekey_packets = 1000\nlife_packets = 1001\nrand_packets = 0",
    ],
)
def test_limits_of_a_child_that_fit_are_taken(write: Write, lines: str) -> None:
    assert only(load(write(changed(SITE, ("local_ts =", f"{lines}\nlocal_ts ="))))).connections
