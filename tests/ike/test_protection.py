"""SK: what one side seals the other opens, and nobody else."""

from __future__ import annotations

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.crypto.errors import IntegrityError
from ikepy.crypto.secret import Secret
from ikepy.crypto.suites import ike_suite
from ikepy.ike.keymat import derive_ike_keys, derive_skeyseed
from ikepy.ike.protection import Protection
from ikepy.wire.errors import InvalidSyntax
from ikepy.wire.header import FLAG_INITIATOR, IkeHeader
from ikepy.wire.message import Message, parse_message
from ikepy.wire.payloads import Nonce, Sk
from ikepy.wire.registry import (
    ExchangeType,
    PayloadType,
    ProtocolId,
)
from ikepy.wire.sa import Proposal
from tests.support.entropy import SeededEntropy


def ike(*words: str) -> tuple[Proposal, ...]:
    return parse_proposals(words, ProtocolId.IKE)


SUITES = ["aes256gcm16-prfsha256-x25519", "aes128-sha256-modp2048", "aes128ctr-sha1-x25519", "3des-sha1-modp1024"]


def protections(words: str) -> tuple[Protection, Protection]:
    (proposal,) = ike(words)
    suite, ni, nr = ike_suite(proposal), bytes(32), bytes(range(32))
    keys = derive_ike_keys(suite, derive_skeyseed(suite.prf, Secret(b"shared"), ni, nr), ni, nr, b"i" * 8, b"r" * 8)
    assert set(keys.named()) == {"SK_d", "SK_ai", "SK_ar", "SK_ei", "SK_er", "SK_pi", "SK_pr"}
    entropy = SeededEntropy(3)
    return tuple(Protection(suite, keys, entropy, is_initiator=side) for side in (True, False))  # type: ignore[return-value]


HEADER = IkeHeader(b"i" * 8, b"r" * 8, PayloadType(0), ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 2, 0)


@pytest.mark.parametrize("words", SUITES)
def test_what_one_side_seals_the_other_opens_and_nobody_else(words: str) -> None:
    ours, theirs = protections(words)
    sealed = ours.seal(HEADER, (Nonce(bytes(20)),))
    assert theirs.open(parse_message(sealed), sealed).payloads == (Nonce(bytes(20)),)
    with pytest.raises(IntegrityError):
        ours.open(parse_message(sealed), sealed)
    for at in (0, 20, 40, len(sealed) - 1):
        changed = bytes(o ^ (n == at) for n, o in enumerate(sealed))
        with pytest.raises((IntegrityError, InvalidSyntax)):
            theirs.open(parse_message(changed), changed)
    assert ours.seal(HEADER, ()) != ours.seal(HEADER, ())


@pytest.mark.parametrize("words", SUITES)
def test_bodies_too_short_or_with_too_much_padding_do_not_open(words: str) -> None:
    ours, theirs = protections(words)
    for length in range(40):
        short = Message(HEADER, (Sk(PayloadType.NONCE, bytes(length)),))
        with pytest.raises(IntegrityError):
            theirs.open(short, bytes(32) + bytes(length))
    with pytest.raises(IntegrityError):
        theirs.open(Message(HEADER, ()), b"")
    with pytest.raises(IntegrityError):
        theirs.open(Message(HEADER, (Nonce(bytes(16)),)), b"")
    # A padding that is said to be longer than what there is.
    block = 8 if words.startswith("3des") else 16
    sealed = ours.seal_octets(HEADER, Sk(PayloadType(0), b""), b"", bytes(block - 1))
    assert theirs.open(parse_message(sealed), sealed).payloads == ()
