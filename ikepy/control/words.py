"""VICI's words for algorithms: charon's names, which swanctl and the exporters know.

Not here: sections (sections.py), our own words of the configuration (config/algorithms.py).
"""

from __future__ import annotations

from ikepy.wire.registry import EncrId, EsnId, IntegId, KeMethod, PrfId, TransformType
from ikepy.wire.sa import Proposal, Transform

_ENCR = {EncrId.TRIPLE_DES: "3DES_CBC", EncrId.CHACHA20_POLY1305: "CHACHA20_POLY1305"}
_KE_PREFIX = {
    KeMethod.CURVE25519: "CURVE_25519",
    KeMethod.CURVE448: "CURVE_448",
    KeMethod.BRAINPOOL_256: "ECP_256_BP",
    KeMethod.BRAINPOOL_384: "ECP_384_BP",
    KeMethod.BRAINPOOL_512: "ECP_512_BP",
}
_PRF = {PrfId.AES128_XCBC: "PRF_AES128_XCBC", PrfId.AES128_CMAC: "PRF_AES128_CMAC"}


def encr_word(transform: Transform) -> str:
    """`AES_GCM_16`, `AES_CBC`, ..."""
    return _ENCR.get(EncrId(transform.id), str(transform.id))


def integ_word(transform: Transform) -> str:
    """`HMAC_SHA2_256_128`, ..."""
    return str(IntegId(transform.id))


def prf_word(transform: Transform) -> str:
    """`PRF_HMAC_SHA2_256`, ..."""
    return _PRF.get(PrfId(transform.id), f"PRF_{PrfId(transform.id)}")


def ke_word(transform: Transform) -> str:
    """`MODP_3072`, `ECP_256`, `CURVE_25519`, ..."""
    return _KE_PREFIX.get(KeMethod(transform.id), str(KeMethod(transform.id)))


def algorithms(proposal: Proposal) -> dict[str, str]:
    """The algorithm keys of an IKE SA or child, in vici's order; what does not apply is left out."""
    found = {transform.type: transform for transform in proposal.transforms}
    words: dict[str, str] = {}
    encr = found.get(TransformType.ENCR)
    if encr is not None:
        words["encr-alg"] = encr_word(encr)
        if encr.key_length_bits is not None:
            words["encr-keysize"] = str(encr.key_length_bits)
    integ = found.get(TransformType.INTEG)
    if integ is not None and integ.id != IntegId.NONE:
        words["integ-alg"] = integ_word(integ)
    prf = found.get(TransformType.PRF)
    if prf is not None:
        words["prf-alg"] = prf_word(prf)
    method = found.get(TransformType.KE)
    if method is not None and method.id != KeMethod.NONE:
        words["dh-group"] = ke_word(method)
    esn = found.get(TransformType.ESN)
    if esn is not None and esn.id == EsnId.ESN:
        words["esn"] = "1"
    return words
