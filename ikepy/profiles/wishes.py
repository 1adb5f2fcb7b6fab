"""What the operator says of a client beside the configuration.

Not here: the configuration (config/), what comes of both (gather.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ikepy.auth.certificate import Certificate
from ikepy.crypto.secret import Secret
from ikepy.profiles.facts import UserCertificate


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator says beside the configuration.

    connection    the connection's name, where several let users in
    server        where clients go, where that is not the gateway's own name
    authority     the file of the CA above the gateway's certificate, where the configuration has it not
    chain, packed the user's certificate, as read and as clients get it
    password      the user's password, to be in the files; ignored where sign-in needs none
    with_secret   whether a pre-shared key, or what opens the PKCS#12, is to be in the files
    """

    user: str
    connection: str | None = None
    server: str | None = None
    authority: Path | None = None
    chain: tuple[Certificate, ...] = ()
    packed: UserCertificate | None = None
    password: Secret | None = None
    with_secret: bool = False
