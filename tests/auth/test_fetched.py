"""What CAs say of certificates: which URLs are asked, what counts of what comes, how long."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ikepy.auth.certificate import Certificate, CertificateRefused, from_x509
from ikepy.auth.fetched import RETRY, Fetched, Silence, is_plain, sources_of
from ikepy.auth.ocsp import Status
from ikepy.auth.revocation import Revocations, StatusWanted
from ikepy.config.authentication import Revocation
from tests.support.certificates import NOW, Issued, make, make_ca
from tests.support.status import answer, crl, with_urls

ROOT = make_ca("CN=Root")
OTHER = make_ca("CN=Root", number=901)
OCSP, CRL = "http://ocsp.example/", "http://crl.example/root.crl"
PEER = with_urls(ROOT, ocsp=(OCSP,), crl=(CRL,))
LATER = NOW + timedelta(days=30)
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


def read(issued: Issued) -> Certificate:
    return from_x509(issued.certificate)


def chain(peer: Issued = PEER, root: Issued = ROOT) -> tuple[Certificate, Certificate]:
    return read(peer), read(root)


def check(mode: Revocation, fetched: Fetched, now: datetime = NOW, peer: Issued = PEER) -> None:
    Revocations(mode, None, fetched).check(chain(peer), now)


@pytest.mark.parametrize(
    ("url", "is_asked"),
    [
        ("http://ca.example/a.crl", True),
        ("http://[2001:db8::1]:8080/a.crl", True),
        ("https://ca.example/a.crl", False),
        ("ldap://ca.example/cn=a", False),
        ("file:///etc/passwd", False),
        ("http://user@ca.example/", False),
        ("http:///a", False),
        ("http://ca.example/a b", False),
        ("http://ca.example/\r\nHost: x", False),
        ("http://ca.example:99999/", False),
        ("http://ca.example/" + "a" * 1024, False),
        ("http://cä.example/", False),
    ],
)
def test_plain_http_with_a_host_is_asked_and_nothing_else(url: str, is_asked: bool) -> None:
    assert is_plain(url) is is_asked


def test_ocsp_is_asked_before_lists_and_each_of_two_urls_at_most() -> None:
    peer = with_urls(ROOT, ocsp=(OCSP, "ldap://a/", "http://b/", "http://c/"), crl=(CRL,))
    assert [each.url for each in sources_of(*chain(peer))] == [OCSP, "http://b/", CRL]
    assert sources_of(*chain(make("CN=peer", ROOT))) == ()


def test_who_says_nowhere_where_it_is_found_is_taken_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    check(Revocation.SOFT, Fetched(), peer=make("CN=peer", ROOT))
    assert not caplog.records
    with pytest.raises(CertificateRefused, match="says nowhere"):
        check(Revocation.STRICT, Fetched(), peer=make("CN=peer", ROOT))


@pytest.mark.parametrize("mode", [Revocation.SOFT, Revocation.STRICT])
def test_a_verdict_waits_until_the_ca_was_asked(mode: Revocation) -> None:
    fetched = Fetched()
    with pytest.raises(StatusWanted) as wanted:
        check(mode, fetched)
    (source,) = wanted.value.sources
    fetched.take(source, answer(PEER, ROOT, GOOD), NOW)
    check(mode, fetched)
    with pytest.raises(StatusWanted):
        check(mode, fetched, LATER)


@pytest.mark.parametrize("mode", [Revocation.SOFT, Revocation.STRICT])
def test_who_was_revoked_is_refused_also_when_the_answer_is_old(mode: Revocation) -> None:
    fetched = Fetched()
    fetched.take(sources_of(*chain())[0], answer(PEER, ROOT, REVOKED), NOW)
    for now in (NOW, LATER):
        with pytest.raises(CertificateRefused, match=r"was revoked .* \(keyCompromise\), says http://ocsp"):
            check(mode, fetched, now)


def test_a_list_is_asked_where_ocsp_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    fetched, (answers, lists) = Fetched(), sources_of(*chain())
    fetched.failed(answers, "it does not answer", NOW)
    with pytest.raises(StatusWanted) as wanted:
        check(Revocation.STRICT, fetched)
    assert [each.url for each in wanted.value.sources] == [CRL]
    fetched.take(lists, crl(ROOT), NOW)
    check(Revocation.STRICT, fetched)
    fetched.take(lists, crl(ROOT, PEER), NOW)
    with pytest.raises(CertificateRefused, match=r"was revoked .* says http://crl"):
        check(Revocation.SOFT, fetched)


def test_where_nobody_answers_strict_refuses_and_soft_says_so(caplog: pytest.LogCaptureFixture) -> None:
    fetched = Fetched()
    for source in sources_of(*chain()):
        fetched.failed(source, "it does not answer", NOW)
    with pytest.raises(CertificateRefused, match=r"http://crl.example/root.crl says nothing of it .*strict"):
        check(Revocation.STRICT, fetched)
    check(Revocation.SOFT, fetched)
    assert "is taken, though http://crl.example/root.crl says nothing" in caplog.text
    with pytest.raises(StatusWanted):
        check(Revocation.SOFT, fetched, NOW + RETRY)


def bad_answers() -> dict[str, tuple[bytes, str]]:
    delegate = make("CN=ocsp", ROOT, purposes=("clientAuth",))
    return {
        "nothing": (b"", "no OCSP answer"),
        "no DER": (b"\x30\x84\xff\xff\xff\xff", "no OCSP answer"),
        "an error": (
            ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER),
            "TRY_LATER",
        ),
        "of another CA of that name": (answer(PEER, OTHER, GOOD, named=ROOT), "signed neither"),
        "of a delegate for something else": (answer(PEER, ROOT, GOOD, by=delegate), "signed neither"),
        "about another": (answer(make("CN=else", ROOT), ROOT, GOOD), "another certificate"),
        "unknown": (answer(PEER, ROOT, UNKNOWN), "does not know"),
        "old": (answer(PEER, ROOT, GOOD, at=NOW - timedelta(days=60)), "out of date"),
        "of the future": (answer(PEER, ROOT, GOOD, at=NOW + timedelta(days=2)), "out of date"),
    }


@pytest.mark.parametrize("name", bad_answers())
def test_an_answer_that_does_not_count_is_silence(name: str) -> None:
    octets, why = bad_answers()[name]
    fetched, source = Fetched(), sources_of(*chain())[0]
    fetched.take(source, octets, NOW)
    found = fetched.look(source, NOW)
    assert isinstance(found, Silence)
    assert why in found.why


def test_who_was_made_to_answer_for_the_ca_counts_as_the_ca() -> None:
    fetched, source = Fetched(), sources_of(*chain())[0]
    fetched.take(source, answer(PEER, ROOT, GOOD, by=make("CN=ocsp", ROOT, purposes=("ocspSigning",))), NOW)
    assert isinstance(fetched.look(source, NOW), Status)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "no CRL"),
        (crl(OTHER), "not signed by"),
        (crl(make_ca("CN=Else")), "not for"),
        (crl(ROOT, at=NOW - timedelta(days=60)), "out of date"),
        (crl(ROOT, critical=True), "critical extension"),
    ],
    ids=["nothing", "another CA of that name", "another CA", "old", "an unknown extension"],
)
def test_a_list_that_does_not_count_is_silence(octets: bytes, why: str) -> None:
    fetched, source = Fetched(), sources_of(*chain())[1]
    fetched.take(source, octets, NOW)
    found = fetched.look(source, NOW)
    assert isinstance(found, Silence)
    assert why in found.why


def test_what_came_is_there_after_a_restart_and_judged_again(tmp_path: Path) -> None:
    answers, lists = sources_of(*chain())
    first = Fetched(tmp_path / "kept")
    first.take(answers, answer(PEER, ROOT, GOOD), NOW)
    first.take(lists, crl(ROOT), NOW)
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    again = Fetched(tmp_path / "kept")
    assert isinstance(again.look(answers, NOW), Status)
    assert isinstance(again.look(lists, NOW), Status)
    for file in (tmp_path / "kept").iterdir():
        file.write_bytes(crl(OTHER))
    changed = Fetched(tmp_path / "kept")
    assert changed.look(answers, NOW) is None
    assert changed.look(lists, NOW) is None


def test_one_list_is_for_all_certificates_of_its_ca() -> None:
    fetched, another = Fetched(), with_urls(ROOT, crl=(CRL,))
    fetched.take(sources_of(*chain())[1], crl(ROOT, another), NOW)
    with pytest.raises(CertificateRefused, match="was revoked"):
        check(Revocation.SOFT, fetched, peer=another)
