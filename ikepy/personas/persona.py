"""Persona: one native client as data.

Rule 1: a layout lists the slots of a message in the order the client fills them; what does not apply is left out: AUTH
        and CERT where it proves itself by EAP, IDr where it names nobody.
Rule 2: None and empty mean: not known, or never; the docstring says which.
Not here: the clients themselves (windows.py, apple.py, ...), playing them (the tests' simulator).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ikepy.personas.kinds import Kind
from ikepy.wire.registry import (
    CfgAttributeType,
    EapType,
    HashAlgorithm,
    KeMethod,
    NotifyType,
    PayloadType,
    TransformType,
)
from ikepy.wire.sa import Proposal

Slot = PayloadType | NotifyType
"""A payload's place in a message; a notify is known by its type."""

MS_ADDRESS_OF_SERVER4 = CfgAttributeType(23456)
MS_ADDRESS_OF_SERVER6 = CfgAttributeType(23457)
"Microsoft's private attributes INTERNAL_IP4_SERVER and INTERNAL_IP6_SERVER."


class Proving(Enum):
    """How a client proves who it is."""

    EAP = "EAP"
    CERTIFICATE = "certificate"
    PSK = "PSK"


class IdiForm(Enum):
    """What stands in IDi: the client's address, the subject of its certificate, or what its user typed."""

    ADDRESS = "address"
    SUBJECT = "subject"
    TYPED = "typed"


class Leaving(Enum):
    """How a client ends: it deletes the IKE SA, or is silent all at once."""

    DELETE = "delete"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class EapHabits:
    """How a client takes part in EAP.

    methods    what it takes, the preferred one first; what else is asked for is answered with a NAK for these
    identity   the name it gives; `{user}` is what was typed: Windows may put a domain before it
    is_asked   whether it waits for a Request/Identity and gives its user's name nowhere else
    eap_only   whether it says EAP_ONLY_AUTHENTICATION (RFC 5998)
    """

    methods: tuple[EapType, ...] = (EapType.MSCHAPV2, EapType.TLS)
    identity: str = "{user}"
    is_asked: bool = True
    eap_only: bool = False


@dataclass(frozen=True, slots=True)
class Rekeying:
    """The client's own rekeys.

    ike, child             seconds after which it begins them; None where it is not known, 0 never
    octets                 of one child, after which it gets new keys; 0 never
    asks_wider_selectors   whether it offers what it first asked for, not what was narrowed
    accepts_ours           whether it lets the gateway rekey a child at all
    accepts_ke             whether it bears a key exchange in the gateway's offer for a child
    """

    ike: float | None = None
    child: float | None = None
    octets: int = 0
    asks_wider_selectors: bool = False
    accepts_ours: bool = True
    accepts_ke: bool = True


@dataclass(frozen=True, slots=True)
class Timers:
    """The client's other times, in seconds; None where it is not known.

    dpd          of silence, after which it asks for a sign of life
    keepalive    between NAT keepalives
    repeats      waits before each repeat of a request; empty where it is not known
    """

    dpd: float | None = None
    keepalive: float | None = None
    repeats: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Persona:
    """One client, as it comes to a gateway.

    name             for tests and files: `windows-stock`
    label            for people
    ike, esp         offers, as they stand in IKE_SA_INIT and IKE_AUTH
    ike_rekey        offer for new keys of the IKE SA; empty means `ike`
    esp_rekey        offer for new keys of a child, with a key exchange or without
    first_ke         method of its first KE payload
    nonce_octets     of its nonces
    init, auth       the layouts of IKE_SA_INIT and of the first request of IKE_AUTH
    hashes           of its SIGNATURE_HASH_ALGORITHMS
    signs_pkcs1      whether it signs with PKCS#1 v1.5 under RFC 7427, and verifies nothing else of RSA
    cas_named        how many CAs its CERTREQ names about
    idi              the form of its IDi with EAP and PSK; with a certificate `idi_certificate`
    cp               attributes it asks for, in their order
    fragment_octets  of the IP datagrams of its fragments (RFC 7383); 0 where it makes none
    provings         how it can prove itself
    faults           what it gets wrong, in words
    """

    name: str
    label: str
    kind: Kind
    ike: tuple[Proposal, ...]
    esp: tuple[Proposal, ...]
    esp_rekey: tuple[Proposal, ...]
    first_ke: KeMethod
    init: tuple[Slot, ...]
    auth: tuple[Slot, ...]
    cp: tuple[CfgAttributeType, ...]
    provings: tuple[Proving, ...]
    idi: IdiForm
    idi_certificate: IdiForm = IdiForm.SUBJECT
    ike_rekey: tuple[Proposal, ...] = ()
    nonce_octets: int = 32
    hashes: tuple[HashAlgorithm, ...] = ()
    signs_pkcs1: bool = False
    vendor_ids: tuple[bytes, ...] = ()
    cas_named: int = 1
    eap: EapHabits = field(default_factory=EapHabits)
    rekeying: Rekeying = field(default_factory=Rekeying)
    timers: Timers = field(default_factory=Timers)
    fragment_octets: int = 1280
    leaving: Leaving = Leaving.DELETE
    faults: tuple[str, ...] = ()

    @property
    def offer_of_ike_rekey(self) -> tuple[Proposal, ...]:
        """What it offers for new keys of the IKE SA."""
        return self.ike_rekey or self.ike

    @property
    def sends_idr(self) -> bool:
        """Whether it names the gateway it wants."""
        return PayloadType.IDR in self.auth

    @property
    def sends_certreq(self) -> bool:
        """Whether it names the CAs it believes."""
        return PayloadType.CERTREQ in self.auth

    @property
    def says_mobike(self) -> bool:
        """Whether it can move (RFC 4555)."""
        return NotifyType.MOBIKE_SUPPORTED in self.auth

    @property
    def rekeys_child_with_ke(self) -> bool:
        """Whether a key exchange stands in its offer for a child's new keys."""
        return any(each.type is TransformType.KE for proposal in self.esp_rekey for each in proposal.transforms)
