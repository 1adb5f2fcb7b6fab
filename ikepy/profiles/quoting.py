"""Text of anybody's choosing as a value of each format, where it can do nothing but be that value.

Rule 1: each function ends in text that its format reads back as exactly what went in, or in ValueError.
Rule 2: control characters are escaped where the format can do that, and refused where it cannot.
Not here: XML, HTML and JSON, whose own writers quote (plistlib, html, json); shells: shlex.quote.
"""

from __future__ import annotations

from base64 import b64encode
from textwrap import wrap

_SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
"What PowerShell takes for a single quote."
_TOML_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SWANCTL_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PEM_LINE = 64
_DELETE = 0x7F
_FIRST_PRINTABLE = 0x20


def toml(text: str) -> str:
    """A basic string of TOML 1.0."""
    return '"' + "".join(_TOML_SHORT.get(c) or (f"\\u{ord(c):04X}" if _is_control(c) else c) for c in text) + '"'


def swanctl(text: str) -> str:
    """A quoted value of swanctl.conf; raises ValueError for control characters, which have no escape there."""
    for character in text:
        if _is_control(character) and character not in _SWANCTL_SHORT:
            raise ValueError(f"the character {ord(character)} cannot stand in swanctl.conf")
    return '"' + "".join(_SWANCTL_SHORT.get(c, c) for c in text) + '"'


def powershell(text: str) -> str:
    """A single-quoted string of PowerShell, in which nothing is expanded; typographic quotes end one too."""
    if "\0" in text:
        raise ValueError("the character 0 cannot stand in PowerShell")
    return "'" + "".join(c * 2 if c in _SINGLE_QUOTES else c for c in text) + "'"


def vpn_data(key: str, value: str) -> str:
    """One entry of NetworkManager's vpn.data, as nmcli reads it: commas and backslashes are escaped by a backslash."""
    if any(_is_control(c) for c in value):
        raise ValueError(f"a control character in {key}")
    return f"{key} = " + "".join(f"\\{c}" if c in "\\," else c for c in value)


def secret_text(text: str) -> str:
    """A secret as swanctl.conf and we write it: in base64 where it would otherwise be taken for a number in digits."""
    looks_encoded = text[:2].lower() in {"0x", "0s"} or text[-1:] in {"\n", "\r"}
    return f"0s{b64encode(text.encode()).decode()}" if looks_encoded else text


def pem(der: bytes) -> str:
    """A certificate in PEM (RFC 7468)."""
    lines = "\n".join(wrap(b64encode(der).decode(), _PEM_LINE))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def comment(text: str) -> str:
    """Text for one line of a comment: whatever could end the line is shown by its number."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _is_control(character: str) -> bool:
    return ord(character) < _FIRST_PRINTABLE or ord(character) == _DELETE
