"""What all messages of the XFRM family share, in pyroute2's style: the attributes, and a way to build octets quickly.

Rule 1: `encode()` gives the octets that pyroute2's own `nlmsg.encode()` gives; it only makes no object for each
        attribute on the way, which costs a quarter (tests compare the two).
Rule 2: decoding is pyroute2's.
Not here: the messages themselves (sa.py, policy.py, notices.py).
"""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from pyroute2.netlink import nla, nlmsg

from ikepy.kernel.messages.scalars import u32, u64, xfrm_address
from ikepy.kernel.messages.values import (
    xfrm_algo,
    xfrm_algo_icv,
    xfrm_encap_tmpl,
    xfrm_mark,
    xfrm_replay_state,
    xfrm_replay_state_esn,
    xfrm_user_kmaddress,
    xfrm_user_migrate,
    xfrm_user_offload,
    xfrm_user_tmpls,
)

_HEADER = struct.Struct("=IHHII")
_NLA = struct.Struct("=HH")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def field(structure: Any, octets: int) -> Any:
    """Make of a structure of that many octets what pyroute2 takes as the format of a field."""

    def encode_into(buffer: bytearray, offset: int, value: Any) -> int:
        buffer[offset : offset + octets] = structure.pack(value)
        return offset + octets

    def decode_from(buffer: bytes, offset: int) -> tuple[Any, int]:
        end = offset + octets
        return structure.unpack(bytes(buffer[offset:end])), end

    members = {
        "encode_into": staticmethod(encode_into),
        "decode_from": staticmethod(decode_from),
        "pack": staticmethod(structure.pack),
    }
    return type(f"{structure.__name__}_field", (), members)


class structured(nla):  # type: ignore[misc]
    """An attribute whose octets are one structure, up to the attribute's end."""

    structure: ClassVar[Any]

    def decode(self) -> None:
        """Read the octets behind the header."""
        nla.decode(self)
        self.value = self.structure.unpack(bytes(self.data[self.offset + 4 : self.offset + self.length]))

    def encode(self) -> None:
        """Write header, octets and padding."""
        octets = self.structure.pack(self.getvalue())
        self.length = 4 + len(octets)
        self.data.extend(_NLA.pack(self.length, self["header"]["type"]) + octets + _PADDING[self.length & 3])


class xfrm_message(nlmsg):  # type: ignore[misc]
    """A message of NETLINK_XFRM with the family's attributes."""

    prefix = "XFRMA_"

    nla_map: ClassVar[tuple[tuple[str, str], ...]] = (
        ("XFRMA_UNSPEC", "none"),
        ("XFRMA_ALG_AUTH", "algo"),
        ("XFRMA_ALG_CRYPT", "algo"),
        ("XFRMA_ALG_COMP", "algo"),
        ("XFRMA_ENCAP", "encap"),
        ("XFRMA_TMPL", "templates"),
        ("XFRMA_SA", "hex"),
        ("XFRMA_POLICY", "hex"),
        ("XFRMA_SEC_CTX", "hex"),
        ("XFRMA_LTIME_VAL", "hex"),
        ("XFRMA_REPLAY_VAL", "replay"),
        ("XFRMA_REPLAY_THRESH", "number"),
        ("XFRMA_ETIMER_THRESH", "number"),
        ("XFRMA_SRCADDR", "address"),
        ("XFRMA_COADDR", "address"),
        ("XFRMA_LASTUSED", "long_number"),
        ("XFRMA_POLICY_TYPE", "hex"),
        ("XFRMA_MIGRATE", "migrate"),
        ("XFRMA_ALG_AEAD", "algo_icv"),
        ("XFRMA_KMADDRESS", "kmaddress"),
        ("XFRMA_ALG_AUTH_TRUNC", "algo_icv"),
        ("XFRMA_MARK", "mark"),
        ("XFRMA_TFCPAD", "number"),
        ("XFRMA_REPLAY_ESN_VAL", "replay_esn"),
        ("XFRMA_SA_EXTRA_FLAGS", "number"),
        ("XFRMA_PROTO", "uint8"),
        ("XFRMA_ADDRESS_FILTER", "hex"),
        ("XFRMA_PAD", "hex"),
        ("XFRMA_OFFLOAD_DEV", "offload"),
        ("XFRMA_SET_MARK", "number"),
        ("XFRMA_SET_MARK_MASK", "number"),
        ("XFRMA_IF_ID", "number"),
        ("XFRMA_MTIMER_THRESH", "number"),
    )

    class algo(structured):
        structure = xfrm_algo

    class algo_icv(structured):
        structure = xfrm_algo_icv

    class encap(structured):
        structure = xfrm_encap_tmpl

    class templates(structured):
        structure = xfrm_user_tmpls

    class replay(structured):
        structure = xfrm_replay_state

    class replay_esn(structured):
        structure = xfrm_replay_state_esn

    class address(structured):
        structure = xfrm_address

    class migrate(structured):
        structure = xfrm_user_migrate

    class kmaddress(structured):
        structure = xfrm_user_kmaddress

    class mark(structured):
        structure = xfrm_mark

    class offload(structured):
        structure = xfrm_user_offload

    class number(structured):
        structure = u32

    class long_number(structured):
        structure = u64

    packers: ClassVar[dict[str, tuple[int, Any]]]

    def encode(self) -> None:
        """Build the octets: header, fields, attributes (of those that `packers` knows)."""
        parts = [b""]
        for name, kind in self.fields:
            parts.append(kind.pack(dict.__getitem__(self, name)))
        for name, value in self["attrs"]:
            number, pack = self.packers[name]
            octets = pack(value)
            length = 4 + len(octets)
            parts += (_NLA.pack(length, number), octets, _PADDING[length & 3])
        header = self["header"]
        self.length = header["length"] = 16 + sum(map(len, parts))
        parts[0] = _HEADER.pack(
            self.length, header["type"], header["flags"], header.get("sequence_number", 0), header.get("pid", 0)
        )
        self.data = bytearray(b"".join(parts))


xfrm_message.packers = {
    name: (number, kind.structure.pack)
    for number, (name, kind_name) in enumerate(xfrm_message.nla_map)
    if isinstance(kind := getattr(xfrm_message, kind_name), type) and issubclass(kind, structured)
}


def make(message_class: type[xfrm_message], message_type: int, **fields: Any) -> xfrm_message:
    """Make a message with its header, fields, and attributes (`attrs`, a list of name and value)."""
    message = message_class()
    message["header"]["type"] = message_type
    message["header"]["flags"] = 0
    message.update(fields)
    return message
