"""Firewalls of others that would discard what clients send: found in what nft lists, and named with a remedy."""

from __future__ import annotations

import pytest

from ikepy.gateway.conflicts import find_conflicts
from ikepy.gateway.nft import Json

POOLS = ["10.9.0.0/24"]
DROP: Json = {"drop": None}


def chain(name: str, hook: str = "", policy: str = "accept", table: str = "filter", family: str = "ip") -> Json:
    base = {"hook": hook, "prio": 0, "type": "filter", "policy": policy} if hook else {}
    return {"chain": {"family": family, "table": table, "name": name, **base}}


def rule(of: str, *expressions: Json, table: str = "filter", family: str = "ip") -> Json:
    return {"rule": {"family": family, "table": table, "chain": of, "expr": list(expressions)}}


CASES: dict[str, tuple[list[Json], tuple[str, ...]]] = {
    "nothing": ([], ()),
    "a chain that accepts": ([chain("FORWARD", "forward")], ()),
    "a policy of drop": (
        [chain("FORWARD", "forward", "drop")],
        ("table ip filter, chain FORWARD", "accept 10.9.0.0/24"),
    ),
    "a policy of drop for what comes in": ([chain("INPUT", "input", "drop")], ("such as IKE", "500, 4500")),
    "Docker": (
        [chain("DOCKER-USER"), chain("FORWARD", "forward", "drop")],
        ("FORWARD of Docker", "iptables -I DOCKER-USER -s 10.9.0.0/24"),
    ),
    "ufw": ([chain("ufw-user-forward"), chain("FORWARD", "forward", "drop")], ("of ufw", "ufw route allow from")),
    "firewalld": (
        [
            chain("filter_FORWARD", "forward", table="firewalld", family="inet"),
            rule("filter_FORWARD", {"accept": None}, table="firewalld", family="inet"),
            rule("filter_FORWARD", {"reject": {"type": "icmpx"}}, table="firewalld", family="inet"),
        ],
        ("of firewalld", "--zone=trusted --add-source=10.9.0.0/24"),
    ),
    "a last rule that discards some": (
        [chain("FORWARD", "forward"), rule("FORWARD", {"match": {"op": "==", "left": 1, "right": 2}}, DROP)],
        (),
    ),
    "a rule that discards all, and then one more": (
        [chain("FORWARD", "forward"), rule("FORWARD", DROP), rule("FORWARD", {"counter": None})],
        (),
    ),
    "a chain without a hook": ([chain("dropper", policy="drop")], ()),
    "what leaves is dropped": ([chain("OUTPUT", "output", "drop")], ()),
    "ours": ([chain("forward", "forward", "drop", table="ikepy", family="inet")], ()),
    "what is no chain at all": ([{"table": {"family": "ip", "name": "x"}}, {"chain": 7}, {"rule": []}], ()),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("case", CASES)
def test_who_discards_is_named_and_what_to_do(case: str) -> None:
    ruleset, words = CASES[case]
    found = find_conflicts(ruleset, ["ikepy"], POOLS)
    assert bool(found) is bool(words), found
    for word in words:
        assert word in str(found[0])


def test_without_pools_the_remedy_still_makes_sense() -> None:
    (found,) = find_conflicts([chain("FORWARD", "forward", "drop")], [], [])
    assert "the pools" in found.remedy
