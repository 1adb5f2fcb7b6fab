"""Android 11 and later: the built-in client, with MSCHAPv2, a certificate (RSA) or a pre-shared key.

Two long proposals for IKE, the first method MODP-4096; no key exchange for children, ever. IDr is the gateway's address as
typed, IDi what stands in the field "IPsec identifier". It names SHA-1 and SHA-2 under RFC 7427 and signs with PKCS#1 v1.5.
"""

from __future__ import annotations

from dataclasses import replace

from ikepy.personas.kinds import Kind
from ikepy.personas.offers import esp_offer, ike_offer
from ikepy.personas.persona import EapHabits, IdiForm, Persona, Proving, Rekeying, Timers
from ikepy.wire.registry import CfgAttributeType, EapType, HashAlgorithm, KeMethod, NotifyType, PayloadType

_CBC = "aes256ctr-aes256-aes192ctr-aes192-aes128ctr-aes128"
_INTEGRITY = "sha512-sha384-sha256-aesxcbc-aescmac"
_AEAD = (
    "chacha20poly1305-aes256gcm16-aes256gcm12-aes256gcm8-aes192gcm16-aes192gcm12-aes192gcm8-"
    "aes128gcm16-aes128gcm12-aes128gcm8"
)
_PRFS = "prfsha512-prfsha384-prfsha256-prfaesxcbc-prfaescmac-prfsha1"
_GROUPS = "modp4096-x25519-modp3072-modp2048"
_OLD_GROUPS = "modp4096-modp2048"

_FAULTS = (
    "says RFC 7427 and takes RSA signatures of PKCS#1 v1.5 only",
    "with MSCHAPv2, Android 11 stops where no CERT came",
    "drops the tunnel where the gateway insists on a key exchange in a child rekey",
)

ANDROID_11 = Persona(
    name="android-11",
    label="Android 11 or 12",
    kind=Kind.ANDROID,
    ike=ike_offer(f"{_CBC}-{_INTEGRITY}-{_PRFS}-{_OLD_GROUPS}", f"{_AEAD}-{_PRFS}-{_OLD_GROUPS}"),
    esp=esp_offer("aes256-aes192-aes128-sha512-sha384-sha256", "aes256gcm16-aes256gcm12-aes256gcm8-aes128gcm16"),
    esp_rekey=esp_offer("aes256-aes192-aes128-sha512-sha384-sha256", "aes256gcm16-aes256gcm12-aes256gcm8-aes128gcm16"),
    first_ke=KeMethod.MODP_4096,
    init=(
        PayloadType.SA,
        PayloadType.KE,
        PayloadType.NONCE,
        NotifyType.NAT_DETECTION_SOURCE_IP,
        NotifyType.NAT_DETECTION_DESTINATION_IP,
        NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,
        NotifyType.SIGNATURE_HASH_ALGORITHMS,
    ),
    auth=(
        PayloadType.IDI,
        PayloadType.IDR,
        PayloadType.CERT,
        PayloadType.AUTH,
        PayloadType.SA,
        PayloadType.TSI,
        PayloadType.TSR,
        PayloadType.CP,
    ),
    hashes=(HashAlgorithm.SHA1, HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512),
    signs_pkcs1=True,
    cp=(
        CfgAttributeType.INTERNAL_IP4_ADDRESS,
        CfgAttributeType.INTERNAL_IP6_ADDRESS,
        CfgAttributeType.INTERNAL_IP4_DNS,
        CfgAttributeType.INTERNAL_IP6_DNS,
        CfgAttributeType.INTERNAL_IP4_NETMASK,
        CfgAttributeType.APPLICATION_VERSION,
    ),
    provings=(Proving.EAP, Proving.CERTIFICATE, Proving.PSK),
    idi=IdiForm.TYPED,
    idi_certificate=IdiForm.TYPED,
    eap=EapHabits(methods=(EapType.MSCHAPV2,)),
    rekeying=Rekeying(ike=7200.0, child=3600.0, accepts_ke=False),
    timers=Timers(dpd=120.0, keepalive=10.0, repeats=(0.5, 1.0, 2.0, 4.0, 8.0)),
    faults=_FAULTS,
)
ANDROID_13 = replace(
    ANDROID_11,
    name="android-13",
    label="Android 13 or later",
    ike=ike_offer(f"{_CBC}-{_INTEGRITY}-{_PRFS}-{_GROUPS}", f"{_AEAD}-{_PRFS}-{_GROUPS}"),
    esp=esp_offer(
        f"{_CBC}-{_INTEGRITY}",
        _AEAD,
    ),
    esp_rekey=esp_offer(f"{_CBC}-{_INTEGRITY}", _AEAD),
    auth=(
        PayloadType.IDI,
        PayloadType.IDR,
        NotifyType.MOBIKE_SUPPORTED,
        PayloadType.CERT,
        PayloadType.AUTH,
        PayloadType.SA,
        PayloadType.TSI,
        PayloadType.TSR,
        PayloadType.CP,
    ),
    faults=(_FAULTS[0], _FAULTS[2]),
)

PERSONAS = (ANDROID_11, ANDROID_13)
