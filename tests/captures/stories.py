"""Which runs are recorded: with whom, which case of the matrix, who begins."""

from __future__ import annotations

from dataclasses import dataclass

from tests.system.cases import CASES, Case

_CASES = {case.name: case for case in CASES}


@dataclass(frozen=True)
class Story:
    """One recording.

    changed   a word of ikepy's configuration and what stands in its place
    renews    what is rekeyed after the first packets: child, ike; or reauth
    lowest    of a crossing: whose of the four nonces is the lowest
    """

    name: str
    peer: str
    case: Case
    we_begin: bool
    what: str
    changed: tuple[str, str] | None = None
    fails: bool = False
    renews: str = ""
    lowest: str = ""

    @property
    def folder(self) -> str:
        """Its directory below captures/."""
        return f"{self.peer}-{self.name}"

    @property
    def is_quiet(self) -> bool:
        """Whether no packet goes through its children."""
        return self.fails or bool(self.lowest)

    @property
    def is_pair_of_roles(self) -> str:
        """Who is the original initiator."""
        return "ikepy begins" if self.we_begin else f"{self.peer} begins"


def _story(name: str, peer: str, case: str, what: str, *, we_begin: bool = True, **more: object) -> Story:
    return Story(name, peer, _CASES[case], we_begin, what, **more)  # type: ignore[arg-type]


STORIES = (
    _story("psk", "strongswan", "psk-gcm", "A pre-shared key, AES-256-GCM and Curve25519."),
    _story(
        "psk-as-responder", "strongswan", "psk-gcm", "The same, answered by ikepy instead of begun.", we_begin=False
    ),
    _story("cbc", "strongswan", "psk-cbc", "AES-128-CBC with HMAC-SHA2-256 for IKE and ESP, MODP-2048."),
    _story("rsa", "strongswan", "rsa", "RSA certificates, signed as RFC 7427 says.", we_begin=False),
    _story("ecdsa", "strongswan", "ecdsa", "ECDSA P-256 certificates of an ECDSA CA."),
    _story("ed25519", "strongswan", "ed25519", "Ed25519 keys in certificates (RFC 8420).", we_begin=False),
    _story("children", "strongswan", "children", "A second child by CREATE_CHILD_SA."),
    _story("transport-v6", "strongswan", "transport-v6", "Transport mode between IPv6 hosts.", we_begin=False),
    _story("v4-in-v6", "strongswan", "v4-in-v6", "An IPv4 network through an IPv6 tunnel."),
    _story(
        "invalid-ke", "strongswan", "psk-gcm",
        "ikepy guesses a group that strongSwan does not take: INVALID_KE_PAYLOAD, and the request once more.",
        changed=("prfsha256-x25519", "prfsha256-ecp384-x25519"),
    ),
    _story(
        "wrong-secret", "strongswan", "psk-gcm", "Two different pre-shared keys: AUTHENTICATION_FAILED.",
        changed=("a secret of the lab", "another secret of the lab"), fails=True,
    ),
    _story("psk", "libreswan", "psk-gcm", "A pre-shared key, AES-256-GCM and Curve25519."),
    _story("cbc-as-responder", "libreswan", "psk-cbc", "AES-128-CBC with HMAC-SHA2-256, MODP-2048.", we_begin=False),
    _story("rsa", "libreswan", "rsa", "RSA certificates."),
    _story("ecdsa", "libreswan", "ecdsa", "ECDSA P-256 certificates of an ECDSA CA.", we_begin=False),
    _story("v6-in-v6", "libreswan", "v6-in-v6", "An IPv6 network through an IPv6 tunnel."),
    _story("port", "libreswan", "port", "A child of one protocol and one port of it.", we_begin=False),
    _story("rekey-child", "strongswan", "psk-pfs", "ikepy rekeys the child, with a KE.", renews="child"),
    _story("rekey-child-as-responder", "strongswan", "psk-gcm", "strongSwan rekeys the child.", we_begin=False, renews="child"),
    _story("rekey-ike", "strongswan", "psk-gcm", "ikepy rekeys the IKE SA.", renews="ike"),
    _story("rekey-ike-as-responder", "strongswan", "psk-gcm", "strongSwan rekeys the IKE SA.", we_begin=False, renews="ike"),
    _story("reauth", "strongswan", "psk-gcm", "ikepy reauthenticates, make before break.", renews="reauth"),
    _story("rekey-child", "libreswan", "psk-gcm", "ikepy rekeys the child.", renews="child"),
    _story("rekey-child-as-responder", "libreswan", "psk-pfs", "libreswan rekeys the child, with a KE.", we_begin=False, renews="child"),
    _story("rekey-ike", "libreswan", "psk-gcm", "ikepy rekeys the IKE SA.", renews="ike"),
    _story("rekey-ike-as-responder", "libreswan", "psk-gcm", "libreswan rekeys the IKE SA.", we_begin=False, renews="ike"),
    *(
        _story(
            f"crossing-{kind}-{lowest.replace(' ', '-').lower()}", "strongswan", "psk-gcm",
            f"Both sides rekey the {words} at once, with 200 ms between them each way; the lowest of the four nonces "
            f"is {whose}, so {goes} is deleted. (The IKE SA is older than the recording.)",
            renews=kind, lowest=lowest,
        )
        for kind, words in (("child", "child"), ("ike", "IKE SA"))
        for lowest, whose, goes in (
            ("our Ni", "that of ikepy's request", "what ikepy made"),
            ("our Nr", "that of strongSwan's answer to ikepy", "what ikepy made"),
            ("their Ni", "that of strongSwan's request", "what strongSwan made"),
            ("their Nr", "that of ikepy's answer to strongSwan", "what strongSwan made"),
        )
    ),
)  # fmt: skip
