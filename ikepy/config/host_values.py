"""What kinds of value stand in tables about this host: interfaces, their addresses, padding, offload.

Not here: kinds that others need too (values.py).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network
from pathlib import Path

from ikepy.config.errors import Unfit
from ikepy.config.values import Kind, comma_list_of, number, parsed
from ikepy.ipsec import IpAddress, IpNetwork, Offload

MOST_NAME = 15
"Octets of an interface's name (IFNAMSIZ without its end)."
TO_THE_PATH = 0xFFFFFFFF
"As tfc_padding: as far as the path carries."
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_NO = "no"


def parse_interface(text: str) -> str:
    """Read the name of an interface; raises Unfit."""
    if not _NAME.fullmatch(text) or len(text) > MOST_NAME:
        raise Unfit(
            f"'{text}' is no name for an interface", f"write up to {MOST_NAME} letters and digits, such as ipsec0"
        )
    return text


def _parse_own_address(text: str) -> IPv4Interface | IPv6Interface:
    try:
        return ip_interface(text.strip())
    except ValueError:
        raise Unfit(f"'{text}' is no address", 'write it with its network, such as "10.9.0.1/30"') from None


def _parse_own_addresses(texts: tuple[str, ...]) -> tuple[IPv4Interface | IPv6Interface, ...]:
    return tuple(_parse_own_address(text) for text in texts)


def _parse_prefixes(texts: tuple[str, ...]) -> tuple[IpNetwork, ...]:
    try:
        return tuple(ip_network(text.strip()) for text in texts)
    except ValueError as error:
        raise Unfit(str(error), 'write prefixes, such as "10.2.0.0/16"') from None


def _parse_one_address(text: str) -> IpAddress:
    try:
        return ip_address(text.strip())
    except ValueError:
        raise Unfit(f"'{text}' is no address", "write one such as 192.0.2.1") from None


def _read_tfc_padding(value: object, base: Path) -> int | None:
    if value == "mtu":
        return TO_THE_PATH
    return number(0, 65535, "octets").read(value, base) or None


def _read_hw_offload(value: object, _base: Path) -> Offload | None:
    words = (_NO, *(mode.value for mode in Offload))
    if value is False or value == _NO:
        return None
    if not isinstance(value, str) or value not in words:
        raise Unfit(f"'{value}' is not one of {', '.join(words)}", "with auto the interface does what it can")
    return Offload(value)


INTERFACE: Kind[str] = parsed("interface", parse_interface)
OWN_ADDRESSES: Kind[tuple[IPv4Interface | IPv6Interface, ...]] = comma_list_of(
    _parse_own_addresses, "address with the length of its network"
)
ONE_ADDRESS: Kind[IpAddress] = parsed("IP address", _parse_one_address)
PREFIXES: Kind[tuple[IpNetwork, ...]] = comma_list_of(_parse_prefixes, "prefix")
TFC_PADDING: Kind[int | None] = Kind("octets, or `mtu`", _read_tfc_padding)
HW_OFFLOAD: Kind[Offload | None] = Kind("`no`, `auto`, `crypto` or `packet`", _read_hw_offload)
