"""Keys for Wireshark: `ikev2_decryption_table` and, beside it, `esp_sa`.

Rule 1: the files are their owner's alone (0600) from the moment they exist.
Rule 2: a line is written, and flushed, when its keys are made, so that a running capture can be read.
Rule 3: what Wireshark has no word for stands in a comment, since one unknown word spoils its whole table.
Rule 4: a keylog that cannot be written ends no IKE SA: it is said once, and nothing more is written.

Use: copy `<keylog>` to Wireshark's profile directory as `ikev2_decryption_table`, `<keylog>.esp_sa` as `esp_sa`; or
`tshark -o "uat:ikev2_decryption_table:$(head -1 <keylog>)" -r capture.pcap`.
Not here: when keys are logged at all (the `keylog` key under [daemon]).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path as FilePath

from ikepy.crypto.secret import Secret
from ikepy.ike.events import ChildSaRekeyed, ChildSaUp, Event
from ikepy.ike.observer import SilentObserver
from ikepy.ipsec import SaSpec
from ikepy.wire.registry import EncrId, IntegId

_log = logging.getLogger("ikepy.daemon")

# Wireshark's words in the ikev2_decryption_table, without the length of the key.
_IKE_ENCR = {
    "TRIPLE_DES": "3DES [RFC2451]",
    "AES_CBC": "AES-CBC-{bits} [RFC3602]",
    "AES_CTR": "AES-CTR-{bits} [RFC5930]",
} | {
    f"AES_{mode}_{octets}": f"AES-{mode}-{{bits}} with {octets} octet ICV [RFC5282]"
    for mode in ("GCM", "CCM")
    for octets in (8, 12, 16)
}
_IKE_INTEG = {
    "NONE": "NONE [RFC4306]",
    "HMAC_SHA1_96": "HMAC_SHA1_96 [RFC2404]",
    "HMAC_SHA2_256_128": "HMAC_SHA2_256_128 [RFC4868]",
    "HMAC_SHA2_384_192": "HMAC_SHA2_384_192 [RFC4868]",
    "HMAC_SHA2_512_256": "HMAC_SHA2_512_256 [RFC4868]",
    "AES_XCBC_96": "ANY 96-bits of Authentication [No Checking]",
    "AES_CMAC_96": "ANY 96-bits of Authentication [No Checking]",
}
# Wireshark's words in the esp_sa table.
_ESP_ENCR = {
    EncrId.TRIPLE_DES: "TripleDES-CBC [RFC2451]",
    EncrId.AES_CBC: "AES-CBC [RFC3602]",
    EncrId.AES_CTR: "AES-CTR [RFC3686]",
    EncrId.AES_GCM_8: "AES-GCM with 8 octet ICV [RFC4106]",
    EncrId.AES_GCM_12: "AES-GCM with 12 octet ICV [RFC4106]",
    EncrId.AES_GCM_16: "AES-GCM with 16 octet ICV [RFC4106]",
}
_ESP_INTEG = {
    IntegId.HMAC_SHA1_96: "HMAC-SHA-1-96 [RFC2404]",
    IntegId.HMAC_SHA2_256_128: "HMAC-SHA-256-128 [RFC4868]",
    IntegId.HMAC_SHA2_384_192: "HMAC-SHA-384-192 [RFC4868]",
    IntegId.HMAC_SHA2_512_256: "HMAC-SHA-512-256 [RFC4868]",
    IntegId.AES_XCBC_96: "AES-XCBC-MAC-96 [RFC3566]",
}


class KeylogObserver(SilentObserver):
    """Writes the keys of every SA to a file."""

    def __init__(self, file: FilePath) -> None:
        self._ike_file = file
        self._esp_file = file.with_name(file.name + ".esp_sa")
        self._broken = False

    def keys_derived(self, spi_i: bytes, spi_r: bytes, keys: dict[str, Secret], encr: str, integ: str) -> None:
        """One line an IKE SA."""
        self._write(self._ike_file, ike_sa_line(spi_i, spi_r, keys, encr, integ))

    def published(self, event: Event) -> None:
        """Two lines a child: in and out."""
        match event:
            case ChildSaUp(_, child) | ChildSaRekeyed(_, _, child) if child.spec is not None:
                for state in (child.spec.inbound, child.spec.outbound):
                    self._write(self._esp_file, esp_sa_line(state))
            case _:
                pass

    def _write(self, file: FilePath, line: str) -> None:
        if self._broken:
            return
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                os.write(descriptor, (line + "\n").encode("ascii"))
            finally:
                os.close(descriptor)
        except OSError as error:
            self._broken = True
            _log.warning("keylog %s cannot be written (%s): no more keys are written", file, error.strerror)


def ike_sa_line(spi_i: bytes, spi_r: bytes, keys: dict[str, Secret], encr: str, integ: str) -> str:
    """One IKE SA as a line of Wireshark's ikev2_decryption_table.

    encr, integ   the registry's names; the cipher's with its key length in bits, as `AES_GCM_16-256`
    """
    name, _, bits = encr.rpartition("-")
    word, integ_word = _IKE_ENCR.get(name), _IKE_INTEG.get(integ)
    cipher = word.format(bits=bits) if word is not None else encr
    sk_ei, sk_er, sk_ai, sk_ar = (keys[key].reveal().hex() for key in ("SK_ei", "SK_er", "SK_ai", "SK_ar"))
    line = f'{spi_i.hex()},{spi_r.hex()},{sk_ei},{sk_er},"{cipher}",{sk_ai},{sk_ar},"{integ_word or integ}"'
    return line if word is not None and integ_word is not None else f"# {line}"


def esp_sa_line(state: SaSpec) -> str:
    """One state as a line of Wireshark's esp_sa table."""
    encr = _ESP_ENCR.get(state.encr)
    integ = _ESP_INTEG.get(state.integ) if state.integ is not None else "NULL"
    integ_key = f"0x{state.integ_key.reveal().hex()}" if state.integ_key is not None else ""
    columns = (
        f"IPv{state.source.version}",
        str(state.source),
        str(state.destination),
        f"0x{state.spi:08x}",
        encr or str(state.encr),
        f"0x{state.encr_key.reveal().hex()}",
        integ or str(state.integ),
        integ_key,
    )
    line = ",".join(f'"{column}"' for column in columns)
    return line if encr is not None and integ is not None else f"# {line}"
