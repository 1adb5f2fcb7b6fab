"""What is wrong with a configuration: where it stands, what it is, and what would be right.

Rule 1: a message never holds a secret, only where it stands.
Not here: finding anything wrong (values.py, schema.py, checks.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

_MOST_WORDS = 40
"As many words as one still reads in an error."


class Unfit(ValueError):
    """A value that cannot be used; whoever knows its place makes a ConfigError of it.

    problem   what was found
    remedy    what to write instead; empty where the problem says it
    key       the key at fault, where a whole table was looked at
    """

    def __init__(self, problem: str, remedy: str = "", key: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.key = key
        self.problem = problem
        self.remedy = remedy


class ConfigError(Exception):
    """A fault in a configuration file, worded for the operator in one line.

    table, key   where in the file, as written there; empty where the whole file is meant
    line         where TOML itself is broken; else None
    """

    def __init__(
        self, file: Path, problem: str, remedy: str = "", *, table: str = "", key: str = "", line: int | None = None
    ) -> None:
        place = str(file)
        if line is not None:
            place += f", line {line}"
        words = " ".join(part for part in (f"[{table}]" if table else "", key) if part)
        super().__init__(
            ": ".join(part for part in (place, words, problem) if part) + (f"; {remedy}" if remedy else "")
        )
        self.file = file
        self.table = table
        self.key = key
        self.line = line
        self.problem = problem
        self.remedy = remedy


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The remedy for a word that is not known: the nearest one that is, or all of them where few."""
    words = list(known)
    nearest = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    if nearest:
        return f"did you mean {nearest[0]}?"
    return "write one of " + ", ".join(words) if 0 < len(words) <= _MOST_WORDS else ""
