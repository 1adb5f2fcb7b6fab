"""What other people's firewalls do to the traffic of clients: chains that discard what is forwarded, by name.

Rule 1: nothing of theirs is touched: it is named, and what to do about it is said.
Not here: our own table (rules.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ikepy.gateway.nft import Json

_HOOKS = {"forward": "what it forwards", "input": "what comes to it, such as IKE"}
_ENDINGS = frozenset({"drop", "reject"})


@dataclass(frozen=True, slots=True)
class Conflict:
    """A chain that discards by default.

    remedy   what the operator can do, one sentence
    """

    table: str
    chain: str
    owner: str
    hook: str
    remedy: str

    def __str__(self) -> str:
        whose = f" of {self.owner}" if self.owner else ""
        return f"table {self.table}, chain {self.chain}{whose} discards {_HOOKS[self.hook]}; {self.remedy}"


def find_conflicts(ruleset: Sequence[Json], ours: Iterable[str], pools: Sequence[str]) -> tuple[Conflict, ...]:
    """The chains of a ruleset (`nft -j list ruleset`) that discard by default.

    ours    names of our tables
    pools   prefixes or ranges of clients' addresses, for the remedy
    """
    chains = [each["chain"] for each in _things(ruleset, "chain") if each["chain"].get("table") not in set(ours)]
    every = {str(chain.get("name")) for chain in chains}
    found = []
    for chain in chains:
        hook = chain.get("hook")
        if hook in _HOOKS and _discards(chain, ruleset):
            owner = _owner(str(chain.get("table")), every, hook)
            table = f"{chain.get('family')} {chain.get('table')}"
            found.append(Conflict(table, str(chain.get("name")), owner, hook, _remedy(owner, hook, pools)))
    return tuple(found)


def _things(ruleset: Sequence[Json], kind: str) -> Iterator[Mapping[str, Any]]:
    return (each for each in ruleset if isinstance(each.get(kind), Mapping))


def _discards(chain: Mapping[str, Any], ruleset: Sequence[Json]) -> bool:
    """Whether its policy is drop, or its last rule discards whatever is left."""
    if chain.get("policy") == "drop":
        return True
    place = chain.get("family"), chain.get("table"), chain.get("name")
    rules = [
        each["rule"]
        for each in _things(ruleset, "rule")
        if (each["rule"].get("family"), each["rule"].get("table"), each["rule"].get("chain")) == place
    ]
    return bool(rules) and _is_unconditional_end(rules[-1].get("expr", ()))


def _is_unconditional_end(expressions: Sequence[Mapping[str, Any]]) -> bool:
    return any(_ENDINGS & set(each) for each in expressions) and not any("match" in each for each in expressions)


def _owner(table: str, chains: set[str], hook: str) -> str:
    if table == "firewalld":
        return "firewalld"
    if any(name.startswith(("ufw-", "ufw6-")) for name in chains):
        return "ufw"
    return "Docker" if "DOCKER-USER" in chains and hook == "forward" else ""


def _remedy(owner: str, hook: str, pools: Sequence[str]) -> str:
    if hook == "input":
        words = {
            "ufw": "ufw allow 500,4500/udp; ufw allow proto esp",
            "firewalld": "firewall-cmd --permanent --add-service=ipsec && firewall-cmd --reload",
        }
        return f"allow IKE and ESP there, unless it is: {words.get(owner, 'udp dport { 500, 4500 } and protocol esp')}"
    first = pools[0] if pools else "the pools"
    words = {
        "Docker": f"iptables -I DOCKER-USER -s {first} -j ACCEPT, and the same with -d",
        "ufw": f"ufw route allow from {first}, and ufw route allow to {first}",
        "firewalld": f"firewall-cmd --permanent --zone=trusted --add-source={first} && firewall-cmd --reload",
    }
    return f"let clients through: {words.get(owner, f'accept {first} there as source and as destination')}"
