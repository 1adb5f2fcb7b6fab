"""Name constraints of CAs, for every form of name (RFC 5280 §4.2.1.10).

Rule 1: a form of name that cannot be judged, and on which a constraint lies, is refused.
Rule 2: the subject counts as a name, and a mail address in it as a mail address, whatever subjectAltName says.
Rule 3: the work is bounded: more than MOST_COMPARISONS for one chain is refused.
Why not left to cryptography's verifier: it looks at subjectAltName only, never at the subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from cryptography import x509

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.crypto.names import Name, fold_rdn, format_name, parse_name

MOST_COMPARISONS = 1 << 14
_EMAIL_OID = "1.2.840.113549.1.9.1"

NameForm = type[x509.GeneralName]
PlainName = tuple[NameForm, object]
"""A name's form and its value: text, an address, or a Name."""


def check_name_constraints(chain: Sequence[Certificate]) -> None:
    """Check every name in a chain against the constraints of all CAs above it; raises CertificateRefused.

    chain   the peer's own first, the trust anchor last
    """
    comparisons = 0
    for place, authority in enumerate(chain):
        if authority.constraints is None:
            continue
        permitted = _by_form(authority.constraints.permitted_subtrees)
        excluded = _by_form(authority.constraints.excluded_subtrees)
        for below, certificate in enumerate(chain[:place]):
            if below and certificate.is_self_issued:
                continue  # "not applied to self-issued certificates (unless the final one)"
            for form, value in _names_of(certificate):
                comparisons += len(permitted.get(form, ())) + len(excluded.get(form, ()))
                if comparisons > MOST_COMPARISONS:
                    raise CertificateRefused("names and name constraints too many to compare")
                _check_name(form, value, permitted.get(form), excluded.get(form), authority)


def _check_name(
    form: NameForm, value: object, permitted: list[object] | None, excluded: list[object] | None, authority: Certificate
) -> None:
    if permitted is None and excluded is None:
        return
    shown = format_name(value) if isinstance(value, tuple) else str(value)
    if form not in _WITHIN:
        raise CertificateRefused(f"CA {authority} constrains names of a form that is not known here ({form.__name__})")
    is_within, overlaps = _WITHIN[form]
    if permitted is not None and not any(is_within(value, base) for base in permitted):
        raise CertificateRefused(f"the name '{shown}' is outside what CA {authority} may certify")
    if excluded is not None and any(overlaps(value, base) for base in excluded):
        raise CertificateRefused(f"the name '{shown}' is excluded from what CA {authority} may certify")


def _by_form(subtrees: Iterable[x509.GeneralName] | None) -> dict[NameForm, list[object]]:
    forms: dict[NameForm, list[object]] = {}
    for subtree in subtrees or ():
        forms.setdefault(type(subtree), []).append(_plain(subtree))
    return forms


def _names_of(certificate: Certificate) -> Iterable[PlainName]:
    if certificate.subject:
        yield x509.DirectoryName, certificate.subject
    for rdn in certificate.subject:
        for attribute in rdn:
            if attribute.oid == _EMAIL_OID:
                yield x509.RFC822Name, attribute.text or ""
    for name in certificate.alt_names:
        yield type(name), _plain(name)


def _plain(name: x509.GeneralName) -> object:
    if isinstance(name, x509.DirectoryName):
        try:
            return parse_name(name.value.public_bytes())
        except ValueError as error:
            raise CertificateRefused(f"directory name that cannot be read: {error}") from error
    return name.value


def _directory_within(value: object, base: object) -> bool:
    if not isinstance(value, tuple) or not isinstance(base, tuple):
        return False
    return _folded(value[: len(base)]) == _folded(base)


def _folded(name: Name) -> list[frozenset[tuple[str, str | tuple[int, bytes]]]]:
    return [fold_rdn(rdn) for rdn in name]


def _host_within(host: str, base: str) -> bool:
    """Whether a DNS name is the base or below it; with a dot before it only below."""
    host, base = host.lower().removesuffix("."), base.lower().removesuffix(".")
    if not base:
        return True
    return host.endswith(base) if base.startswith(".") else host == base or host.endswith("." + base)


def _dns_within(value: object, base: object) -> bool:
    """Of a wildcard, whether all names it stands for are."""
    host, end = str(value), str(base)
    return _host_within(host[2:], end.removeprefix(".")) if host.startswith("*.") else _host_within(host, end)


def _dns_overlaps(value: object, base: object) -> bool:
    """Of a wildcard, whether any name it stands for is."""
    host, end = str(value), str(base)
    if _host_within(host, end):
        return True
    return host.startswith("*.") and _host_within(end.removeprefix("."), host[2:])


def _mail_within(value: object, base: object) -> bool:
    user, at, host = str(value).rpartition("@")
    wanted_user, wanted_at, wanted_host = str(base).rpartition("@")
    if not at:
        return False
    if wanted_at:
        return user == wanted_user and host.lower() == wanted_host.lower()
    if wanted_host.startswith("."):
        return _host_within(host, wanted_host)
    return not wanted_host or host.lower() == wanted_host.lower()


def _mail_overlaps(value: object, base: object) -> bool:
    return "@" not in str(value) or _mail_within(value, base)


def _uri_host(value: object) -> str | None:
    try:
        return urlsplit(str(value)).hostname
    except ValueError:
        return None


def _uri_within(value: object, base: object) -> bool:
    host = _uri_host(value)
    if host is None:
        return False
    wanted = str(base)
    return _host_within(host, wanted) if wanted.startswith(".") or not wanted else host == wanted.lower()


def _uri_overlaps(value: object, base: object) -> bool:
    return _uri_host(value) is None or _uri_within(value, base)


def _address_within(value: object, base: object) -> bool:
    if isinstance(value, IPv4Address):
        return isinstance(base, IPv4Network) and value in base
    return isinstance(value, IPv6Address) and isinstance(base, IPv6Network) and value in base


_Compare = Callable[[object, object], bool]
_WITHIN: dict[NameForm, tuple[_Compare, _Compare]] = {
    x509.DirectoryName: (_directory_within, _directory_within),
    x509.DNSName: (_dns_within, _dns_overlaps),
    x509.RFC822Name: (_mail_within, _mail_overlaps),
    x509.UniformResourceIdentifier: (_uri_within, _uri_overlaps),
    x509.IPAddress: (_address_within, _address_within),
}
"""For each form: whether a name is within a base, and whether it touches it."""
