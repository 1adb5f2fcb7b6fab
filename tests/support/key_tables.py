"""SK payloads opened and sealed with the keys of a Wireshark `ikev2_decryption_table`.

What is opened keeps its IV and its padding, so that sealing it again gives the same octets.
Not here: fragments; where keys come from.
"""

from __future__ import annotations

import csv
import hmac
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ikepy.crypto.cipher import Encr, get_encr
from ikepy.crypto.errors import IntegrityError
from ikepy.crypto.integ import get_integ
from ikepy.crypto.secret import Secret
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.message import Message, build_message, parse_message
from ikepy.wire.payloads import Payload, Sk
from ikepy.wire.registry import EncrId, IntegId

_AES_MODES = {
    "AES-CBC": EncrId.AES_CBC,
    "AES-CTR": EncrId.AES_CTR,
    "AES-GCM8": EncrId.AES_GCM_8,
    "AES-GCM12": EncrId.AES_GCM_12,
    "AES-GCM16": EncrId.AES_GCM_16,
    "AES-CCM8": EncrId.AES_CCM_8,
    "AES-CCM12": EncrId.AES_CCM_12,
    "AES-CCM16": EncrId.AES_CCM_16,
}
_AES_NAME = re.compile(r"(AES-\w+)-(\d+)(?: with (\d+) octet ICV)?")


class _Md5:
    """HMAC-MD5-96: in old captures only, so not in ikepy."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def tag(self, octets: bytes) -> bytes:
        return hmac.digest(self._key, octets, "md5")[:12]

    def verify(self, octets: bytes, tag: bytes) -> None:
        if self.tag(octets) != tag:
            raise IntegrityError("the ICV does not fit")


@dataclass(frozen=True, slots=True)
class Opened:
    """A protected message: what was inside its SK, and what to seal the same again with."""

    message: Message
    payloads: tuple[Payload, ...]
    iv: bytes
    padding: bytes


@dataclass(frozen=True, slots=True)
class KeyTable:
    """One line of the table."""

    spi_i: bytes
    spi_r: bytes
    encr: Encr
    integ: IntegId
    sk_ei: bytes
    sk_er: bytes
    sk_ai: bytes
    sk_ar: bytes

    def open(self, octets: bytes, *, verify: bool = True) -> Opened:
        """Open a whole message; raises IntegrityError, or WireError for what is inside."""
        message = parse_message(octets)
        sk = message.payloads[-1]
        assert isinstance(sk, Sk)
        prefix, iv = octets[: -len(sk.body)], sk.body[: self.encr.iv_octets]
        from_initiator = message.header.is_from_initiator
        if self.encr.is_aead:
            padded = self._keyed(from_initiator=from_initiator).open(iv, sk.body[len(iv) :], prefix)
        else:
            integ = self._integ(from_initiator=from_initiator)
            icv_octets = len(integ.tag(b""))
            if verify:
                integ.verify(octets[:-icv_octets], octets[-icv_octets:])
            padded = self._keyed(from_initiator=from_initiator).open(iv, sk.body[len(iv) : -icv_octets])
        end = len(padded) - padded[-1] - 1
        return Opened(message, parse_chain(sk.first_inner, padded[:end]), iv, padded[end:-1])

    def seal(self, opened: Opened) -> bytes:
        """The message again, from its parts."""
        first, inner = build_chain(opened.payloads)
        padded = inner + opened.padding + bytes([len(opened.padding)])
        from_initiator = opened.message.header.is_from_initiator
        encr = self._keyed(from_initiator=from_initiator)
        integ = None if self.encr.is_aead else self._integ(from_initiator=from_initiator)
        icv_octets = self.encr.icv_octets if integ is None else len(integ.tag(b""))
        outer = opened.message.payloads
        room = bytes(len(opened.iv) + len(padded) + icv_octets)
        sk = replace(outer[-1], first_inner=first, body=room)
        prefix = build_message(replace(opened.message, payloads=(*outer[:-1], sk)))[: -len(room)]
        if integ is None:
            return prefix + opened.iv + encr.seal(opened.iv, padded, prefix)
        sealed = prefix + opened.iv + encr.seal(opened.iv, padded)
        return sealed + integ.tag(sealed)

    def _keyed(self, *, from_initiator: bool):
        return self.encr.keyed(Secret(self.sk_ei if from_initiator else self.sk_er))

    def _integ(self, *, from_initiator: bool):
        key = self.sk_ai if from_initiator else self.sk_ar
        return _Md5(key) if self.integ is IntegId.HMAC_MD5_96 else get_integ(self.integ).keyed(Secret(key))


def read_key_table(path: Path) -> dict[tuple[bytes, bytes], KeyTable]:
    """The lines of a table by SPIs; raises ValueError for an algorithm nobody here knows."""
    lines = csv.reader(line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    tables = [key_table_of(line) for line in lines]
    return {(table.spi_i, table.spi_r): table for table in tables}


def key_table_of(line: list[str]) -> KeyTable:
    """One line of the table, by its columns; raises ValueError for an algorithm nobody here knows."""
    spi_i, spi_r, sk_ei, sk_er, encr, sk_ai, sk_ar, integ = line
    keys = [bytes.fromhex(key) for key in (spi_i, spi_r, sk_ei, sk_er, sk_ai, sk_ar)]
    integ_name = integ.split(" ")[0]
    return KeyTable(keys[0], keys[1], _encr_named(encr), IntegId[integ_name], keys[2], keys[3], keys[4], keys[5])


def _encr_named(name: str) -> Encr:
    if name.startswith("3DES"):
        return get_encr(EncrId.TRIPLE_DES, None)
    if name.startswith("ChaCha20"):
        return get_encr(EncrId.CHACHA20_POLY1305, None)
    match = _AES_NAME.match(name)
    if match is None:
        raise ValueError(f"no cipher called {name}")
    mode, bits, icv = match.groups(default="")
    return get_encr(_AES_MODES[mode + icv], int(bits))
