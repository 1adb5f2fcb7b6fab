"""What the netfilter families (nf_tables, nfnetlink_queue) share: struct nfgenmsg, attributes, batches.

Rule 1: an attribute is built as octets at once: a rule is forty of them, one inside the other.
Not here: the messages themselves (tables.py, queue.py).
"""

from __future__ import annotations

import struct

from pyroute2.netlink import nlmsg

NETLINK_NETFILTER = 12
NFPROTO_UNSPEC = 0
NFPROTO_INET = 1
NFNL_SUBSYS_QUEUE = 3
NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN = 0x10
NFNL_MSG_BATCH_END = 0x11

_HEADER = struct.Struct("=IHHII")
_NFGENMSG = struct.Struct(">BBH")
_NLA = struct.Struct("=HH")
_U32 = struct.Struct(">I")
_NLA_F_NESTED = 0x8000
_NLM_F_REQUEST = 0x1
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


class netfilter_message(nlmsg):  # type: ignore[misc]
    """A message of NETLINK_NETFILTER::

    struct nfgenmsg {
        __u8    nfgen_family;
        __u8    version;
        __be16  res_id;      // the number of a queue; of a batch's ends the subsystem
    };

    and its attributes, as octets.
    """

    def encode(self) -> None:
        """Build the octets."""
        header = self["header"]
        body = _NFGENMSG.pack(self["family"], 0, self["res_id"]) + self["attributes"]
        self.length = header["length"] = _HEADER.size + len(body)
        self.data = bytearray(
            _HEADER.pack(self.length, header["type"], header["flags"], header.get("sequence_number", 0), 0) + body
        )


def make_message(
    message_type: int, attributes: bytes = b"", *, family: int = NFPROTO_UNSPEC, res_id: int = 0, flags: int = 0
) -> netfilter_message:
    """Make a message; `message_type` holds the subsystem in its upper octet."""
    message = netfilter_message()
    message["header"]["type"] = message_type
    message["header"]["flags"] = flags
    message.update(family=family, res_id=res_id, attributes=attributes)
    return message


def attribute(number: int, octets: bytes) -> bytes:
    """One attribute, padded."""
    length = _NLA.size + len(octets)
    return _NLA.pack(length, number) + octets + _PADDING[length & 3]


def nested(number: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(number | _NLA_F_NESTED, b"".join(attributes))


def number_of(number: int, value: int) -> bytes:
    """An attribute that is a number of 32 bits, big-endian."""
    return attribute(number, _U32.pack(value & 0xFFFFFFFF))


def name_of(number: int, name: str) -> bytes:
    """An attribute that is a name, ended by a zero octet."""
    return attribute(number, name.encode() + b"\0")


def read_attributes(octets: bytes) -> dict[int, bytes]:
    """Read the attributes behind struct nfgenmsg of a whole message; what does not fit its length ends the reading."""
    found: dict[int, bytes] = {}
    at = _HEADER.size + _NFGENMSG.size
    while at + _NLA.size <= len(octets):
        length, number = _NLA.unpack_from(octets, at)
        if not _NLA.size <= length <= len(octets) - at:
            break
        found[number & ~_NLA_F_NESTED] = octets[at + _NLA.size : at + length]
        at += (length + 3) & ~3
    return found


def batch_begin(subsystem: int) -> netfilter_message:
    """What opens a batch: all of it is done, or nothing."""
    return make_message(NFNL_MSG_BATCH_BEGIN, res_id=subsystem)


def batch_end(subsystem: int) -> bytes:
    """What closes a batch; older kernels never acknowledge it, so it stands outside the numbered messages."""
    body = _NFGENMSG.pack(NFPROTO_UNSPEC, 0, subsystem)
    return _HEADER.pack(_HEADER.size + len(body), NFNL_MSG_BATCH_END, _NLM_F_REQUEST, 0, 0) + body
