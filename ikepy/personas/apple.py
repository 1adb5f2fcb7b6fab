"""iOS, iPadOS and macOS: connections made by hand, old and new, and by a configuration profile.

REDIRECT_SUPPORTED goes first among the notifies of IKE_SA_INIT; CP asks for addresses of DHCP servers. By a profile there
is exactly one proposal, the profile's. No CERTREQ unless a profile names an issuer: the certificate is sent unasked.
"""

from __future__ import annotations

from dataclasses import replace

from ikepy.personas.kinds import Kind
from ikepy.personas.offers import esp_offer, ike_offer
from ikepy.personas.persona import EapHabits, IdiForm, Leaving, Persona, Proving, Rekeying, Timers
from ikepy.wire.registry import CfgAttributeType, EapType, KeMethod, NotifyType, PayloadType

_INIT = (
    PayloadType.SA,
    PayloadType.KE,
    PayloadType.NONCE,
    NotifyType.REDIRECT_SUPPORTED,
    NotifyType.NAT_DETECTION_SOURCE_IP,
    NotifyType.NAT_DETECTION_DESTINATION_IP,
    NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,
)
_AUTH = (
    PayloadType.IDI,
    PayloadType.CERT,
    NotifyType.INITIAL_CONTACT,
    PayloadType.IDR,
    PayloadType.AUTH,
    PayloadType.CP,
    NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED,
    NotifyType.NON_FIRST_FRAGMENTS_ALSO,
    PayloadType.SA,
    PayloadType.TSI,
    PayloadType.TSR,
    NotifyType.MOBIKE_SUPPORTED,
)
_CP = (
    CfgAttributeType.INTERNAL_IP4_ADDRESS,
    CfgAttributeType.INTERNAL_IP4_NETMASK,
    CfgAttributeType.INTERNAL_IP4_DHCP,
    CfgAttributeType.INTERNAL_IP4_DNS,
    CfgAttributeType.INTERNAL_IP6_ADDRESS,
    CfgAttributeType.INTERNAL_IP6_DHCP,
    CfgAttributeType.INTERNAL_IP6_DNS,
    CfgAttributeType.INTERNAL_DNS_DOMAIN,
)
_FAULTS = (
    "drops the tunnel after 8 minutes where the gateway insists on a key exchange in a child rekey",
    "by hand, iOS refuses a gateway's certificate with an ECDSA key",
    "stops after IDr, AUTH and the first EAP request where no CERT came",
    "forgets a child without a delete when it sleeps",
    "installs wrong IPv6 routes where it has an IPv6 address and the selectors have no ::/0",
)

IOS_16 = Persona(
    name="ios-16-by-hand",
    label="iOS up to 16, by hand",
    kind=Kind.APPLE,
    ike=ike_offer(
        "aes256-sha256-prfsha256-modp2048",
        "aes256-sha256-prfsha256-ecp256",
        "aes256-sha256-prfsha256-modp1536",
        "aes128-sha1-prfsha1-modp1024",
        "3des-sha1-prfsha1-modp1024",
    ),
    esp=esp_offer("aes256-sha256", "aes256-sha256", "aes256-sha256", "aes128-sha1", "3des-sha1"),
    esp_rekey=esp_offer("aes256-sha256-modp2048", "aes256-sha256"),
    first_ke=KeMethod.MODP_2048,
    nonce_octets=16,
    init=_INIT,
    auth=_AUTH,
    cp=_CP,
    provings=(Proving.EAP, Proving.CERTIFICATE, Proving.PSK),
    idi=IdiForm.TYPED,
    idi_certificate=IdiForm.TYPED,
    rekeying=Rekeying(ike=86400.0, child=86400.0, asks_wider_selectors=False),
    timers=Timers(dpd=600.0, keepalive=20.0),
    leaving=Leaving.DELETE,
    faults=_FAULTS,
)
MACOS_13 = replace(
    IOS_16,
    name="macos-13-by-hand",
    label="macOS up to 13, by hand",
    ike=ike_offer("aes256-sha256-prfsha256-modp2048"),
    esp=esp_offer("aes256-sha256"),
    esp_rekey=esp_offer("aes256-sha256"),
    faults=(_FAULTS[0], *_FAULTS[2:]),
)
BY_HAND = replace(
    IOS_16,
    name="apple-by-hand",
    label="iOS 17 or macOS 14 and later, by hand",
    ike=ike_offer(
        "aes256gcm16-prfsha256-ecp256",
        "aes256gcm16-prfsha256-modp2048",
        "aes256-sha256-prfsha256-ecp256",
        "aes256-sha256-prfsha256-modp2048",
    ),
    esp=esp_offer("aes256gcm16", "aes256gcm16", "aes256-sha256", "aes256-sha256"),
    esp_rekey=esp_offer("aes256gcm16", "aes256gcm16", "aes256-sha256", "aes256-sha256"),
    first_ke=KeMethod.ECP_256,
    auth=(*_AUTH, NotifyType.EAP_ONLY_AUTHENTICATION),
    eap=EapHabits(methods=(EapType.MSCHAPV2, EapType.TLS), eap_only=True),
)
BY_PROFILE = replace(
    BY_HAND,
    name="apple-by-profile",
    label="iOS or macOS, by a profile",
    ike=ike_offer("aes256gcm16-prfsha256-ecp256"),
    esp=esp_offer("aes256gcm16"),
    esp_rekey=esp_offer("aes256gcm16"),
    auth=_AUTH,
    eap=EapHabits(methods=(EapType.TLS,)),
    faults=(_FAULTS[0], *_FAULTS[2:]),
)
BY_PROFILE_PFS = replace(
    BY_PROFILE,
    name="apple-by-profile-pfs",
    label="iOS or macOS, by a profile with EnablePFS",
    esp_rekey=esp_offer("aes256gcm16-ecp256"),
)

PERSONAS = (IOS_16, MACOS_13, BY_HAND, BY_PROFILE, BY_PROFILE_PFS)
