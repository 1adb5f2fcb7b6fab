"""What PowerShell makes of the words of a script: strings, comments, and all that it would look into.

As PowerShell's own tokenizer reads them: single-quoted strings end at any kind of single quote that is not doubled, here-
strings at `'@` that begins a line, block comments at `#>`.
Not here: variables, operators and numbers apart; they come out as what stands between.
"""

from __future__ import annotations

from dataclasses import dataclass

QUOTES = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'


@dataclass(frozen=True)
class Token:
    """One piece: kind is text, string, here, comment."""

    kind: str
    value: str


def tokens(script: str) -> list[Token]:
    """All pieces of a script; raises ValueError where a string does not end or text would be expanded."""
    found: list[Token] = []
    at, plain = 0, ""

    def flush() -> None:
        nonlocal plain
        found.extend(Token("text", word) for word in plain.split())
        plain = ""

    while at < len(script):
        character = script[at]
        if script.startswith("<#", at):
            flush()
            end = script.index("#>", at + 2)
            found.append(Token("comment", script[at + 2 : end]))
            at = end + 2
        elif character == "#" and not plain.strip(" \t({;")[-1:].isalnum():
            flush()
            end = script.find("\n", at)
            found.append(Token("comment", script[at + 1 : end]))
            at = end
        elif script.startswith(tuple(f"@{quote}" for quote in QUOTES), at) and script[at + 2] in "\r\n":
            flush()
            end = min(i for i in (script.find(f"\n{quote}@", at) for quote in QUOTES) if i >= 0)
            found.append(Token("here", script[at + 2 : end].strip("\r\n")))
            at = end + 3
        elif character in QUOTES:
            flush()
            value, at = _string(script, at + 1)
            found.append(Token("string", value))
        elif character in DOUBLE:
            raise ValueError(f"a double-quoted string at {at}: PowerShell looks into it")
        else:
            plain += character
            at += 1
    flush()
    return found


def _string(script: str, at: int) -> tuple[str, int]:
    value = ""
    while True:
        if script[at] in QUOTES:
            if script[at + 1] not in QUOTES:
                return value, at + 1
            at += 1
        value += script[at]
        at += 1
