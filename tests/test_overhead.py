"""What ESP adds to a packet, against the sizes of packets built by hand and the table of docs/operating.md."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikepy.crypto.cipher import supported_encrs
from ikepy.crypto.errors import NoSuchAlgorithm
from ikepy.crypto.secret import Secret
from ikepy.ipsec import Mode, SaSpec, Spi, UdpEncap
from ikepy.overhead import overhead_of, segment_octets, tunnel_segment
from ikepy.wire.registry import EncrId, IntegId

OPERATING = Path(__file__).parents[1] / "docs" / "operating.md"
GCM, CBC, CHACHA = (
    (EncrId.AES_GCM_16, None),
    (EncrId.AES_CBC, IntegId.HMAC_SHA2_256_128),
    (EncrId.CHACHA20_POLY1305, None),
)
SUITES = {"aes256gcm16": GCM, "aes256-sha256": CBC, "chacha20poly1305": CHACHA}
OUTER = {"IPv4": (4, False), "IPv4, UDP": (4, True), "IPv6": (6, False), "IPv6, UDP": (6, True)}
Suite = tuple[EncrId, IntegId | None]


def make_sa(suite: Suite = GCM, version: int = 4, *, udp: bool = False, mode: Mode = Mode.TUNNEL) -> SaSpec:
    """An SA of these algorithms; nothing is protected by it."""
    ends = ("192.0.2.1", "192.0.2.2") if version == 4 else ("2001:db8::1", "2001:db8::2")
    return SaSpec(
        source=ip_address(ends[0]),
        destination=ip_address(ends[1]),
        spi=Spi(0xC0000001),
        mode=mode,
        reqid=1,
        encr=suite[0],
        encr_key=Secret(b""),
        integ=suite[1],
        encap=UdpEncap(4500, 4500) if udp else None,
    )


def esp_octets(packet: int, iv: int, block: int, icv: int, around: int) -> int:
    """The outer packet's length, octet by octet as RFC 4303 §2 draws it."""
    plain = packet + 2
    while plain % block:
        plain += 1
    return around + 4 + 4 + iv + plain + icv


def table_of_docs() -> list[tuple[str, str, int, int]]:
    """Suite, outer packet, inner MTU for 1500 and for 1400."""
    rows = re.findall(r"^\| `(\S+)` +\| ([^|]+?) +\| (\d+) \| (\d+) \|$", OPERATING.read_text(), re.MULTILINE)
    return [(suite, outer, int(first), int(second)) for suite, outer, first, second in rows]


def test_the_table_in_the_documentation_is_what_is_reckoned() -> None:
    rows = table_of_docs()
    assert {(suite, outer) for suite, outer, *_ in rows} == {(suite, outer) for suite in SUITES for outer in OUTER}
    for suite, outer, of_1500, of_1400 in rows:
        version, udp = OUTER[outer]
        overhead = overhead_of(make_sa(SUITES[suite], version, udp=udp))
        assert (overhead.inner_mtu(1500), overhead.inner_mtu(1400)) == (of_1500, of_1400), (suite, outer)


@pytest.mark.parametrize("path_mtu", range(576, 640))
@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize(("name", "iv", "block"), [("aes256gcm16", 8, 4), ("aes256-sha256", 16, 16)])
def test_the_largest_packet_fits_and_one_octet_more_does_not(
    name: str, iv: int, block: int, outer: str, path_mtu: int
) -> None:
    version, udp = OUTER[outer]
    overhead = overhead_of(make_sa(SUITES[name], version, udp=udp))
    around = (20 if version == 4 else 40) + (8 if udp else 0)
    inner = overhead.inner_mtu(path_mtu)
    assert esp_octets(inner, iv, block, 16, around) <= path_mtu < esp_octets(inner + 1, iv, block, 16, around)
    assert overhead.outer_octets(inner) == esp_octets(inner, iv, block, 16, around)


def test_transport_mode_keeps_the_packets_own_header() -> None:
    # 1500 - 20 - 8 - 8 - 16 = 1448 encrypted, of which 2 are the trailer; the header stands before it.
    assert overhead_of(make_sa(mode=Mode.TRANSPORT)).inner_mtu(1500) == 1446 + 20
    assert overhead_of(make_sa(mode=Mode.TRANSPORT)).outer_octets(1466) == 1500
    assert overhead_of(make_sa(version=6, mode=Mode.TRANSPORT)).inner_mtu(1500) == 1426 + 40


def test_every_cipher_of_ours_can_be_reckoned_with() -> None:
    for number in supported_encrs():
        is_aead = number not in {EncrId.AES_CBC, EncrId.AES_CTR, EncrId.TRIPLE_DES}
        sa = make_sa((number, None if is_aead else IntegId.HMAC_SHA1_96))
        assert 1400 < overhead_of(sa).inner_mtu(1500) < 1460, number
    with pytest.raises(NoSuchAlgorithm, match="no cipher"):
        overhead_of(make_sa((EncrId(60000), None)))


def test_nothing_is_left_of_a_path_smaller_than_what_is_added() -> None:
    assert overhead_of(make_sa()).inner_mtu(40) == 0


def test_segments_leave_room_for_both_headers() -> None:
    assert (segment_octets(1500, 4), segment_octets(1500, 6), segment_octets(30, 4)) == (1460, 1440, 1)
    assert tunnel_segment(make_sa(), 1500, 4) == 1446 - 40
    assert tunnel_segment(make_sa(), 1500, 6) == 1446 - 60


def test_segments_fit_a_path_that_is_too_narrow_for_1280_octets_of_ipv6_inside() -> None:
    # Hosts ignore a path MTU below 1280 (RFC 8201 §4), but not an MSS.
    assert tunnel_segment(make_sa(), 1280, 6) == 1226 - 60
    assert tunnel_segment(make_sa(), 1280, 4) == 1226 - 40
