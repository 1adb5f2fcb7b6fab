"""nf_tables messages: a table of our own that sends the packets of some SPIs to a queue.

What is made here, in the words of nft::

    table inet NAME {
        flags owner
        set early { typeof esp spi; }
        chain prerouting {
            type filter hook prerouting priority raw; policy accept;
            meta l4proto esp @th,0,32 @early queue flags bypass to NUMBER
            meta l4proto udp @th,64,32 @early queue flags bypass to NUMBER
        }
    }

Rule 1: the table has an owner, the socket that made it: the kernel removes it with the socket, however the process
        ends, and nobody else's `flush ruleset` takes it away (Linux 5.12).
Not here: sending (early.py), the queue itself (queue.py).
"""

from __future__ import annotations

import struct

from ikepy.kernel.messages.netfilter import (
    NFNL_SUBSYS_NFTABLES,
    NFPROTO_INET,
    attribute,
    make_message,
    name_of,
    nested,
    netfilter_message,
    number_of,
)

SET = "early"
CHAIN = "prerouting"
SPI_OCTETS = 4
PARTS = (
    "tables with an owner (nf_tables of family inet, Linux 5.12)",
    "a set of nf_tables",
    "a prerouting chain of nf_tables",
    "a queue rule for ESP (nft_queue)",
    "a queue rule for UDP (nft_queue)",
)
"""What is made, for whoever must be told that it cannot be."""

_NEWTABLE, _NEWCHAIN, _NEWRULE, _NEWSET, _NEWSETELEM, _DELSETELEM = 0, 3, 6, 9, 12, 14
_NLM_F_EXCL, _NLM_F_CREATE, _NLM_F_APPEND = 0x200, 0x400, 0x800
_TABLE_F_OWNER = 0x2
_TYPE_INTEGER = 4
_NF_INET_PRE_ROUTING, _NF_ACCEPT, _PRIORITY_RAW = 0, 1, -300
_REG_1 = 1
_META_L4PROTO = 16
_CMP_EQ = 0
_TRANSPORT_HEADER = 2
_QUEUE_FLAG_BYPASS = 0x1
_IPPROTO_UDP, _IPPROTO_ESP = 17, 50
_UDP_HEADER_OCTETS = 8
_EXPRESSION_NAME, _EXPRESSION_DATA, _LIST_ELEMENT = 1, 2, 1


def _note(number: int, octets: bytes) -> bytes:
    """A piece of the notes that `nft` leaves with a set for whoever lists it."""
    return bytes((number, len(octets))) + octets


def _typeof_esp_spi() -> bytes:
    # nft's own numbers: big-endian; a field of a header; the header is ESP's, the field its first, of 32 bits.
    number = struct.Struct("=I").pack
    field = _note(0, number(2)) + _note(1, number(1)) + _note(4, number(32))
    return _note(0, number(2)) + _note(3, _note(0, number(7)) + _note(1, field))


_TYPEOF_ESP_SPI = _typeof_esp_spi()
"""Without it `nft list ruleset` prints what `nft -f` does not read."""


def make_table(name: str, queue: int) -> list[netfilter_message]:
    """The table, its set and its chain with both rules; `queue` is where held packets go."""
    hook = nested(4, number_of(1, _NF_INET_PRE_ROUTING), number_of(2, _PRIORITY_RAW))
    chain = name_of(1, name) + name_of(3, CHAIN) + hook + number_of(5, _NF_ACCEPT) + name_of(7, "filter")
    # A set is known by an ID until its batch is done; 1 is as good as any.
    held = name_of(1, name) + name_of(2, SET) + number_of(3, 0) + number_of(4, _TYPE_INTEGER)
    held += number_of(5, SPI_OCTETS) + number_of(10, 1) + attribute(13, _TYPEOF_ESP_SPI)
    return [
        _message(_NEWTABLE, name_of(1, name) + number_of(2, _TABLE_F_OWNER), _NLM_F_CREATE | _NLM_F_EXCL),
        _message(_NEWSET, held, _NLM_F_CREATE),
        _message(_NEWCHAIN, chain, _NLM_F_CREATE),
        _message(_NEWRULE, _rule(name, _IPPROTO_ESP, 0, queue), _NLM_F_CREATE | _NLM_F_APPEND),
        _message(_NEWRULE, _rule(name, _IPPROTO_UDP, _UDP_HEADER_OCTETS, queue), _NLM_F_CREATE | _NLM_F_APPEND),
    ]


def add_spi(table: str, spi: int) -> netfilter_message:
    """Send packets with that SPI to the queue from now on."""
    return _message(_NEWSETELEM, _element(table, spi), _NLM_F_CREATE)


def remove_spi(table: str, spi: int) -> netfilter_message:
    """Let packets with that SPI pass from now on."""
    return _message(_DELSETELEM, _element(table, spi), 0)


def _message(kind: int, attributes: bytes, flags: int) -> netfilter_message:
    return make_message(NFNL_SUBSYS_NFTABLES << 8 | kind, attributes, family=NFPROTO_INET, flags=flags)


def _element(table: str, spi: int) -> bytes:
    key = nested(1, attribute(1, spi.to_bytes(SPI_OCTETS, "big")))
    return name_of(1, table) + name_of(2, SET) + nested(3, nested(_LIST_ELEMENT, key))


def _rule(table: str, protocol: int, spi_at: int, queue: int) -> bytes:
    """A rule: packets of that protocol whose SPI, so far behind the IP header, is in the set, go to the queue."""
    number = struct.Struct(">H").pack
    expressions = (
        _expression("meta", number_of(1, _REG_1), number_of(2, _META_L4PROTO)),
        _expression("cmp", number_of(1, _REG_1), number_of(2, _CMP_EQ), nested(3, attribute(1, bytes((protocol,))))),
        _expression(
            "payload",
            number_of(1, _REG_1),
            number_of(2, _TRANSPORT_HEADER),
            number_of(3, spi_at),
            number_of(4, SPI_OCTETS),
        ),
        _expression("lookup", name_of(1, SET), number_of(2, _REG_1), number_of(4, 1)),
        _expression(
            "queue", attribute(1, number(queue)), attribute(2, number(1)), attribute(3, number(_QUEUE_FLAG_BYPASS))
        ),
    )
    return name_of(1, table) + name_of(2, CHAIN) + nested(4, *expressions)


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(_LIST_ELEMENT, name_of(_EXPRESSION_NAME, name), nested(_EXPRESSION_DATA, *attributes))
