"""What may stand behind the keys of pools, users and groups.

    10.9.0.10-10.9.0.250      these addresses
    10.9.0.0/24               10.9.0.1 to 10.9.0.254: without network and broadcast address (all of a /31 and a /32)
    2001:db8::/64             from ::1 on: the first address of a prefix is every router's (RFC 4291 §2.6.1)

Rule 1: a kind returns a value of the model or raises Unfit, and no error shows what a secret is.
Not here: the other kinds (values.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from ipaddress import IPv4Address, ip_network
from pathlib import Path

from ikepy.config.access import AddressRange, IpNetwork, StaticLease
from ikepy.config.errors import Unfit
from ikepy.config.groups import typed_identity
from ikepy.config.identities import parse_identity
from ikepy.config.selectors import parse_address, parse_selector
from ikepy.config.values import ADDRESSES, TEXT, Kind, comma_list_of
from ikepy.crypto.password import MOST_CHARACTERS, NT_HASH_OCTETS, ScryptHash, parse_scrypt_hash
from ikepy.crypto.secret import Secret
from ikepy.wire.ts import TrafficSelector

MOST_NAME_CHARACTERS = 128
"The longest name of a user."
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,254}}$){_LABEL}(\.{_LABEL})*\.?")
_NT_HASH = re.compile(rf"[0-9a-fA-F]{{{2 * NT_HASH_OCTETS}}}")


def parse_range(text: str) -> AddressRange:
    """Read a range, a prefix or one address as what is given out of it; raises Unfit."""
    text = text.strip()
    if "/" in text:
        return _usable(parse_network(text))
    start, dash, end = text.partition("-")
    first = parse_address(start)
    last = parse_address(end) if dash else first
    if first.version != last.version:
        raise Unfit(f"'{text}' begins with one family and ends with the other", "write both ends of one family")
    if int(first) > int(last):
        raise Unfit(f"'{text}' ends before it begins", f"did you mean {last}-{first}?")
    return AddressRange(first, last)


def parse_network(text: str) -> IpNetwork:
    """Read a prefix; raises Unfit, also where bits of the host are set."""
    try:
        loose = ip_network(text.strip(), strict=False)
    except ValueError:
        raise Unfit(f"'{text}' is no prefix", "write it like 10.1.0.0/16 or 2001:db8::/32") from None
    if parse_address(text.split("/", 1)[0]) != loose.network_address:
        raise Unfit(f"'{text}' has bits set behind the prefix", f"did you mean {loose}?")
    return loose


def parse_day(text: str) -> date:
    """Read a day, 2026-12-31; raises Unfit."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Unfit(f"'{text}' is no day", "write it like 2026-12-31") from None


def parse_nt_hash(text: str) -> Secret:
    """Read an NT hash in hexadecimal; raises Unfit, which does not show it."""
    if _NT_HASH.fullmatch(text.strip()) is None:
        raise Unfit("this is no NT hash", f"write {2 * NT_HASH_OCTETS} hexadecimal digits")
    return Secret(bytes.fromhex(text.strip()))


def parse_scrypt(text: str) -> ScryptHash:
    """Read a scrypt hash; raises Unfit, which does not show it."""
    try:
        return parse_scrypt_hash(text)
    except ValueError as error:
        raise Unfit(*str(error).split("; ", 1)) from None


def check_user_name(name: str) -> str:
    """Give back what can be the name of a user; raises Unfit for what cannot."""
    fits = name.isprintable() and name == name.strip() and ":" not in name and not name.startswith("@#")
    if not name or len(name) > MOST_NAME_CHARACTERS or not fits:
        raise Unfit(
            f"{name[:MOST_NAME_CHARACTERS]!r} cannot be the name of a user",
            f"write up to {MOST_NAME_CHARACTERS} letters, digits and signs, without colons, and blanks only inside",
        )
    return name


def check_password(password: str) -> str:
    """Give back what can be a password; raises Unfit, which does not show it."""
    if not password:
        raise Unfit("the password is empty", "give one of at least 8 characters")
    if any("\ud800" <= character <= "\udfff" for character in password):
        raise Unfit("the password is not UTF-8", "write it in UTF-8")
    if len(password) > MOST_CHARACTERS:
        raise Unfit(f"a password of {len(password)} characters", f"take one of at most {MOST_CHARACTERS}")
    return password


def _usable(network: IpNetwork) -> AddressRange:
    """Take off the addresses of a prefix that are nobody's own."""
    first, last = network[0], network[-1]
    if network.num_addresses > 2:  # noqa: PLR2004 - RFC 3021, RFC 6164: both addresses of a pair are hosts
        first = network[1]
        last = network[-2] if network.version == 4 else last  # noqa: PLR2004 - IPv4
    return AddressRange(first, last)


def _parse_pool(texts: tuple[str, ...]) -> tuple[AddressRange, ...]:
    ranges = tuple(parse_range(text) for text in texts)
    if len({each.family for each in ranges}) > 1:
        raise Unfit("IPv4 and IPv6 addresses in one pool", "make two pools, and name both in the connection's pools")
    return ranges


def _parse_domains(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if _DOMAIN.fullmatch(text) is None:
            raise Unfit(f"'{text}' is no domain", "write it like corp.example.com")
    return texts


def _parse_v4(texts: tuple[str, ...]) -> tuple[IPv4Address, ...]:
    found = tuple(parse_address(text) for text in texts)
    wrong = [address for address in found if not isinstance(address, IPv4Address)]
    if wrong:
        raise Unfit(f"{wrong[0]} is no IPv4 address", "write IPv4 addresses only")
    return tuple(address for address in found if isinstance(address, IPv4Address))


def _read_netmask(value: object, base: Path) -> IPv4Address:
    text = TEXT.read(value, base)
    (mask,) = _parse_v4((text,))
    if f"{int(mask):032b}".rstrip("0").find("0") >= 0:
        raise Unfit(f"'{text}' is no netmask", "write it like 255.255.255.0")
    return mask


def _read_static(value: object, base: Path) -> tuple[StaticLease, ...]:
    if not isinstance(value, Mapping) or not value:
        raise Unfit("no identities with their addresses", 'write { "alice" = "10.9.0.20" }')
    return tuple(
        StaticLease(_parse_owner(str(identity)), ADDRESSES.read(addresses, base))
        for identity, addresses in value.items()
    )


def _parse_owner(text: str) -> str:
    """Whose a static lease is: a user's name as it is, an identity as typed_identity() writes it."""
    if ":" not in text and not text.startswith("@#"):
        return check_user_name(text)
    try:
        return typed_identity(parse_identity(text))
    except ValueError as error:
        raise Unfit(*str(error).split("; ", 1)) from error


def _read_day(value: object, base: Path) -> date:
    if isinstance(value, datetime):
        raise Unfit(f"{value} is an instant", "write a day like 2026-12-31")
    return value if isinstance(value, date) else parse_day(TEXT.read(value, base))


def _secret_text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Unfit("the value is not text, or empty", 'write it in quotes, "..."')
    return value


POOL_ADDRESSES: Kind[tuple[AddressRange, ...]] = comma_list_of(_parse_pool, "range, prefix or address")
STATIC: Kind[tuple[StaticLease, ...]] = Kind('`{ "alice" = "10.9.0.20" }`', _read_static)
NETWORKS: Kind[tuple[IpNetwork, ...]] = comma_list_of(lambda texts: tuple(map(parse_network, texts)), "prefix")
REACHED: Kind[tuple[TrafficSelector, ...]] = comma_list_of(
    lambda texts: tuple(map(parse_selector, texts)), "prefix or range, `[protocol/port]` behind it where wanted"
)
DOMAINS: Kind[tuple[str, ...]] = comma_list_of(_parse_domains, "domain")
ADDRESSES_V4: Kind[tuple[IPv4Address, ...]] = comma_list_of(_parse_v4, "IPv4 address")
NETMASK: Kind[IPv4Address] = Kind("netmask", _read_netmask)
DAY: Kind[date] = Kind("day: `2026-12-31`", _read_day)
PASSWORD: Kind[Secret] = Kind("text", lambda value, _base: Secret(check_password(_secret_text(value)).encode()))
NT_HASH: Kind[Secret] = Kind("32 hexadecimal digits", lambda value, _base: parse_nt_hash(_secret_text(value)))
SCRYPT: Kind[ScryptHash] = Kind("`scrypt$...`", lambda value, _base: parse_scrypt(_secret_text(value)))
