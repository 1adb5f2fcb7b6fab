"""Recordings of our own below captures/: their messages, their keys, and both in Wireshark's words.

keys.toml keeps the columns of Wireshark's two tables, ikev2_decryption_table and esp_sa, under names.
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ikepy.wire.message import Message, parse_message
from ikepy.wire.payloads import Sk
from tests.support.key_tables import KeyTable, key_table_of
from tests.support.pcap import read_ike

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
IKE_COLUMNS = ("spi_i", "spi_r", "sk_ei", "sk_er", "encr", "sk_ai", "sk_ar", "integ")
ESP_COLUMNS = ("family", "source", "destination", "spi", "encr", "encr_key", "integ", "integ_key")
_IKE_QUOTED = {"encr", "integ"}


def recordings() -> list[str]:
    """The folders there are."""
    return sorted(path.parent.name for path in CAPTURES.glob("*/session.pcap"))


def keys_as_toml(ike_lines: str, esp_lines: str) -> str:
    """Two tables of Wireshark's as one keys.toml; each line once, comments left out."""
    out = ["# Keys of this one recorded session, in the columns and words of Wireshark's tables.\n"]
    for table, columns, text in (("ike_sa", IKE_COLUMNS, ike_lines), ("esp_sa", ESP_COLUMNS, esp_lines)):
        lines = dict.fromkeys(line for line in text.splitlines() if line and not line.startswith("#"))
        for row in csv.reader(lines):
            fields = (f'{name} = "{value}"' for name, value in zip(columns, row, strict=True))
            out.append("\n".join([f"[[{table}]]", *fields]) + "\n")
    return "\n".join(out)


@dataclass(frozen=True)
class Recording:
    """One folder."""

    folder: Path

    @property
    def pcap(self) -> Path:
        """What the cable carried."""
        return self.folder / "session.pcap"

    @cached_property
    def keys(self) -> dict[str, list[dict[str, str]]]:
        """keys.toml as it stands."""
        return tomllib.loads((self.folder / "keys.toml").read_text())

    @cached_property
    def tables(self) -> dict[tuple[bytes, bytes], KeyTable]:
        """The keys of the IKE SAs by SPIs."""
        made = [key_table_of([row[name] for name in IKE_COLUMNS]) for row in self.keys.get("ike_sa", [])]
        return {(table.spi_i, table.spi_r): table for table in made}

    @cached_property
    def messages(self) -> list[bytes]:
        """The IKE messages in their order."""
        return [octets for _, octets in read_ike(self.pcap)]

    @cached_property
    def sealed(self) -> list[tuple[KeyTable, bytes]]:
        """The messages with an SK payload, each with its keys; raises KeyError where keys.toml has none."""
        return [
            (self.tables[message.header.spi_i, message.header.spi_r], octets)
            for octets in self.messages
            if (message := parse_message(octets)).first(Sk) is not None
        ]

    def preferences(self) -> list[str]:
        """tshark's options that give it the keys."""
        ike = [
            ",".join(f'"{row[name]}"' if name in _IKE_QUOTED else row[name] for name in IKE_COLUMNS)
            for row in self.keys.get("ike_sa", [])
        ]
        esp = [",".join(f'"{row[name]}"' for name in ESP_COLUMNS) for row in self.keys.get("esp_sa", [])]
        options = ["esp.enable_encryption_decode:TRUE", "esp.enable_authentication_check:TRUE"]
        options += [f"uat:ikev2_decryption_table:{line}" for line in ike] + [f"uat:esp_sa:{line}" for line in esp]
        return [word for option in options for word in ("-o", option)]

    def lines(self) -> list[str]:
        """Each message in a line, with what is inside."""
        told = []
        for datagram, octets in read_ike(self.pcap):
            message = parse_message(octets)
            table = self.tables.get((message.header.spi_i, message.header.spi_r))
            if table is not None and message.first(Sk) is not None:
                message = Message(message.header, table.open(octets).payloads)
            told.append(f"{datagram.source} > {datagram.destination}.{datagram.destination_port} {message.summary()}")
        return told
