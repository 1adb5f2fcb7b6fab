"""Writes both ends of a tunnel between two sites: ours where a daemon finds it, the peer's into a directory to be carried there.

Rule 1: what is there is not written over: a tunnel that works is not lost by setting it up again.
Not here: the texts (site_file.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import wrap

from ikepy.config.load import load
from ikepy.crypto.entropy import Entropy
from ikepy.pki.making import KeyKind
from ikepy.pki.store import Pki
from ikepy.setup.answers import SetupError
from ikepy.setup.site_file import (
    Peer,
    Site,
    ikepy_text,
    libreswan_secrets,
    libreswan_text,
    strongswan_text,
)
from ikepy.setup.steps import write

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_SECRET_LETTERS = 40
"Of 5 bits each: 200 bits."
Say = Callable[[str], None]


def make_secret(entropy: Entropy) -> str:
    """A pre-shared key that no file's quoting changes."""
    letters = "".join(_LETTERS[octet % len(_LETTERS)] for octet in entropy.octets(_SECRET_LETTERS))
    return "-".join(wrap(letters, 8))


def set_up_site(site: Site, peer: Peer, directory: Path, entropy: Entropy, say: Say) -> tuple[Path, Path]:
    """Write both ends; return our configuration and the peer's directory. Raises SetupError, PkiError, OSError."""
    conf, away = directory / "site.conf", directory / f"for-{site.there.name}"
    for path in (conf, away):
        if path.exists():
            raise SetupError(f"{path} is there already: move it away, or take another --dir")
    if site.by_certificate and peer is Peer.LIBRESWAN:
        raise SetupError("libreswan keeps certificates in a database of its own: take a pre-shared key for it")
    if peer is Peer.LIBRESWAN:
        libreswan_text(site.turned())  # raises where it cannot be, before anything is written
    away.mkdir(mode=0o700, parents=True)
    secret = "" if site.by_certificate else make_secret(entropy)
    if site.by_certificate:
        _write_certificates(site, directory, away, say)
    else:
        write(directory / "site.secret", f"{secret}\n", 0o600, say)
    write(conf, ikepy_text(site), 0o600, say)
    theirs = site.turned()
    match peer:
        case Peer.IKEPY:
            write(away / "site.conf", ikepy_text(theirs), 0o600, say)
            if secret:
                write(away / "site.secret", f"{secret}\n", 0o600, say)
        case Peer.STRONGSWAN:
            write(away / "swanctl.conf", strongswan_text(theirs, secret), 0o600, say)
        case Peer.LIBRESWAN:
            write(away / "ipsec.conf", libreswan_text(theirs), 0o644, say)
            write(away / "ipsec.secrets", libreswan_secrets(theirs, secret), 0o600, say)
    load(conf)
    return conf, away


def _write_certificates(site: Site, directory: Path, away: Path, say: Say) -> None:
    """A CA for the tunnel, and a certificate for each end, beside its configuration."""
    pki = Pki(directory / "pki")
    if not pki.authority_file.exists():
        pki.init(f"{site.here.name} CA"[:64])
    for end, place in ((site.here, directory), (site.there, away)):
        pki.issue_server([end.name], KeyKind.RSA)
        shutil.copyfile(pki.authority_file, place / "ca.pem")
        shutil.copyfile(pki.directory / "certs" / f"{end.name}.pem", place / f"{end.name}.pem")
        key = place / f"{end.name}.key"
        key.touch(0o600)
        shutil.copyfile(pki.directory / "private" / f"{end.name}.key", key)
        say(f"{place / end.name}.pem and its key are written")
