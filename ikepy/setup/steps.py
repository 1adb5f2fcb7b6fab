"""What is written for a gateway: CA and certificate, configuration, the first user, the unit.

Rule 1: what is there already is kept and said; running it again loses nothing and mends what is missing.
Rule 2: the configuration is loaded before it is said that all is well.
Not here: what is asked (answers.py), files for devices (profiles/).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ikepy.auth.users_file import changing, read_users
from ikepy.config.access import UserConfig
from ikepy.config.load import load
from ikepy.crypto.password import nt_hash
from ikepy.crypto.secret import Secret
from ikepy.pki.making import KeyKind
from ikepy.pki.names import file_name
from ikepy.pki.store import Pki
from ikepy.setup.answers import Answers, SignIn
from ikepy.setup.gateway_file import GROUP, gateway_text
from ikepy.setup.unit import unit_text

CONF, UNIT, USERS, PKI = "site.conf", "ikepy.service", "users", "pki"
RENEW_DAYS = 30
"A gateway's certificate with fewer days left is renewed."

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Written:
    """What there is afterwards.

    authority  the CA that clients need; None where they know it already
    user_cert  the first user's certificate and key, where people sign in by certificates
    """

    conf: Path
    unit: Path
    authority: Path | None
    user_cert: tuple[Path, Path] | None = None


def set_up(answers: Answers, password: Secret | None, program: str, say: Say) -> Written:
    """Write all of it; raises PkiError, ConfigError, UsersFileError and OSError.

    password  of the first user, where people sign in by passwords
    """
    directory = answers.directory
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    conf = directory / CONF
    pki = Pki(directory / PKI)
    needs_authority = answers.certificate is None or answers.sign_in is SignIn.CERTIFICATE
    if needs_authority:
        _authority(pki, answers, say)
    if answers.sign_in is SignIn.CERTIFICATE and not (pki.directory / "crl.pem").exists():
        pki.make_crl()
    cert, key = _certificate(pki, answers, say)
    authority = pki.authority_file if needs_authority else None
    write(conf, gateway_text(answers, conf, cert, key, authority), 0o600, say)
    user_cert = None
    if answers.user is not None and answers.sign_in is SignIn.CERTIFICATE:
        user_cert = _client(pki, answers.user, say)
    if answers.user is not None and password is not None:
        _user(directory / USERS, answers.user, password, say)
    unit = directory / UNIT
    write(unit, unit_text(conf, program, directory), 0o644, say)
    load(conf)
    return Written(conf, unit, authority if answers.certificate is None else None, user_cert)


def has_user(directory: Path, name: str) -> bool:
    """Whether a user of that name is kept there."""
    path = directory / USERS
    return path.exists() and any(each.name == name for each in read_users(path)[0])


def _authority(pki: Pki, answers: Answers, say: Say) -> None:
    if pki.authority_file.exists():
        say(f"{pki.authority_file} is there already, and kept")
        return
    pki.init(f"{answers.name} CA"[:64])
    say(f"{pki.authority_file}: a CA; keep a copy of {pki.directory} off this machine")


def _certificate(pki: Pki, answers: Answers, say: Say) -> tuple[Path, Path]:
    """The gateway's certificate and key."""
    if answers.certificate is not None:
        return answers.certificate / "fullchain.pem", answers.certificate / "privkey.pem"
    plain = file_name(answers.name)
    cert, key = pki.directory / "certs" / f"{plain}.pem", pki.directory / "private" / f"{plain}.key"
    if not cert.exists():
        pki.issue_server([answers.name], KeyKind.RSA)
        say(f"{cert}: the gateway's certificate")
    elif pki.find(plain).days_left(pki.now()) < RENEW_DAYS:
        pki.issue_server([answers.name], KeyKind.RSA, renew=True)
        say(f"{cert} is renewed")
    else:
        say(f"{cert} is there already, and kept")
    return cert, key


def _client(pki: Pki, name: str, say: Say) -> tuple[Path, Path]:
    plain = file_name(name)
    cert, key = pki.directory / "certs" / f"{plain}.pem", pki.directory / "private" / f"{plain}.key"
    if not cert.exists():
        pki.issue_client(name, KeyKind.RSA)
        say(f"{cert}: the certificate of {name}")
    return cert, key


def _user(path: Path, name: str, password: Secret, say: Say) -> None:
    entry = UserConfig(name, nt_hash=nt_hash(password.reveal().decode()), groups=(GROUP,))
    with changing(path) as users:
        if users.setdefault(name, entry) is not entry:
            say(f"{name} is in {path} already, and keeps the password")
            return
    say(f"{name} is added to {path}")


def write(path: Path, text: str, mode: int, say: Say) -> None:
    """Write a file as a whole, where there is none."""
    if path.exists():
        same = path.read_text() == text
        say(f"{path} is there already, and kept" + ("" if same else "; move it away to have it written anew"))
        return
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    say(f"{path} is written")
