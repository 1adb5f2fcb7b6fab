"""The C structures of linux/xfrm.h that stand in attributes: values <-> octets, by the rules of structures.py.

Not here: which attribute has which (message.py).
"""

# ruff: noqa: D102 - pack() and unpack() are what rule 1 of structures.py says

from __future__ import annotations

import struct
from typing import NamedTuple, Self

from ikepy.kernel.messages.structures import ANY_ADDRESS, xfrm_id

_MIGRATE = struct.Struct("=16s16s16s16sBBHIHH")
_KMADDRESS = struct.Struct("=16s16sIH2x")
_TMPL_TAIL = struct.Struct("=H2x16sIBBBxIII")
_ENCAP = struct.Struct("=H4s2x16s")
_ENCAP_PORTS = struct.Struct(">2H")
_OFFLOAD = struct.Struct("=iB3x")
_MARK = struct.Struct("=2I")
_REPLAY_ESN = struct.Struct("=6I")
_REPLAY = struct.Struct("=3I")
_ALGO = struct.Struct("=64sI")
_ALGO_2 = struct.Struct("=64sII")


class xfrm_user_tmpl(NamedTuple):
    """The state a policy asks for::

    struct xfrm_user_tmpl {
        struct xfrm_id id;
        __u16 family;
        xfrm_address_t saddr;
        __u32 reqid;
        __u8 mode;
        __u8 share;
        __u8 optional;
        __u32 aalgos;
        __u32 ealgos;
        __u32 calgos;
    };
    """

    id: xfrm_id
    family: int
    saddr: bytes
    reqid: int
    mode: int
    share: int = 0
    optional: int = 0
    aalgos: int = 0xFFFFFFFF
    ealgos: int = 0xFFFFFFFF
    calgos: int = 0xFFFFFFFF

    def pack(self) -> bytes:
        return self.id.pack() + _TMPL_TAIL.pack(*self[1:])

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(xfrm_id.unpack(octets[:24]), *_TMPL_TAIL.unpack(octets[24:]))


class xfrm_encap_tmpl(NamedTuple):
    """UDP (or TCP) around ESP::

    struct xfrm_encap_tmpl {
        __u16 encap_type;
        __be16 encap_sport;
        __be16 encap_dport;
        xfrm_address_t encap_oa;
    };
    """

    encap_type: int
    encap_sport: int
    encap_dport: int
    encap_oa: bytes = ANY_ADDRESS

    def pack(self) -> bytes:
        ports = _ENCAP_PORTS.pack(self.encap_sport, self.encap_dport)
        return _ENCAP.pack(self.encap_type, ports, self.encap_oa)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        encap_type, ports, oa = _ENCAP.unpack(octets)
        sport, dport = _ENCAP_PORTS.unpack(ports)
        return cls(encap_type, sport, dport, oa)


class xfrm_user_offload(NamedTuple):
    """Whose hardware takes the state::

    struct xfrm_user_offload {
        int ifindex;
        __u8 flags;
    };
    """

    ifindex: int
    flags: int

    def pack(self) -> bytes:
        return _OFFLOAD.pack(*self)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(*_OFFLOAD.unpack(octets))


class xfrm_mark(NamedTuple):
    """A packet mark::

    struct xfrm_mark {
        __u32 v;
        __u32 m;
    };
    """

    v: int
    m: int

    def pack(self) -> bytes:
        return _MARK.pack(*self)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(*_MARK.unpack(octets))


class xfrm_replay_state(NamedTuple):
    """Sequence numbers and a window of up to 32 packets::

    struct xfrm_replay_state {
        __u32 oseq;
        __u32 seq;
        __u32 bitmap;
    };
    """

    oseq: int
    seq: int
    bitmap: int

    def pack(self) -> bytes:
        return _REPLAY.pack(*self)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(*_REPLAY.unpack(octets))


class xfrm_replay_state_esn(NamedTuple):
    """Sequence numbers of 64 bits and a window of any size; of 32 bits too, without XFRM_STATE_ESN::

    struct xfrm_replay_state_esn {
        unsigned int bmp_len;       /* in __u32 */
        __u32 oseq;
        __u32 seq;
        __u32 oseq_hi;
        __u32 seq_hi;
        __u32 replay_window;        /* in packets */
        __u32 bmp[];
    };
    """

    bmp_len: int
    oseq: int
    seq: int
    oseq_hi: int
    seq_hi: int
    replay_window: int
    bmp: bytes

    def pack(self) -> bytes:
        return _REPLAY_ESN.pack(*self[:6]) + self.bmp

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        bmp_len, oseq, seq, oseq_hi, seq_hi, window = _REPLAY_ESN.unpack(octets[:24])
        return cls(bmp_len, oseq, seq, oseq_hi, seq_hi, window, octets[24:])


class xfrm_algo(NamedTuple):
    """An algorithm and its key; for the kernel's full ICV of an old integrity algorithm, too::

    struct xfrm_algo {
        char alg_name[64];
        unsigned int alg_key_len;   /* in bits */
        char alg_key[];
    };
    """

    alg_name: str
    alg_key: bytes

    def pack(self) -> bytes:
        return _ALGO.pack(self.alg_name.encode(), len(self.alg_key) * 8) + self.alg_key

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        name, bits = _ALGO.unpack(octets[:68])
        return cls(_text(name), octets[68 : 68 + (bits + 7) // 8])

    def __repr__(self) -> str:
        return f"xfrm_algo({self.alg_name!r}, {len(self.alg_key)} octets)"


class xfrm_algo_icv(NamedTuple):
    """An algorithm, its key and the bits of its ICV: of an AEAD, and of a truncated integrity algorithm::

    struct xfrm_algo_aead {         struct xfrm_algo_auth {
        char alg_name[64];              char alg_name[64];
        unsigned int alg_key_len;       unsigned int alg_key_len;
        unsigned int alg_icv_len;       unsigned int alg_trunc_len;
        char alg_key[];                 char alg_key[];
    };                              };
    """

    alg_name: str
    alg_icv_len: int
    alg_key: bytes

    def pack(self) -> bytes:
        return _ALGO_2.pack(self.alg_name.encode(), len(self.alg_key) * 8, self.alg_icv_len) + self.alg_key

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        name, bits, icv_bits = _ALGO_2.unpack(octets[:72])
        return cls(_text(name), icv_bits, octets[72 : 72 + (bits + 7) // 8])

    def __repr__(self) -> str:
        return f"xfrm_algo_icv({self.alg_name!r}, {self.alg_icv_len}, {len(self.alg_key)} octets)"


class xfrm_user_migrate(NamedTuple):
    """From where to where a policy and its states move::

    struct xfrm_user_migrate {
        xfrm_address_t old_daddr, old_saddr;
        xfrm_address_t new_daddr, new_saddr;
        __u8 proto;
        __u8 mode;
        __u16 reserved;
        __u32 reqid;
        __u16 old_family;
        __u16 new_family;
    };
    """

    old_daddr: bytes
    old_saddr: bytes
    new_daddr: bytes
    new_saddr: bytes
    proto: int
    mode: int
    reserved: int
    reqid: int
    old_family: int
    new_family: int

    def pack(self) -> bytes:
        return _MIGRATE.pack(*self)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(*_MIGRATE.unpack(octets[:76]))


class xfrm_user_kmaddress(NamedTuple):
    """The addresses that IKE uses after a MIGRATE::

    struct xfrm_user_kmaddress {
        xfrm_address_t local;
        xfrm_address_t remote;
        __u32 reserved;
        __u16 family;
    };
    """

    local: bytes
    remote: bytes
    reserved: int
    family: int

    def pack(self) -> bytes:
        return _KMADDRESS.pack(*self)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(*_KMADDRESS.unpack(octets))


class xfrm_user_tmpls:
    """What XFRMA_TMPL holds: one template or more, the innermost first."""

    @staticmethod
    def pack(templates: tuple[xfrm_user_tmpl, ...]) -> bytes:
        return b"".join(template.pack() for template in templates)

    @staticmethod
    def unpack(octets: bytes) -> tuple[xfrm_user_tmpl, ...]:
        return tuple(xfrm_user_tmpl.unpack(octets[at : at + 64]) for at in range(0, len(octets) - 63, 64))


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode("ascii", "replace")
