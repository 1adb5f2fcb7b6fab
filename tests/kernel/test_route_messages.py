"""Quickly built route and rule messages are pyroute2's, octet for octet."""

from __future__ import annotations

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ikepy.kernel.messages.route import route_message, rule_message

ROUTE = {
    "family": 2, "dst_len": 24, "src_len": 0, "tos": 0, "table": 206, "proto": 4, "scope": 253, "type": 1, "flags": 0,
    "attrs": [("RTA_DST", "10.2.0.0"), ("RTA_OIF", 7), ("RTA_PREFSRC", "10.1.0.1"), ("RTA_GATEWAY", "192.0.2.2")],
}  # fmt: skip
ROUTE6 = ROUTE | {"family": 10, "dst_len": 64, "attrs": [("RTA_DST", "2001:db8::"), ("RTA_OIF", 7), ("RTA_MARK", 462)]}
RULE = {
    "family": 2, "dst_len": 0, "src_len": 0, "tos": 0, "table": 206, "res1": 0, "res2": 0, "action": 1, "flags": 2,
    "attrs": [("FRA_PRIORITY", 206), ("FRA_FWMARK", 462), ("FRA_FWMASK", 0xFFFFFFFF), ("FRA_TABLE", 206)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("quick", "slow", "fields"),
    [(route_message, rtmsg, ROUTE), (route_message, rtmsg, ROUTE6), (rule_message, fibmsg, RULE)],
)
def test_a_quickly_built_message_is_the_one_pyroute2_builds(quick, slow, fields) -> None:
    built = []
    for message_class in (quick, slow):
        message = message_class()
        message["header"].update(type=24, flags=5, sequence_number=9)
        message.update(fields)
        message.encode()
        built.append(bytes(message.data))
    assert built[0] == built[1]
