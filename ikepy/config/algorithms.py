"""Proposals as text: 'aes256gcm16-prfsha256-x25519' <-> Proposal, in strongSwan's words.

Rule 1: a word is one transform; the first word of a transform is how it is printed, the others are read too.
Rule 2: ciphers that protect integrity themselves and ciphers that do not never stand in one proposal (RFC 7296 §3.3).
Rule 3: what this program cannot do, or should not do unasked, is not in the defaults.
Not here: what an algorithm does (crypto/), which proposal is taken (ike/negotiation.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ikepy.config.errors import Unfit, did_you_mean
from ikepy.crypto.suites import is_legacy, is_supported
from ikepy.wire.registry import EncrId, EsnId, IntegId, KeMethod, OpenIntEnum, PrfId, ProtocolId, TransformType
from ikepy.wire.sa import Proposal, Transform, make_transform

DEFAULT = "default"
"The word that stands for the default proposals."

_KE_WORDS = "x25519-ecp256-ecp384-ecp521-x448-ecp256bp-ecp384bp-ecp512bp-modp3072-modp4096-modp6144-modp8192-modp2048"
DEFAULT_IKE_WORDS = (
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-" + _KE_WORDS,
    "aes256-aes128-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512-" + _KE_WORDS,
)
"IKE proposals where none are named."
DEFAULT_ESP_WORDS = (
    "aes256gcm16-aes128gcm16-chacha20poly1305-" + _KE_WORDS + "-esn-noesn",
    "aes256-aes128-sha256-sha384-sha512-" + _KE_WORDS + "-esn-noesn",
    "aes256gcm16-aes128gcm16-chacha20poly1305-esn-noesn",
    "aes256-aes128-sha256-sha384-sha512-esn-noesn",
)
"ESP proposals where none are named; with a key exchange and without: not every peer knows NONE beside methods (§3.3.2)."

_AEAD_NAMES = {
    "ccm8": EncrId.AES_CCM_8,
    "ccm12": EncrId.AES_CCM_12,
    "ccm16": EncrId.AES_CCM_16,
    "gcm8": EncrId.AES_GCM_8,
    "gcm12": EncrId.AES_GCM_12,
    "gcm16": EncrId.AES_GCM_16,
}
_AEAD = frozenset(_AEAD_NAMES.values()) | {EncrId.CHACHA20_POLY1305}

_FIXED_ENCR = {
    "3des": EncrId.TRIPLE_DES,
    "chacha20poly1305": EncrId.CHACHA20_POLY1305,
    "des": EncrId.DES,
    "null": EncrId.NULL,
}
_INTEG = {
    "sha1": IntegId.HMAC_SHA1_96,
    "sha256": IntegId.HMAC_SHA2_256_128,
    "sha384": IntegId.HMAC_SHA2_384_192,
    "sha512": IntegId.HMAC_SHA2_512_256,
    "aesxcbc": IntegId.AES_XCBC_96,
    "aescmac": IntegId.AES_CMAC_96,
    "md5": IntegId.HMAC_MD5_96,
}
_PRF = {
    "prfsha1": PrfId.HMAC_SHA1,
    "prfsha256": PrfId.HMAC_SHA2_256,
    "prfsha384": PrfId.HMAC_SHA2_384,
    "prfsha512": PrfId.HMAC_SHA2_512,
    "prfaesxcbc": PrfId.AES128_XCBC,
    "prfaescmac": PrfId.AES128_CMAC,
    "prfmd5": PrfId.HMAC_MD5,
}
_KE = {
    "x25519": KeMethod.CURVE25519,
    "x448": KeMethod.CURVE448,
    "ecp192": KeMethod.ECP_192,
    "ecp224": KeMethod.ECP_224,
    "ecp256": KeMethod.ECP_256,
    "ecp384": KeMethod.ECP_384,
    "ecp521": KeMethod.ECP_521,
    "ecp224bp": KeMethod.BRAINPOOL_224,
    "ecp256bp": KeMethod.BRAINPOOL_256,
    "ecp384bp": KeMethod.BRAINPOOL_384,
    "ecp512bp": KeMethod.BRAINPOOL_512,
    "modp768": KeMethod.MODP_768,
    "modp1024": KeMethod.MODP_1024,
    "modp1024s160": KeMethod.MODP_1024_160,
    "modp1536": KeMethod.MODP_1536,
    "modp2048": KeMethod.MODP_2048,
    "modp2048s224": KeMethod.MODP_2048_224,
    "modp2048s256": KeMethod.MODP_2048_256,
    "modp3072": KeMethod.MODP_3072,
    "modp4096": KeMethod.MODP_4096,
    "modp6144": KeMethod.MODP_6144,
    "modp8192": KeMethod.MODP_8192,
    "modpnone": KeMethod.NONE,
    "mlkem512": KeMethod.ML_KEM_512,
    "mlkem768": KeMethod.ML_KEM_768,
    "mlkem1024": KeMethod.ML_KEM_1024,
}
_ESN = {"esn": EsnId.ESN, "noesn": EsnId.NO_ESN}
_ALIASES = {
    "curve25519": "x25519",
    "curve448": "x448",
    "none": "modpnone",
    "ecp521bp": "ecp512bp",
    "sha": "sha1",
    "sha2_256": "sha256",
    "sha2_384": "sha384",
    "sha2_512": "sha512",
    "chacha20": "chacha20poly1305",
    "camellia": "camellia128",
    "aes": "aes128",
    "aesctr": "aes128ctr",
    "aesgcm": "aes128gcm16",
} | {
    f"aes{bits}{mode}{alias}": f"aes{bits}{mode}{octets}"
    for bits in (128, 192, 256)
    for mode in ("gcm", "ccm")
    for alias, octets in (("64", 8), ("96", 12), ("128", 16), ("", 16))
}

_PRF_OF_INTEG = {
    IntegId.HMAC_SHA1_96: PrfId.HMAC_SHA1,
    IntegId.HMAC_SHA2_256_128: PrfId.HMAC_SHA2_256,
    IntegId.HMAC_SHA2_384_192: PrfId.HMAC_SHA2_384,
    IntegId.HMAC_SHA2_512_256: PrfId.HMAC_SHA2_512,
    IntegId.AES_XCBC_96: PrfId.AES128_XCBC,
    IntegId.AES_CMAC_96: PrfId.AES128_CMAC,
    IntegId.HMAC_MD5_96: PrfId.HMAC_MD5,
}
_ORDER = (TransformType.ENCR, TransformType.INTEG, TransformType.PRF, TransformType.KE, TransformType.ESN)


def parse_proposals(texts: Sequence[str], protocol: ProtocolId) -> tuple[Proposal, ...]:
    """Parse proposals, best first, and number them from 1; the word `default` stands for the default ones.

    Raises Unfit for the first text that cannot be used.
    """
    words: list[str] = []
    for text in texts:
        words += default_words(protocol) if text.strip().lower() == DEFAULT else (text,)
    return tuple(parse_proposal(text, protocol, number) for number, text in enumerate(words, 1))


def parse_proposal(text: str, protocol: ProtocolId, number: int = 1) -> Proposal:
    """Parse one proposal of IKE or ESP; its SPI is empty.

    IKE without a PRF word takes the PRF of its integrity words, prfsha256 beside a cipher that needs none of them.
    ESP without esn or noesn offers both, extended sequence numbers first.

    Raises Unfit for an unknown or unsupported word, and for a combination that is no proposal.
    """
    found: dict[TransformType, list[Transform]] = {kind: [] for kind in _ORDER}
    for word in text.strip().lower().split("-"):
        transform = parse_word(word, protocol)
        if transform not in found[transform.type]:
            found[transform.type].append(transform)
    if not found[TransformType.ENCR]:
        raise Unfit(f"'{text}' has no cipher", f"add one, such as {_first(default_words(protocol))}")
    aead = _is_aead(text, found[TransformType.ENCR])
    if protocol == ProtocolId.IKE:
        _complete_ike(text, found, aead=aead)
    else:
        _complete_esp(text, found, aead=aead)
    if not aead and not found[TransformType.INTEG]:
        raise Unfit(f"'{text}' encrypts without integrity protection", "add sha256, or take aes256gcm16")
    return Proposal(number, protocol, b"", tuple(t for kind in _ORDER for t in found[kind]))


def parse_word(word: str, protocol: ProtocolId) -> Transform:
    """Find the transform of one word; raises Unfit where it is unknown or cannot be used for the protocol."""
    transform = WORDS.get(_ALIASES.get(word, word))
    if transform is None:
        known = (w for w, t in WORDS.items() if _is_usable(t, protocol))
        raise Unfit(f"unknown algorithm '{word}'", did_you_mean(word, known))
    if not _is_usable(transform, protocol):
        misplaced = any(_is_usable(transform, other) for other in (ProtocolId.IKE, ProtocolId.ESP))
        usable = [w for w, t in WORDS.items() if t.type == transform.type and _is_usable(t, protocol)]
        problem = f"'{word}' has no place in {protocol} proposals" if misplaced else f"'{word}' is not supported"
        raise Unfit(problem, f"take one of {', '.join(usable)}" if usable else "leave it out")
    return transform


def proposal_words(proposal: Proposal) -> str:
    """Print a proposal the way it is written in a configuration; each transform it holds becomes a word."""
    return "-".join(transform_word(transform) for transform in proposal.transforms)


def transform_word(transform: Transform) -> str:
    """Print one transform; one without a word as type and number, such as `ENCR.1027` or `ENCR.12/100`."""
    word = _WORD_OF.get((transform.type, int(transform.id), transform.key_length_bits))
    if word is not None:
        return word
    length = f"/{transform.key_length_bits}" if transform.key_length_bits is not None else ""
    return f"{transform.type}.{int(transform.id)}{length}"


def default_words(protocol: ProtocolId) -> tuple[str, ...]:
    """The default proposals of IKE or ESP as text."""
    return DEFAULT_IKE_WORDS if protocol == ProtocolId.IKE else DEFAULT_ESP_WORDS


def default_proposals(protocol: ProtocolId) -> tuple[Proposal, ...]:
    """The default proposals of IKE or ESP."""
    return parse_proposals(default_words(protocol), protocol)


def legacy_words(proposals: Iterable[Proposal]) -> tuple[str, ...]:
    """The words, each once, of algorithms that should no longer be used (RFC 8221, RFC 8247)."""
    return tuple(dict.fromkeys(transform_word(t) for p in proposals for t in p.transforms if is_legacy(t)))


def _is_usable(transform: Transform, protocol: ProtocolId) -> bool:
    if transform.type == TransformType.KE and transform.id == KeMethod.NONE:
        return protocol == ProtocolId.ESP  # §3.3.2: a child's key exchange may be optional, the IKE SA's never
    return is_supported(transform, protocol)


def _is_aead(text: str, ciphers: list[Transform]) -> bool:
    kinds = {cipher.id in _AEAD for cipher in ciphers}
    if len(kinds) > 1:
        raise Unfit(
            f"'{text}' mixes ciphers that protect integrity themselves (gcm, ccm, chacha20poly1305) with others",
            "write them as two proposals",
        )
    return kinds.pop()


def _complete_ike(text: str, found: dict[TransformType, list[Transform]], *, aead: bool) -> None:
    if not found[TransformType.KE]:
        raise Unfit(f"'{text}' has no key exchange", "add one, such as x25519")
    if aead and found[TransformType.INTEG] and found[TransformType.PRF]:
        raise Unfit(
            f"'{text}' names an integrity algorithm beside a cipher that needs none",
            f"leave out {transform_word(found[TransformType.INTEG][0])}",
        )
    if not found[TransformType.PRF]:
        prfs = [_PRF_OF_INTEG[IntegId(integ.id)] for integ in found[TransformType.INTEG]] or [PrfId.HMAC_SHA2_256]
        found[TransformType.PRF] = [make_transform(TransformType.PRF, prf) for prf in prfs]
    if aead:
        found[TransformType.INTEG] = []  # as strongSwan: 'aes256gcm16-sha384-x25519' means prfsha384


def _complete_esp(text: str, found: dict[TransformType, list[Transform]], *, aead: bool) -> None:
    if aead and found[TransformType.INTEG]:
        raise Unfit(
            f"'{text}' names an integrity algorithm beside a cipher that needs none",
            f"leave out {transform_word(found[TransformType.INTEG][0])}",
        )
    if not found[TransformType.ESN]:
        found[TransformType.ESN] = [make_transform(TransformType.ESN, esn) for esn in (EsnId.ESN, EsnId.NO_ESN)]


def _first(texts: tuple[str, ...]) -> str:
    return texts[0].split("-", 1)[0]


def _make_words() -> dict[str, Transform]:
    words = {
        f"aes{bits}{name}": make_transform(TransformType.ENCR, encr, bits)
        for name, encr in ({"": EncrId.AES_CBC, "ctr": EncrId.AES_CTR} | _AEAD_NAMES).items()
        for bits in (128, 192, 256)
    }
    words |= {
        f"camellia{bits}{name}": make_transform(TransformType.ENCR, encr, bits)
        for name, encr in {"": EncrId.CAMELLIA_CBC, "ctr": EncrId.CAMELLIA_CTR}.items()
        for bits in (128, 192, 256)
    }
    fixed: tuple[tuple[TransformType, dict[str, OpenIntEnum]], ...] = (
        (TransformType.ENCR, dict(_FIXED_ENCR)),
        (TransformType.INTEG, dict(_INTEG)),
        (TransformType.PRF, dict(_PRF)),
        (TransformType.KE, dict(_KE)),
        (TransformType.ESN, dict(_ESN)),
    )
    return words | {name: make_transform(kind, number) for kind, names in fixed for name, number in names.items()}


WORDS: dict[str, Transform] = _make_words()
"Each word that is printed, and its transform; unsupported ones too, so that they can be named in an error."
_WORD_OF = {(known.type, int(known.id), known.key_length_bits): word for word, known in reversed(WORDS.items())}
