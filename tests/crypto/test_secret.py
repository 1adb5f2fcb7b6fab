"""Secrets and entropy: what is secret does not print, what is seeded repeats."""

import copy
import pickle

import pytest

from ikepy.crypto.cipher import get_encr, supported_encrs
from ikepy.crypto.entropy import SystemEntropy
from ikepy.crypto.integ import get_integ, supported_integs
from ikepy.crypto.key_exchange import make_key_exchange, supported_methods
from ikepy.crypto.keyed_hmac import KeyedHmac
from ikepy.crypto.modp import ModpKey
from ikepy.crypto.prf import get_prf, supported_prfs
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import KeMethod
from tests.support.entropy import SeededEntropy

OCTETS = b"sixteen octets.."
SECRET = Secret(OCTETS)


@pytest.mark.parametrize("words", [repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET:>40}", f"{(SECRET,)!r}"])
def test_a_secret_prints_its_length_and_nothing_else(words):
    assert "Secret(16 octets)" in words
    assert "sixteen" not in words
    assert OCTETS.hex() not in words


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy, hash])
def test_a_secret_is_neither_pickled_nor_copied_nor_hashed(way):
    with pytest.raises(TypeError):
        way(SECRET)


def test_a_secret_gives_its_octets_when_asked_by_name_and_has_no_others():
    assert SECRET.reveal() == OCTETS
    assert len(SECRET) == len(OCTETS)
    assert not hasattr(SECRET, "__dict__")


def test_secrets_compare_by_their_octets_and_with_secrets_only():
    assert Secret(bytearray(OCTETS)) == SECRET
    assert Secret(OCTETS[:-1] + b"!") != SECRET
    assert Secret(b"") != SECRET
    assert SECRET != OCTETS


def things_with_keys():
    for number in supported_prfs():
        yield f"prf {number}", lambda key, number=number: get_prf(number).keyed(key), get_prf(number).key_octets
    for number in supported_integs():
        integ = get_integ(number)
        yield f"integ {number}", integ.keyed, integ.key_octets
    for number, lengths in supported_encrs().items():
        encr = get_encr(number, lengths[-1])
        yield f"encr {number}", encr.keyed, encr.key_octets
    yield "hmac", lambda key: KeyedHmac(key, "sha256"), 32


@pytest.mark.parametrize(("name", "keyed", "octets"), [pytest.param(*each, id=each[0]) for each in things_with_keys()])
def test_nothing_that_holds_a_key_prints_it(name, keyed, octets):
    key = bytes(range(1, octets + 1))
    words = repr(keyed(Secret(key)))
    assert key[:4].hex() not in words
    assert repr(key[:4])[2:-1] not in words


@pytest.mark.parametrize("method", sorted(supported_methods()), ids=str)
def test_our_half_of_a_key_exchange_prints_its_method_only(method):
    key_exchange = make_key_exchange(method, SeededEntropy(1))
    assert repr(key_exchange) == f"{type(key_exchange).__name__}({method})"


def test_a_private_exponent_does_not_print():
    key = ModpKey(KeMethod.MODP_1024, SeededEntropy(1))
    assert "Secret(20 octets)" in repr(key._exponent)


def test_the_systems_entropy_gives_what_is_asked_for_and_does_not_repeat():
    entropy = SystemEntropy()
    assert [len(entropy.octets(count)) for count in (0, 1, 32)] == [0, 1, 32]
    assert entropy.octets(32) != entropy.octets(32)


def test_seeded_entropy_repeats_by_seed_and_goes_on_where_it_stopped():
    one, same, other = SeededEntropy(7), SeededEntropy(7), SeededEntropy(8)
    assert one.octets(5) + one.octets(40) == same.octets(45)
    assert other.octets(45) != SeededEntropy(7).octets(45)
