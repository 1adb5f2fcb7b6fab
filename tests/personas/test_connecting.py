"""Each persona connects to one gateway with the default proposals, by each proof it has, and comes to what it may."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.crypto.algorithm_identifier import SignatureKind, scheme_of
from ikepy.crypto.signature import choose_signature_scheme, sign_auth
from ikepy.ike.events import AttemptFailed
from ikepy.personas.catalogue import PERSONAS, find_persona
from ikepy.personas.fingerprint import describe, fingerprint, seen_in
from ikepy.personas.kinds import Kind
from ikepy.personas.persona import Persona, Proving
from ikepy.personas.windows_advice import legacy_windows_proposals, weak_windows_advice
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.eap import Eap
from ikepy.wire.header import IkeHeader
from ikepy.wire.message import Message, parse_message
from ikepy.wire.payloads import Auth, CertReq
from ikepy.wire.registry import EapCode, EapType, ExchangeType, HashAlgorithm, NotifyType, PayloadType, ProtocolId
from ikepy.wire.sa import Sa
from tests.support.access import WRONG
from tests.support.certificates import Issued, make, make_ca
from tests.support.personas import PersonaClient, TurnedAway
from tests.support.personas_gateway import GATE, GATE_RSA, ROOT, Gateway, make_gateway
from tests.support.personas_proof import ServerRefused, check_server

NEEDS_LEGACY = {"windows-stock", "windows-11-stock", "windows-modp2048"}
WAYS = [(persona, proving) for persona in PERSONAS for proving in persona.provings]
EACH_WAY = pytest.mark.parametrize(
    ("persona", "proving"), WAYS, ids=[f"{persona.name} {proving.value}" for persona, proving in WAYS]
)


def persona_named(name: str) -> Persona:
    persona = find_persona(name)
    assert persona is not None
    return persona


def gateway_for(persona: Persona, directory: Path, **more: object) -> Gateway:
    """A gateway with the default proposals, and the legacy ones where the persona can nothing else."""
    legacy = legacy_windows_proposals() if persona.name in NEEDS_LEGACY else None
    return make_gateway(directory, legacy=legacy, **more)  # type: ignore[arg-type]


def failures(gateway: Gateway) -> list[str]:
    return [event.reason for event in gateway.world.events if isinstance(event, AttemptFailed)]


@EACH_WAY
def test_it_connects_and_gets_its_addresses_and_dns(persona: Persona, proving: Proving, tmp_path: Path) -> None:
    gateway = gateway_for(persona, tmp_path)
    client = PersonaClient(gateway, persona, proving)
    client.connect()
    wants6 = len(client.persona.cp) > 2
    assert list(map(str, client.addresses)) == ["10.9.0.10", "2001:db8:9::10"][: 1 + wants6]
    assert list(map(str, client.dns)) == ["10.1.0.53"]
    sa = gateway.sa
    assert sa.connection == {"EAP": "eap", "certificate": "certificate", "PSK": "psk"}[proving.value]
    assert sa.nat_remote
    (child,) = sa.children
    assert [str(each) for each in child.remote_ts] == [f"{each}/{each.max_prefixlen}" for each in client.addresses]
    assert client.children[0].tsi == child.remote_ts


@EACH_WAY
def test_its_requests_as_they_travel_are_the_fingerprint_of_its_kind(
    persona: Persona, proving: Proving, tmp_path: Path
) -> None:
    client = PersonaClient(gateway_for(persona, tmp_path), persona, proving)
    client.connect()
    init = parse_message(client.up.init_request)
    header = IkeHeader(*client.up.spis, PayloadType.SK, ExchangeType.IKE_AUTH, 8, 1, 0)
    seen = seen_in(init, Message(header, parse_chain(*build_chain(client.first_auth))))
    assert fingerprint(seen) is persona.kind
    assert describe(seen)


def test_windows_as_installed_is_refused_by_default_and_what_it_offered_says_what_to_do(tmp_path: Path) -> None:
    for name in ("windows-stock", "windows-11-stock"):
        persona, gateway = persona_named(name), make_gateway(tmp_path)
        with pytest.raises(TurnedAway) as refused:
            PersonaClient(gateway, persona, Proving.EAP).connect()
        assert refused.value.notify is NotifyType.NO_PROPOSAL_CHOSEN
        assert "Set-VpnConnectionIPsecConfiguration" in (weak_windows_advice(persona.ike) or "")


def test_with_legacy_proposals_a_windows_as_installed_gets_the_best_it_has(tmp_path: Path) -> None:
    client = PersonaClient(
        make_gateway(tmp_path, legacy=legacy_windows_proposals()), persona_named("windows-stock"), Proving.EAP
    )
    client.connect()
    assert str(client.up.suite.prf.id) == "HMAC_SHA2_384"
    assert client.children[0].proposal.number == 1


def test_windows_says_a_domain_and_is_the_user_without_it(tmp_path: Path) -> None:
    gateway = gateway_for(persona_named("windows-stock"), tmp_path)
    client = PersonaClient(gateway, persona_named("windows-stock"), Proving.EAP)
    assert client.persona.eap.identity.format(user="alice") == "WORKGROUP\\alice"
    client.connect()
    assert str(gateway.sa.remote_id) == "10.200.0.5"


def test_windows_that_names_all_its_cas_comes_in_small_fragments(tmp_path: Path) -> None:
    persona = replace(persona_named("windows-hardened"), cas_named=600)
    gateway = make_gateway(tmp_path)
    client = PersonaClient(gateway, persona, Proving.EAP)
    client.connect()
    assert any(isinstance(each, CertReq) and len(each.hashes) == 600 for each in client.first_auth)
    assert client.channel.most_datagrams > 20
    assert gateway.sas


def test_a_client_that_takes_tls_only_naks_the_password_and_comes_in_by_its_certificate(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    client = PersonaClient(gateway, persona_named("apple-by-profile"), Proving.EAP)
    assert client.persona.eap.methods == (EapType.TLS,)
    client.connect()
    assert gateway.sas


@pytest.mark.parametrize(
    "name", [each.name for each in PERSONAS if Proving.EAP in each.provings and EapType.MSCHAPV2 in each.eap.methods]
)
def test_a_wrong_password_ends_in_eap_failure_and_one_reason(name: str, tmp_path: Path) -> None:
    persona = persona_named(name)
    gateway = gateway_for(persona, tmp_path)
    persona = replace(persona, eap=replace(persona.eap, methods=(EapType.MSCHAPV2,)))
    client = PersonaClient(gateway, persona, Proving.EAP, password=WRONG)
    with pytest.raises(TurnedAway) as refused:
        client.connect()
    assert refused.value.notify is NotifyType.AUTHENTICATION_FAILED
    packet = refused.value.message.first(Eap)
    assert packet is not None
    assert packet.code is EapCode.FAILURE
    (reason,) = failures(gateway)
    assert "password" in reason
    assert gateway.is_empty


@pytest.mark.parametrize("name", ["windows-hardened", "apple-by-hand", "android-13"])
def test_a_user_nobody_knows_is_refused_as_a_wrong_password_is(name: str, tmp_path: Path) -> None:
    persona = persona_named(name)
    persona = replace(persona, eap=replace(persona.eap, methods=(EapType.MSCHAPV2,)))
    with pytest.raises(TurnedAway) as refused:
        PersonaClient(make_gateway(tmp_path), persona, Proving.EAP, user="mallory").connect()
    assert refused.value.notify is NotifyType.AUTHENTICATION_FAILED


@pytest.mark.parametrize("name", ["windows-hardened", "apple-by-hand", "android-11"])
def test_a_certificate_of_another_ca_is_refused(name: str, tmp_path: Path) -> None:
    other = make_ca("CN=Another root")
    stranger = make("CN=alice", other, alt_names=("email:alice@example.com",), purposes=("clientAuth",))
    gateway = make_gateway(tmp_path)
    with pytest.raises(TurnedAway) as refused:
        PersonaClient(gateway, persona_named(name), Proving.CERTIFICATE, certificate=stranger).connect()
    assert refused.value.notify is NotifyType.AUTHENTICATION_FAILED
    assert gateway.is_empty


@pytest.mark.parametrize("name", ["apple-by-hand", "android-11", "windows-hardened"])
def test_the_certificate_comes_unasked(name: str, tmp_path: Path) -> None:
    persona = persona_named(name)
    client = PersonaClient(make_gateway(tmp_path), persona, Proving.EAP)
    client.connect()
    assert client.server_certificates[0] == GATE.der


@pytest.mark.parametrize("name", ["windows-hardened", "apple-by-hand", "strongswan-android", "libreswan"])
def test_a_gateway_with_an_rsa_certificate_is_believed(name: str, tmp_path: Path) -> None:
    client = PersonaClient(make_gateway(tmp_path, own=GATE_RSA), persona_named(name), Proving.CERTIFICATE)
    client.connect()
    assert client.server_certificates[0] == GATE_RSA.der


def test_a_client_does_not_believe_a_certificate_that_names_another_gateway() -> None:
    other = make("CN=other", ROOT, alt_names=("dns:other.example.com", "dns:x"), purposes=("serverAuth",))
    auth, signed = proof_by(other, frozenset({HashAlgorithm.SHA2_256}))
    with pytest.raises(ServerRefused, match="does not name"):
        check_server(persona_named("windows-hardened"), (other.der,), auth, signed)
    with pytest.raises(ServerRefused, match="no CERT"):
        check_server(persona_named("apple-by-hand"), (), auth, signed)


def test_an_android_believes_pkcs1_and_no_pss() -> None:
    android, signed = persona_named("android-13"), b"signed"
    pss, _ = proof_by(GATE_RSA, frozenset(android.hashes))
    with pytest.raises(ServerRefused, match="PSS"):
        check_server(android, (GATE_RSA.der,), pss, signed)
    check_server(persona_named("strongswan-android"), (GATE_RSA.der,), pss, signed)
    pkcs1 = Auth(*sign_auth(GATE_RSA.key, scheme_of(SignatureKind.RSA_PKCS1, HashAlgorithm.SHA2_256), signed))
    check_server(android, (GATE_RSA.der,), pkcs1, signed)


def test_a_client_that_is_told_another_method_sends_that(tmp_path: Path) -> None:
    only = parse_proposals(("aes256gcm16-prfsha256-x25519",), ProtocolId.IKE)
    client = PersonaClient(make_gateway(tmp_path, proposals=only), persona_named("android-13"), Proving.PSK)
    client.connect()
    assert str(client.persona.first_ke) == "MODP_4096"
    assert str(client.up.suite.ke) == "CURVE25519"


def test_a_gateway_that_takes_only_what_a_profile_says_takes_the_profile_s_client(tmp_path: Path) -> None:
    only = parse_proposals(("aes256gcm16-prfsha256-ecp256",), ProtocolId.IKE)
    gateway = make_gateway(tmp_path, proposals=only)
    client = PersonaClient(gateway, persona_named("apple-by-profile"), Proving.CERTIFICATE)
    client.connect()
    with pytest.raises(TurnedAway):
        PersonaClient(gateway, persona_named("macos-13-by-hand"), Proving.EAP, seed=2).connect()


def test_all_kinds_at_once_get_addresses_of_their_own(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    clients = []
    by_kind = {kind: next(each for each in reversed(PERSONAS) if each.kind is kind) for kind in Kind}
    for number, persona in enumerate(by_kind.values()):
        address = IPv4Address("198.51.100.10") + number
        own = make(f"CN=user{number}", ROOT, alt_names=(f"email:user{number}@example.com",), purposes=("clientAuth",))
        client = PersonaClient(
            gateway, persona, Proving.CERTIFICATE, user=f"user{number}", certificate=own, seed=number
        )
        client.outside = client.channel.outside = replace(client.outside, address=address)
        client.connect()
        clients.append(client)
    assert len(gateway.sas) == len(Kind)
    assert len({client.addresses[0] for client in clients}) == len(Kind)


def proof_by(issued: Issued, hashes: frozenset[HashAlgorithm]) -> tuple[Auth, bytes]:
    """AUTH over some octets, as a gateway with that certificate makes it."""
    return Auth(*sign_auth(issued.key, choose_signature_scheme(issued.key, hashes), b"signed")), b"signed"


def test_the_first_request_offers_what_the_persona_offers(tmp_path: Path) -> None:
    client = PersonaClient(make_gateway(tmp_path), persona_named("apple-by-hand"), Proving.EAP)
    client.connect()
    offered = parse_message(client.up.init_request).first(Sa)
    assert offered is not None
    assert offered.proposals == client.persona.ike
