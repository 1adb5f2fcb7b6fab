"""Key exchange methods: both sides agree, as the RFCs print it, and bad public values are refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from ikepy.crypto.errors import InvalidPublicValue, NoSuchAlgorithm
from ikepy.crypto.key_exchange import is_slow, make_key_exchange, public_octets, supported_methods
from ikepy.wire.registry import KeMethod
from tests.support.entropy import SeededEntropy, ToldEntropy

ALL = sorted(supported_methods())
CURVES = {
    KeMethod.ECP_256: ec.SECP256R1(),
    KeMethod.ECP_384: ec.SECP384R1(),
    KeMethod.ECP_521: ec.SECP521R1(),
    KeMethod.BRAINPOOL_256: ec.BrainpoolP256R1(),
    KeMethod.BRAINPOOL_384: ec.BrainpoolP384R1(),
    KeMethod.BRAINPOOL_512: ec.BrainpoolP512R1(),
}
# RFC 7296 §3.4, RFC 3526, RFC 5903 §6, RFC 6954 §2, RFC 8031 §3: octets of KE data and of the secret.
OCTETS = {
    KeMethod.MODP_1024: (128, 128),
    KeMethod.MODP_1536: (192, 192),
    KeMethod.MODP_2048: (256, 256),
    KeMethod.MODP_3072: (384, 384),
    KeMethod.MODP_4096: (512, 512),
    KeMethod.MODP_6144: (768, 768),
    KeMethod.MODP_8192: (1024, 1024),
    KeMethod.ECP_256: (64, 32),
    KeMethod.ECP_384: (96, 48),
    KeMethod.ECP_521: (132, 66),
    KeMethod.BRAINPOOL_256: (64, 32),
    KeMethod.BRAINPOOL_384: (96, 48),
    KeMethod.BRAINPOOL_512: (128, 64),
    KeMethod.CURVE25519: (32, 32),
    KeMethod.CURVE448: (56, 56),
}


def with_private(method, private):
    """Our half with a private value that is told."""
    if method in CURVES:
        octets = len(private) + 8
        private = (int.from_bytes(private, "big") - 1).to_bytes(octets, "big")
    return make_key_exchange(method, ToldEntropy(private))


def test_there_are_all_the_methods_that_were_promised():
    assert set(ALL) == set(OCTETS)


@pytest.mark.parametrize("method", ALL, ids=str)
def test_both_sides_agree(method):
    one, other = make_key_exchange(method, SeededEntropy(1)), make_key_exchange(method, SeededEntropy(2))
    secret = one.shared(other.public)
    assert secret == other.shared(one.public)
    assert one.method is method
    assert (len(one.public), len(secret)) == OCTETS[method]
    assert public_octets(method) == len(one.public)
    assert one.public != other.public


@pytest.mark.parametrize("method", ALL, ids=str)
def test_the_same_entropy_makes_the_same_public_value(method):
    publics = {make_key_exchange(method, SeededEntropy(5)).public for _ in range(2)}
    assert len(publics) == 1


@pytest.mark.parametrize(
    ("method", "private_i", "private_r", "public_i", "public_r", "secret"),
    [
        pytest.param(
            KeMethod.CURVE25519,
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
            id="RFC 7748 §6.1",
        ),
        pytest.param(
            KeMethod.CURVE448,
            "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
            "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
            "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
            "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
            "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037514a879d",
            id="RFC 7748 §6.2",
        ),
        pytest.param(
            KeMethod.ECP_256,
            "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
            "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
            "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
            "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
            "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
            "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
            "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
            id="RFC 5903 §8.1",
        ),
    ],
)
def test_public_values_and_secrets_are_those_of_the_rfcs(method, private_i, private_r, public_i, public_r, secret):
    one, other = (with_private(method, bytes.fromhex(private)) for private in (private_i, private_r))
    assert (one.public.hex(), other.public.hex()) == (public_i, public_r)
    assert one.shared(other.public).reveal().hex() == secret
    assert other.shared(one.public).reveal().hex() == secret


@pytest.mark.parametrize("method", ALL, ids=str)
def test_public_values_of_another_length_are_refused(method):
    key_exchange, public = (make_key_exchange(method, SeededEntropy(seed)) for seed in (1, 2))
    public = public.public
    for wrong in (b"", public[:-1], public[1:], public + b"\0", b"\0" + public, b"\4" + public, public * 2):
        with pytest.raises(InvalidPublicValue, match=f"{len(public)} are right"):
            key_exchange.shared(wrong)


@pytest.mark.parametrize("method", ALL, ids=str)
def test_a_public_value_of_zeros_is_refused(method):
    with pytest.raises(InvalidPublicValue):
        make_key_exchange(method, SeededEntropy(1)).shared(bytes(public_octets(method)))


@pytest.mark.parametrize("method", sorted(CURVES), ids=str)
def test_points_off_the_curve_are_refused(method):
    key_exchange, peer = (make_key_exchange(method, SeededEntropy(seed)) for seed in (1, 2))
    half = len(peer.public) // 2
    x, y = peer.public[:half], peer.public[half:]
    wrong = bytes([y[-1] ^ 1])
    for point in (x + y[:-1] + wrong, y + x, x + bytes(half), bytes(half) + y, x + b"\xff" * half, b"\xff" * 2 * half):
        with pytest.raises(InvalidPublicValue, match=f"no point of {method}"):
            key_exchange.shared(point)


@pytest.mark.parametrize("method", sorted(CURVES), ids=str)
def test_points_of_another_curve_of_the_same_size_are_refused(method):
    others = [each for each in CURVES if each is not method and public_octets(each) == public_octets(method)]
    for other in others:
        with pytest.raises(InvalidPublicValue, match="no point"):
            make_key_exchange(method, SeededEntropy(1)).shared(make_key_exchange(other, SeededEntropy(2)).public)


# RFC 7748 §6 and RFC 8031 §2.1: these make the shared secret all zeros. Numbers are little-endian.
P25519, P448 = 2**255 - 19, 2**448 - 2**224 - 1
ORDER_8 = (
    0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
)
SMALL_ORDER = [(KeMethod.CURVE25519, number) for number in (0, 1, *ORDER_8, P25519 - 1, P25519, P25519 + 1)]
SMALL_ORDER += [(KeMethod.CURVE448, number) for number in (0, 1, P448 - 1, P448, P448 + 1)]


@pytest.mark.parametrize(("method", "number"), SMALL_ORDER)
def test_points_of_small_order_are_refused(method, number):
    public = number.to_bytes(public_octets(method), "little")
    with pytest.raises(InvalidPublicValue, match="small order"):
        make_key_exchange(method, SeededEntropy(1)).shared(public)


@pytest.mark.parametrize("method", [m for m in ALL if public_octets(m) <= 256], ids=str)
@settings(max_examples=15, deadline=None)
@given(public=st.binary(max_size=300) | st.binary(min_size=32, max_size=32) | st.binary(min_size=64, max_size=64))
def test_any_octets_come_to_a_secret_or_a_refusal(method, public):
    key_exchange = make_key_exchange(method, SeededEntropy(1))
    try:
        secret = key_exchange.shared(public)
    except InvalidPublicValue:
        return
    assert len(secret) == OCTETS[method][1]


def test_private_values_of_curves_are_in_range_whatever_the_entropy_gives():
    for octets in (bytes(40), b"\xff" * 40):
        make_key_exchange(KeMethod.ECP_256, ToldEntropy(octets))
    order = CURVES[KeMethod.ECP_256].group_order
    least = make_key_exchange(KeMethod.ECP_256, ToldEntropy((order - 1).to_bytes(40, "big")))
    assert least.public == make_key_exchange(KeMethod.ECP_256, ToldEntropy(bytes(40))).public


@pytest.mark.parametrize("method", [KeMethod.NONE, KeMethod.MODP_768, KeMethod.MODP_2048_256, KeMethod(1025)], ids=str)
def test_methods_that_are_not_here_are_refused(method):
    assert method not in supported_methods()
    with pytest.raises(NoSuchAlgorithm, match=f"no key exchange method {method}"):
        make_key_exchange(method, SeededEntropy(1))
    with pytest.raises(NoSuchAlgorithm, match=f"no key exchange method {method}"):
        public_octets(method)


def test_only_the_quick_methods_may_stay_out_of_a_thread():
    assert {method for method in ALL if not is_slow(method)} == {
        KeMethod.CURVE25519,
        KeMethod.CURVE448,
        KeMethod.ECP_256,
    }
