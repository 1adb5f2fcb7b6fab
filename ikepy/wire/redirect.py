"""The body of REDIRECT and REDIRECTED_FROM: which gateway to go to, or to have come from (RFC 5685 §9).

Rule 1: an identity is an address of 4 or 16 octets, or a name of letters, digits, dots and hyphens: it reaches a resolver.
Not here: who may be sent where (ike/).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.notify import Notify
from ikepy.wire.registry import NotifyType

Gateway = IPv4Address | IPv6Address | str
"""A gateway's address, or its name."""

_IPV4, _IPV6, _NAME = 1, 2, 3
_OCTETS = {_IPV4: 4, _IPV6: 16}
_HOST = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*\.?")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where to go; `nonce` is the initiator's, and proves in IKE_SA_INIT that whoever says so has seen its request."""

    gateway: Gateway
    nonce: bytes = b""


def make_redirect(gateway: Gateway, nonce: bytes = b"") -> Notify:
    """REDIRECT; with the initiator's nonce in an answer to IKE_SA_INIT."""
    return Notify(NotifyType.REDIRECT, _build(gateway) + nonce)


def make_redirected_from(gateway: Gateway) -> Notify:
    """REDIRECTED_FROM."""
    return Notify(NotifyType.REDIRECTED_FROM, _build(gateway))


def redirect(notify: Notify) -> Redirect:
    """What a REDIRECT or REDIRECTED_FROM says; raises InvalidSyntax."""
    octets = notify.octets
    if len(octets) < 2 or len(octets) < 2 + octets[1]:  # noqa: PLR2004 - type and length
        raise InvalidSyntax(f"{notify.type} of {len(octets)} octets has no whole gateway in it")
    kind, identity, rest = octets[0], octets[2 : 2 + octets[1]], octets[2 + octets[1] :]
    return Redirect(_read(notify, kind, identity), rest)


def parse_gateway(text: str) -> Gateway:
    """A gateway as an operator writes it; raises ValueError."""
    for family in (IPv4Address, IPv6Address):
        try:
            return family(text)
        except ValueError:
            continue
    if _HOST.fullmatch(text) is None:
        raise ValueError(f"'{text}' is neither an address nor a host name")
    return text


def _read(notify: Notify, kind: int, identity: bytes) -> Gateway:
    if kind in _OCTETS:
        if len(identity) != _OCTETS[kind]:
            raise InvalidSyntax(f"{notify.type} with an address of {len(identity)} octets")
        return IPv4Address(identity) if kind == _IPV4 else IPv6Address(identity)
    if kind != _NAME:
        raise InvalidSyntax(f"{notify.type} with a gateway of type {kind}")
    name = identity.decode("ascii", "replace")
    if _HOST.fullmatch(name) is None:
        raise InvalidSyntax(f"{notify.type} with a name that is none")
    return name


def _build(gateway: Gateway) -> bytes:
    if isinstance(gateway, str):
        octets, kind = gateway.encode("ascii"), _NAME
    else:
        octets, kind = gateway.packed, _IPV4 if isinstance(gateway, IPv4Address) else _IPV6
    return bytes((kind, len(octets))) + octets
