"""Proposals: which of the offered ones we take, and whether an answer is one we offered (RFC 7296 §2.7, §3.3).

Rule 1: pure functions of what is offered and what is configured.
Rule 2: our order of proposals decides, and in a proposal our order of transforms; a key exchange method for which
        the peer sent its public value already goes first, which saves a round trip.
Not here: text of proposals (config/algorithms.py), what an algorithm does (crypto/).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikepy.ike.errors import NoProposalChosen
from ikepy.wire.registry import EncrId, EsnId, IntegId, KeMethod, ProtocolId, TransformType
from ikepy.wire.sa import Proposal, Sa, Transform, make_transform

AEAD = frozenset(
    {
        EncrId.AES_CCM_8,
        EncrId.AES_CCM_12,
        EncrId.AES_CCM_16,
        EncrId.AES_GCM_8,
        EncrId.AES_GCM_12,
        EncrId.AES_GCM_16,
        EncrId.CHACHA20_POLY1305,
    }
)
"""Ciphers that need no INTEG transform (RFC 5282 §8, RFC 7634 §3)."""

_IKE_TYPES = frozenset({TransformType.ENCR, TransformType.PRF, TransformType.INTEG, TransformType.KE})
_ESP_TYPES = frozenset({TransformType.ENCR, TransformType.INTEG, TransformType.KE, TransformType.ESN})
_NONE_OF = {
    TransformType.INTEG: make_transform(TransformType.INTEG, IntegId.NONE),
    TransformType.KE: make_transform(TransformType.KE, KeMethod.NONE),
    TransformType.ESN: make_transform(TransformType.ESN, EsnId.NO_ESN),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What both sides can do.

    proposal   the answer: one transform a type, the offer's number, the SPI still the peer's
    peer_spi   the SPI in the offer that was taken, empty in IKE_SA_INIT
    """

    proposal: Proposal
    peer_spi: bytes

    def answered_with(self, spi: bytes) -> Proposal:
        """The proposal to send back, with our SPI in it."""
        return Proposal(self.proposal.number, self.proposal.protocol, spi, self.proposal.transforms)


def choose(
    offered: Sa, ours: tuple[Proposal, ...], *, sent_ke: KeMethod | None = None, with_ke: bool = True
) -> Chosen | None:
    """Choose from an offer (RFC 7296 §2.7), None where nothing fits.

    ours      our proposals, best first, all of one protocol
    sent_ke   the method of the KE payload beside the offer
    with_ke   False where KE transforms do not count: a child made in IKE_AUTH (§1.2)
    """
    for mine in ours:
        for theirs in offered.proposals:
            if mine.protocol != theirs.protocol:
                continue
            transforms = _choose_transforms(theirs, mine, sent_ke, with_ke=with_ke)
            if transforms is not None:
                return Chosen(Proposal(theirs.number, theirs.protocol, theirs.spi, transforms), theirs.spi)
    return None


def check_answer(answer: Sa, offered: tuple[Proposal, ...], *, with_ke: bool = True) -> Chosen:
    """Check that an answer takes one of our proposals, one transform a type (RFC 7296 §2.7, §3.3.6).

    Raises NoProposalChosen where it does not.
    """
    if len(answer.proposals) != 1:
        raise NoProposalChosen(f"the peer answered with {len(answer.proposals)} proposals instead of one")
    theirs = answer.proposals[0]
    for mine in offered:
        if mine.protocol == theirs.protocol and mine.number == theirs.number:
            kinds = [transform.type for transform in theirs.transforms]
            transforms = _choose_transforms(theirs, mine, None, with_ke=with_ke)
            if transforms is not None and len(kinds) == len(set(kinds)):
                return Chosen(Proposal(theirs.number, theirs.protocol, theirs.spi, transforms), theirs.spi)
    raise NoProposalChosen(f"the peer answered with a proposal we did not offer: number {theirs.number}")


def number_proposals(proposals: tuple[Proposal, ...], spi: bytes, *, with_ke: bool = True) -> tuple[Proposal, ...]:
    """Our proposals as they are offered: numbered from 1, with our SPI, KE transforms left out where they do not count.

    Of those that are equal then, the first alone is offered.
    """
    counted = dict.fromkeys(
        (proposal.protocol, tuple(t for t in proposal.transforms if with_ke or t.type != TransformType.KE))
        for proposal in proposals
    )
    return tuple(
        Proposal(number, protocol, spi, transforms) for number, (protocol, transforms) in enumerate(counted, 1)
    )


def lead_with(proposals: tuple[Proposal, ...], present: Proposal) -> tuple[Proposal, ...]:
    """Our proposals for new keys, led by the suite that the SA has already: there are peers that take no other.

    Its key exchange method goes first, behind it those that are configured beside it; a suite that is not configured
    any more is not offered.
    """
    suite = tuple(each for each in present.transforms if each.type != TransformType.KE)
    for proposal in proposals:
        if all(each in proposal.transforms for each in suite):
            own = [each for each in present.transforms if each.type == TransformType.KE and each in proposal.transforms]
            others = [each for each in proposal.transforms if each.type == TransformType.KE and each not in own]
            return (replace(proposal, transforms=(*suite, *own, *others)), *proposals)
    return proposals


def ke_methods(proposals: tuple[Proposal, ...]) -> tuple[KeMethod, ...]:
    """The key exchange methods in proposals, best first, each once, NONE left out."""
    found = dict.fromkeys(
        KeMethod(transform.id)
        for proposal in proposals
        for transform in proposal.transforms
        if transform.type == TransformType.KE and transform.id != KeMethod.NONE
    )
    return tuple(found)


def chosen_ke(proposal: Proposal) -> KeMethod:
    """The one key exchange method of a chosen proposal; NONE where it has none."""
    return next((KeMethod(t.id) for t in proposal.transforms if t.type == TransformType.KE), KeMethod.NONE)


def _choose_transforms(
    theirs: Proposal, mine: Proposal, sent_ke: KeMethod | None, *, with_ke: bool
) -> tuple[Transform, ...] | None:
    known = _IKE_TYPES if theirs.protocol == ProtocolId.IKE else _ESP_TYPES
    offered, wanted = _by_type(theirs, with_ke=with_ke), _by_type(mine, with_ke=with_ke)
    if not set(offered) <= known:
        return None  # §3.3.6: a proposal with an unknown transform type is not for us
    chosen: list[Transform] = []
    for kind in sorted(set(offered) | set(wanted)):
        if kind == TransformType.INTEG and chosen and EncrId(chosen[0].id) in AEAD:
            if _is_only_aead(offered) and not _has_none(offered.get(kind, _none_of(kind))):
                return None  # RFC 5282 §8: ciphers that are all AEAD with a real INTEG are no proposal
            continue
        picked = _choose_transform(offered.get(kind) or _none_of(kind), wanted.get(kind) or _none_of(kind), sent_ke)
        if picked is None:
            return None
        if kind in offered:
            chosen.append(picked)
    return tuple(chosen) if _is_complete(chosen, theirs.protocol) else None


def _is_complete(chosen: list[Transform], protocol: ProtocolId) -> bool:
    """Whether the transforms encrypt and protect integrity, and for IKE have a PRF and a key exchange (§3.3.3)."""
    kinds = {transform.type for transform in chosen if transform.type == TransformType.ENCR or transform.id != 0}
    if TransformType.ENCR not in kinds:
        return False
    # Encryption without integrity is refused whatever both sides say (RFC 8221 §4).
    if EncrId(chosen[0].id) not in AEAD and TransformType.INTEG not in kinds:
        return False
    return protocol != ProtocolId.IKE or {TransformType.PRF, TransformType.KE} <= kinds


def _choose_transform(
    offered: tuple[Transform, ...], wanted: tuple[Transform, ...], sent_ke: KeMethod | None
) -> Transform | None:
    if wanted and wanted[0].type == TransformType.KE:
        # Without a KE payload nothing can be exchanged: of a peer that would do without, none is asked for.
        sent = sent_ke if sent_ke is not None else KeMethod.NONE
        wanted = tuple(sorted(wanted, key=lambda transform: transform.id != sent))
    for mine in wanted:
        for theirs in offered:
            if theirs.id == mine.id and theirs.key_length_bits == mine.key_length_bits:
                return theirs
    return None


def _by_type(proposal: Proposal, *, with_ke: bool) -> dict[TransformType, tuple[Transform, ...]]:
    found: dict[TransformType, tuple[Transform, ...]] = {}
    for transform in proposal.transforms:
        if transform.type != TransformType.KE or with_ke:
            found[transform.type] = (*found.get(transform.type, ()), transform)
    return found


def _none_of(kind: TransformType) -> tuple[Transform, ...]:
    none = _NONE_OF.get(kind)
    return (none,) if none is not None else ()


def _has_none(transforms: tuple[Transform, ...]) -> bool:
    return any(transform.id == 0 for transform in transforms)


def _is_only_aead(transforms: dict[TransformType, tuple[Transform, ...]]) -> bool:
    return all(EncrId(transform.id) in AEAD for transform in transforms.get(TransformType.ENCR, ()))
