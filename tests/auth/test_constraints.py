"""Name constraints, form by form, through both ways to a trust anchor."""

from __future__ import annotations

import pytest

from ikepy.auth.certificate import CertificateRefused
from tests.support.certificates import make, make_ca
from tests.support.chains import Shown, Way, both_ways, by_the_door, constrained

OUTSIDE = "outside what CA|no permitted name constraints"
EXCLUDED = "excluded from what CA|excluded name constraint"
CONSTRAINED = [
    # what the certificate says, what the root constrains, what is said of it
    pytest.param("CN=g", ("dns:gate.example.org",), {"permitted": ("dns:example.com",)}, OUTSIDE, id="DNS outside"),
    pytest.param("CN=g", ("dns:a.example.com",), {"excluded": ("dns:example.com",)}, EXCLUDED, id="DNS excluded"),
    pytest.param("CN=g", ("dns:*.example.com",), {"excluded": ("dns:a.example.com",)}, EXCLUDED, id="DNS wildcard"),
    pytest.param("CN=g", ("email:u@example.org",), {"permitted": ("email:example.com",)}, OUTSIDE, id="mail outside"),
    pytest.param("CN=g", ("email:u@example.com",), {"excluded": ("email:example.com",)}, EXCLUDED, id="mail excluded"),
    pytest.param("CN=g", ("email:v@a.example",), {"permitted": ("email:u@a.example",)}, OUTSIDE, id="another mailbox"),
    pytest.param("E=u@example.org", (), {"permitted": ("email:example.com",)}, OUTSIDE, id="mail in the subject"),
    pytest.param("CN=g", ("ip:192.0.3.1",), {"permitted": ("ip:192.0.2.0/24",)}, OUTSIDE, id="IPv4 outside"),
    pytest.param("CN=g", ("ip:2001:db8::1",), {"excluded": ("ip:2001:db8::/32",)}, EXCLUDED, id="IPv6 excluded"),
    pytest.param("CN=g", ("ip:2001:db8::1",), {"permitted": ("ip:192.0.2.0/24",)}, OUTSIDE, id="IPv6 below IPv4"),
    pytest.param("C=FR, CN=g", (), {"permitted": ("dn:C=DE",)}, OUTSIDE, id="subject outside"),
    pytest.param("C=DE, O=Bad, CN=g", (), {"excluded": ("dn:C=DE, O=Bad",)}, EXCLUDED, id="subject excluded"),
    pytest.param("C=DE, O=BAD, CN=g", (), {"excluded": ("dn:C=DE, O=bad",)}, EXCLUDED, id="subject in capitals"),
    pytest.param("CN=g", ("dn:C=DE, O=Bad",), {"excluded": ("dn:C=DE",)}, EXCLUDED, id="directory name excluded"),
    pytest.param("CN=g", ("uri:ike://a.example/",), {"permitted": ("uri:b.example",)}, "outside|unsupported", id="URI"),
    pytest.param(
        "CN=g", ("uri:ike://a.example/",), {"excluded": ("uri:a.example",)}, "excluded|unsupported", id="URI excluded"
    ),
    pytest.param(
        "CN=g", ("rid:1.2.3",), {"permitted": ("rid:1.2.3",)}, "not known here|unsupported", id="form not known"
    ),
]


@both_ways
@pytest.mark.parametrize(("subject", "alt_names", "constraints", "says"), CONSTRAINED)
def test_a_name_that_a_ca_may_not_certify_is_refused(
    subject: str, alt_names: tuple[str, ...], constraints: dict[str, tuple[str, ...]], says: str, kind: str, way: Way
) -> None:
    with pytest.raises(CertificateRefused, match=says):
        way(constrained(kind, subject, alt_names, **constraints))


def test_more_names_and_constraints_than_can_be_compared_are_refused() -> None:
    names = tuple(f"dns:host{number}.example.com" for number in range(300))
    shown = constrained("ed25519", "CN=g", names, excluded=tuple(f"dns:e{number}.example" for number in range(300)))

    with pytest.raises(CertificateRefused, match=r"too many"):
        by_the_door(shown)


@both_ways
def test_a_self_issued_ca_between_is_not_constrained_but_the_peers_own_is(kind: str, way: Way) -> None:
    root = make_ca("C=DE, CN=Root", key=kind, number=1, permitted=("dn:C=DE, O=Example",))
    new_key = make_ca("C=DE, CN=Root", root, key=kind, number=2)
    inside = make("C=DE, O=Example, CN=gate", new_key)
    outside = make("C=DE, CN=Root", new_key)

    assert len(way(Shown(inside, (new_key,), (root,)))) == 3
    with pytest.raises(CertificateRefused, match=r"outside"):
        way(Shown(outside, (new_key,), (root,)))


@pytest.mark.parametrize(
    ("name", "constraints"),
    [
        ("uri:ike://a.example/", {"permitted": ("uri:a.example",)}),
        ("uri:ike://b.a.example/", {"permitted": ("uri:.a.example",)}),
        ("uri:ike://b.a.example/", {"excluded": ("uri:a.example",)}),
        ("email:u@b.a.example", {"permitted": ("email:.a.example",)}),
        ("email:u@a.example", {"permitted": ("email:u@A.example",)}),
        ("dns:*.a.example", {"permitted": ("dns:a.example",)}),
        ("dns:*.a.example", {"excluded": ("dns:b.example",)}),
        ("dns:any.example", {"permitted": ("dns:",)}),
        ("ip:2001:db8::1", {"excluded": ("ip:192.0.2.0/24",)}),
    ],
)
def test_a_name_within_its_bounds_is_taken(name: str, constraints: dict[str, tuple[str, ...]]) -> None:
    assert by_the_door(constrained("ed25519", "CN=g", (name,), **constraints))


@pytest.mark.parametrize(
    ("subject", "names", "constraints"),
    [
        ("CN=g", ("uri:ike://b.a.example/",), {"permitted": ("uri:a.example",)}),
        ("CN=g", ("uri:no-host",), {"permitted": ("uri:a.example",)}),
        ("CN=g", ("uri:no-host",), {"excluded": ("uri:a.example",)}),
        ("CN=g", ("uri:ike://[broken/",), {"permitted": ("uri:a.example",)}),
        ("CN=g", ("email:u@a.example",), {"permitted": ("email:.a.example",)}),
        ("E=no-host", (), {"permitted": ("email:a.example",)}),
        ("E=no-host", (), {"excluded": ("email:a.example",)}),
        ("CN=g", ("dns:*.a.example",), {"permitted": ("dns:b.a.example",)}),
        ("CN=g", ("dns:any.example",), {"excluded": ("dns:",)}),
    ],
)
def test_a_name_beyond_its_bounds_or_that_cannot_be_judged_is_refused(
    subject: str, names: tuple[str, ...], constraints: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(CertificateRefused, match=r"outside|excluded"):
        by_the_door(constrained("ed25519", subject, names, **constraints))
