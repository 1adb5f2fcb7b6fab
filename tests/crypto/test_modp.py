"""MODP groups: the primes, powers by both ways, and public values that must not be used."""

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ikepy.crypto import modp
from ikepy.crypto.errors import InvalidPublicValue
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import KeMethod
from tests.support.entropy import SeededEntropy, ToldEntropy
from tests.support.vectors import load_json, needs_vectors

ALL = sorted(modp.METHODS)
DEPRECATED_MODULE = "cryptography.hazmat.primitives.asymmetric.dh"

# The last words of the primes as RFC 2409 §6.2 and RFC 3526 §2-§7 print them.
LAST_WORDS = {
    KeMethod.MODP_1024: "49286651ECE65381FFFFFFFFFFFFFFFF",
    KeMethod.MODP_1536: "F1746C08CA237327FFFFFFFFFFFFFFFF",
    KeMethod.MODP_2048: "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    KeMethod.MODP_3072: "4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    KeMethod.MODP_4096: "4DF435C934063199FFFFFFFFFFFFFFFF",
    KeMethod.MODP_6144: "E694F91E6DCC4024FFFFFFFFFFFFFFFF",
    KeMethod.MODP_8192: "60C980DD98EDD3DFFFFFFFFFFFFFFFFF",
}


def in_octets(method, value):
    return value.to_bytes(modp.group(method).octets, "big")


@pytest.mark.parametrize("method", ALL, ids=str)
def test_primes_begin_with_pi_and_end_as_the_rfcs_print_them(method):
    words = in_octets(method, modp.group(method).prime).hex().upper()
    assert words.startswith("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD1")
    assert words.endswith(LAST_WORDS[method])
    assert f"MODP_{len(words) * 4}" == method.name


@needs_vectors
def test_primes_are_those_computed_elsewhere():
    groups = load_json("crypto/rfc3526-modp-primes.json")["groups"]
    assert {int(number) for number in groups} == set(ALL)
    for number, group in groups.items():
        assert modp.group(KeMethod(int(number))).prime == int(group["prime"], 16)
        assert group["generator"] == modp.GENERATOR


@pytest.mark.parametrize("method", [KeMethod.MODP_1024, KeMethod.MODP_1536], ids=str)
def test_primes_are_safe_and_2_makes_the_group_of_prime_order(method):
    prime = modp.group(method).prime
    assert pow(3, prime - 1, prime) == 1
    assert pow(3, (prime - 1) // 2 - 1, (prime - 1) // 2) == 1
    assert pow(2, (prime - 1) // 2, prime) == 1


@pytest.mark.parametrize(
    ("method", "least_bits"),
    [
        (KeMethod.MODP_1024, 160),
        # RFC 3526 §8, strength estimate 1
        (KeMethod.MODP_1536, 180),
        (KeMethod.MODP_2048, 220),
        (KeMethod.MODP_3072, 260),
        (KeMethod.MODP_4096, 300),
        (KeMethod.MODP_6144, 340),
        (KeMethod.MODP_8192, 380),
    ],
    ids=str,
)
def test_exponents_are_as_long_as_the_groups_strength_needs_and_have_all_their_bits(method, least_bits):
    octets = modp.group(method).exponent_octets
    assert octets * 8 >= least_bits
    key = modp.ModpKey(method, ToldEntropy(bytes(octets)))
    assert int.from_bytes(key._exponent.reveal(), "big").bit_length() == octets * 8


@pytest.mark.parametrize("method", ALL, ids=str)
def test_openssl_and_pow_come_to_the_same(method):
    exponent = Secret(SeededEntropy(method).octets(modp.group(method).exponent_octets))
    base = int.from_bytes(modp.ModpKey(method, SeededEntropy(1)).public, "big")
    assert modp.power(method, base, exponent) == modp.power(method, base, exponent, with_openssl=False)


def test_what_openssl_refuses_pow_computes():
    # OpenSSL refuses 1 as a public value; a group it may not do is refused in the same way.
    assert modp.power(KeMethod.MODP_2048, 1, Secret(b"\2")) == in_octets(KeMethod.MODP_2048, 1)


@pytest.mark.parametrize("with_openssl", [True, False])
def test_a_short_result_is_padded_to_the_modulus(with_openssl):
    method = KeMethod.MODP_2048
    prime = modp.group(method).prime
    exponent = modp.ModpKey(method, SeededEntropy(3))._exponent
    inverse = pow(int.from_bytes(exponent.reveal(), "big"), -1, (prime - 1) // 2)
    base = pow(4, inverse, prime)
    assert modp.power(method, base, exponent, with_openssl=with_openssl) == in_octets(method, 4)


@pytest.mark.parametrize("method", ALL, ids=str)
@pytest.mark.parametrize("value", ["0", "1", "p-1", "p", "p+1", "all ones"])
def test_public_values_outside_of_the_group_are_refused(method, value):
    prime = modp.group(method).prime
    numbers = {"0": 0, "1": 1, "p-1": prime - 1, "p": prime, "p+1": prime + 1}
    numbers["all ones"] = (1 << 8 * modp.group(method).octets) - 1
    with pytest.raises(InvalidPublicValue, match=f"outside of {method}"):
        modp.ModpKey(method, SeededEntropy(1)).agree(in_octets(method, numbers[value]))


@pytest.mark.parametrize("method", ALL, ids=str)
def test_public_values_of_another_length_are_refused_whatever_number_they_are(method):
    key = modp.ModpKey(method, SeededEntropy(1))
    public = modp.ModpKey(method, SeededEntropy(2)).public
    for wrong in (b"", b"\2", public[1:], b"\0" + public, public + b"\0"):
        with pytest.raises(InvalidPublicValue, match=f"public value of {len(wrong)} octets"):
            key.agree(wrong)


@pytest.mark.parametrize("value", [2, -2])
def test_the_least_and_the_greatest_public_value_are_taken(value):
    method = KeMethod.MODP_2048
    number = value % modp.group(method).prime
    assert modp.check_public(method, in_octets(method, number)) == number


def test_threads_may_work_at_the_same_time_where_warnings_are_errors():
    def agree(seed):
        one, other = (modp.ModpKey(KeMethod.MODP_2048, SeededEntropy(2 * seed + at)) for at in (0, 1))
        return one.agree(other.public) == other.agree(one.public)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(agree, range(16)))


@pytest.fixture
def modp_without_openssl(monkeypatch):
    """The module as it is where cryptography has dropped finite fields."""
    monkeypatch.setitem(sys.modules, DEPRECATED_MODULE, None)
    spec = importlib.util.spec_from_file_location("modp_without_openssl", modp.__file__)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_without_finite_fields_in_cryptography_the_same_peers_agree(modp_without_openssl):
    assert modp.HAS_OPENSSL
    assert not modp_without_openssl.HAS_OPENSSL
    with_it = modp.ModpKey(KeMethod.MODP_2048, SeededEntropy(1))
    without = modp_without_openssl.ModpKey(KeMethod.MODP_2048, SeededEntropy(2))
    assert without.agree(with_it.public) == with_it.agree(without.public)
    with pytest.raises(InvalidPublicValue):
        without.agree(bytes(256))
