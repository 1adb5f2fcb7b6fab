"""strongSwan: its Android app, charon-nm below NetworkManager, and the daemon itself as a client; and libreswan.

All that is strongSwan ends its first IKE_AUTH request with IKEV2_MESSAGE_ID_SYNC_SUPPORTED; apart from that only offers
tell them apart. Which algorithms a proposal lists, and in which order, depends on how they were built.
"""

from __future__ import annotations

from dataclasses import replace

from ikepy.personas.kinds import Kind
from ikepy.personas.offers import esp_offer, ike_offer
from ikepy.personas.persona import EapHabits, IdiForm, Persona, Proving, Rekeying, Timers
from ikepy.wire.registry import CfgAttributeType, EapType, HashAlgorithm, KeMethod, NotifyType, PayloadType

_PRFS = "prfsha256-prfsha384-prfsha512"
_GROUPS = "ecp384-ecp521-ecp256bp-ecp384bp-ecp512bp-x25519-x448-modp3072-modp4096-modp6144-modp8192-modp2048"
_AEAD = "aes128gcm16-aes192gcm16-aes256gcm16-chacha20poly1305"
_CBC = "aes128-aes192-aes256-sha256-sha384-sha512"
_REPEATS = (4.0, 7.2, 12.96, 23.3, 42.0, 75.6)

APP = Persona(
    name="strongswan-android",
    label="strongSwan for Android",
    kind=Kind.STRONGSWAN,
    ike=ike_offer(f"{_AEAD}-{_PRFS}-ecp256-{_GROUPS}", f"{_CBC}-{_PRFS}-ecp256-{_GROUPS}"),
    esp=esp_offer("aes256gcm16-aes128gcm16-chacha20poly1305"),
    esp_rekey=esp_offer(
        f"aes256gcm16-aes128gcm16-chacha20poly1305-ecp256-{_GROUPS}", "aes256gcm16-aes128gcm16-chacha20poly1305"
    ),
    first_ke=KeMethod.ECP_256,
    init=(
        PayloadType.SA,
        PayloadType.KE,
        PayloadType.NONCE,
        NotifyType.NAT_DETECTION_SOURCE_IP,
        NotifyType.NAT_DETECTION_DESTINATION_IP,
        NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,
        NotifyType.SIGNATURE_HASH_ALGORITHMS,
        NotifyType.REDIRECT_SUPPORTED,
    ),
    auth=(
        PayloadType.IDI,
        PayloadType.CERT,
        NotifyType.INITIAL_CONTACT,
        PayloadType.CERTREQ,
        PayloadType.AUTH,
        PayloadType.CP,
        PayloadType.SA,
        PayloadType.TSI,
        PayloadType.TSR,
        NotifyType.MOBIKE_SUPPORTED,
        NotifyType.NO_ADDITIONAL_ADDRESSES,
        NotifyType.MULTIPLE_AUTH_SUPPORTED,
        NotifyType.EAP_ONLY_AUTHENTICATION,
        NotifyType.IKEV2_MESSAGE_ID_SYNC_SUPPORTED,
    ),
    hashes=(HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512, HashAlgorithm.IDENTITY),
    cp=(
        CfgAttributeType.INTERNAL_IP4_ADDRESS,
        CfgAttributeType.INTERNAL_IP6_ADDRESS,
        CfgAttributeType.INTERNAL_IP4_DNS,
        CfgAttributeType.INTERNAL_IP6_DNS,
    ),
    provings=(Proving.EAP, Proving.CERTIFICATE),
    idi=IdiForm.TYPED,
    cas_named=135,
    eap=EapHabits(methods=(EapType.MSCHAPV2, EapType.MD5_CHALLENGE, EapType.GTC, EapType.TLS), eap_only=True),
    rekeying=Rekeying(ike=36000.0, child=7200.0),
    timers=Timers(keepalive=45.0, repeats=_REPEATS),
)
NETWORK_MANAGER = replace(
    APP,
    name="networkmanager-strongswan",
    label="NetworkManager with strongSwan",
    ike=ike_offer(f"{_CBC}-{_PRFS}-ecp256-{_GROUPS}", f"{_AEAD}-{_PRFS}-ecp256-{_GROUPS}"),
    esp=esp_offer("aes128gcm16-aes192gcm16-aes256gcm16", "aes128-aes192-aes256-sha256-sha384-sha512"),
    esp_rekey=esp_offer(
        f"aes128gcm16-aes192gcm16-aes256gcm16-ecp256-{_GROUPS}", "aes128-aes192-aes256-sha256-sha384-sha512"
    ),
    cp=(
        CfgAttributeType.INTERNAL_IP4_ADDRESS,
        CfgAttributeType.INTERNAL_IP6_ADDRESS,
        CfgAttributeType.INTERNAL_IP4_NBNS,
        CfgAttributeType.INTERNAL_IP4_DNS,
        CfgAttributeType.INTERNAL_IP6_DNS,
    ),
    provings=(Proving.EAP, Proving.CERTIFICATE, Proving.PSK),
    rekeying=Rekeying(ike=36000.0, child=10200.0),
    timers=Timers(keepalive=20.0, repeats=_REPEATS),
)
DAEMON = replace(
    NETWORK_MANAGER,
    name="strongswan",
    label="strongSwan",
    cas_named=1,
    auth=(
        PayloadType.IDI,
        PayloadType.CERT,
        NotifyType.INITIAL_CONTACT,
        PayloadType.CERTREQ,
        PayloadType.IDR,
        PayloadType.AUTH,
        *APP.auth[5:],
    ),
    cp=(CfgAttributeType.INTERNAL_IP4_ADDRESS, CfgAttributeType.INTERNAL_IP4_DNS),
    provings=(Proving.CERTIFICATE, Proving.PSK, Proving.EAP),
    rekeying=Rekeying(ike=14400.0, child=3600.0),
)
LIBRESWAN = Persona(
    name="libreswan",
    label="libreswan",
    kind=Kind.LIBRESWAN,
    ike=ike_offer(
        "aes256gcm16-prfsha512-prfsha256-ecp384-ecp521-ecp256-modp2048-modp3072-modp4096-modp8192-x25519",
        "chacha20poly1305-prfsha512-prfsha256-ecp384-ecp521-ecp256-modp2048-modp3072-modp4096-modp8192-x25519",
        "aes256-sha512-sha256-prfsha512-prfsha256-ecp384-ecp521-ecp256-modp2048-modp3072-modp4096-modp8192-x25519",
    ),
    esp=esp_offer("aes256gcm16-noesn-esn", "aes128gcm16-noesn-esn", "aes256-sha512-sha256-noesn-esn"),
    esp_rekey=esp_offer("aes256gcm16-ecp384-x25519-modp2048-noesn-esn"),
    first_ke=KeMethod.ECP_384,
    init=(
        PayloadType.SA,
        PayloadType.KE,
        PayloadType.NONCE,
        NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,
        NotifyType.SIGNATURE_HASH_ALGORITHMS,
        NotifyType.NAT_DETECTION_SOURCE_IP,
        NotifyType.NAT_DETECTION_DESTINATION_IP,
    ),
    auth=(
        PayloadType.IDI,
        PayloadType.CERT,
        PayloadType.CERTREQ,
        PayloadType.IDR,
        PayloadType.AUTH,
        PayloadType.CP,
        PayloadType.SA,
        PayloadType.TSI,
        PayloadType.TSR,
    ),
    hashes=(HashAlgorithm.SHA2_512, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_256),
    cp=(
        CfgAttributeType.INTERNAL_IP4_ADDRESS,
        CfgAttributeType.INTERNAL_IP4_DNS,
        CfgAttributeType.INTERNAL_IP6_ADDRESS,
        CfgAttributeType.INTERNAL_IP6_DNS,
        CfgAttributeType.INTERNAL_DNS_DOMAIN,
    ),
    provings=(Proving.CERTIFICATE, Proving.PSK),
    idi=IdiForm.TYPED,
    rekeying=Rekeying(ike=28800.0, child=28800.0),
)

PERSONAS = (APP, NETWORK_MANAGER, DAEMON, LIBRESWAN)
