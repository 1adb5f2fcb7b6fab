"""DHCPINFORM: what Windows asks, what it is told, and what nobody should send."""

from __future__ import annotations

import os
import random
import struct
from ipaddress import IPv4Address, IPv4Network

import pytest

from ikepy.gateway.dhcp import (
    DNS,
    DOMAIN,
    MICROSOFT_ROUTES,
    MOST_ANSWER_OCTETS,
    MOST_OCTETS,
    ROUTES,
    Information,
    make_answer,
    read_inform,
    routes_of,
)

CLIENT, SERVER = IPv4Address("10.9.0.5"), IPv4Address("10.1.0.1")
COOKIE = b"\x63\x82\x53\x63"
WINDOWS_OPTIONS = (
    b"\x35\x01\x08"  # DHCPINFORM
    b"\x3d\x07\x01\x00\x50\x56\x00\x00\x01"  # client identifier
    b"\x0c\x06LAPTOP"
    b"\x3c\x08MSFT 5.0"
    b"\x37\x0d\x01\x03\x06\x0f\x1f\x21\x2b\x2c\x2e\x2f\x79\xf9\xfc"  # what Windows asks for
    b"\xff"
)
KNOWN = Information(
    SERVER,
    (IPv4Network("10.1.0.0/16"), IPv4Network("192.0.2.128/25")),
    (IPv4Address("10.1.0.53"), IPv4Address("10.1.0.54")),
    "corp.example",
)
SEED = int(os.environ.get("IKEPY_SEED", str(random.randrange(1 << 32))))


def inform(
    options: bytes = WINDOWS_OPTIONS,
    *,
    op: int = 1,
    client: IPv4Address = CLIENT,
    relay: bytes = bytes(4),
    length: int = 6,
    cookie: bytes = COOKIE,
) -> bytes:
    head = struct.pack("!BBBB4sHH", op, 1, length, 0, b"\x12\x34\x56\x78", 0, 0)
    addresses = client.packed + bytes(8) + relay
    return head + addresses + b"\0\x50\x56\0\0\1".ljust(16, b"\0") + bytes(192) + cookie + options


def told(octets: bytes) -> dict[int, bytes]:
    """The options of an answer, by number, those of one number joined (RFC 3396)."""
    assert octets[236:240] == COOKIE
    found: dict[int, bytes] = {}
    at = 240
    while octets[at] != 255:
        number, length = octets[at], octets[at + 1]
        found[number] = found.get(number, b"") + octets[at + 2 : at + 2 + length]
        at += 2 + length
    assert at == len(octets) - 1
    return found


def ask(octets: bytes, known: Information = KNOWN) -> dict[int, bytes]:
    question = read_inform(octets, CLIENT)
    assert question is not None
    return told(make_answer(question, CLIENT, known))


def test_windows_is_told_its_routes_its_servers_and_its_domain() -> None:
    found = ask(inform())
    assert found[53] == b"\x05"
    assert found[54] == SERVER.packed
    assert found[MICROSOFT_ROUTES] == bytes.fromhex("10 0a01 00000000  19 c0000280 00000000")
    assert found[ROUTES] == found[MICROSOFT_ROUTES]
    assert found[DNS] == bytes.fromhex("0a010035 0a010036")
    assert found[DOMAIN] == b"corp.example"


def test_an_answer_is_that_of_the_question() -> None:
    question = read_inform(inform(), CLIENT)
    assert question is not None
    answer = make_answer(question, CLIENT, KNOWN)
    assert answer[:4] == b"\x02\x01\x06\x00"
    assert answer[4:8] == b"\x12\x34\x56\x78"
    assert answer[12:16] == CLIENT.packed
    assert answer[16:20] == bytes(4), "nothing is leased"
    assert answer[28:34] == b"\0\x50\x56\0\0\1"


@pytest.mark.parametrize("bits", range(33))
def test_a_route_has_as_many_octets_as_its_prefix_needs(bits: int) -> None:
    network = IPv4Network((int(IPv4Address("172.255.129.255")) & ~((1 << (32 - bits)) - 1), bits))
    value = ask(inform(), Information(SERVER, (network,)))[MICROSOFT_ROUTES]
    octets = (bits + 7) // 8
    assert value == bytes([bits]) + network.network_address.packed[:octets] + bytes(4)


def test_only_what_is_asked_for_is_told_and_all_where_nothing_is_said() -> None:
    only_dns = ask(inform(b"\x35\x01\x08\x37\x01\x06\xff"))
    assert set(only_dns) == {53, 54, DNS}
    assert set(ask(inform(b"\x35\x01\x08\xff"))) == {53, 54, DNS, DOMAIN, ROUTES, MICROSOFT_ROUTES}
    assert set(ask(inform(), Information(SERVER))) == {53, 54}


def test_more_routes_than_fit_into_one_option_go_in_several() -> None:
    routes = tuple(IPv4Network(f"10.{number}.0.0/16") for number in range(60))
    found = ask(inform(b"\x35\x01\x08\x39\x02\x05\xdc\x37\x01\xf9\xff"), Information(SERVER, routes))
    assert len(found[MICROSOFT_ROUTES]) == 60 * 7


def test_what_does_not_fit_is_left_out_and_the_answer_stays_small() -> None:
    routes = tuple(IPv4Network(f"10.{number}.{other}.0/24") for number in range(40) for other in range(40))
    for size, most in (
        (b"", 576),
        (b"\x39\x02\x05\xdc", MOST_ANSWER_OCTETS),
        (b"\x39\x02\xff\xff", MOST_ANSWER_OCTETS),
    ):
        question = read_inform(inform(b"\x35\x01\x08" + size + b"\xff"), CLIENT)
        assert question is not None
        answer = make_answer(question, CLIENT, Information(SERVER, routes, KNOWN.dns))
        assert len(answer) + 28 <= most
        assert told(answer)[DNS], "servers go before routes"
        assert len(told(answer)[MICROSOFT_ROUTES]) % 8 == 0, "no route is cut through"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        inform(op=2),
        inform(client=IPv4Address("10.9.0.6")),
        inform(relay=bytes([10, 0, 0, 1])),
        inform(length=17),
        inform(cookie=b"\0\0\0\0"),
        inform(b"\xff"),
        inform(b"\x35\x01\x01\xff"),
        inform(b"\x35\x01\x03\xff"),
        inform(b"\x35\x00\xff"),
        inform(b"\x35\x02\x08\x08\xff"),
        inform(b"\x35\xff\x08"),
        inform(b"\x35"),
        inform() + bytes(MOST_OCTETS),
    ],
)
def test_anything_else_is_not_answered(octets: bytes) -> None:
    assert read_inform(octets, CLIENT) is None


def test_one_without_its_own_address_in_it_is_answered_where_it_came_from() -> None:
    assert read_inform(inform(client=IPv4Address(0)), CLIENT) is not None


def test_a_message_cut_short_anywhere_is_read_within_its_octets() -> None:
    whole = inform()
    for length in range(len(whole)):
        read_inform(whole[:length], CLIENT)


@pytest.mark.slow
def test_random_octets_are_read_or_not_and_answered_within_bounds() -> None:
    print(f"IKEPY_SEED={SEED}")
    rng, whole = random.Random(SEED), inform()
    for _ in range(20_000):
        octets = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            octets[rng.randrange(rng.choice((0, 236, 240)), len(octets))] = rng.randrange(256)
        question = read_inform(bytes(octets), CLIENT)
        if question is not None:
            assert len(make_answer(question, CLIENT, KNOWN)) <= MOST_ANSWER_OCTETS


def test_everything_is_two_halves_and_broadcasts_have_no_route() -> None:
    networks = [IPv4Network(each) for each in ("0.0.0.0/0", "255.255.255.255/32", "224.0.0.0/4", "10.1.0.0/16")]
    assert routes_of([*networks, networks[3]]) == (
        IPv4Network("0.0.0.0/1"),
        IPv4Network("128.0.0.0/1"),
        IPv4Network("10.1.0.0/16"),
    )
