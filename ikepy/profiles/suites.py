"""One suite of those the gateway takes, for clients that are told exactly one.

Rule 1: a suite is only ever one the configuration's proposals admit; where a client can do none, that is an error.
Rule 2: which of them is the client's own order: what it does best stands first in its table.
Not here: the words of each platform (their modules).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ikepy.config.algorithms import proposal_words, transform_word
from ikepy.profiles.facts import NotForThisPlatform
from ikepy.wire.registry import TransformType
from ikepy.wire.sa import Proposal

NO_EXCHANGE = "modpnone"
"The word of a key exchange that may be left out."
_FIVE = frozenset(
    {TransformType.ENCR, TransformType.PRF, TransformType.INTEG, TransformType.KE, TransformType.ESN},
)
"What these clients can be told of; where the gateway demands more (RFC 9370), they cannot."


@dataclass(frozen=True, slots=True)
class IkeSuite:
    """One algorithm of each kind, in the configuration's words.

    integ   None where the cipher protects integrity itself
    """

    encr: str
    integ: str | None
    prf: str
    ke: str

    def words(self) -> str:
        """As it stands in a configuration."""
        return "-".join(word for word in (self.encr, self.integ, self.prf, self.ke) if word is not None)


@dataclass(frozen=True, slots=True)
class EspSuite:
    """One algorithm of each kind for ESP, without extended sequence numbers.

    ke   the group of rekeyings; None where there need be none
    """

    encr: str
    integ: str | None
    ke: str | None

    def words(self) -> str:
        """As it stands in a configuration."""
        return "-".join(word for word in (self.encr, self.integ, self.ke) if word is not None)


@dataclass(frozen=True, slots=True)
class Ability:
    """What a client can be told, the best first, in the configuration's words.

    ike_encr, esp_encr   (cipher, integrity) pairs; integrity None for ciphers that need none
    prfs                 pseudorandom functions
    groups               key exchanges
    esp_groups           key exchanges of ESP
    same_hash            whether PRF and integrity of IKE are one setting
    """

    name: str
    ike_encr: tuple[tuple[str, str | None], ...]
    esp_encr: tuple[tuple[str, str | None], ...]
    prfs: tuple[str, ...]
    groups: tuple[str, ...]
    esp_groups: tuple[str, ...]
    same_hash: bool = True


def choose_ike(proposals: Sequence[Proposal], ability: Ability) -> IkeSuite:
    """Choose the IKE suite a client does best of those the gateway takes; raises NotForThisPlatform."""
    offered = [_by_kind(proposal) for proposal in proposals]
    for (encr, integ), ke, prf in product(ability.ike_encr, ability.groups, ability.prfs):
        if ability.same_hash and integ is not None and prf != f"prf{integ}":
            continue
        suite = IkeSuite(encr, integ, prf, ke)
        if any(_admits_ike(kinds, suite) for kinds in offered):
            return suite
    raise _none("proposals", proposals, ability)


def choose_esp(proposals: Sequence[Proposal], ability: Ability) -> EspSuite:
    """Choose the ESP suite likewise, without a key exchange wherever none is demanded; raises NotForThisPlatform."""
    offered = [kinds for kinds in map(_by_kind, proposals) if _allows(kinds, TransformType.ESN, "noesn")]
    for encr, integ in ability.esp_encr:
        fitting = [kinds for kinds in offered if _admits_cipher(kinds, encr, integ)]
        if any(_needs_no_exchange(kinds) for kinds in fitting):
            return EspSuite(encr, integ, None)
        for ke in ability.esp_groups:
            if any(ke in kinds[TransformType.KE] for kinds in fitting):
                return EspSuite(encr, integ, ke)
    raise _none("esp_proposals", proposals, ability)


def written(proposals: Sequence[Proposal]) -> Iterator[str]:
    """All proposals in words, as strongSwan and ikepy read them."""
    yield from dict.fromkeys(map(proposal_words, proposals))


def _by_kind(proposal: Proposal) -> dict[TransformType, frozenset[str]]:
    kinds: dict[TransformType, set[str]] = {kind: set() for kind in TransformType}
    for transform in proposal.transforms:
        kinds.setdefault(transform.type, set()).add(transform_word(transform))
    return {kind: frozenset(words) for kind, words in kinds.items()}


def _admits_ike(kinds: dict[TransformType, frozenset[str]], suite: IkeSuite) -> bool:
    return (
        _admits_cipher(kinds, suite.encr, suite.integ)
        and suite.prf in kinds[TransformType.PRF]
        and suite.ke in kinds[TransformType.KE]
    )


def _admits_cipher(kinds: dict[TransformType, frozenset[str]], encr: str, integ: str | None) -> bool:
    more = (words for kind, words in kinds.items() if kind not in _FIVE)
    if encr not in kinds[TransformType.ENCR] or any(words and NO_EXCHANGE not in words for words in more):
        return False
    return not kinds[TransformType.INTEG] if integ is None else integ in kinds[TransformType.INTEG]


def _allows(kinds: dict[TransformType, frozenset[str]], kind: TransformType, word: str) -> bool:
    return not kinds[kind] or word in kinds[kind]


def _needs_no_exchange(kinds: dict[TransformType, frozenset[str]]) -> bool:
    return not kinds[TransformType.KE] or NO_EXCHANGE in kinds[TransformType.KE]


def _none(key: str, proposals: Sequence[Proposal], ability: Ability) -> NotForThisPlatform:
    encr, integ = (ability.ike_encr if key == "proposals" else ability.esp_encr)[0]
    rest = [ability.prfs[0], ability.groups[0]] if key == "proposals" else []
    if integ is not None and rest:
        rest[0] = f"prf{integ}"
    example = "-".join(word for word in (encr, integ, *rest) if word is not None)
    return NotForThisPlatform(
        f"{ability.name} can do none of the gateway's {key} ({', '.join(written(proposals))}): add {example} to {key}"
    )
