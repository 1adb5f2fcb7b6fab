"""Offers of clients, written in the words of the configuration.

Rule 1: what a client offers is said as it is, also where no gateway should take it: DES, MODP-1024, no cipher.
Not here: what is taken (ike/negotiation.py), words (config/algorithms.py).
"""

from __future__ import annotations

from itertools import product

from ikepy.config.algorithms import WORDS
from ikepy.wire.registry import ProtocolId
from ikepy.wire.sa import Proposal


def ike_offer(*texts: str) -> tuple[Proposal, ...]:
    """Proposals of IKE, numbered from 1; the transforms stand in the order of the words."""
    return _offer(ProtocolId.IKE, texts)


def esp_offer(*texts: str) -> tuple[Proposal, ...]:
    """Proposals of ESP, numbered from 1, with no SPI yet; extended sequence numbers are off where no word says otherwise."""
    return _offer(ProtocolId.ESP, [text if "esn" in text.split("-") else _without_esn(text) for text in texts])


def each_combination(*words: tuple[str, ...]) -> tuple[str, ...]:
    """One text for each combination, the last words changing fastest, as clients do that know no lists."""
    return tuple("-".join(combination) for combination in product(*words))


def _without_esn(text: str) -> str:
    return text if text.endswith("noesn") else f"{text}-noesn"


def _offer(protocol: ProtocolId, texts: tuple[str, ...] | list[str]) -> tuple[Proposal, ...]:
    return tuple(
        Proposal(number, protocol, b"", tuple(WORDS[word] for word in text.split("-")))
        for number, text in enumerate(texts, 1)
    )
