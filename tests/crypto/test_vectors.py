"""Known answers from other IPsec programs (strongSwan, libreswan, pyikev2), beside those the RFCs print.

Rule: what is not checked is named here, so that no vector is passed over in silence.
"""

import pytest

from ikepy.crypto import modp
from ikepy.crypto.aes_mac import cmac, xcbc
from ikepy.crypto.cipher import get_encr
from ikepy.crypto.errors import IntegrityError
from ikepy.crypto.integ import get_integ
from ikepy.crypto.key_exchange import make_key_exchange
from ikepy.crypto.prf import get_prf
from ikepy.crypto.secret import Secret
from ikepy.wire.registry import EncrId, IntegId, KeMethod, PrfId
from tests.support.entropy import ToldEntropy
from tests.support.vectors import load_json, needs_vectors

pytestmark = needs_vectors

ENCRS = {
    "ENCR_AES_CBC": EncrId.AES_CBC,
    "ENCR_AES_CTR": EncrId.AES_CTR,
    "ENCR_AES_GCM_ICV12": EncrId.AES_GCM_12,
    "ENCR_AES_GCM_ICV16": EncrId.AES_GCM_16,
    "ENCR_AES_CCM_ICV8": EncrId.AES_CCM_8,
    "ENCR_AES_CCM_ICV12": EncrId.AES_CCM_12,
    "ENCR_AES_CCM_ICV16": EncrId.AES_CCM_16,
    "ENCR_CHACHA20_POLY1305": EncrId.CHACHA20_POLY1305,
    "ENCR_3DES": EncrId.TRIPLE_DES,
}
PRFS = {
    "PRF_HMAC_SHA1": PrfId.HMAC_SHA1,
    "PRF_HMAC_SHA2_256": PrfId.HMAC_SHA2_256,
    "PRF_HMAC_SHA2_384": PrfId.HMAC_SHA2_384,
    "PRF_HMAC_SHA2_512": PrfId.HMAC_SHA2_512,
    "PRF_AES128_XCBC": PrfId.AES128_XCBC,
    "PRF_AES128_CMAC": PrfId.AES128_CMAC,
}
INTEGS = {
    "AUTH_HMAC_SHA1_96": IntegId.HMAC_SHA1_96,
    "AUTH_HMAC_SHA2_256_128": IntegId.HMAC_SHA2_256_128,
    "AUTH_HMAC_SHA2_384_192": IntegId.HMAC_SHA2_384_192,
    "AUTH_HMAC_SHA2_512_256": IntegId.HMAC_SHA2_512_256,
    "AUTH_AES_CMAC_96": IntegId.AES_CMAC_96,
}
METHODS = {
    "MODP_1536_BIT": KeMethod.MODP_1536,
    "MODP_3072_BIT": KeMethod.MODP_3072,
    "MODP_6144_BIT": KeMethod.MODP_6144,
    "ECP_384_BIT": KeMethod.ECP_384,
    "ECP_384_BP": KeMethod.BRAINPOOL_384,
    "CURVE_25519": KeMethod.CURVE25519,
    "CURVE_448": KeMethod.CURVE448,
}
NOT_OURS = {
    "ENCR_CAMELLIA_CBC",
    "ENCR_NULL",
    "PRF_HMAC_MD5",
    "AUTH_HMAC_MD5_128",
    "AUTH_HMAC_SHA1_128",
    "AUTH_HMAC_SHA1_160",
    "MODP_768_BIT",
    "MODP_1024_160",
    "MODP_2048_256",
    "ECP_224_BIT",
    "ECP_224_BP",
    "camellia_cbc_test_vectors",
    "hmac_md5_prf_tests",
}


def vectors(name, table, word="alg"):
    """The vectors of a file whose algorithm is in the table; all others must be known not to be ours."""
    loaded = load_json(f"crypto/{name}.json")
    if loaded is None:
        return []
    known = [vector for vector in loaded["vectors"] if vector.get(word) in table]
    others = {vector.get(word) for vector in loaded["vectors"]} - set(table)
    assert others <= NOT_OURS | EXPECTED_ELSEWHERE, f"{others} in {name}"
    return [pytest.param(vector, id=vector.get("name") or vector["description"]) for vector in known]


EXPECTED_ELSEWHERE = {*ENCRS, *PRFS, *INTEGS, "KDF_PRF", "KDF_PRF_PLUS"}


def octets(vector, key):
    return bytes.fromhex(vector.get(key, ""))


@pytest.mark.parametrize("vector", vectors("strongswan-symmetric", ENCRS))
def test_ciphers_of_strongswan(vector):
    number = ENCRS[vector["alg"]]
    has_no_length = number in {EncrId.CHACHA20_POLY1305, EncrId.TRIPLE_DES}
    encr = get_encr(number, None if has_no_length else vector["key_size"] * 8)
    # aes_ccm15 says a key size of 16 and prints more octets, of which strongSwan takes what its sizes say.
    key = octets(vector, "key")[: encr.key_octets]
    cipher, iv, aad = encr.keyed(Secret(key)), octets(vector, "iv"), octets(vector, "adata")
    assert cipher.seal(iv, octets(vector, "plain"), aad) == octets(vector, "cipher")
    assert cipher.open(iv, octets(vector, "cipher"), aad) == octets(vector, "plain")
    if encr.is_aead:
        with pytest.raises(IntegrityError):
            cipher.open(iv, octets(vector, "cipher")[:-1] + b"\0", aad + b"\0")


@pytest.mark.parametrize("vector", vectors("strongswan-mac-prf", PRFS))
def test_prfs_of_strongswan(vector):
    prf = get_prf(PRFS[vector["alg"]])
    assert prf.digest(Secret(octets(vector, "key")), octets(vector, "seed")) == octets(vector, "out")


@pytest.mark.parametrize("vector", vectors("strongswan-mac-prf", INTEGS))
def test_integrity_algorithms_of_strongswan(vector):
    integ = get_integ(INTEGS[vector["alg"]])
    expected = octets(vector, "mac")[: integ.icv_octets]
    assert integ.keyed(Secret(octets(vector, "key"))).tag(octets(vector, "data")) == expected


@pytest.mark.parametrize("vector", vectors("strongswan-kdf", {"KDF_PRF"}))
def test_skeyseed_of_strongswan_and_cavp(vector):
    prf = get_prf(PRFS[vector["arg.prf"]])
    assert prf.digest(Secret(octets(vector, "salt")), octets(vector, "key")) == octets(vector, "out")


@pytest.mark.parametrize("vector", vectors("strongswan-kdf", {"KDF_PRF_PLUS"}))
def test_prf_plus_of_strongswan_and_cavp(vector):
    prf, out = get_prf(PRFS[vector["arg.prf"]]), octets(vector, "out")
    assert prf.plus(Secret(octets(vector, "key")), octets(vector, "salt"), len(out)) == out


def for_curve(private):
    """The entropy that makes a private value of an ECP or brainpool group."""
    return (int.from_bytes(private, "big") - 1).to_bytes(len(private) + 8, "big")


@pytest.mark.parametrize("vector", vectors("strongswan-ke", METHODS, "method"))
def test_key_exchanges_of_strongswan(vector):
    method, seed = METHODS[vector["method"]], octets(vector, "seed")
    publics = octets(vector, "pub_i"), octets(vector, "pub_r")
    privates = seed[: len(seed) // 2], seed[len(seed) // 2 :]
    for private, ours, theirs in zip(privates, publics, reversed(publics), strict=True):
        if method in modp.METHODS:
            exponent = Secret(private)
            assert modp.power(method, modp.GENERATOR, exponent) == ours
            assert modp.power(method, modp.check_public(method, theirs), exponent) == octets(vector, "shared")
            continue
        is_xdh = method in {KeMethod.CURVE25519, KeMethod.CURVE448}
        key_exchange = make_key_exchange(method, ToldEntropy(private if is_xdh else for_curve(private)))
        assert key_exchange.public == ours
        assert key_exchange.shared(theirs).reveal() == octets(vector, "shared")


# -- libreswan -----------------------------------------------------------------------------------------------------


def libreswan_octets(text):
    """Octets as libreswan writes them: hex with 0x and perhaps spaces, else characters."""
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()


LIBRESWAN_GROUPS = {"aes_cbc_test_vectors", "aes_ctr_test_vectors", "aes_gcm_test_vectors", "aes_xcbc_prf_tests"}
LIBRESWAN_GROUPS |= {"hmac_sha1_kdf_tests"}


@pytest.mark.parametrize("vector", vectors("libreswan-vectors", LIBRESWAN_GROUPS, "group"))
def test_vectors_of_libreswan(vector):
    values = {
        name: libreswan_octets(value)
        for name, value in vector.items()
        if isinstance(value, str) and name not in {"file", "group", "description"}
    }
    match vector["group"]:
        case "aes_cbc_test_vectors":
            check_cbc(values)
        case "aes_ctr_test_vectors":
            check_ctr(values)
        case "aes_gcm_test_vectors":
            check_gcm(values)
        case "aes_xcbc_prf_tests":
            digest = get_prf(PrfId.AES128_XCBC).digest(Secret(values["key"]), values["message"])
            assert digest == values["prf_output"]
        case _:
            check_key_derivation(values)


def check_cbc(values):
    cipher = get_encr(EncrId.AES_CBC, len(values["key"]) * 8).keyed(Secret(values["key"]))
    assert cipher.seal(values["iv"], values["plaintext"]) == values["ciphertext"]


def check_ctr(values):
    salt, iv, counter = values["cb"][:4], values["cb"][4:12], values["cb"][12:]
    assert counter == b"\0\0\0\1"
    cipher = get_encr(EncrId.AES_CTR, len(values["key"]) * 8).keyed(Secret(values["key"] + salt))
    assert cipher.seal(iv, values["plaintext"]) == values["ciphertext"]
    assert cipher.open(iv, values["ciphertext"]) == values["plaintext"]


def check_gcm(values):
    salt, iv = values["salted_iv"][:4], values["salted_iv"][4:]
    for number, icv_octets in ((EncrId.AES_GCM_8, 8), (EncrId.AES_GCM_12, 12), (EncrId.AES_GCM_16, 16)):
        cipher = get_encr(number, len(values["key"]) * 8).keyed(Secret(values["key"] + salt))
        sealed = values["ciphertext"] + values["tag"][:icv_octets]
        assert cipher.open(iv, sealed, values["aad"]) == values["plaintext"]
        assert cipher.seal(iv, values["plaintext"], values["aad"]) == sealed


def check_key_derivation(values):
    prf = get_prf(PrfId.HMAC_SHA1)
    nonces = values["ni"] + values["nr"]
    skeyseed = prf.digest(Secret(nonces), values["gir"])
    assert skeyseed == values["skeyseed"]
    stream = prf.plus(Secret(skeyseed), nonces + values["spii"] + values["spir"], len(values["dkm"]))
    assert stream == values["dkm"]
    sk_d = Secret(stream[: prf.key_octets])
    assert prf.digest(sk_d, values["gir_new"], nonces) == values["skeyseed_rekey"]


# -- pyikev2, RFC 5903 ---------------------------------------------------------------------------------------------


def test_vectors_of_pyikev2():
    prf_vector, integ_vector = load_json("crypto/pyikev2-prf.json")
    prf, key, text = get_prf(PrfId.HMAC_SHA1), *(prf_vector[name].encode() for name in ("key_ascii", "data_ascii"))
    assert prf.digest(Secret(key), text).hex() == prf_vector["prf"]
    assert prf.plus(Secret(key), text, 100).hex() == prf_vector["prf_plus_100"]
    # This one's key is shorter than the algorithm's, which a key of an SA never is: the PRF takes it.
    tag = get_prf(PrfId.HMAC_SHA2_512).digest(Secret(integ_vector["key_ascii"].encode()), text)[:32]
    assert (integ_vector["alg"], tag.hex()) == ("AUTH_HMAC_SHA2_512_256", integ_vector["icv"])


def test_vectors_of_rfc_5903():
    vector = load_json("crypto/rfc5903-ecp.json")["vectors"]["ecp256"]
    for ours, theirs in (("i", "r"), ("r", "i")):
        entropy = ToldEntropy(for_curve(octets(vector, ours)))
        key_exchange = make_key_exchange(KeMethod(vector["group"]), entropy)
        assert key_exchange.public.hex() == vector[f"ke_{ours} (x|y)"]
        assert key_exchange.shared(octets(vector, f"ke_{theirs} (x|y)")).reveal().hex() == vector["shared (x only)"]


def test_macs_of_strongswan_are_the_same_without_a_prf_around_them():
    for vector in load_json("crypto/strongswan-mac-prf.json")["vectors"]:
        if vector["alg"] in {"PRF_AES128_XCBC", "PRF_AES128_CMAC"} and vector["key_size"] == 16:
            mac = xcbc if vector["alg"] == "PRF_AES128_XCBC" else cmac
            assert mac(octets(vector, "key"), octets(vector, "seed")) == octets(vector, "out")
