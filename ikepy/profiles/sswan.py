"""strongSwan's app for Android: a profile (.sswan), JSON by the app's own description.

Rule 1: the app takes one proposal each; the gateway's first one it can read is it, with all its algorithms.
Rule 2: the same user's profile has the same UUID, so that importing it again replaces the old one.
Not here: Android's own client (android.py).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from uuid import UUID

from ikepy.config.algorithms import transform_word
from ikepy.profiles.apple import uuid_of
from ikepy.profiles.facts import ClientFacts, NotForThisPlatform, SignIn
from ikepy.wire.registry import TransformType
from ikepy.wire.sa import Proposal

MEDIA_TYPE = "application/vnd.strongswan.profile"
_TYPES = {
    SignIn.PASSWORD: "ikev2-eap",
    SignIn.TOKEN: "ikev2-eap",
    SignIn.EAP_TLS: "ikev2-eap-tls",
    SignIn.CERTIFICATE: "ikev2-cert",
}
KNOWN = frozenset(
    [
        "aes128",
        "aes192",
        "aes256",
        "aes128gcm16",
        "aes192gcm16",
        "aes256gcm16",
        "chacha20poly1305",
        "sha1",
        "sha256",
        "sha384",
        "sha512",
        "prfsha1",
        "prfsha256",
        "prfsha384",
        "prfsha512",
        "x25519",
        "ecp256",
        "ecp384",
        "ecp521",
        "modp2048",
        "modp3072",
        "modp4096",
    ]
)
"What the app surely knows; it refuses a whole profile for one word it does not."
_NEEDED = {
    "ike": (TransformType.ENCR, TransformType.PRF, TransformType.KE),
    "esp": (TransformType.ENCR,),
}


def make(facts: ClientFacts) -> str:
    """Make the profile; raises NotForThisPlatform."""
    if facts.sign_in is SignIn.PSK:
        raise NotForThisPlatform("strongSwan's app has no pre-shared keys: let such users come in by EAP")
    remote: dict[str, object] = {"addr": facts.address, "id": facts.server_id}
    if facts.anchors:
        remote["cert"] = b64encode(facts.anchors[0]).decode()
    document = {
        "uuid": str(UUID(uuid_of(facts, "sswan"))),
        "name": facts.title,
        "type": _TYPES[facts.sign_in],
        "remote": remote,
        "local": _local(facts),
        "ike-proposal": proposal(facts.ike, "ike"),
        "esp-proposal": proposal(facts.esp, "esp"),
        **_routing(facts),
    }
    return json.dumps(document, indent=2) + "\n"


def proposal(proposals: Sequence[Proposal], protocol: str) -> str:
    """The first proposal as far as the app can read it; raises NotForThisPlatform where it can read none."""
    for each in proposals:
        kinds = {transform.type for transform in each.transforms}
        needed = {*_NEEDED[protocol], *(kinds & {TransformType.INTEG, TransformType.KE})}
        words = [(transform.type, transform_word(transform)) for transform in each.transforms]
        known = [(kind, word) for kind, word in words if word in KNOWN]
        is_whole = {kind for kind, _ in known}.issuperset(needed) and _can_do_without_esn(words)
        if is_whole and kinds <= {*TransformType} - _MORE:
            return "-".join(word for _, word in known)
    key = "proposals" if protocol == "ike" else "esp_proposals"
    raise NotForThisPlatform(f"strongSwan's app can do none of the gateway's {key}: add aes256gcm16-prfsha256-ecp256")


_MORE = frozenset({kind for kind in TransformType if kind > TransformType.ESN})


def _can_do_without_esn(words: list[tuple[TransformType, str]]) -> bool:
    said = {word for kind, word in words if kind is TransformType.ESN}
    return not said or "noesn" in said


def _local(facts: ClientFacts) -> dict[str, object]:
    local: dict[str, object] = {}
    if facts.identity is not None:
        local["id"] = facts.identity
    if facts.sign_in.by_certificate and facts.certificate is not None:
        local["p12"] = b64encode(facts.certificate.pkcs12).decode()
        return local
    local["eap_id"] = facts.user
    if facts.password_text is not None:
        local["shared_secret"] = facts.password_text
    return local


def _routing(facts: ClientFacts) -> dict[str, object]:
    """What goes into the tunnel; in a full one nothing of either family goes beside it."""
    if facts.is_full:
        return {"split-tunneling": {"block-ipv4": True, "block-ipv6": True}}
    return {"split-tunneling": {"subnets": [str(network) for network in facts.networks]}}
