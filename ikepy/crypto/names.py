"""Distinguished names: DER (X.501, RFC 5280 §4.1.2.4) <-> text as administrators write it -> comparison.

Rule 1: text is in the order of the DER, as swanctl.conf and openssl write it: "C=DE, O=Example, CN=gate"; not reversed.
Rule 2: DER is read strictly: definite, minimal lengths and every octet consumed, or it is a ValueError.
Rule 3: names are compared by their parts (RFC 5280 §7.1), never as text: text can be made to look like another name.
Not here: where a name comes from, whom it may stand for (config/identities.py, auth/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

UTF8_STRING, PRINTABLE_STRING, TELETEX_STRING, IA5_STRING = 0x0C, 0x13, 0x14, 0x16
UNIVERSAL_STRING, BMP_STRING = 0x1C, 0x1E
_SEQUENCE, _SET, _OID = 0x30, 0x31, 0x06
_CODECS = {
    UTF8_STRING: "utf-8",
    PRINTABLE_STRING: "ascii",
    TELETEX_STRING: "latin-1",
    IA5_STRING: "ascii",
    UNIVERSAL_STRING: "utf-32-be",
    BMP_STRING: "utf-16-be",
}
MOST_RDNS = 64
"Parts of a name that are read; no directory has more."
_MOST_OID_OCTETS = 64
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")

_OIDS = {
    "CN": "2.5.4.3",
    "SURNAME": "2.5.4.4",
    "SERIALNUMBER": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "T": "2.5.4.12",
    "D": "2.5.4.13",
    "POSTALCODE": "2.5.4.17",
    "N": "2.5.4.41",
    "G": "2.5.4.42",
    "I": "2.5.4.43",
    "DNQ": "2.5.4.46",
    "E": "1.2.840.113549.1.9.1",
    "UN": "1.2.840.113549.1.9.2",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
}
_WORDS = {oid: word for word, oid in _OIDS.items()} | {"2.5.4.4": "surname", "2.5.4.5": "serialNumber"}
_OTHER_WORDS = {
    "COMMONNAME": "CN",
    "COUNTRY": "C",
    "LOCALITY": "L",
    "STATE": "ST",
    "ORGANIZATION": "O",
    "ORGANIZATIONALUNIT": "OU",
    "TITLE": "T",
    "DESCRIPTION": "D",
    "GN": "G",
    "GIVENNAME": "G",
    "INITIALS": "I",
    "DNQUALIFIER": "DNQ",
    "EMAIL": "E",
    "EMAILADDRESS": "E",
    "UNSTRUCTUREDNAME": "UN",
    "DOMAINCOMPONENT": "DC",
    "USERID": "UID",
}
_TWO_MEANINGS = {"SN": "serialNumber or surname", "S": "ST (state) or surname"}
_IA5_OIDS = {_OIDS["E"], _OIDS["DC"], _OIDS["UN"]}
_PRINTABLE_OIDS = {_OIDS["C"], _OIDS["SERIALNUMBER"], _OIDS["DNQ"]}
_ESCAPED = set(',+"\\<>;=/')


@dataclass(frozen=True, slots=True)
class NameAttribute:
    """One attribute of a name: its type, and its value as it was encoded.

    oid    dotted
    tag    of the value, 0x0c for UTF8String
    octets the value's contents
    """

    oid: str
    tag: int
    octets: bytes

    @property
    def text(self) -> str | None:
        """The value where it is text; None for other types and for text that its own type forbids."""
        codec = _CODECS.get(self.tag)
        if codec is None:
            return None
        try:
            return self.octets.decode(codec)
        except UnicodeDecodeError:
            return None

    @property
    def folded(self) -> str | tuple[int, bytes]:
        """What equal values have in common (§7.1): text without case and runs of space, else type and octets."""
        text = self.text
        return (self.tag, self.octets) if text is None else " ".join(text.split()).lower()


Rdn = tuple[NameAttribute, ...]
"""A relative distinguished name: one attribute, or several that belong together."""
Name = tuple[Rdn, ...]
"""A distinguished name, the root's part first."""


@dataclass(frozen=True, slots=True)
class WrittenName:
    """A name as text gives it; `wildcard` says that a `*` stands in it unescaped."""

    name: Name
    wildcard: bool


def names_equal(one: Name, other: Name) -> bool:
    """Whether both are the same name: the same parts in the same order, whatever strings they are encoded as."""
    return [fold_rdn(rdn) for rdn in one] == [fold_rdn(rdn) for rdn in other]


def fold_rdn(rdn: Rdn) -> frozenset[tuple[str, str | tuple[int, bytes]]]:
    """One part in the form that is compared; the order inside a part means nothing."""
    return frozenset((attribute.oid, attribute.folded) for attribute in rdn)


# -- DER -----------------------------------------------------------------------------------------------------------


def parse_name(der: bytes) -> Name:
    """Read a DER Name; raises ValueError where anything is wrong with it, one octet too few or too many included."""
    contents, rest = take_element(der, _SEQUENCE, "name")
    if rest:
        raise ValueError(f"{len(rest)} octets after the name")
    name: list[Rdn] = []
    while contents:
        if len(name) == MOST_RDNS:
            raise ValueError(f"name of more than {MOST_RDNS} parts")
        members, contents = take_element(contents, _SET, "part of the name")
        name.append(tuple(_attributes(members)))
    return tuple(name)


def build_name(name: Name) -> bytes:
    """Write a name as DER."""
    return _wrap(_SEQUENCE, b"".join(_build_rdn(rdn) for rdn in name))


def _build_rdn(rdn: Rdn) -> bytes:
    members = (
        _wrap(_SEQUENCE, _wrap(_OID, _build_oid(attribute.oid)) + _wrap(attribute.tag, attribute.octets))
        for attribute in rdn
    )
    return _wrap(_SET, b"".join(sorted(members)))


def _attributes(members: bytes) -> Iterator[NameAttribute]:
    if not members:
        raise ValueError("part of the name without an attribute")
    while members:
        attribute, members = take_element(members, _SEQUENCE, "attribute")
        oid, value = take_element(attribute, _OID, "attribute type")
        if not value:
            raise ValueError("attribute without a value")
        octets, rest = take_element(value, value[0], "attribute value")
        if rest:
            raise ValueError(f"{len(rest)} octets after an attribute's value")
        yield NameAttribute(_parse_oid(oid), value[0], octets)


def take_element(der: bytes, tag: int, what: str) -> tuple[bytes, bytes]:
    """The contents of the first DER element, which must have that tag, and what follows it; raises ValueError."""
    if len(der) < 2 or der[0] != tag or tag & 0x1F == 0x1F:  # noqa: PLR2004 - tag and length
        raise ValueError(f"no {what} where one must be")
    length, start = der[1], 2
    if length & 0x80:
        count = length & 0x7F
        start += count
        length = int.from_bytes(der[2:start], "big")
        if not 1 <= count <= 3 or len(der) < start or length < 0x80 or length >> (8 * (count - 1)) == 0:  # noqa: PLR2004
            raise ValueError(f"{what}: its length is not DER")
    if length > len(der) - start:
        raise ValueError(f"{what} of {length} octets, {len(der) - start} are there")
    return der[start : start + length], der[start + length :]


def _wrap(tag: int, contents: bytes) -> bytes:
    length = len(contents)
    if length < 0x80:  # noqa: PLR2004 - the short form
        return bytes((tag, length)) + contents
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + contents


def _parse_oid(octets: bytes) -> str:
    if not octets or octets[-1] & 0x80 or len(octets) > _MOST_OID_OCTETS:
        raise ValueError("attribute type is no object identifier")
    arcs, arc, fresh = [], 0, True
    for octet in octets:
        if fresh and octet == 0x80:  # noqa: PLR2004 - a leading zero
            raise ValueError("attribute type is no object identifier")
        arc = arc << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(number) for number in (first, arcs[0] - 40 * first, *arcs[1:]))


def _build_oid(dotted: str) -> bytes:
    first, second, *others = (int(arc) for arc in dotted.split("."))
    octets = bytearray()
    for arc in (40 * first + second, *others):
        group = [arc & 0x7F]
        while arc := arc >> 7:
            group.append(arc & 0x7F | 0x80)
        octets += bytes(reversed(group))
    return bytes(octets)


# -- text ----------------------------------------------------------------------------------------------------------


def format_name(name: Name) -> str:
    """Write a name as text, escaped so that no value can pass for more than one part."""
    return ", ".join("+".join(_format_attribute(attribute) for attribute in rdn) for rdn in name)


def _format_attribute(attribute: NameAttribute) -> str:
    word = _WORDS.get(attribute.oid, attribute.oid)
    text = attribute.text
    if not text:
        return f"{word}=#{_wrap(attribute.tag, attribute.octets).hex()}"
    return f"{word}={_escape(text)}"


def _escape(text: str) -> str:
    last = len(text) - 1
    return "".join(
        f"\\{character}"
        if character in _ESCAPED or (character == "#" and not place) or (character == " " and place in (0, last))
        else character
        if character.isprintable() and character != "*"
        else "".join(f"\\{octet:02x}" for octet in character.encode())
        for place, character in enumerate(text)
    )


def read_name(text: str) -> WrittenName:
    r"""Read a name from text: "C=DE, O=Example, CN=gate" or "/C=DE/O=Example"; raises ValueError with a remedy.

    `+` joins attributes of one part, `\` escapes, a value may stand in double quotes; `#` begins a value in DER.
    """
    separator = "/" if text.startswith("/") else ","
    reader = _Reader(text.removeprefix("/"), separator)
    name = tuple(reader.rdns())
    if len(name) > MOST_RDNS:
        raise ValueError(f"'{text}' has {len(name)} parts; {MOST_RDNS} are the most")
    if reader.wildcard and reader.literal_star:
        raise ValueError(f"'{text}' has a `*` for anything and one that is escaped; only one of both can be meant")
    return WrittenName(name, reader.wildcard)


class _Reader:
    """Reads the text of one name from left to right."""

    def __init__(self, text: str, separator: str) -> None:
        self._text = text
        self._at = 0
        self._separator = separator
        self.wildcard = False
        self.literal_star = False

    def rdns(self) -> Iterator[Rdn]:
        rdn: list[NameAttribute] = []
        while True:
            rdn.append(self._attribute())
            end = self._text[self._at : self._at + 1]
            self._at += 1
            if end != "+":
                yield tuple(rdn)
                rdn = []
            if not end:
                return

    def _attribute(self) -> NameAttribute:
        equals = self._text.find("=", self._at)
        word = self._text[self._at : equals if equals >= 0 else None].strip()
        if equals < 0:
            raise ValueError(f"'{word}' in a name is no TYPE=value; write it like CN=gate, a comma inside as \\,")
        self._at = equals + 1
        oid = _oid_of(word)
        value = self._value()
        if isinstance(value, bytes):
            return _attribute_from_der(oid, value)
        if not value:
            raise ValueError(f"{word} in a name has no value; write it like {word}=value")
        return _attribute_from_text(oid, value)

    def _value(self) -> str | bytes:
        """The text of a value, or the DER that stands for it; leaves `_at` at what ends it."""
        while self._text.startswith(" ", self._at):
            self._at += 1
        if self._text.startswith("#", self._at):
            return self._hex_value()
        octets, kept, quoted = bytearray(), 0, False
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == '"':
                quoted = not quoted
                kept = len(octets)
            elif character == "\\":
                octets += self._escaped()
                kept = len(octets)
            elif not quoted and character in (self._separator, "+"):
                break
            else:
                octets += character.encode()
                self.literal_star |= character == "*" and quoted
                self.wildcard |= character == "*" and not quoted
                kept = len(octets) if character != " " or quoted else kept
            self._at += 1
        if quoted:
            raise ValueError('a value in a name begins with " and does not end; write " behind it too')
        try:
            return octets[:kept].decode()
        except UnicodeDecodeError:
            raise ValueError("escaped octets in a name are no UTF-8; write the characters themselves") from None

    def _escaped(self) -> bytes:
        """One escaped character or octet; leaves `_at` on its last character."""
        pair = self._text[self._at + 1 : self._at + 3]
        if re.fullmatch(r"[0-9a-fA-F]{2}", pair):
            self._at += 2
            octets = bytes.fromhex(pair)
        else:
            self._at += 1
            octets = pair[:1].encode()
        if not octets:
            raise ValueError("a name ends with \\; write \\\\ for one that is meant")
        self.literal_star |= octets == b"*"
        return octets

    def _hex_value(self) -> bytes:
        match = re.compile(r"#([0-9a-fA-F]*) *").match(self._text, self._at)
        assert match is not None  # noqa: S101 - the # stands there
        self._at = match.end()
        following = self._text[self._at : self._at + 1]
        if not match[1] or len(match[1]) % 2 or following not in ("", self._separator, "+"):
            raise ValueError("a value in a name begins with # and is no hexadecimal DER; write \\# for the character")
        return bytes.fromhex(match[1])


def _oid_of(word: str) -> str:
    upper = word.upper().removeprefix("OID.")
    if upper in _TWO_MEANINGS:
        raise ValueError(f"{word}= has two meanings; write {_TWO_MEANINGS[upper]}")
    upper = _OTHER_WORDS.get(upper, upper)
    if upper in _OIDS:
        return _OIDS[upper]
    if re.fullmatch(r"[012](\.(0|[1-9]\d{0,149})){1,64}", upper) and (upper[0] == "2" or int(upper.split(".")[1]) < 40):  # noqa: PLR2004 - X.660
        return upper
    raise ValueError(f"'{word}' in a name is no attribute known here; write its number like 2.5.4.3")


def _attribute_from_text(oid: str, text: str) -> NameAttribute:
    """Encode a value as RFC 5280 §4.1.2.4 and Appendix A want it."""
    if oid in _IA5_OIDS and text.isascii():
        return NameAttribute(oid, IA5_STRING, text.encode())
    if oid in _PRINTABLE_OIDS and _PRINTABLE.fullmatch(text):
        return NameAttribute(oid, PRINTABLE_STRING, text.encode())
    return NameAttribute(oid, UTF8_STRING, text.encode())


def _attribute_from_der(oid: str, der: bytes) -> NameAttribute:
    octets, rest = take_element(der, der[0], "value in a name")
    if rest:
        raise ValueError(f"{len(rest)} octets after a value in a name")
    return NameAttribute(oid, der[0], octets)
