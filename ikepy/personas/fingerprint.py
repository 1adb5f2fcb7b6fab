"""Fingerprints: which kind of client this is, by what stands in its IKE_SA_INIT and first IKE_AUTH requests.

    seen = seen_in(init)                     at IKE_SA_INIT: only where that says enough
    seen = seen_in(init, auth)               at IKE_AUTH: all that is used
    fingerprint(seen)                        Kind.WINDOWS, ...; None where it is nobody we know

Rule 1: what a client alone does decides (a vendor ID, a private attribute, a notify); what many do never decides alone.
Rule 2: who is nobody we know gets no quirks: rather None than a wrong kind. Azure's gateways have Windows' vendor IDs, ask for
        no address, and are no Windows client.
Rule 3: a fingerprint proves nothing and opens nothing: who lies gets another kind's quirks, and no more than that.
Not here: what follows (quirks.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikepy.personas.catalogue import PERSONAS
from ikepy.personas.kinds import Kind
from ikepy.personas.persona import MS_ADDRESS_OF_SERVER4, MS_ADDRESS_OF_SERVER6, Persona
from ikepy.personas.windows import MS_NT5
from ikepy.wire.cp import Cp
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import IdI, Ke, VendorId
from ikepy.wire.registry import (
    CfgAttributeType,
    EncrId,
    IdType,
    IntegId,
    KeMethod,
    NotifyType,
    PayloadType,
)
from ikepy.wire.sa import Proposal, Sa

_MICROSOFT = frozenset({MS_ADDRESS_OF_SERVER4, MS_ADDRESS_OF_SERVER6})
_NATS = (NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP)
_ANDROID_INIT = (*_NATS, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED, NotifyType.SIGNATURE_HASH_ALGORITHMS)
_APPLE_INIT = (NotifyType.REDIRECT_SUPPORTED, *_NATS, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)
_STRONGSWAN_INIT = (*_ANDROID_INIT, NotifyType.REDIRECT_SUPPORTED)
_LIBRESWAN_MAY = {
    NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,
    NotifyType.REDIRECT_SUPPORTED,
    NotifyType.SIGNATURE_HASH_ALGORITHMS,
    *_NATS,
}
_APPLE_CP = frozenset({CfgAttributeType.INTERNAL_IP4_DHCP, CfgAttributeType.INTERNAL_IP6_DHCP})
_ANDROID_CP = frozenset({CfgAttributeType.APPLICATION_VERSION, CfgAttributeType.INTERNAL_IP4_NETMASK})
_ANDROID_CHILD = (PayloadType.SA, PayloadType.TSI, PayloadType.TSR, PayloadType.CP)
_AFTER_COOKIE = frozenset({NotifyType.COOKIE})


@dataclass(frozen=True, slots=True)
class Seen:
    """What of a client's first two requests tells its kind.

    proposals       of IKE, as offered
    init_notifies   types in IKE_SA_INIT, in their order
    vendor_ids      in IKE_SA_INIT
    ke              method of the first KE; None where there was none
    auth_payloads   types in the first request of IKE_AUTH, in their order; empty where it has not come yet
    auth_notifies   types in it, in their order
    cp              attributes it asks for, in their order
    idi             the type of its IDi; None where it has not come yet
    eap_identity    what it answered to EAP-Request/Identity; None where it has not, or comes without EAP
    """

    proposals: tuple[Proposal, ...]
    init_notifies: tuple[NotifyType, ...]
    vendor_ids: tuple[bytes, ...] = ()
    ke: KeMethod | None = None
    auth_payloads: tuple[PayloadType, ...] = ()
    auth_notifies: tuple[NotifyType, ...] = ()
    cp: tuple[CfgAttributeType, ...] = ()
    idi: IdType | None = None
    eap_identity: str | None = None

    @property
    def has_authenticated(self) -> bool:
        """Whether its first request of IKE_AUTH has come."""
        return bool(self.auth_payloads)

    @property
    def has_idr(self) -> bool:
        """Whether it names the gateway it wants."""
        return PayloadType.IDR in self.auth_payloads


def seen_in(init: Message, auth: Message | None = None, eap_identity: str | None = None) -> Seen:
    """What stands in an IKE_SA_INIT request and the first IKE_AUTH request after it; both have been checked before."""
    offered, ke = init.first(Sa), init.first(Ke)
    seen = Seen(
        proposals=offered.proposals if offered is not None else (),
        init_notifies=_types(init),
        vendor_ids=tuple(each.octets for each in init.all(VendorId)),
        ke=ke.method if ke is not None else None,
        eap_identity=eap_identity,
    )
    return seen if auth is None else with_auth(seen, auth)


def with_auth(seen: Seen, auth: Message) -> Seen:
    """What has been seen of a client, and what stands in its first IKE_AUTH request."""
    request, idi = auth.first(Cp), auth.first(IdI)
    return replace(
        seen,
        auth_payloads=tuple(each.payload_type for each in auth.payloads),
        auth_notifies=_types(auth),
        cp=tuple(each.type for each in request.attributes) if request is not None else (),
        idi=idi.identification.type if idi is not None else None,
    )


def fingerprint(seen: Seen) -> Kind | None:
    """The kind of a client; None where it is none we know."""
    return next((kind for kind, fits in _FITS if fits(seen)), None)


def describe(seen: Seen) -> str:
    """A client in words: `Windows 11, as installed`, `iOS or macOS`; `unknown client` where it is none we know."""
    kind = fingerprint(seen)
    if kind is None:
        return "unknown client"
    offered = _transforms(seen.proposals)
    same = [each.label for each in PERSONAS if each.kind is kind and _is_like(each, seen, offered)]
    return same[0] if len(same) == 1 else kind.label


def _is_like(persona: Persona, seen: Seen, offered: tuple[object, ...]) -> bool:
    return _transforms(persona.ike) == offered and (not seen.has_authenticated or persona.cp == seen.cp)


def _transforms(proposals: tuple[Proposal, ...]) -> tuple[object, ...]:
    """Proposals without what does not matter: the order of transforms of different types."""
    return tuple(tuple(sorted(map(repr, proposal.transforms))) for proposal in proposals)


def _types(message: Message) -> tuple[NotifyType, ...]:
    return tuple(each.type for each in message.all(Notify) if each.type not in _AFTER_COOKIE)


def _is_windows(seen: Seen) -> bool:
    if not _MICROSOFT.isdisjoint(seen.cp):
        return True
    is_microsoft = any(each.startswith(MS_NT5) for each in seen.vendor_ids)
    return is_microsoft and (not seen.has_authenticated or (bool(seen.cp) and not seen.has_idr))


def _is_strongswan(seen: Seen) -> bool:
    if not seen.has_authenticated:
        return seen.init_notifies == _STRONGSWAN_INIT and not seen.vendor_ids
    return NotifyType.IKEV2_MESSAGE_ID_SYNC_SUPPORTED in seen.auth_notifies


def _is_apple(seen: Seen) -> bool:
    if not seen.has_authenticated:
        return seen.init_notifies == _APPLE_INIT
    notifies = {NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED, NotifyType.NON_FIRST_FRAGMENTS_ALSO}
    return set(seen.cp) >= _APPLE_CP and notifies <= set(seen.auth_notifies)


def _is_android(seen: Seen) -> bool:
    if seen.init_notifies != _ANDROID_INIT or seen.vendor_ids:
        return False
    if not seen.has_authenticated:
        # Nobody else offers AES-XCBC's integrity beside AES in counter mode.
        transforms = {each.id for proposal in seen.proposals for each in proposal.transforms}
        return {EncrId.AES_CTR, EncrId.AES_CBC, IntegId.AES_XCBC_96} <= transforms
    child = tuple(each for each in seen.auth_payloads if each in _ANDROID_CHILD)
    return child == _ANDROID_CHILD and set(seen.cp) >= _ANDROID_CP and seen.has_idr


def _is_libreswan(seen: Seen) -> bool:
    """Its notifies begin with fragmentation as Windows' do; it always names the gateway, and its proof goes with it."""
    init = seen.init_notifies
    if not seen.has_authenticated or seen.vendor_ids or not set(init) <= _LIBRESWAN_MAY:
        return False
    begins = init[:1] == (NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,) and init[-2:] == _NATS
    order = tuple(each for each in seen.auth_payloads if each in {PayloadType.IDR, PayloadType.AUTH})
    return begins and order == (PayloadType.IDR, PayloadType.AUTH)


_FITS = (
    (Kind.WINDOWS, _is_windows),
    (Kind.STRONGSWAN, _is_strongswan),
    (Kind.APPLE, _is_apple),
    (Kind.ANDROID, _is_android),
    (Kind.LIBRESWAN, _is_libreswan),
)
