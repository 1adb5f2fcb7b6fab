"""What the kernel itself says of its IPsec states, read from `ip -s xfrm state`: evidence that is not ours."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ikepy.demo.commands import run
from ikepy.demo.network import Gateway

_BETWEEN_STATES = re.compile(r"^(?=src )", re.MULTILINE)
_STATE = re.compile(r"^src (?P<source>\S+) dst (?P<destination>\S+)$", re.MULTILINE)
_SPI = re.compile(r"\bspi 0x(?P<spi>[0-9a-f]{1,8})\b")
_CIPHER = re.compile(r"^\s+(?:aead|enc) (?P<cipher>\S+)", re.MULTILINE)
_COUNTS = re.compile(r"lifetime current:\s+(?P<octets>\d+)\(bytes\), (?P<packets>\d+)\(packets\)")


@dataclass(frozen=True, slots=True)
class KernelState:
    """One state, as the kernel counts it."""

    source: str
    destination: str
    spi: str
    cipher: str
    packets: int
    octets: int


def kernel_states(gateway: Gateway) -> list[KernelState]:
    """The states in a gateway's kernel."""
    return parse_states(run("ip", "-n", gateway.namespace, "-s", "xfrm", "state"))


def parse_states(text: str) -> list[KernelState]:
    """Read what `ip -s xfrm state` prints; a state without counters is left out."""
    states = []
    for block in _BETWEEN_STATES.split(text):
        ends = _STATE.search(block)
        spi, cipher, counts = _SPI.search(block), _CIPHER.search(block), _COUNTS.search(block)
        if ends is None or spi is None or counts is None:
            continue
        states.append(
            KernelState(
                ends["source"],
                ends["destination"],
                spi["spi"].rjust(8, "0"),
                cipher["cipher"] if cipher is not None else "?",
                int(counts["packets"]),
                int(counts["octets"]),
            )
        )
    return states
