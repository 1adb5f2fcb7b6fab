"""Names that certificates are made for, and those that are refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from cryptography import x509

from ikepy.pki.errors import PkiError
from ikepy.pki.names import client_names, common_name, file_name, server_names


def test_a_host_name_is_a_dns_name_in_small_letters() -> None:
    assert server_names(["VPN.Example.com."]) == [x509.DNSName("vpn.example.com")]
    assert server_names(["*.example.com"]) == [x509.DNSName("*.example.com")]


@pytest.mark.parametrize("address", ["203.0.113.1", "2001:db8::1"])
def test_an_address_is_one_and_a_name_too_for_windows_looks_there(address: str) -> None:
    assert server_names([address]) == [x509.IPAddress(ip_address(address)), x509.DNSName(address)]


def test_each_name_stands_once() -> None:
    assert server_names(["a.example", "A.example", "a.example."]) == [x509.DNSName("a.example")]


def test_a_client_is_a_mail_address_a_name_or_a_person() -> None:
    assert client_names("alice@example.com") == [x509.RFC822Name("alice@example.com")]
    assert client_names("alice") == [x509.DNSName("alice")]
    assert client_names("Alice Example") == []


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", ".", "..", "-a.example", "a-.example", "a b.example", "a..b", "*", "*.com", "a.*.b", "a/b", "a\nb"),
        *("a\0b", "x" * 64 + ".example", "x." * 130, "$(reboot)", "ex\u00e4mple.com", "../../etc/passwd", "[::1]"),
    ],
)
def test_what_is_no_host_is_refused(name: str) -> None:
    with pytest.raises(PkiError):
        server_names([name])


@pytest.mark.parametrize(
    "name", ["", "@", "a@", "@b", "a b@c", "a@b c", "-rf", "a/b", "a\nb", "x" * 65, "a@" + "x" * 200]
)
def test_what_is_no_client_is_refused(name: str) -> None:
    with pytest.raises(PkiError):
        client_names(name)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\0b", "\x1b[2J"])
def test_what_is_no_subject_is_refused(name: str) -> None:
    with pytest.raises(PkiError):
        common_name(name)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("vpn.example.com", "vpn.example.com"),
        ("*.example.com", "_any.example.com"),
        ("alice@example.com", "alice@example.com"),
        ("Alice Example", "Alice_Example"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("...", "_"),
        ("2001:db8::1", "2001_db8_1"),
    ],
)
def test_a_files_name_is_plain(name: str, file: str) -> None:
    assert file_name(name) == file
    assert "/" not in file
