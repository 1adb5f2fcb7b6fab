"""A Windows as installed: how to know it by its offer, what to tell its administrator, what to take where it must be served.

Rule 1: by default it is refused, and the log says the command that mends it; `legacy_windows = true` takes it as it is.
Rule 2: what the command sets up is one of our default proposals (a test holds both together).
Not here: the client itself (windows.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikepy.config.algorithms import parse_proposals
from ikepy.wire.registry import EncrId, KeMethod, PrfId, ProtocolId, TransformType
from ikepy.wire.sa import Proposal

MENDING_COMMAND = (
    'Set-VpnConnectionIPsecConfiguration -ConnectionName "{connection}" -EncryptionMethod AES256 '
    "-IntegrityCheckMethod SHA256 -DHGroup ECP256 -CipherTransformConstants GCMAES256 "
    "-AuthenticationTransformConstants GCMAES256 -PfsGroup None -Force"
)
"PowerShell, on the client; the parameters and their values are Microsoft's."
PLACEHOLDER = "name of the connection"

LEGACY_IKE_WORDS = (
    "aes256-sha384-prfsha384-modp1024",
    "aes256-sha256-prfsha256-modp1024",
    "aes256-sha1-prfsha1-modp1024",
    "aes128-sha256-prfsha256-modp1024",
    "aes128-sha1-prfsha1-modp1024",
)
"IKE proposals of a Windows as installed, one by one, since it offers its weakest first; not 3DES."
LEGACY_ESP_WORDS = ("aes256-aes128-sha1-noesn",)
"ESP proposals of a Windows as installed; not 3DES, DES or no cipher at all."
_FEWEST_PROPOSALS = 6
_CIPHERS = frozenset({EncrId.TRIPLE_DES, EncrId.AES_CBC, EncrId.AES_GCM_16})
_PRFS = frozenset({PrfId.HMAC_SHA1, PrfId.HMAC_SHA2_256, PrfId.HMAC_SHA2_384})


@dataclass(frozen=True, slots=True)
class LegacyProposals:
    """What is taken besides with `legacy_windows = true`, behind all that is configured."""

    ike: tuple[Proposal, ...]
    esp: tuple[Proposal, ...]


def legacy_windows_proposals() -> LegacyProposals:
    """The proposals of a Windows as installed that are still bearable: MODP-1024 and SHA-1, with AES."""
    return LegacyProposals(
        parse_proposals(LEGACY_IKE_WORDS, ProtocolId.IKE), parse_proposals(LEGACY_ESP_WORDS, ProtocolId.ESP)
    )


def weak_windows_advice(proposals: tuple[Proposal, ...], connection: str = PLACEHOLDER) -> str | None:
    """What to tell of an offer for IKE that is a Windows as installed; None for any other offer.

    connection   what the connection is called on the client, where anybody knows
    """
    if not is_stock_windows(proposals):
        return None
    command = MENDING_COMMAND.format(connection=connection)
    return (
        f"a Windows as installed: it offers nothing better than MODP-1024, which others can break. On the client, in "
        f"PowerShell: {command} - or take it as it is, by `legacy_windows = true` in the connection"
    )


def is_stock_windows(proposals: tuple[Proposal, ...]) -> bool:
    """Whether an offer looks like that of a Windows as installed: each combination by itself, MODP-1024 in all of them."""
    return len(proposals) >= _FEWEST_PROPOSALS and all(map(_is_single, proposals))


def _is_single(proposal: Proposal) -> bool:
    """Whether a proposal has one transform a type, and those that Windows has."""
    kinds = [each.type for each in proposal.transforms]
    if len(kinds) != len(set(kinds)):
        return False
    ids = {each.type: each.id for each in proposal.transforms}
    return (
        ids.get(TransformType.KE) == KeMethod.MODP_1024
        and ids.get(TransformType.ENCR) in _CIPHERS
        and ids.get(TransformType.PRF) in _PRFS
    )
