"""Which connection a user comes in by, how it signs in there, and what that proves.

Rule 1: where more than one connection would do, the operator says which; nothing is guessed.
Rule 2: what is proved here is what the gateway would have proved (config/groups.py), so that the groups are the same.
Not here: the rest of the facts (gather.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from ikepy.auth.certificate import Certificate, CertificateRefused
from ikepy.auth.files import load_certificates
from ikepy.auth.search import check_issued_by
from ikepy.config.access import UserConfig
from ikepy.config.errors import did_you_mean
from ikepy.config.groups import Proof
from ikepy.config.identities import format_identity, format_pattern, matches, parse_identity, same_identity
from ikepy.config.model import AuthKind, Config, ConnectionConfig
from ikepy.crypto.secret import Secret
from ikepy.profiles.authority import ProfileError, best_identity
from ikepy.profiles.facts import SignIn
from ikepy.profiles.wishes import Wishes
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import EapType


def choose_connection(config: Config, wishes: Wishes, users: Mapping[str, UserConfig]) -> ConnectionConfig:
    """Find the connection the user comes in by; raises ProfileError."""
    if wishes.connection is not None:
        named = config.connection(wishes.connection)
        if named is None:
            known = [each.name for each in config.connections]
            raise ProfileError(f"there is no connection {wishes.connection}: {did_you_mean(wishes.connection, known)}")
        return named
    found = [each for each in config.connections if _lets_users_in(config, each)]
    fitting = [each for each in found if _fits(each, wishes, users)] or found
    if not fitting:
        raise ProfileError(
            "no connection lets clients in: one needs pools, and remote = { auth = ... } without remote_addrs"
        )
    if len(fitting) > 1:
        names = ", ".join(each.name for each in fitting)
        raise ProfileError(f"several connections let clients in ({names}): choose one with --connection")
    return fitting[0]


def check_entry(
    connection: ConnectionConfig, wishes: Wishes, users: Mapping[str, UserConfig], today: date
) -> UserConfig | None:
    """Find the user's entry, None where none is asked for; raises ProfileError for who may not come in."""
    if connection.remote.auth is not AuthKind.EAP:
        return None
    name, by_tls = wishes.user, wishes.packed is not None and EapType.TLS in connection.remote.eap_methods
    entry = users.get(name)
    if entry is None and by_tls:
        return None
    if entry is None:
        remedy = did_you_mean(name, users) if users else f"add it with `ikepy user add {name}`"
        raise ProfileError(f"there is no user {name}: {remedy or 'see `ikepy user list`'}")
    if entry.disabled:
        raise ProfileError(f"the user {name} is disabled: let it in again with `ikepy user enable {name}`")
    if entry.expires is not None and today > entry.expires:
        raise ProfileError(f"the user {name} expired {entry.expires.isoformat()}: add it anew with another last day")
    return entry


def choose_sign_in(connection: ConnectionConfig, wishes: Wishes, entry: UserConfig | None) -> SignIn:
    """Choose how the user signs in, by the connection's methods and what the entry holds; raises ProfileError."""
    if connection.remote2 is not None:
        raise ProfileError(
            f"connections.{connection.name} has clients prove themselves twice (remote2), which no profile can say"
        )
    match connection.remote.auth:
        case AuthKind.PSK:
            return SignIn.PSK
        case AuthKind.PUBKEY:
            if wishes.packed is None:
                raise ProfileError("users come in by certificate here: name it with --cert FILE and --key FILE")
            return SignIn.CERTIFICATE
        case AuthKind.EAP:
            if connection.local.auth is not AuthKind.PUBKEY and not connection.eap_only:
                raise ProfileError(
                    f"connections.{connection.name} proves itself by a pre-shared key, which no EAP client takes: "
                    'set local = { auth = "pubkey", ... }'
                )
            return _choose_eap(connection.remote.eap_methods, wishes, entry)


def prove(config: Config, connection: ConnectionConfig, wishes: Wishes, entry: UserConfig | None) -> Proof:
    """Say what the user would have proved."""
    if entry is not None:
        return Proof(user=entry.name, user_groups=entry.groups)
    if connection.remote.auth is AuthKind.PSK:
        return Proof(psk_identity=_identity(wishes.user))
    user = wishes.user if connection.remote.auth is AuthKind.EAP else None
    if not wishes.chain:
        return Proof(user=user)
    files = frozenset(
        file
        for group in config.groups
        for file in group.cacerts
        if any(_is_issued(wishes, authority) for authority in load_certificates(file))
    )
    return Proof(user=user, cert_names=tuple(wishes.chain[0].identities()), authorities=files)


def identity_of(connection: ConnectionConfig, wishes: Wishes) -> str:
    """What a client with a certificate says it is: the best its certificate names of those that are let in."""
    named = [each for certificate in wishes.chain[:1] for each in best_identity(certificate)]
    fitting = [each for each in named if matches(connection.remote.id, each)]
    if not fitting:
        raise ProfileError(
            f"the certificate names {', '.join(map(format_identity, named)) or 'nobody'}, and connections."
            f"{connection.name}.remote lets in {format_pattern(connection.remote.id)}: make one that does"
        )
    return format_identity(fitting[0])


def find_psk(config: Config, user: str, server: Identification) -> Secret:
    """Find the pre-shared key of a user: its own, one for the gateway, one for everybody; raises ProfileError."""
    identity = _identity(user)
    for wanted in (identity, server):
        for psk in config.psks:
            if any(same_identity(owner, wanted) for owner in psk.owners):
                return psk.secret
    everybodys = next((psk.secret for psk in config.psks if not psk.owners), None)
    if everybodys is None:
        raise ProfileError(f"no pre-shared key is {user}'s: add one under secrets with ids that names it")
    return everybodys


def _choose_eap(methods: Sequence[EapType], wishes: Wishes, entry: UserConfig | None) -> SignIn:
    """The best method that the entry has something for; a certificate where one is named."""
    if wishes.packed is not None and EapType.TLS in methods:
        return SignIn.EAP_TLS
    has_hash = entry is not None and (entry.nt_hash is not None or entry.password is not None)
    has_scrypt = entry is not None and entry.scrypt is not None
    if has_hash and EapType.MSCHAPV2 in methods:
        return SignIn.PASSWORD
    if (has_hash or has_scrypt) and EapType.GTC in methods:
        return SignIn.TOKEN
    if EapType.TLS in methods:
        raise ProfileError(f"{wishes.user} comes in by a certificate: name it with --cert FILE and --key FILE")
    raise ProfileError(
        f"nothing that the entry of {wishes.user} holds fits mschapv2, gtc or tls among the connection's eap_methods: "
        f"give it a password with `ikepy user passwd {wishes.user}`"
    )


def _lets_users_in(config: Config, connection: ConnectionConfig) -> bool:
    """Whether clients come by it: it gives addresses, and does not go to a peer itself."""
    gives = bool(connection.pools) or any(group.pools for group in config.groups)
    return gives and not connection.vips and not any(each.name or each.single for each in connection.remote_addrs)


def _fits(connection: ConnectionConfig, wishes: Wishes, users: Mapping[str, UserConfig]) -> bool:
    """Whether it is surely the user's way in: a certificate for who has one and no entry, else EAP."""
    by_certificate = wishes.packed is not None and wishes.user not in users
    return connection.remote.auth is (AuthKind.PUBKEY if by_certificate else AuthKind.EAP)


def _is_issued(wishes: Wishes, authority: Certificate) -> bool:
    for certificate in wishes.chain:
        try:
            check_issued_by(certificate, authority)
        except CertificateRefused:
            continue
        return True
    return False


def _identity(user: str) -> Identification:
    try:
        return parse_identity(user)
    except ValueError as error:
        raise ProfileError(f"{user} is no identity for a pre-shared key: {error}") from error
