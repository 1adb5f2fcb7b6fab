"""Reading `ip -s xfrm state`."""

from __future__ import annotations

from ikepy.demo.kernel_view import KernelState, parse_states

# ip prints tabs.
TWO_STATES = """\
src 192.0.2.1 dst 192.0.2.2
>proto esp spi 0x0a0b0c0d(168496141) reqid 484442113(0x1ce00001) mode tunnel
>replay-window 0 seq 0x00000000 flag af-unspec esn (0x10100000)
>aead rfc4106(gcm(aes)) 0x00112233445566778899aabbccddeeff (160 bits) 128
>anti-replay esn context:
> seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0xa
>lifetime config:
>  limit: soft (INF)(bytes), hard (INF)(bytes)
>lifetime current:
>  840(bytes), 10(packets)
>  add 2026-01-01 00:00:00 use 2026-01-01 00:00:01
>stats:
>  replay-window 0 replay 0 failed 0
src fe80::1 dst fe80::2
>proto esp spi 0x7(7) reqid 1(0x00000001) mode transport
>enc cbc(aes) 0x00 (128 bits)
>lifetime current:
>  0(bytes), 0(packets)
""".replace(">", "\t")


def test_each_state_is_read_with_what_the_kernel_counted() -> None:
    assert parse_states(TWO_STATES) == [
        KernelState("192.0.2.1", "192.0.2.2", "0a0b0c0d", "rfc4106(gcm(aes))", 10, 840),
        KernelState("fe80::1", "fe80::2", "00000007", "cbc(aes)", 0, 0),
    ]


def test_no_states_are_no_states() -> None:
    assert parse_states("") == []
