"""The attack checklist, row by row, as far as it concerns what exists.

Elsewhere: forged, empty and odd signatures, keys and PSS parameters (2013-2944, 2017-9022, 2018-6459, 2018-16151, 2021-41990,
2026-14957, 2026-50722) in tests/crypto and tests/auth; certificates, names, chains, hash and URL (2013-5018, 2013-6075,
2020-16088, 2022-40617, 2023-26463, 2026-35331) in tests/auth; payload lengths and loops (2016-1287, 2017-13039, 2022-34721,
2026-12413) in tests/wire; datagrams of 0 to 27 octets, keepalives, ESP on 4500 in tests/daemon/test_udp.py.

Of later features, so not here: EAP (2013-2945, 2015-4171, 2015-8023, 2021-45079, 2025-62291, 2026-25075, 2026-35330),
RADIUS (2026-35333), SKF reassembly, answers to CP, redirects, OCSP and CRLs. Of IKEv1 alone: 2016-5361, 2020-1763, 2022-23094.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.ike.actions import Datagram
from ikepy.ike.drops import DropReason
from ikepy.wire.header import FLAG_INITIATOR, IkeHeader, build_header
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import (
    Auth,
    Cert,
    Delete,
    Identification,
    IdI,
    IdR,
    Ke,
    Nonce,
    Sk,
    UnknownPayload,
    VendorId,
)
from ikepy.wire.registry import (
    AuthMethod,
    CertEncoding,
    EncrId,
    ExchangeType,
    IdType,
    KeMethod,
    NotifyType,
    PayloadType,
    ProtocolId,
    TransformType,
)
from ikepy.wire.sa import Proposal, Sa, make_transform
from ikepy.wire.ts import TsI, TsR
from tests.support.link import arriving
from tests.support.pair import Pair, established_pair, make_pair
from tests.support.pcap import read_datagrams
from tests.support.sealing import ask, raw, sa_of
from tests.support.vectors import VECTORS, load_json, needs_vectors


def halfway() -> tuple[Pair, Message]:
    """IKE_SA_INIT is done; the right waits for IKE_AUTH; the request the left would send, in clear."""
    pair = make_pair()
    pair.left.initiate()
    for side, other in ((pair.left, pair.right), (pair.right, pair.left)):
        other.run(other.endpoint.receive_datagram(arriving(side.outbox.pop()), pair.now), pair.now)
    pair.left.outbox.clear()
    return pair, pair.left.recorder.sent[-1][0]


def sealed(pair: Pair, exchange: ExchangeType, *payloads) -> list[DropReason]:
    """A first protected request, sealed with the left's keys; what the right dropped of it."""
    left = sa_of(pair.left)
    header = IkeHeader(left.channel.spi_i, left.channel.spi_r, PayloadType(0), exchange, FLAG_INITIATOR, 1, 0)
    octets = left.channel._protection.seal(header, payloads)
    datagram = Datagram(octets, arriving(Datagram(b"", left.path)).path)
    pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
    return pair.right.recorder.drop_reasons


def refused(pair: Pair) -> bool:
    """The right believes in nothing, keeps nothing, and has said one thing at most."""
    return not pair.right.established and pair.right.kernel.is_clean and len(pair.right.outbox) <= 1


def init(pair: Pair, *payloads) -> list[DropReason]:
    """An IKE_SA_INIT request in clear."""
    header = IkeHeader(b"attacker", bytes(8), PayloadType(0), ExchangeType.IKE_SA_INIT, FLAG_INITIATOR, 0, 0)
    datagram = Datagram(build_message(Message(header, payloads)), arriving(Datagram(b"", sa_of(pair.left).path)).path)
    pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
    return pair.right.recorder.drop_reasons


def still_answers(pair: Pair) -> bool:
    """A good negotiation succeeds on the same endpoint afterwards."""
    fresh = make_pair(seed=77)
    fresh.right = pair.right
    fresh.now = pair.now + 100
    pair.right.pair = fresh
    fresh.left.initiate()
    fresh.run(20)
    return bool(fresh.left.established)


# -- the table -----------------------------------------------------------------------------------------------------


def test_a_bad_init_leaves_no_half_sa_for_a_create_child_sa_to_find() -> None:
    """CVE-2009-1957."""
    pair = established_pair()
    init(pair, Nonce(bytes(32)))
    assert pair.right.endpoint.half_open == 0
    header = IkeHeader(b"attacker", bytes(8), PayloadType.SK, ExchangeType.CREATE_CHILD_SA, FLAG_INITIATOR, 1, 28)
    assert raw(pair, build_header(header)) is DropReason.UNKNOWN_SPI
    assert still_answers(pair)


@pytest.mark.parametrize("missing", [TsI, TsR, Sa, Auth, IdI])
def test_an_ike_auth_without_one_of_its_payloads_is_refused(missing: type) -> None:
    """CVE-2009-1958, CVE-2013-6467."""
    pair, request = halfway()
    sealed(pair, ExchangeType.IKE_AUTH, *(p for p in request.payloads if not isinstance(p, missing)))
    assert refused(pair)
    assert still_answers(pair)


@pytest.mark.parametrize("missing", [Sa, Ke, Nonce])
def test_an_init_without_one_of_its_payloads_is_refused(missing: type) -> None:
    """CVE-2013-6466, CVE-2016-5391."""
    pair, _ = halfway()
    request = pair.left.recorder.sent[0][0]
    pair.right.outbox.clear()
    init(pair, *(p for p in request.payloads if not isinstance(p, missing)))
    assert refused(pair)
    assert pair.right.endpoint.half_open == 1


def test_rekeying_an_ike_sa_that_is_not_authenticated_is_not_allowed() -> None:
    """CVE-2014-2338."""
    pair, _ = halfway()
    proposals = tuple(replace(p, spi=bytes(8)) for p in (pair.left.sa.proposal,))
    drops = sealed(
        pair, ExchangeType.CREATE_CHILD_SA, Sa(proposals), Nonce(bytes(32)), Ke(KeMethod.CURVE25519, bytes(32))
    )
    assert drops == [DropReason.NOT_ALLOWED_NOW]
    assert not pair.right.established


def test_an_informational_before_ike_auth_is_not_allowed() -> None:
    """CVE-2019-12312."""
    pair, _ = halfway()
    assert sealed(pair, ExchangeType.INFORMATIONAL, Delete(ProtocolId.IKE, (), 0)) == [DropReason.NOT_ALLOWED_NOW]
    assert pair.right.endpoint.half_open == 1


@pytest.mark.parametrize("method", [KeMethod(1025), KeMethod.NONE, KeMethod.MODP_1024, KeMethod(65535)])
def test_a_ke_payload_of_a_method_nobody_chose_is_answered_with_the_one_wanted(method: KeMethod) -> None:
    """CVE-2014-9221."""
    pair, _ = halfway()
    request = pair.left.recorder.sent[0][0]
    pair.right.outbox.clear()
    init(pair, *(Ke(method, bytes(32)) if isinstance(p, Ke) else p for p in request.payloads))
    answer = parse_message(pair.right.outbox[0].octets)
    assert answer.error_notify == Notify(NotifyType.INVALID_KE_PAYLOAD, int(KeMethod.CURVE25519).to_bytes(2, "big"))
    assert pair.right.endpoint.half_open == 1


@pytest.mark.parametrize("kind", [1, 2, 5, 8, 13, 20, 130])
def test_payload_types_of_ikev1_are_unknown_ones_here(kind: int) -> None:
    """CVE-2015-3991."""
    pair = established_pair()
    assert ask(pair, ExchangeType.INFORMATIONAL, UnknownPayload(PayloadType(kind), bytes(20))).payloads == ()
    assert len(pair.right.established) == 1


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(32), bytes(33), bytes(60000)], ids=len)
def test_public_values_of_zeros_or_of_another_length_are_refused(public: bytes) -> None:
    """CVE-2015-3240, CVE-2023-41913."""
    pair, _ = halfway()
    request = pair.left.recorder.sent[0][0]
    pair.right.outbox.clear()
    init(pair, *(Ke(KeMethod.CURVE25519, public) if isinstance(p, Ke) else p for p in request.payloads))
    assert refused(pair)
    assert pair.right.endpoint.half_open == 1
    assert still_answers(pair)


def test_an_algorithm_that_is_listed_and_not_there_is_not_chosen() -> None:
    """CVE-2016-3071, CVE-2018-10811."""
    pair, _ = halfway()
    request = pair.left.recorder.sent[0][0]
    odd = Sa((Proposal(1, ProtocolId.IKE, b"", (make_transform(TransformType.ENCR, EncrId.NULL_AUTH_AES_GMAC, 256),)),))
    pair.right.outbox.clear()
    init(pair, *(odd if isinstance(p, Sa) else p for p in request.payloads))
    assert parse_message(pair.right.outbox[0].octets).error_notify == Notify(NotifyType.NO_PROPOSAL_CHOSEN)


def test_malformed_selectors_after_authentication_end_that_sa_and_no_more() -> None:
    """CVE-2023-23009."""
    pair = established_pair()
    odd = UnknownPayload(PayloadType.TSI, b"\xff\0\0\0\x07\0\0\x10" + bytes(8))
    answer = ask(pair, ExchangeType.CREATE_CHILD_SA, odd)
    assert answer.error_notify == Notify(NotifyType.INVALID_SYNTAX)
    assert pair.right.kernel.is_clean
    assert still_answers(pair)


def test_what_a_peer_says_of_itself_is_escaped_before_it_is_printed() -> None:
    """CVE-2023-28771."""
    evil = Identification(IdType.ID_FQDN, b"a\n$(reboot)\x1b[2J\\\xff")
    assert str(evil) == "a\\x0a$(reboot)\\x1b[2J\\x5c\\xff"
    pair, request = halfway()
    sealed(pair, ExchangeType.IKE_AUTH, *(IdI(evil) if isinstance(p, IdI) else p for p in request.payloads))
    assert refused(pair)
    assert all("\n" not in line and "\x1b" not in line for line in pair.right.recorder.decisions)


@pytest.mark.parametrize(
    "identity",
    [
        Identification(IdType(0), b"x"),
        Identification(IdType(255), b"x"),
        Identification(IdType.ID_FQDN, bytes(60000)),
        Identification(IdType.ID_DER_ASN1_DN, b"\x30\x82\xff\xff\x31"),
        Identification(IdType.ID_IPV4_ADDR, b"\x01"),
        Identification(IdType.ID_NULL, b""),
    ],
    ids=lambda identity: f"{identity.type}-{len(identity.octets)}",
)
def test_odd_identities_are_refused_like_any_other(identity: Identification) -> None:
    """CVE-2013-6075, CVE-2025-9242, CVE-2025-14733."""
    pair, request = halfway()
    sealed(pair, ExchangeType.IKE_AUTH, *(IdI(identity) if isinstance(p, IdI) else p for p in request.payloads))
    assert refused(pair)
    answer = pair.right.recorder.sent[-1][0]
    assert answer.error_notify is not None
    assert still_answers(pair)


def test_without_a_secret_for_the_peer_no_state_is_kept_and_a_repeat_gets_the_same_answer() -> None:
    """CVE-2024-2357."""
    pair, request = halfway()
    stranger = Identification(IdType.ID_FQDN, b"somebody.else")
    payloads = tuple(IdI(stranger) if isinstance(p, IdI) else p for p in request.payloads)
    left = sa_of(pair.left)
    spis = left.channel.spi_i, left.channel.spi_r
    header = IkeHeader(*spis, PayloadType(0), ExchangeType.IKE_AUTH, FLAG_INITIATOR, 1, 0)
    octets = left.channel._protection.seal(header, payloads)
    datagram = Datagram(octets, arriving(Datagram(b"", left.path)).path)
    answers = []
    for _ in range(2):
        pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
        answers.append(pair.right.outbox.pop().octets)
    assert answers[0] == answers[1]
    assert not pair.right.sas


@pytest.mark.parametrize(
    "auth",
    [
        Auth(AuthMethod.SHARED_KEY, b""),
        Auth(AuthMethod.SHARED_KEY, bytes(32)),
        Auth(AuthMethod.SHARED_KEY, bytes(60000)),
        Auth(AuthMethod.NULL, bytes(32)),
        Auth(AuthMethod(0), bytes(32)),
        Auth(AuthMethod.RSA_SIGNATURE, bytes(256)),
        Auth(AuthMethod.DIGITAL_SIGNATURE, b"\xff"),
        Auth(AuthMethod.ECDSA_SHA256_P256, bytes(64)),
    ],
    ids=lambda auth: f"{auth.method}-{len(auth.octets)}",
)
def test_a_proof_that_is_none_is_refused(auth: Auth) -> None:
    """CVE-2013-2944."""
    pair, request = halfway()
    sealed(pair, ExchangeType.IKE_AUTH, *(auth if isinstance(p, Auth) else p for p in request.payloads))
    assert refused(pair)
    assert still_answers(pair)


# -- more to try ---------------------------------------------------------------------------------------------------


def test_two_sk_payloads_and_payloads_behind_sk_are_malformed() -> None:
    pair = established_pair()
    left = sa_of(pair.left)
    spis = left.channel.spi_i, left.channel.spi_r
    header = IkeHeader(*spis, PayloadType(0), ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 2, 0)
    good = left.channel._protection.seal(header, ())
    sk = parse_message(good).payloads[0]
    assert isinstance(sk, Sk)
    behind = good[:24] + (len(good) + 4).to_bytes(4, "big") + good[28:] + b"\0\0\0\4"
    assert raw(pair, behind) is DropReason.MALFORMED
    assert len(pair.right.established) == 1


def test_an_sk_payload_inside_sk_is_no_payload_of_any_exchange() -> None:
    pair = established_pair()
    answer = ask(pair, ExchangeType.INFORMATIONAL, Sk(PayloadType(0), b""))
    assert answer.error_notify == Notify(NotifyType.INVALID_SYNTAX)


def test_spis_of_another_ike_sa_delete_nothing() -> None:
    pair, other = established_pair(), established_pair(seed=5)
    spi = other.left.sa.children[0].spec.inbound.spi.to_bytes(4, "big")
    assert ask(pair, ExchangeType.INFORMATIONAL, Delete(ProtocolId.ESP, (spi,), 4)).payloads == ()
    assert len(pair.right.sa.children) == 1


def test_a_delete_of_sixteen_thousand_spis_is_answered() -> None:
    pair = established_pair()
    spis = tuple(number.to_bytes(4, "big") for number in range(16000))
    assert ask(pair, ExchangeType.INFORMATIONAL, Delete(ProtocolId.ESP, spis, 4)).payloads == ()
    assert len(pair.right.established) == 1


def test_certificates_and_vendor_ids_of_64_kib_nobody_needs_are_ignored() -> None:
    pair, request = halfway()
    big = Cert(CertEncoding.X509_SIGNATURE, bytes(60000))
    sealed(pair, ExchangeType.IKE_AUTH, *request.payloads[:1], big, *request.payloads[1:])
    assert len(pair.right.established) == 1
    other = established_pair(seed=8)
    assert ask(other, ExchangeType.INFORMATIONAL, VendorId(bytes(60000))).payloads == ()


def test_forged_errors_in_clear_end_no_ike_sa_that_lives() -> None:
    pair = established_pair()
    left = sa_of(pair.left)
    for kind in (NotifyType.AUTHENTICATION_FAILED, NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.INVALID_SYNTAX):
        spis = left.channel.spi_i, left.channel.spi_r
        header = IkeHeader(*spis, PayloadType(0), ExchangeType.INFORMATIONAL, FLAG_INITIATOR, 2, 0)
        lie = build_message(Message(header, (Notify(kind), Delete(ProtocolId.IKE, (), 0))))
        assert raw(pair, lie) is DropReason.UNPROTECTED_ERROR
    assert len(pair.right.established) == 1


def test_the_responder_never_sends_unasked_what_it_answered_to_an_init() -> None:
    """CVE-2016-5361's amplification: one answer to one request."""
    pair, _ = halfway()
    pair.right.outbox.clear()
    pair.link.loss = 1.0
    pair.run(25)
    assert not pair.right.outbox
    assert not [d for d in pair.link.sent if d.path.local.address == pair.right.address]


def test_an_idr_that_is_not_ours_is_refused() -> None:
    pair, request = halfway()
    wrong = IdR(Identification(IdType.ID_FQDN, b"not.here"))
    sealed(pair, ExchangeType.IKE_AUTH, *(wrong if isinstance(p, IdR) else p for p in request.payloads))
    assert refused(pair)


@needs_vectors
def test_packets_that_crashed_others_end_in_a_named_drop() -> None:
    pair = established_pair()
    cases = load_json("messages/libreswan-bad-packets.json")["cases"]
    for case in cases:
        octets = bytes.fromhex(case["hex"])
        before = sum(pair.right.endpoint.drops.values()) + len(pair.right.recorder.received)
        datagram = Datagram(octets, arriving(Datagram(b"", sa_of(pair.left).path)).path)
        pair.right.run(pair.right.endpoint.receive_datagram(datagram, pair.now), pair.now)
        assert sum(pair.right.endpoint.drops.values()) + len(pair.right.recorder.received) > before
    assert cases
    assert len(pair.right.established) == 1


@needs_vectors
def test_malformed_captures_end_in_a_named_drop() -> None:
    pair = established_pair()
    thrown = 0
    for path in sorted((VECTORS / "pcap" / "malformed").iterdir()):
        for packet in read_datagrams(path):
            octets = packet.ike_octets
            if octets:
                raw(pair, octets)
                thrown += 1
    assert thrown
    assert len(pair.right.established) == 1
