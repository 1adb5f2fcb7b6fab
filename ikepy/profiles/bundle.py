"""Which files a user's client gets for each platform, and writing them.

    alice.html, alice-qr.png       always: what to tap, and a QR code
    alice.mobileconfig             apple              alice-windows.ps1   windows
    alice.sswan                    android-strongswan alice-android.txt   android, with alice-ca.crt, alice.p12
    alice-networkmanager.sh        networkmanager     alice-swanctl.conf  strongswan
    alice-laptop.conf              ikepy              alice-*.pem         beside the last two

Rule 1: all files are made before one is written; each is its owner's alone from the start (0600), and replaced as a whole.
Rule 2: no part of a user's name that means anything to a file system is in a file's name.
Not here: what is in the files (a module for each platform).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from ikepy.profiles import android, apple, ikepy_client, networkmanager, page, qr, sswan, strongswan, windows
from ikepy.profiles.facts import ClientFacts, NotForThisPlatform, SignIn
from ikepy.profiles.guides import Platform
from ikepy.profiles.packing import Signer, sign
from ikepy.profiles.quoting import pem, secret_text

_OTHERS = re.compile(r"[^A-Za-z0-9_.-]+")
_MOST_SLUG = 48
_MARK = 8
"Hexadecimal digits that keep apart names which look alike without their signs."


@dataclass(frozen=True, slots=True)
class Options:
    """What may be different from one profile to the next of the same user.

    on_demand   Apple's client connects by itself
    signer      who signs Apple's profile, None for nobody
    url         where the profile can be fetched, for the QR code
    """

    on_demand: bool = False
    signer: Signer | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """All files of one user, by name, and what could not be made.

    refused   platforms whose client cannot do what the gateway asks, and why
    qr_text   what the QR code says
    """

    files: dict[str, bytes] = field(repr=False)
    made: tuple[Platform, ...]
    refused: tuple[tuple[Platform, str], ...]
    qr_text: str


def make_bundle(facts: ClientFacts, platforms: Sequence[Platform], options: Options) -> Bundle:
    """Make the files of the platforms; raises ValueError for what fits no QR code, and CredentialError."""
    slug = slug_of(facts.user)
    files: dict[str, bytes] = {}
    made: list[Platform] = []
    refused: list[tuple[Platform, str]] = []
    for platform in platforms:
        try:
            files |= _files(facts, slug, platform, options)
            made.append(platform)
        except (NotForThisPlatform, ValueError) as error:
            refused.append((platform, str(error)))
    text = qr.text_for(facts, options.url)
    code = qr.png(text)
    if made:
        files |= {f"{slug}.html": page.make(facts, slug, made, code).encode(), f"{slug}-qr.png": code}
    if facts.certificate is not None and facts.sign_in.by_certificate and _P12.intersection(made):
        files[f"{slug}-p12-password.txt"] = facts.certificate.pkcs12_secret.reveal() + b"\n"
    return Bundle(files, tuple(made), tuple(refused), text)


def slug_of(user: str) -> str:
    """What the names of a user's files begin with: the user's name, as far as that is safe."""
    plain = _OTHERS.sub("_", user).strip("-._")[:_MOST_SLUG]
    if plain == user:
        return plain
    return f"{plain or 'user'}-{sha256(user.encode()).hexdigest()[:_MARK]}"


def write_bundle(bundle: Bundle, directory: Path) -> list[Path]:
    """Write the files, over those of the same names; the directory is made where it is not there. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [_write(directory / name, octets) for name, octets in sorted(bundle.files.items())]


_P12 = frozenset({Platform.APPLE, Platform.WINDOWS, Platform.SSWAN, Platform.ANDROID})


def _files(facts: ClientFacts, slug: str, platform: Platform, options: Options) -> dict[str, bytes]:  # noqa: PLR0911 - one return for each platform
    match platform:
        case Platform.APPLE:
            profile = apple.make(facts, on_demand=options.on_demand)
            signed = profile if options.signer is None else sign(profile, options.signer)
            return {f"{slug}.mobileconfig": signed}
        case Platform.WINDOWS:
            return {f"{slug}-windows.ps1": windows.make(facts).encode()}
        case Platform.SSWAN:
            return {f"{slug}.sswan": sswan.make(facts).encode()}
        case Platform.ANDROID:
            return {f"{slug}-android.txt": android.make(facts, slug).encode(), **_for_android(facts, slug)}
        case Platform.NETWORKMANAGER:
            return {f"{slug}-networkmanager.sh": networkmanager.make(facts, slug).encode()}
        case Platform.STRONGSWAN:
            return {f"{slug}-swanctl.conf": strongswan.make(facts, slug).encode(), **_pem_files(facts, slug)}
        case Platform.IKEPY:
            return {
                f"{slug}-laptop.conf": ikepy_client.make(facts, slug).encode(),
                **_pem_files(facts, slug),
                **_secret_file(facts, slug),
            }


def _for_android(facts: ClientFacts, slug: str) -> dict[str, bytes]:
    files = {}
    if facts.anchors and facts.sign_in is not SignIn.PSK:
        files[f"{slug}-ca.crt"] = pem(facts.anchors[0]).encode()
    if facts.certificate is not None and facts.sign_in.by_certificate:
        files[f"{slug}.p12"] = facts.certificate.pkcs12
    return files


def _pem_files(facts: ClientFacts, slug: str) -> dict[str, bytes]:
    files = {strongswan.authority_name(slug, at): pem(der).encode() for at, der in enumerate(facts.anchors)}
    if facts.certificate is not None and facts.sign_in.by_certificate:
        files[f"{slug}-cert.pem"] = "".join(map(pem, facts.certificate.chain)).encode()
        files[f"{slug}-key.pem"] = facts.certificate.key_pem.reveal()
    return files


def _secret_file(facts: ClientFacts, slug: str) -> dict[str, bytes]:
    if facts.password_text is None or facts.sign_in.by_certificate:
        return {}
    return {ikepy_client.secret_name(slug): f"{secret_text(facts.password_text)}\n".encode()}


def _write(path: Path, octets: bytes) -> Path:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as opened:  # noqa: PTH123 - a descriptor
            opened.write(octets)
        fresh.rename(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return path
