"""The table of a gateway as nft prints it, out of the JSON that is given to nft: for people who look before they leap.

Rule 1: it is made of that same JSON, so what is shown is what is done; the lab compares it with `nft list table`.
Not here: which rules there are (rules.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ikepy.gateway.nft import Json

_PRIORITIES = {-150: "mangle", 0: "filter", 100: "srcnat"}
_PRESENT = {"secpath": "meta ipsec", "ipsec": "rt ipsec"}
_BARE = frozenset({"oifname", "iifname", "mark"})
"""Keys of meta that nft writes without the word."""
_LINE_ELEMENTS = 2
"""Elements of a set that stand in one line."""


def table_text(commands: Sequence[Json]) -> str:
    """A table as text, from the commands that make it."""
    things: dict[str, list[Mapping[str, Any]]] = {"table": [], "set": [], "chain": [], "rule": []}
    for command in commands:
        added: Any = command.get("add", {})
        for kind, thing in added.items():
            if kind in things:
                things[kind].append(thing)
    table = things["table"][0]
    blocks = [_set_text(each) for each in things["set"]]
    blocks += [
        _chain_text(each, [rule for rule in things["rule"] if rule["chain"] == each["name"]])
        for each in things["chain"]
    ]
    return f"table {table['family']} {table['name']} {{\n" + "\n\n".join(blocks) + "\n}"


def _set_text(thing: Mapping[str, Any]) -> str:
    lines = [f"\tset {thing['name']} {{", f"\t\ttype {thing['type']}"]
    if thing.get("flags"):
        lines.append(f"\t\tflags {','.join(thing['flags'])}")
    elements = [_value(each) for each in thing.get("elem", ())]
    if elements:
        rows = [elements[at : at + _LINE_ELEMENTS] for at in range(0, len(elements), _LINE_ELEMENTS)]
        lines.append("\t\telements = { " + (",\n\t\t\t     ".join(", ".join(row) for row in rows)) + " }")
    return "\n".join([*lines, "\t}"])


def _chain_text(chain: Mapping[str, Any], rules: Iterable[Mapping[str, Any]]) -> str:
    lines = [f"\tchain {chain['name']} {{"]
    if "hook" in chain:
        priority = _PRIORITIES.get(chain["prio"], chain["prio"])
        lines.append(f"\t\ttype {chain['type']} hook {chain['hook']} priority {priority}; policy {chain['policy']};")
    lines += [f"\t\t{rule_text(rule)}" for rule in rules]
    return "\n".join([*lines, "\t}"])


def rule_text(rule: Mapping[str, Any]) -> str:
    """One rule."""
    words = [_expression(each) for each in rule["expr"] if not _is_implied(each, rule["expr"])]
    comment = [f'comment "{rule["comment"]}"'] if rule.get("comment") else []
    return " ".join([*words, *comment])


def _is_implied(expression: Json, rule: Sequence[Json]) -> bool:
    """Whether nft leaves it out: a protocol beside one of its ports."""
    inner: Any = expression.get("match")
    if inner is None or inner["left"] != {"meta": {"key": "l4proto"}}:
        return False
    others: list[Any] = [each["match"] for each in rule if "match" in each]
    return any(other["left"].get("payload", {}).get("protocol") == inner["right"] for other in others)


def _expression(expression: Any) -> str:
    ((word, content),) = expression.items()
    return _EXPRESSIONS[word](content)


def _match(content: Mapping[str, Any]) -> str:
    left, right = content["left"], content["right"]
    if isinstance(right, bool):
        ((_, inner),) = left.items()
        return f"{_PRESENT[inner['key']]} {'exists' if right else 'missing'}"
    if isinstance(left, Mapping) and "&" in left:
        field, mask = left["&"]
        return f"{_value(field)} {_value(right)} / {','.join(mask['|'])}"
    negation = "!= " if content["op"] == "!=" else ""
    quoted = isinstance(left, Mapping) and left.get("meta", {}).get("key") in {"oifname", "iifname"}
    return f"{_value(left)} {negation}{_value(right, quoted=quoted)}"


def _mangle(content: Mapping[str, Any]) -> str:
    return f"{_value(content['key'])} set {_value(content['value'])}"


def _value(value: Any, *, quoted: bool = False) -> str:
    if not isinstance(value, Mapping):
        return f'"{value}"' if quoted else str(value)
    ((word, content),) = value.items()
    if word == "set":
        return "{ " + ", ".join(_value(each, quoted=quoted) for each in content) + " }"
    return _VALUES[word](content)


_VALUES: dict[str, Callable[[Any], str]] = {
    "payload": lambda content: f"{content['protocol']} {content['field']}",
    "meta": lambda content: str(content["key"]) if content["key"] in _BARE else f"meta {content['key']}",
    "rt": lambda content: f"rt {content['key']}",
    "tcp option": lambda content: f"tcp option {content['name']} {content['field']}",
    "range": lambda content: "-".join(map(str, content)),
    "prefix": lambda content: f"{content['addr']}/{content['len']}",
}
_EXPRESSIONS: dict[str, Callable[[Any], str]] = {
    "match": _match,
    "mangle": _mangle,
    "jump": lambda content: f"jump {content['target']}",
    "accept": lambda _content: "accept",
    "drop": lambda _content: "drop",
    "masquerade": lambda _content: "masquerade",
    "reject": lambda content: f"reject with {content['type']} {content['expr']}",
}
