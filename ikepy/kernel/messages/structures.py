"""The C structures of linux/xfrm.h that messages and attributes are made of: values <-> octets.

Rule 1: a structure is a named tuple with the names of C, pack() and unpack(); it holds its padding.
Rule 2: addresses are 16 octets, IPv4 in the first four; ports and SPIs are plain numbers here, big-endian outside.
Not here: what is a message (messages), what it means in RFC 4301's words (translate.py).
"""

# ruff: noqa: D102 - pack() and unpack() are what rule 1 of structures.py says

from __future__ import annotations

import struct
from typing import NamedTuple, Self

XFRM_INF = (1 << 64) - 1
ANY_ADDRESS = bytes(16)

_PORTS = struct.Struct(">4H")
_SELECTOR = struct.Struct("=16s16s8sHBBB3xiI")
_ID = struct.Struct("=16s4sB3x")
_USERSA_ID = struct.Struct("=16s4sHB1x")
_LIFETIME_CFG = struct.Struct("=8Q")
_LIFETIME_CUR = struct.Struct("=4Q")
_STATS = struct.Struct("=3I")
_USERSA_TAIL = struct.Struct("=IIHBBB7x")
_POLICY_TAIL = struct.Struct("=IIBBBB4x")
_POLICY_ID = struct.Struct("=IB3x")
_AEVENT_TAIL = struct.Struct("=16sII")


class xfrm_selector(NamedTuple):
    """Which packets::

    struct xfrm_selector {
        xfrm_address_t daddr;
        xfrm_address_t saddr;
        __be16 dport;
        __be16 dport_mask;
        __be16 sport;
        __be16 sport_mask;
        __u16 family;
        __u8 prefixlen_d;
        __u8 prefixlen_s;
        __u8 proto;
        int ifindex;
        __kernel_uid32_t user;
    };
    """

    daddr: bytes = ANY_ADDRESS
    saddr: bytes = ANY_ADDRESS
    dport: int = 0
    dport_mask: int = 0
    sport: int = 0
    sport_mask: int = 0
    family: int = 0
    prefixlen_d: int = 0
    prefixlen_s: int = 0
    proto: int = 0
    ifindex: int = 0
    user: int = 0

    def pack(self) -> bytes:
        daddr, saddr, dport, dport_mask, sport, sport_mask, *rest = self
        return _SELECTOR.pack(daddr, saddr, _PORTS.pack(dport, dport_mask, sport, sport_mask), *rest)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        daddr, saddr, ports, *rest = _SELECTOR.unpack(octets)
        return cls(daddr, saddr, *_PORTS.unpack(ports), *rest)


class xfrm_id(NamedTuple):
    """What names a state::

    struct xfrm_id {
        xfrm_address_t daddr;
        __be32 spi;
        __u8 proto;
    };
    """

    daddr: bytes = ANY_ADDRESS
    spi: int = 0
    proto: int = 0

    def pack(self) -> bytes:
        return _ID.pack(self.daddr, self.spi.to_bytes(4, "big"), self.proto)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        daddr, spi, proto = _ID.unpack(octets)
        return cls(daddr, int.from_bytes(spi, "big"), proto)


class xfrm_usersa_id(NamedTuple):
    """What names a state in DELSA and GETSA::

    struct xfrm_usersa_id {
        xfrm_address_t daddr;
        __be32 spi;
        __u16 family;
        __u8 proto;
    };
    """

    daddr: bytes
    spi: int
    family: int
    proto: int

    def pack(self) -> bytes:
        return _USERSA_ID.pack(self.daddr, self.spi.to_bytes(4, "big"), self.family, self.proto)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        daddr, spi, family, proto = _USERSA_ID.unpack(octets)
        return cls(daddr, int.from_bytes(spi, "big"), family, proto)


class xfrm_lifetime_cfg(NamedTuple):
    """Limits; XFRM_INF is no limit of octets or packets, 0 is none of seconds::

    struct xfrm_lifetime_cfg {
        __u64 soft_byte_limit, hard_byte_limit;
        __u64 soft_packet_limit, hard_packet_limit;
        __u64 soft_add_expires_seconds, hard_add_expires_seconds;
        __u64 soft_use_expires_seconds, hard_use_expires_seconds;
    };
    """

    soft_byte_limit: int = XFRM_INF
    hard_byte_limit: int = XFRM_INF
    soft_packet_limit: int = XFRM_INF
    hard_packet_limit: int = XFRM_INF
    soft_add_expires_seconds: int = 0
    hard_add_expires_seconds: int = 0
    soft_use_expires_seconds: int = 0
    hard_use_expires_seconds: int = 0

    def pack(self) -> bytes:
        return _LIFETIME_CFG.pack(*self)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(*_LIFETIME_CFG.unpack(octets))


class xfrm_lifetime_cur(NamedTuple):
    """What was used up; times are seconds since the epoch::

    struct xfrm_lifetime_cur {
        __u64 bytes;
        __u64 packets;
        __u64 add_time;
        __u64 use_time;
    };
    """

    bytes: int = 0
    packets: int = 0
    add_time: int = 0
    use_time: int = 0

    def pack(self) -> bytes:  # type: ignore[valid-type]
        return _LIFETIME_CUR.pack(*self)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:  # type: ignore[valid-type]
        return cls(*_LIFETIME_CUR.unpack(octets))


class xfrm_stats(NamedTuple):
    """Packets that were refused::

    struct xfrm_stats {
        __u32 replay_window;
        __u32 replay;
        __u32 integrity_failed;
    };
    """

    replay_window: int = 0
    replay: int = 0
    integrity_failed: int = 0

    def pack(self) -> bytes:
        return _STATS.pack(*self)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(*_STATS.unpack(octets))


class xfrm_usersa_info(NamedTuple):
    """A state::

    struct xfrm_usersa_info {
        struct xfrm_selector sel;
        struct xfrm_id id;
        xfrm_address_t saddr;
        struct xfrm_lifetime_cfg lft;
        struct xfrm_lifetime_cur curlft;
        struct xfrm_stats stats;
        __u32 seq;
        __u32 reqid;
        __u16 family;
        __u8 mode;
        __u8 replay_window;
        __u8 flags;
    };
    """

    sel: xfrm_selector = xfrm_selector()
    id: xfrm_id = xfrm_id()
    saddr: bytes = ANY_ADDRESS
    lft: xfrm_lifetime_cfg = xfrm_lifetime_cfg()
    curlft: xfrm_lifetime_cur = xfrm_lifetime_cur()
    stats: xfrm_stats = xfrm_stats()
    seq: int = 0
    reqid: int = 0
    family: int = 0
    mode: int = 0
    replay_window: int = 0
    flags: int = 0

    def pack(self) -> bytes:
        sel, id_, saddr, lft, curlft, stats, *tail = self
        return b"".join(
            (sel.pack(), id_.pack(), saddr, lft.pack(), curlft.pack(), stats.pack(), _USERSA_TAIL.pack(*tail))
        )

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(
            xfrm_selector.unpack(octets[:56]),
            xfrm_id.unpack(octets[56:80]),
            octets[80:96],
            xfrm_lifetime_cfg.unpack(octets[96:160]),
            xfrm_lifetime_cur.unpack(octets[160:192]),
            xfrm_stats.unpack(octets[192:204]),
            *_USERSA_TAIL.unpack(octets[204:]),
        )


class xfrm_userpolicy_info(NamedTuple):
    """A policy::

    struct xfrm_userpolicy_info {
        struct xfrm_selector sel;
        struct xfrm_lifetime_cfg lft;
        struct xfrm_lifetime_cur curlft;
        __u32 priority;
        __u32 index;
        __u8 dir;
        __u8 action;
        __u8 flags;
        __u8 share;
    };
    """

    sel: xfrm_selector = xfrm_selector()
    lft: xfrm_lifetime_cfg = xfrm_lifetime_cfg()
    curlft: xfrm_lifetime_cur = xfrm_lifetime_cur()
    priority: int = 0
    index: int = 0  # type: ignore[assignment]
    dir: int = 0
    action: int = 0
    flags: int = 0
    share: int = 0

    def pack(self) -> bytes:
        sel, lft, curlft, *tail = self
        return b"".join((sel.pack(), lft.pack(), curlft.pack(), _POLICY_TAIL.pack(*tail)))

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(
            xfrm_selector.unpack(octets[:56]),
            xfrm_lifetime_cfg.unpack(octets[56:120]),
            xfrm_lifetime_cur.unpack(octets[120:152]),
            *_POLICY_TAIL.unpack(octets[152:]),
        )


class xfrm_userpolicy_id(NamedTuple):
    """What names a policy in DELPOLICY and GETPOLICY; by its selector where the index is 0::

    struct xfrm_userpolicy_id {
        struct xfrm_selector sel;
        __u32 index;
        __u8 dir;
    };
    """

    sel: xfrm_selector
    index: int  # type: ignore[assignment]
    dir: int

    def pack(self) -> bytes:
        return self.sel.pack() + _POLICY_ID.pack(self.index, self.dir)

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(xfrm_selector.unpack(octets[:56]), *_POLICY_ID.unpack(octets[56:]))


class xfrm_aevent_id(NamedTuple):
    """Whose sequence numbers NEWAE and GETAE are about::

    struct xfrm_aevent_id {
        struct xfrm_usersa_id sa_id;
        xfrm_address_t saddr;
        __u32 flags;
        __u32 reqid;
    };
    """

    sa_id: xfrm_usersa_id
    saddr: bytes
    flags: int
    reqid: int

    def pack(self) -> bytes:
        return self.sa_id.pack() + _AEVENT_TAIL.pack(*self[1:])

    @classmethod
    def unpack(cls, octets: bytes) -> Self:
        return cls(xfrm_usersa_id.unpack(octets[:24]), *_AEVENT_TAIL.unpack(octets[24:]))
