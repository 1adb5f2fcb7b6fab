"""Route and rule messages with a quick way to build their octets (see message.py, rule 1).

Not here: which routes there are (links.py).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, ClassVar

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

_HEADER = struct.Struct("=IHHII")
_NLA = struct.Struct("=HH")
_U32 = struct.Struct("=I").pack
_FIELDS = struct.Struct("=BBBBBBBBI")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
Pack = Callable[[Any], bytes]


def _pack_address(text: str) -> bytes:
    return ip_address(text).packed


class _Quick:
    """`encode()` for messages of twelve octets of fields and attributes of whole numbers and addresses."""

    names: ClassVar[tuple[str, ...]]
    packers: ClassVar[dict[str, tuple[int, Pack]]]
    data: bytearray
    length: int

    def encode(self) -> None:
        """Build the octets: header, fields, attributes (of those that `packers` knows)."""
        of: Any = self
        parts = [b"", _FIELDS.pack(*(dict.get(of, name) or 0 for name in self.names))]
        for name, value in of["attrs"]:
            number, pack = self.packers[name]
            octets = pack(value)
            length = 4 + len(octets)
            parts += (_NLA.pack(length, number), octets, _PADDING[length & 3])
        header = of["header"]
        self.length = header["length"] = 16 + sum(map(len, parts))
        parts[0] = _HEADER.pack(
            self.length, header["type"], header["flags"], header.get("sequence_number", 0), header.get("pid", 0)
        )
        self.data = bytearray(b"".join(parts))


class route_message(_Quick, rtmsg):  # type: ignore[misc]
    """pyroute2's rtmsg."""

    names = ("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type", "flags")
    packers: ClassVar[dict[str, tuple[int, Pack]]] = {
        "RTA_DST": (1, _pack_address),
        "RTA_OIF": (4, _U32),
        "RTA_GATEWAY": (5, _pack_address),
        "RTA_PREFSRC": (7, _pack_address),
        "RTA_METRICS": (8, bytes),
        "RTA_MARK": (16, _U32),
    }


class rule_message(_Quick, fibmsg):  # type: ignore[misc]
    """pyroute2's fibmsg."""

    names = ("family", "dst_len", "src_len", "tos", "table", "res1", "res2", "action", "flags")
    packers: ClassVar[dict[str, tuple[int, Pack]]] = {
        "FRA_PRIORITY": (6, _U32),
        "FRA_FWMARK": (10, _U32),
        "FRA_TABLE": (15, _U32),
        "FRA_FWMASK": (16, _U32),
    }
