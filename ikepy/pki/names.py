"""Names that certificates are made for: of gateways and of clients, as subjectAltName wants them.

    vpn.example.com   dNSName
    203.0.113.1       iPAddress, and as text a dNSName: Windows looks for a typed address there
    alice@example.com rfc822Name
    alice             dNSName does not fit, so a name for the subject, and a directoryName nobody needs

Rule 1: what is no name is refused before any key is made.
Rule 2: a file's name is made of the first name, of plain letters alone.
Not here: certificates (making.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509

from ikepy.pki.errors import PkiError

MOST_COMMON_NAME = 64
"Characters (RFC 5280, ub-common-name)."
_MOST_DNS = 253
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9.@_-]+")


def server_names(names: Sequence[str]) -> list[x509.GeneralName]:
    """The subjectAltName of a gateway; raises PkiError."""
    found: list[x509.GeneralName] = []
    for name in names:
        address = _address(name)
        if address is not None:
            found += [x509.IPAddress(address), x509.DNSName(str(address))]
        else:
            found.append(x509.DNSName(_dns(name, wildcard=True)))
    return list(dict.fromkeys(found))


def client_names(name: str) -> list[x509.GeneralName]:
    """The subjectAltName of a client; empty where the name fits none of its forms. Raises PkiError."""
    if "@" in name:
        if not _MAIL.fullmatch(name):
            raise PkiError(f"'{name}' is no address of mail: write it as alice@example.com")
        return [x509.RFC822Name(name)]
    if not _USER.fullmatch(name):
        raise PkiError(
            f"'{name}' cannot be a client's name: letters, digits, spaces and . _ - up to 64, or an address of mail"
        )
    try:
        return [x509.DNSName(_dns(name))]
    except PkiError:
        return []


def common_name(name: str) -> x509.Name:
    """A subject of a common name alone; raises PkiError."""
    if not name.isprintable() or not name.strip() or len(name) > MOST_COMMON_NAME:
        raise PkiError(f"a name has 1 to {MOST_COMMON_NAME} printable characters: {name[:80]!r} cannot be one")
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def file_name(name: str) -> str:
    """A name for files of what is made for a name."""
    plain = _NOT_PLAIN.sub("_", name.replace("*", "_any")).strip(".") or "_"
    return plain[:MOST_COMMON_NAME]


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _dns(name: str, *, wildcard: bool = False) -> str:
    labels = name.rstrip(".").split(".")
    if wildcard and labels[0] == "*" and len(labels) > 2:  # noqa: PLR2004 - not of a whole top-level domain
        labels = labels[1:]
    if len(name) > _MOST_DNS or not all(_LABEL.fullmatch(label) for label in labels):
        raise PkiError(f"'{name}' is no host name and no address: write one such as vpn.example.com or 203.0.113.1")
    return name.rstrip(".").lower()
