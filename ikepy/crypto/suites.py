"""Suites: a chosen proposal as algorithms; and what this host can do, by type of transform.

Not here: choosing (ike/negotiation.py), text (config/algorithms.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.crypto.cipher import Encr, get_encr, supported_encrs
from ikepy.crypto.errors import NoSuchAlgorithm
from ikepy.crypto.integ import Integ, get_integ, supported_integs
from ikepy.crypto.key_exchange import supported_methods
from ikepy.crypto.prf import Prf, get_prf, supported_prfs
from ikepy.wire.registry import EncrId, EsnId, IntegId, KeMethod, PrfId, ProtocolId, TransformType
from ikepy.wire.sa import Proposal, Transform

_LEGACY = frozenset({EncrId.TRIPLE_DES})
_LEGACY_KE = frozenset({KeMethod.MODP_1024, KeMethod.MODP_1536})


@dataclass(frozen=True, slots=True)
class IkeSuite:
    """The algorithms of an IKE SA; integ is None with an AEAD."""

    encr: Encr
    integ: Integ | None
    prf: Prf
    ke: KeMethod


@dataclass(frozen=True, slots=True)
class EspSuite:
    """The algorithms of a child, and how much KEYMAT each takes; integ_id is None with an AEAD."""

    encr_id: EncrId
    encr_key_octets: int
    integ_id: IntegId | None
    integ_key_octets: int
    esn: bool


def ike_suite(proposal: Proposal) -> IkeSuite:
    """The suite of a chosen IKE proposal; raises NoSuchAlgorithm."""
    encr = _encr(proposal)
    prf = get_prf(PrfId(_chosen(proposal, TransformType.PRF)))
    return IkeSuite(encr, _integ(proposal, encr), prf, KeMethod(_chosen(proposal, TransformType.KE)))


def esp_suite(proposal: Proposal) -> EspSuite:
    """The suite of a chosen ESP proposal; raises NoSuchAlgorithm."""
    encr = _encr(proposal)
    integ = _integ(proposal, encr)
    esn = any(t.type is TransformType.ESN and t.id == EsnId.ESN for t in proposal.transforms)
    return EspSuite(encr.id, encr.key_octets, integ.id if integ else None, integ.key_octets if integ else 0, esn)


def is_supported(transform: Transform, protocol: ProtocolId) -> bool:
    """Whether this host can do the transform for that protocol; only ciphers have a key length (RFC 7296 §3.3.5)."""
    if transform.type is TransformType.ENCR:
        return transform.key_length_bits in supported_encrs().get(EncrId(transform.id), ())
    if transform.key_length_bits is not None:
        return False
    is_ike = protocol is ProtocolId.IKE
    supported: dict[TransformType, frozenset[int]] = {
        TransformType.PRF: frozenset(supported_prfs() if is_ike else ()),
        TransformType.INTEG: frozenset(supported_integs()),
        TransformType.KE: frozenset(supported_methods()),
        TransformType.ESN: frozenset(() if is_ike else (EsnId.NO_ESN, EsnId.ESN)),
    }
    return transform.id in supported.get(transform.type, ())


def is_legacy(transform: Transform) -> bool:
    """Whether the transform is only for old peers, and only where the configuration names it (RFC 8247, RFC 8221)."""
    return (transform.type is TransformType.ENCR and transform.id in _LEGACY) or (
        transform.type is TransformType.KE and transform.id in _LEGACY_KE
    )


def _encr(proposal: Proposal) -> Encr:
    for transform in proposal.transforms:
        if transform.type is TransformType.ENCR:
            return get_encr(EncrId(transform.id), transform.key_length_bits)
    raise NoSuchAlgorithm("a proposal without a cipher")


def _integ(proposal: Proposal, encr: Encr) -> Integ | None:
    if encr.is_aead:
        return None
    return get_integ(IntegId(_chosen(proposal, TransformType.INTEG)))


def _chosen(proposal: Proposal, kind: TransformType) -> int:
    for transform in proposal.transforms:
        if transform.type is kind:
            return int(transform.id)
    raise NoSuchAlgorithm(f"a proposal without {kind}")
