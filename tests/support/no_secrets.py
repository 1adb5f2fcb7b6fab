"""Nothing that was written holds a secret: files are searched for passwords, hashes and keys in every form they may take.

    assert_no_secrets(directory, [PASSWORD, nt_hash(PASSWORD), msk])

Not here: whose secrets they are.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

from ikepy.crypto.secret import Secret

SHORTEST = 6
"Octets of the shortest secret that is looked for: shorter ones are everywhere."
OURS = (".db", ".db-wal", ".db-shm", ".der", ".pem", ".pcap", ".key")
"Files that are no log; packets are judged by what protects them."


def assert_no_secrets(directory: Path, secrets: Iterable[str | bytes | Secret], leave_out: Iterable[Path] = ()) -> int:
    """Search all files below a directory, but databases, certificates, captures and those left out; how many they were."""
    wanted = {form: name for name, form in _named(secrets)}
    out, searched = set(leave_out), 0
    for file in sorted(directory.rglob("*")):
        if not file.is_file() or file.suffix in OURS or file in out:
            continue
        searched += 1
        found = find_secrets(file.read_bytes(), wanted)
        assert not found, f"{file} holds {', '.join(found)}"
    return searched


def assert_text_has_no_secrets(text: str, secrets: Iterable[str | bytes | Secret]) -> None:
    """The same for a text that is at hand."""
    found = find_secrets(text.encode("utf-8", "surrogateescape"), {form: name for name, form in _named(secrets)})
    assert not found, f"a text of {len(text)} characters holds {', '.join(found)}"


def find_secrets(octets: bytes, wanted: dict[bytes, str]) -> list[str]:
    """The names of the secrets that stand in octets, whatever the case of their letters."""
    small = octets.lower()
    return sorted({name for form, name in wanted.items() if form.lower() in small})


def _named(secrets: Iterable[str | bytes | Secret]) -> Iterable[tuple[str, bytes]]:
    """Each secret in each form, with a name that does not tell it."""
    for number, secret in enumerate(secrets, 1):
        octets = secret.reveal() if isinstance(secret, Secret) else secret
        octets = octets.encode() if isinstance(octets, str) else octets
        if len(octets) < SHORTEST:
            raise ValueError(f"secret {number} has {len(octets)} octets; {SHORTEST} are the fewest to look for")
        for form, written in _forms(octets):
            yield f"secret {number} ({form})", written


def _forms(octets: bytes) -> Iterable[tuple[str, bytes]]:
    yield "as it is", octets
    yield "in hexadecimal digits", octets.hex().encode()
    yield "in digits with colons", octets.hex(":").encode()
    yield "in digits with spaces", octets.hex(" ").encode()
    yield "in base64", base64.b64encode(octets).rstrip(b"=")
    yield "as Python writes it", repr(octets)[2:-1].encode()
    text = octets.decode("utf-8", "ignore")
    if text.encode() == octets:
        yield "in UTF-16", text.encode("utf-16-le")
        yield "escaped", text.encode("unicode_escape")
