"""Micro-benchmarks: what one call costs on this machine, in microseconds; the best of several rounds."""

from __future__ import annotations

import timeit
from collections.abc import Callable

from ikepy.crypto.entropy import SystemEntropy
from ikepy.crypto.key_exchange import make_key_exchange
from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import esp_suite, ike_suite
from ikepy.ike.keymat import derive_child_keys, derive_ike_keys, derive_skeyseed
from ikepy.ike.negotiation import choose
from ikepy.ike.protection import Protection
from ikepy.wire.header import FLAG_INITIATOR, IkeHeader
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import make_hash_algorithms
from ikepy.wire.payloads import Ke, Nonce
from ikepy.wire.registry import ExchangeType, HashAlgorithm, KeMethod, PayloadType
from ikepy.wire.sa import Sa
from tests.support.pair import make_child, make_config

ROUNDS, CALLS = 7, 300


def measure(call: Callable[[], object]) -> float:
    """Microseconds of one call."""
    return min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def run() -> list[tuple[str, float]]:
    """What is measured, and what it costs."""
    entropy = SystemEntropy()
    proposal = make_config().connections[0].proposals[0]
    from ikepy.ike.actions import Path, SocketAddress
    from ikepy.ike.nat import make_nat_notifies
    from tests.support.pair import LEFT, RIGHT

    path = Path(SocketAddress(LEFT, 500), SocketAddress(RIGHT, 500))
    exchange, peer = make_key_exchange(KeMethod.CURVE25519, entropy), make_key_exchange(KeMethod.CURVE25519, entropy)
    spi_i, spi_r, ni, nr = entropy.octets(8), entropy.octets(8), entropy.octets(32), entropy.octets(32)
    hashes = (HashAlgorithm.SHA2_512, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_256, HashAlgorithm.IDENTITY)

    def header(kind: ExchangeType) -> IkeHeader:
        return IkeHeader(spi_i, spi_r, PayloadType.NO_NEXT_PAYLOAD, kind, FLAG_INITIATOR, 0, 0)

    payloads = (
        Sa((proposal,)), Ke(KeMethod.CURVE25519, exchange.public), Nonce(ni),
        *make_nat_notifies(spi_i, bytes(8), path, pretend=None), make_hash_algorithms(hashes),
    )  # fmt: skip
    init = build_message(Message(header(ExchangeType.IKE_SA_INIT), payloads))
    parsed = parse_message(init)
    suite, shared = ike_suite(proposal), exchange.shared(peer.public)
    keys = derive_ike_keys(suite, derive_skeyseed(suite.prf, shared, ni, nr), ni, nr, spi_i, spi_r)
    ours = Protection(suite, keys, entropy, is_initiator=True)
    theirs = Protection(suite, keys, entropy, is_initiator=False)
    sealed = ours.seal(header(ExchangeType.IKE_AUTH), payloads)
    outer = parse_message(sealed)
    esp = esp_suite(make_child().esp_proposals[0])
    skeyseed = derive_skeyseed(suite.prf, shared, ni, nr)
    offer = Sa((proposal,))
    return [
        (f"parse IKE_SA_INIT, {len(init)} octets", measure(lambda: parse_message(init))),
        (f"build IKE_SA_INIT, {len(init)} octets", measure(lambda: build_message(parsed))),
        ("choose a proposal", measure(lambda: choose(offer, (proposal,)))),
        ("Curve25519: a key and a shared secret", measure(
            lambda: make_key_exchange(KeMethod.CURVE25519, entropy).shared(peer.public))),
        ("SKEYSEED and SK_*", measure(
            lambda: derive_ike_keys(suite, derive_skeyseed(suite.prf, shared, ni, nr), ni, nr, spi_i, spi_r))),
        ("KEYMAT of a child", measure(lambda: derive_child_keys(suite.prf, Secret(skeyseed.reveal()), esp, ni, nr, None))),
        ("seal a message", measure(lambda: ours.seal(header(ExchangeType.IKE_AUTH), payloads))),
        ("open a message", measure(lambda: theirs.open(outer, sealed))),
    ]  # fmt: skip
