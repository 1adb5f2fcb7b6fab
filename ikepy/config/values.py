"""What may stand behind a key: each kind reads a TOML value, and says in words what it takes.

Rule 1: a kind returns a value of the model or raises Unfit, nothing else.
Rule 2: paths are relative to the file they stand in; that a file exists is checked here, what is in it is not.
Not here: which key takes which kind (schema.py).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Generic, TypeVar

from ikepy.config.algorithms import parse_proposals
from ikepy.config.errors import Unfit, did_you_mean
from ikepy.config.identities import parse_identity, parse_identity_pattern
from ikepy.config.model import AddressPattern, IdentityPattern
from ikepy.config.selectors import parse_address, parse_address_pattern, parse_selectors
from ikepy.ipsec import IpAddress, Mark, MssClamp
from ikepy.wire.payloads import Identification
from ikepy.wire.redirect import parse_gateway
from ikepy.wire.registry import ProtocolId
from ikepy.wire.sa import Proposal
from ikepy.wire.ts import TrafficSelector

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=Enum)

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "ms": 0.001, "": 1.0}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d|)")
_MULTIPLES = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_OCTETS = re.compile(r"(\d{1,19})\s*([kmgt]?)")
MOST_OCTETS = (1 << 63) - 1
"More than any kernel counts."
MOST_MTU = 65535
LEAST_SEGMENT = 536
"What any TCP takes, asked or not (RFC 9293 §3.7.1)."
_MARK = re.compile(r"(0x[0-9a-f]{1,8}|0|[1-9]\d{0,9})(?:/(0x[0-9a-f]{1,8}|0|[1-9]\d{0,9}))?")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """One kind of value.

    wording  what may be written, for docs/configuration.md
    read     takes the TOML value and the directory of its file; raises Unfit
    """

    wording: str
    read: Callable[[object, Path], T_co]


def _read_text(value: object, _base: Path) -> str:
    if not isinstance(value, str):
        raise Unfit(f"{_shown(value)} is not text", 'write it in quotes, "..."')
    if not value.strip():
        raise Unfit("the text is empty", "leave the key out, or write its value")
    return value


def _read_flag(value: object, _base: Path) -> bool:
    if isinstance(value, bool):
        return value
    words = {"yes": True, "no": False, "true": True, "false": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise Unfit(f"{_shown(value)} is neither true nor false", "write true or false, without quotes")


def number(low: int, high: int, wording: str = "") -> Kind[int]:
    """A whole number from low to high."""

    def read(value: object, _base: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unfit(f"{_shown(value)} is not a whole number", f"write one from {low} to {high}, without quotes")
        if not low <= value <= high:
            raise Unfit(f"{value} is out of range", f"write a number from {low} to {high}")
        return value

    return Kind(wording or f"number, {low} to {high}", read)


def factor(low: float, high: float) -> Kind[float]:
    """A number, whole or not, from low to high."""

    def read(value: object, _base: Path) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Unfit(f"{_shown(value)} does not fit", f"write a number from {low:g} to {high:g}, without quotes")
        return float(value)

    return Kind(f"number, {low:g} to {high:g}", read)


def span(low: float = 0.0, high: float = 366 * 86400.0) -> Kind[float]:
    """A span of time; read as seconds."""

    def read(value: object, _base: Path) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Unfit(f"{_shown(value)} is no time", 'write it like "30s", "5m", "1h" or "1d"')
        match = _SPAN.fullmatch(str(value).strip().lower())
        if match is None:
            raise Unfit(f"{_shown(value)} is no time", 'write it like "30s", "5m", "1h" or "1d"')
        seconds = float(match[1]) * _UNITS[match[2]]
        if not low <= seconds <= high:
            raise Unfit(f"{_shown(value)} is out of range", f"write a time from {low:g} to {high:g} seconds")
        return seconds

    return Kind("time: `30s`, `5m`, `1h`, `1d`, or seconds", read)


def octet_count() -> Kind[int]:
    """A number of octets; K, M, G and T behind it are powers of 1024."""

    def read(value: object, _base: Path) -> int:
        match = _OCTETS.fullmatch(str(value).strip().lower()) if isinstance(value, int | str) else None
        if match is None or isinstance(value, bool):
            raise Unfit(f"{_shown(value)} is no number of octets", 'write it like 500000000, "500M" or "1G"')
        octets = int(match[1]) << _MULTIPLES[match[2]]
        if octets > MOST_OCTETS:
            raise Unfit(f"{_shown(value)} is out of range", "write a smaller number")
        return octets

    return Kind("octets: number, `500M`, `1G`", read)


def one_of(kinds: type[E], later: tuple[str, ...] = (), also: Mapping[str, E] | None = None) -> Kind[E]:
    """A member of an enumeration by its value.

    later  beginnings of words that are known and not supported yet
    also   other words for members, as other versions of swanctl have them
    """
    words = {str(member.value): member for member in kinds}
    wording = _either(words) + "".join(f"; `{word}` is `{member.value}`" for word, member in (also or {}).items())
    words |= also or {}

    def read(value: object, base: Path) -> E:
        text = _read_text(value, base)
        if later and text.startswith(later):
            raise Unfit(f"'{text}' is not supported yet", f"write {_either(words)}")
        if text not in words:
            raise Unfit(f"'{text}' is not known here", did_you_mean(text, words))
        return words[text]

    return Kind(wording, read)


def word_of(*words: str) -> Kind[str]:
    """One of a few words."""

    def read(value: object, base: Path) -> str:
        text = _read_text(value, base)
        if text not in words:
            raise Unfit(f"'{text}' is not known here", did_you_mean(text, words))
        return text

    return Kind(_either(words), read)


def parsed(wording: str, parse: Callable[[str], T]) -> Kind[T]:
    """Text that a function makes a value of; a ValueError of the function becomes Unfit."""

    def read(value: object, base: Path) -> T:
        text = _read_text(value, base)
        try:
            return parse(text)
        except Unfit:
            raise
        except ValueError as error:
            raise Unfit(str(error)) from error

    return Kind(wording, read)


def list_of(kind: Kind[T], wording: str = "") -> Kind[tuple[T, ...]]:
    """Several of a kind; one alone needs no brackets."""

    def read(value: object, base: Path) -> tuple[T, ...]:
        items = value if isinstance(value, list) else [value]
        if not items:
            raise Unfit("the list is empty", "leave the key out, or write what belongs in it")
        return tuple(kind.read(item, base) for item in items)

    return Kind(wording or f"list: {kind.wording}", read)


def comma_list_of(parse: Callable[[tuple[str, ...]], T], wording: str) -> Kind[T]:
    """A list of texts, or one text with commas, taken as a whole; `parse` raises Unfit."""
    texts = list_of(TEXT)

    def read(value: object, base: Path) -> T:
        split = value.split(",") if isinstance(value, str) else value
        return parse(tuple(text.strip() for text in texts.read(split, base)))

    return Kind(f"list: {wording}", read)


def existing_file(text: str, base: Path) -> Path:
    """The file, relative to `base`; raises Unfit where there is none that can be read."""
    path = _path(text, base)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unfit(f"{path} is no file", "name a file")
        path.open("rb").close()
    except OSError as error:
        raise Unfit(
            f"{path} cannot be read: {error.strerror or error}", "check the name and the permissions"
        ) from error
    return path


def _read_place(value: object, base: Path) -> Path:
    """A file that can be read, or a directory."""
    text = _read_text(value, base)
    path = _path(text, base)
    return path if path.is_dir() else existing_file(text, base)


def private_file(text: str, base: Path) -> Path:
    """The same for a file that holds a secret: only its owner may read it."""
    path = existing_file(text, base)
    check_private(path)
    return path


def check_private(path: Path) -> None:
    """Raise Unfit where others than its owner may read or change a file with secrets."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise Unfit(f"{path} holds a secret and has mode {mode:04o}: others may get at it", f"chmod 600 {path}")


def _path(text: str, base: Path) -> Path:
    """The path, relative to `base`; raises Unfit for what can be no path."""
    if not text.isprintable():
        raise Unfit("the file's name has control characters in it", "write a plain name")
    try:
        return base / Path(text).expanduser()
    except RuntimeError as error:
        raise Unfit(f"'{text}': {error}", "write the whole path") from error


def _read_file(value: object, base: Path) -> Path:
    return existing_file(_read_text(value, base), base)


def _read_private_file(value: object, base: Path) -> Path:
    return private_file(_read_text(value, base), base)


def _read_program(value: object, base: Path) -> Path:
    path = existing_file(_read_text(value, base), base).absolute()
    found = path.stat()
    if not found.st_mode & 0o111:
        raise Unfit(f"{path} cannot be executed", f"chmod 755 {path}")
    if found.st_mode & 0o022 or found.st_uid not in {0, os.geteuid()}:
        raise Unfit(f"others than root may change {path}, which root runs", f"chown root {path}; chmod 755 {path}")
    return path


def _read_new_file(value: object, base: Path) -> Path:
    path = _path(_read_text(value, base), base)
    if not path.parent.is_dir():
        raise Unfit(f"{path.parent} is no directory", "make it first")
    if path.is_dir():
        raise Unfit(f"{path} is a directory", "name a file")
    return path


def _read_mark(value: object, _base: Path) -> Mark:
    match = (
        _MARK.fullmatch(str(value).lower()) if isinstance(value, str | int) and not isinstance(value, bool) else None
    )
    numbers = [int(part, 0) for part in match.groups() if part] if match else []
    if not numbers or any(part >= 1 << 32 for part in numbers):
        raise Unfit(f"{_shown(value)} is no mark", 'write it like 42 or "0x10/0xff"')
    return Mark(*numbers)


def _read_mss_clamp(value: object, base: Path) -> MssClamp | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return MssClamp(number(LEAST_SEGMENT, MOST_MTU - 40).read(value, base))
    return MssClamp() if _read_flag(value, base) else None


def _parse_patterns(texts: tuple[str, ...]) -> tuple[AddressPattern, ...]:
    return tuple(parse_address_pattern(text) for text in texts)


def _parse_own_patterns(texts: tuple[str, ...]) -> tuple[AddressPattern, ...]:
    return tuple(parse_address_pattern(text, ours=True) for text in texts)


def _parse_addresses(texts: tuple[str, ...]) -> tuple[IpAddress, ...]:
    return tuple(parse_address(text) for text in texts)


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _either(words: Iterable[str]) -> str:
    return " or ".join(f"`{word}`" for word in words)


def _parse_gateway(text: str) -> str:
    try:
        return str(parse_gateway(text.strip()))
    except ValueError as fault:
        raise Unfit(str(fault), "write one such as 192.0.2.1 or gw2.example.com") from None


TEXT = Kind("text", _read_text)
FLAG = Kind("`true` or `false`", _read_flag)
FILE = Kind("file", _read_file)
PLACE = Kind("file or directory", _read_place)
PRIVATE_FILE = Kind("file, readable by its owner only", _read_private_file)
PROGRAM = Kind("program: a file that can be executed, and that only its owner may change", _read_program)
NEW_FILE = Kind("file, made when missing", _read_new_file)
PORT = number(1, 65535, "UDP port")
MARK: Kind[Mark] = Kind("mark, or `mark/mask`", _read_mark)
MSS_CLAMP: Kind[MssClamp | None] = Kind("`true`, `false`, or octets: 536 to 65495", _read_mss_clamp)
IDENTITY: Kind[Identification] = parsed("identity", parse_identity)
IDENTITY_PATTERN: Kind[IdentityPattern] = parsed("identity, wildcard or `%any`", parse_identity_pattern)
GATEWAY: Kind[str] = parsed("address or host name", _parse_gateway)
ADDRESSES: Kind[tuple[IpAddress, ...]] = comma_list_of(_parse_addresses, "IP address")
ADDRESS_PATTERNS: Kind[tuple[AddressPattern, ...]] = comma_list_of(
    _parse_patterns, "address, prefix, range, DNS name or `%any`"
)
OWN_ADDRESS_PATTERNS: Kind[tuple[AddressPattern, ...]] = comma_list_of(
    _parse_own_patterns, "address, prefix, range, `%eth0` (an interface) or `%any`"
)
SELECTORS: Kind[tuple[TrafficSelector, ...]] = comma_list_of(
    parse_selectors, "prefix or range, `[protocol/port]` behind it where wanted; or `dynamic`"
)
IKE_PROPOSALS: Kind[tuple[Proposal, ...]] = comma_list_of(
    lambda texts: parse_proposals(texts, ProtocolId.IKE), "IKE proposal"
)
ESP_PROPOSALS: Kind[tuple[Proposal, ...]] = comma_list_of(
    lambda texts: parse_proposals(texts, ProtocolId.ESP), "ESP proposal"
)
