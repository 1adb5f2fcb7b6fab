"""All that a daemon may change on a host, as text that can be compared.

Not here: what it changes (ikepy/gateway/).
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.lab.namespaces import inside, sh

_MOVING = re.compile(r"(?:expires|lifetime|valid_lft|preferred_lft) \d+\S*|used \S+|\s+handle \d+")
_LISTINGS = (
    ("ip", "rule"),
    ("ip", "-6", "rule"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "-6", "route", "show", "table", "all"),
    ("ip", "xfrm", "policy"),
    ("ip", "xfrm", "state"),
    ("ip", "address"),
    ("ip", "neigh", "show", "proxy"),
    ("ip", "-6", "neigh", "show", "proxy"),
)


def host_state(namespace: str) -> dict[str, str]:
    """Rules, routes, policies, addresses, nftables and settings of a namespace, each as text."""
    found = {}
    for listing in _LISTINGS:
        command, *arguments = listing
        found[" ".join(listing)] = _MOVING.sub("", sh(command, "-n", namespace, *arguments))
    found["nft list ruleset"] = sh("ip", "netns", "exec", namespace, "nft", "list", "ruleset")
    found["sysctls"] = inside(namespace, _sysctls)
    return found


def _sysctls() -> str:
    lines = []
    for path in sorted(Path("/proc/sys/net").glob("ipv[46]/**/*")):
        try:
            if path.is_file():
                lines.append(f"{path} = {path.read_text().strip()}")
        except OSError:
            continue
    return "\n".join(line for line in lines if "stable_secret" not in line and "/neigh/" not in line)


def assert_same(before: dict[str, str], after: dict[str, str]) -> None:
    """Both are the same, line by line."""
    for name, text in before.items():
        gone = [line for line in text.splitlines() if line not in after[name].splitlines()]
        come = [line for line in after[name].splitlines() if line not in text.splitlines()]
        assert text == after[name], f"{name}: gone {gone}, come {come}"
