"""Identities: text as administrators write it <-> Identification (RFC 7296 §3.5), and patterns that several fit.

    gate.example, @gate.example    ID_FQDN          user@example       ID_RFC822_ADDR
    192.0.2.1, 2001:db8::1         an address       @#0a0b0c           ID_KEY_ID, octets in hexadecimal
    C=DE, O=Example, CN=gate       ID_DER_ASN1_DN   fqdn: email: ipv4: ipv6: asn1dn: keyid:   type and value

Rule 1: two identities are the same by the rules of their type (RFC 5280 §7), and never across types.
Rule 2: in a pattern `*` stands for any octets; in a name for any text inside one value, and never for a part of it.
Rule 3: what a peer sends is compared, not decoded, unless it is a name; a name that is no good DER fits only `%any`.
Not here: whether an identity is proved (auth/), which connection it selects (ike/selection.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from ikepy.config.model import IdentityPattern
from ikepy.crypto.names import (
    Name,
    NameAttribute,
    Rdn,
    build_name,
    format_name,
    names_equal,
    parse_name,
    read_name,
)
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType

ANY_WORDS = ("%any", "*")
"What is written for any identity."
EXACT = 1 << 20
"The specificity of a pattern that only one identity fits; wildcards stay below."
MOST_OCTETS = 4096
"The longest identity that is read from text."

_NUMBERED = re.compile(r"\{(\d{1,3})\}:#([0-9a-fA-F]*)")
_HOST = re.compile(r"[A-Za-z0-9_*](?:[A-Za-z0-9_*.\-]*[A-Za-z0-9_*])?\.?")
_LOOKS_LIKE_ADDRESS = re.compile(r"[0-9.*/]+")


def parse_identity(text: str) -> Identification:
    """Read one identity; raises ValueError whose text says what to write instead."""
    pattern = parse_identity_pattern(text)
    if pattern.identification is None or pattern.wildcard:
        raise ValueError(f"'{text}' means more than one identity; write one of them")
    return pattern.identification


def parse_identity_pattern(text: str) -> IdentityPattern:
    """Read one identity, one with `*` in it, or `%any`; raises ValueError whose text says what to write instead."""
    text = text.strip()
    if text.lower() in ANY_WORDS:
        return IdentityPattern()
    if not text:
        raise ValueError("the identity is empty; write a name like gate.example, or %any")
    if len(text) > MOST_OCTETS:
        raise ValueError(f"identity of {len(text)} characters; {MOST_OCTETS} are the most")
    numbered = _NUMBERED.fullmatch(text)
    if numbered is not None and int(numbered[1]) <= IdType.limit():
        return IdentityPattern(_checked(Identification(IdType(int(numbered[1])), _octets(numbered[2]))))
    word, colon, value = text.partition(":")
    if colon and word.lower() in _PREFIXES:
        kind, read = _PREFIXES[word.lower()]
        if value.startswith("#"):
            return IdentityPattern(_checked(Identification(kind, _octets(value[1:]))))
        return read(value)
    return _guess(text)


def format_identity(identification: Identification) -> str:  # noqa: PLR0911 - one return for each type
    """Write an identity as text that parse_identity reads; what cannot be shown is hexadecimal."""
    kind, octets = identification.type, identification.octets
    match kind:
        case IdType.ID_IPV4_ADDR if len(octets) == 4:  # noqa: PLR2004 - octets of an address
            return str(IPv4Address(octets))
        case IdType.ID_IPV6_ADDR if len(octets) == 16:  # noqa: PLR2004 - octets of an address
            return str(IPv6Address(octets))
        case IdType.ID_DER_ASN1_DN:
            try:
                return format_name(parse_name(octets)) or f"asn1dn:#{octets.hex()}"
            except ValueError:
                return f"asn1dn:#{octets.hex()}"
        case IdType.ID_FQDN | IdType.ID_RFC822_ADDR:
            return _format_text(kind, octets)
        case IdType.ID_KEY_ID:
            return f"@#{octets.hex()}"
    return f"{{{int(kind)}}}:#{octets.hex()}"


def format_pattern(pattern: IdentityPattern) -> str:
    """Write a pattern for a log or an error."""
    if pattern.identification is None:
        return "%any"
    if not pattern.wildcard:
        return format_identity(pattern.identification)
    if pattern.identification.type is IdType.ID_DER_ASN1_DN:
        return format_identity(pattern.identification).replace("\\2a", "*")
    return pattern.identification.octets.decode("utf-8", "backslashreplace")


def same_identity(one: Identification, other: Identification) -> bool:
    """Whether both name the same one."""
    return matches(IdentityPattern(one), other)


def matches(pattern: IdentityPattern, identification: Identification) -> bool:
    """Whether an identity fits a pattern; raises nothing, whatever octets the identity has."""
    meant = pattern.identification
    if meant is None:
        return True
    if meant.type != identification.type:
        return False
    fits = _fits if pattern.wildcard else bytes.__eq__
    match meant.type:
        case IdType.ID_FQDN:
            return fits(meant.octets.lower(), identification.octets.lower())
        case IdType.ID_RFC822_ADDR:
            return _mail_fits(meant.octets, identification.octets, fits)
        case IdType.ID_DER_ASN1_DN:
            return _name_fits(meant.octets, identification.octets, wildcard=pattern.wildcard)
    return fits(meant.octets, identification.octets)


def specificity(pattern: IdentityPattern) -> int:
    """How close a pattern is: 0 for `%any`, EXACT for one identity, between them the count of what is not `*`."""
    if pattern.identification is None:
        return 0
    if not pattern.wildcard:
        return EXACT
    octets = pattern.identification.octets
    return 1 + min(len(octets) - octets.count(b"*"), EXACT - 2)


def name_of(identification: Identification) -> Name | None:
    """The name of an ID_DER_ASN1_DN; None for other types and for what is no good DER."""
    if identification.type is not IdType.ID_DER_ASN1_DN:
        return None
    try:
        return parse_name(identification.octets)
    except ValueError:
        return None


def _format_text(kind: IdType, octets: bytes) -> str:
    """An FQDN or a mail address: as it is where that is read again, else with its type, else in hexadecimal."""
    prefix, meant = ("fqdn", IdType.ID_FQDN) if kind is IdType.ID_FQDN else ("email", IdType.ID_RFC822_ADDR)
    text = octets.decode("ascii", "replace")
    shown = text.isascii() and text.isprintable() and text and not set(text) & set("*# =:/")
    if shown and meant is IdType.ID_FQDN and _HOST.fullmatch(text):
        return f"fqdn:{text}" if _LOOKS_LIKE_ADDRESS.fullmatch(text) else text
    if shown and meant is IdType.ID_RFC822_ADDR:
        return text if "@" in text[1:] and text[0] != "@" else f"email:{text}"
    return f"{prefix}:#{octets.hex()}"


# -- reading text ---------------------------------------------------------------------------------------------------


def _guess(text: str) -> IdentityPattern:  # noqa: PLR0911 - one return for each form
    """Read text without a type before it."""
    if text.startswith("@#"):
        return IdentityPattern(Identification(IdType.ID_KEY_ID, _octets(text[2:])))
    if text.startswith("@@"):
        return _mail(text[2:])
    if text.startswith("@"):
        return _host(text[1:])
    if "=" in text:
        return _name(text)
    if "@" in text:
        return _mail(text)
    if ":" in text:
        return _address(text, IPv6Address, IdType.ID_IPV6_ADDR)
    if _LOOKS_LIKE_ADDRESS.fullmatch(text):
        return _address(text, IPv4Address, IdType.ID_IPV4_ADDR)
    return _host(text)


def _host(text: str) -> IdentityPattern:
    if not _HOST.fullmatch(text):
        raise ValueError(f"'{text}' is no identity; write gate.example, user@example, an address, or C=DE, CN=gate")
    return IdentityPattern(Identification(IdType.ID_FQDN, text.encode("ascii")), "*" in text)


def _mail(text: str) -> IdentityPattern:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"'{text}' is no mail address; write user@example")
    return IdentityPattern(Identification(IdType.ID_RFC822_ADDR, text.encode("ascii")), "*" in text)


def _address(text: str, read: Callable[[str], IPv4Address | IPv6Address], kind: IdType) -> IdentityPattern:
    try:
        address = read(text)
    except ValueError:
        hint = "wildcards and prefixes go to remote_addrs" if re.search(r"[*/]", text) else "write all of it"
        raise ValueError(f"'{text}' is no address; {hint}") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError(f"'{text}' names an interface; leave out % and what follows")
    return IdentityPattern(Identification(kind, address.packed))


def _name(text: str) -> IdentityPattern:
    written = read_name(text)
    return IdentityPattern(Identification(IdType.ID_DER_ASN1_DN, build_name(written.name)), written.wildcard)


def _key_id(text: str) -> IdentityPattern:
    if not text:
        raise ValueError("keyid: has nothing behind it; write keyid:text, or keyid:#hexadecimal")
    return IdentityPattern(Identification(IdType.ID_KEY_ID, text.encode()), "*" in text)


def _general_name(text: str) -> IdentityPattern:
    raise ValueError(f"asn1gn:{text} is no hexadecimal; write asn1gn:# and the DER in hexadecimal")


def _octets(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if not octets:
        raise ValueError(f"'#{text}' is no hexadecimal; write two digits for each octet")
    return octets


def _checked(identification: Identification) -> Identification:
    """An identity given in hexadecimal; raises ValueError where its type forbids the octets."""
    sizes = {IdType.ID_IPV4_ADDR: 4, IdType.ID_IPV6_ADDR: 16}
    if sizes.get(identification.type, len(identification.octets)) != len(identification.octets):
        raise ValueError(f"address of {len(identification.octets)} octets; write it as text")
    if identification.type is IdType.ID_DER_ASN1_DN:
        parse_name(identification.octets)
    return identification


_PREFIXES: dict[str, tuple[IdType, Callable[[str], IdentityPattern]]] = {
    "fqdn": (IdType.ID_FQDN, _host),
    "dns": (IdType.ID_FQDN, _host),
    "email": (IdType.ID_RFC822_ADDR, _mail),
    "rfc822": (IdType.ID_RFC822_ADDR, _mail),
    "userfqdn": (IdType.ID_RFC822_ADDR, _mail),
    "ipv4": (IdType.ID_IPV4_ADDR, lambda text: _address(text, IPv4Address, IdType.ID_IPV4_ADDR)),
    "ipv6": (IdType.ID_IPV6_ADDR, lambda text: _address(text, IPv6Address, IdType.ID_IPV6_ADDR)),
    "asn1dn": (IdType.ID_DER_ASN1_DN, _name),
    "asn1gn": (IdType.ID_DER_ASN1_GN, _general_name),
    "keyid": (IdType.ID_KEY_ID, _key_id),
}


# -- comparing ------------------------------------------------------------------------------------------------------


def _fits(pattern: bytes, octets: bytes) -> bool:
    """Whether octets fit a pattern with `*` for any octets, in one pass."""
    if b"*" not in pattern:
        return pattern == octets
    first, *middle, last = pattern.split(b"*")
    if len(octets) < len(first) + len(last) or not octets.startswith(first) or not octets.endswith(last):
        return False
    at, end = len(first), len(octets) - len(last)
    for piece in middle:
        found = octets.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _mail_fits(meant: bytes, given: bytes, fits: Callable[[bytes, bytes], bool]) -> bool:
    """The part before the last @ as it is, the host without case (RFC 5280 §7.5)."""
    user, at, host = meant.rpartition(b"@")
    given_user, given_at, given_host = given.rpartition(b"@")
    if not at:
        return fits(meant.lower(), given.lower())
    return at == given_at and fits(user, given_user) and fits(host.lower(), given_host.lower())


def _name_fits(meant: bytes, given: bytes, *, wildcard: bool) -> bool:
    try:
        pattern, name = parse_name(meant), parse_name(given)
    except ValueError:
        return False
    if not wildcard:
        return names_equal(pattern, name)
    return len(pattern) == len(name) and all(_rdn_fits(p, rdn) for p, rdn in zip(pattern, name, strict=True))


def _rdn_fits(pattern: Rdn, rdn: Rdn) -> bool:
    """Whether each attribute of a part fits its own in the pattern."""
    pairs = zip(sorted(pattern, key=_order), sorted(rdn, key=_order), strict=False)
    return len(pattern) == len(rdn) and all(_attribute_fits(meant, given) for meant, given in pairs)


def _order(attribute: NameAttribute) -> tuple[str, str]:
    return attribute.oid, str(attribute.folded)


def _attribute_fits(pattern: NameAttribute, attribute: NameAttribute) -> bool:
    meant, given = pattern.folded, attribute.folded
    if pattern.oid != attribute.oid:
        return False
    if not isinstance(meant, str) or not isinstance(given, str):
        return meant == given
    return _fits(meant.encode(), given.encode())
