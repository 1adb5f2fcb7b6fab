"""A configuration file (TOML, called .conf) -> Config; what it includes is read with it.

Rule 1: what comes back can be used: files exist, secrets are private, proposals can be done here, names are unique.
Rule 2: the first fault ends it as a ConfigError; what is only unwise becomes a warning.
Not here: what is in keys and certificates (auth/credentials.py), opening anything.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from ikepy.config.access import GroupConfig, PoolConfig, UserConfig
from ikepy.config.access_schema import GROUP, POOL, USER
from ikepy.config.checks import check_config, find_warnings
from ikepy.config.errors import ConfigError, Unfit, did_you_mean
from ikepy.config.gateway import GatewayConfig
from ikepy.config.host import ClientConfig, InterfaceConfig
from ikepy.config.host_checks import with_interfaces
from ikepy.config.host_schema import CLIENT_TABLE, GATEWAY_TABLE, INTERFACE_TABLE
from ikepy.config.model import (
    Config,
    ConnectionConfig,
    DaemonConfig,
    PasswordConfig,
    PrivateKeyConfig,
    PskConfig,
    RetransmissionConfig,
)
from ikepy.config.schema import (
    CONNECTION,
    DAEMON,
    INCLUDE,
    INCLUDE_FILES,
    RETRANSMISSION,
    SECRET_TABLE,
    TOP_LATER,
    TOP_WORDS,
)
from ikepy.config.sections import Section
from ikepy.config.tables import Place, as_table, check_name, read_table, uses_inline_secret
from ikepy.config.values import check_private

T = TypeVar("T")

__all__ = ["ConfigError", "Loaded", "load"]

MOST_OCTETS = 16 << 20
"The largest configuration file; more is surely the wrong file."
_NAMED: dict[str, tuple[Section[object], str]] = {
    "secrets": (SECRET_TABLE, "secret"),
    "pools": (POOL, "pool"),
    "users": (USER, "user"),
    "groups": (GROUP, "group"),
    "interfaces": (INTERFACE_TABLE, "interface"),
    "connections": (CONNECTION, "connection"),
}
"Tables of which there may be many, and what one of them is."
_LINE = re.compile(r"(?P<problem>.*?)\s*\(at line (?P<line>\d+), column \d+\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a configuration file says.

    warnings  one sentence each, for the operator
    files     all that was read, the first one first
    """

    config: Config
    warnings: tuple[str, ...]
    files: tuple[Path, ...]


def load(path: Path) -> Loaded:
    """Load a configuration file and what it includes; raises ConfigError."""
    gathering = _Gathering()
    _gather(path, gathering, ())
    secrets = gathering.all("secrets", (PskConfig, PrivateKeyConfig, PasswordConfig))
    config = Config(
        gathering.all("connections", ConnectionConfig),
        tuple(secret for secret in secrets if isinstance(secret, PskConfig)),
        tuple(secret for secret in secrets if isinstance(secret, PrivateKeyConfig)),
        gathering.daemon[0] if gathering.daemon else DaemonConfig(),
        gathering.retransmission[0] if gathering.retransmission else RetransmissionConfig(),
        gathering.all("pools", PoolConfig),
        gathering.all("users", UserConfig),
        gathering.all("groups", GroupConfig),
        tuple(secret for secret in secrets if isinstance(secret, PasswordConfig)),
        gathering.gateway[0] if gathering.gateway else None,
        gathering.all("interfaces", InterfaceConfig),
        gathering.client[0] if gathering.client else ClientConfig(),
    )
    config = with_interfaces(config, gathering.place_of)
    check_config(config, gathering.place_of)
    return Loaded(config, find_warnings(config), tuple(gathering.files))


@dataclass(slots=True)
class _Gathering:
    """What was read so far, each with the file it stands in."""

    files: list[Path] = field(default_factory=list)
    named: dict[str, dict[str, tuple[object, Place]]] = field(default_factory=lambda: {word: {} for word in _NAMED})
    daemon: tuple[DaemonConfig, Place] | None = None
    retransmission: tuple[RetransmissionConfig, Place] | None = None
    gateway: tuple[GatewayConfig | None, Place] | None = None
    client: tuple[ClientConfig, Place] | None = None

    def place_of(self, table: str) -> Place:
        """The place of a table, given its header; every header begins with something that was read."""
        for word, found in self.named.items():
            for name, (_, place) in found.items():
                header = f"{word}.{name}"
                if table == header or table.startswith(header + "."):
                    return Place(place.file, table)
        alone = getattr(self, table) if table in _SINGLE else None
        return Place(alone[1].file if alone else self.files[0], table)

    def all(self, word: str, kind: type[T] | tuple[type[T], ...]) -> tuple[T, ...]:
        """What was read under `word`, in the order of the files."""
        return tuple(value for value, _ in self.named[word].values() if isinstance(value, kind))


def _gather(path: Path, gathering: _Gathering, including: tuple[Path, ...]) -> None:
    if path.resolve() in {known.resolve() for known in including}:
        raise ConfigError(path, "the file includes itself", "take it out of include", key="include")
    if path.resolve() in {known.resolve() for known in gathering.files}:
        raise ConfigError(including[-1], f"{path} is included twice", "take it out of one include", key="include")
    gathering.files.append(path)
    document = _parse(path, including)
    place = Place(path)
    for word in document:
        if word not in TOP_WORDS:
            raise _unknown_top_word(word, place)
    _check_mode(document, place)
    for word, (section, what) in _NAMED.items():
        _gather_named(word, section, what, document, place, gathering)
    _gather_single_tables(document, place, gathering)
    for included in _included(document, place):
        _gather(included, gathering, (*including, path))


def _gather_named(
    word: str,
    section: Section[object],
    what: str,
    document: Mapping[str, object],
    place: Place,
    gathering: _Gathering,
) -> None:
    """Read the tables under `word`, each with a name that is there once in all files."""
    place, found = place.inside(word), gathering.named[word]
    for name, table in as_table(document.get(word, {}), place).items():
        inner = place.inside(check_name(name, place))
        if name in found:
            raise _defined_twice(what, name, inner, found[name][1])
        found[name] = read_table(section, table, inner, name), inner


def _gather_single_tables(document: Mapping[str, object], place: Place, gathering: _Gathering) -> None:
    for word, read in _SINGLE.items():
        if word in document:
            inner = place.inside(word)
            before = getattr(gathering, word)
            if before is not None:
                raise _defined_twice("table", word, inner, before[1])
            setattr(gathering, word, (read(document[word], inner), inner))


def _read_gateway(value: object, place: Place) -> GatewayConfig | None:
    """Read the table, or `true`, which is one without keys, or `false`."""
    if isinstance(value, bool):
        return GatewayConfig() if value else None
    return read_table(GATEWAY_TABLE, value, place)


_SINGLE: dict[str, Callable[[object, Place], object]] = {
    "daemon": partial(read_table, DAEMON),
    "retransmission": partial(read_table, RETRANSMISSION),
    "gateway": _read_gateway,
    "client": partial(read_table, CLIENT_TABLE),
}
"Tables of which there is one, and how each is read."


def _parse(path: Path, including: tuple[Path, ...]) -> Mapping[str, object]:
    blamed = f"; it is included by {including[-1]}" if including else ""
    try:
        with path.open("rb") as file:
            octets = file.read(MOST_OCTETS + 1)
    except OSError as error:
        raise ConfigError(path, f"{error.strerror or error}{blamed}", "check the name and the permissions") from error
    if len(octets) > MOST_OCTETS:
        raise ConfigError(path, f"the file has more than {MOST_OCTETS >> 20} MiB", "is it a configuration file?")
    try:
        return tomllib.loads(octets.decode())
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, "the text is not UTF-8", "save it as UTF-8", line=line) from error
    except tomllib.TOMLDecodeError as error:
        match = _LINE.fullmatch(str(error))
        problem, line_text = (match["problem"], match["line"]) if match else (str(error), None)
        remedy = 'text stands in quotes: key = "value"' if "Invalid value" in problem else ""
        line_number = int(line_text) if line_text else None
        raise ConfigError(path, f"this is no TOML: {problem}", remedy, line=line_number) from error
    except ValueError as error:
        raise ConfigError(path, f"a value cannot be read: {error}", "write a shorter one") from error
    except RecursionError:
        raise ConfigError(path, "brackets are nested too deeply", "take some out") from None


def _check_mode(document: Mapping[str, object], place: Place) -> None:
    for word, section, other in (
        ("secrets", SECRET_TABLE, "put the secret in a file of its own"),
        ("users", USER, "keep users with `ikepy user`"),
    ):
        for name, table in as_table(document.get(word, {}), place.inside(word)).items():
            if isinstance(table, dict) and uses_inline_secret(section, table):
                try:
                    check_private(place.file)
                except Unfit as fault:
                    raise place.inside(word, name).error(fault.problem, f"{fault.remedy}, or {other}") from fault


def _included(document: Mapping[str, object], place: Place) -> list[Path]:
    if INCLUDE.name not in document:
        return []
    try:
        patterns = INCLUDE_FILES.read(document[INCLUDE.name], place.file.parent)
        found = [path for pattern in patterns for path in _matching(pattern, place.file.parent)]
    except (Unfit, ValueError) as fault:
        raise place.error(str(fault), key=INCLUDE.name) from fault
    return list(dict.fromkeys(found))


def _matching(pattern: str, base: Path) -> list[Path]:
    """Find the files meant, in the order of their names; without `*`, `?` or `[` it is one, there or not."""
    if not pattern.isprintable():
        raise Unfit("the file's name has control characters in it", "write a plain name")
    if not any(character in pattern for character in "*?["):
        return [base / pattern]
    anchor = Path("/") if pattern.startswith("/") else base
    return sorted(anchor.glob(pattern.lstrip("/")))


def _unknown_top_word(word: str, place: Place) -> ConfigError:
    if word in TOP_LATER:
        return place.error("not supported yet", "leave it out", word)
    return place.error("unknown key", did_you_mean(word, TOP_WORDS), word)


def _defined_twice(what: str, name: str, here: Place, there: Place) -> ConfigError:
    return here.error(f"the {what} '{name}' is also in {there.file}", "rename or remove one of them")
