"""What must fit together of how both sides prove themselves, and what is allowed but unwise.

Rule 1: what could never come up is an error here, not a failed negotiation later.
Not here: single tables (auth_sections.py), files and keys themselves (auth/credentials.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from ikepy.config.errors import Unfit
from ikepy.config.model import AuthKind, Config, ConnectionConfig, LocalAuthConfig, RemoteAuthConfig
from ikepy.config.tables import Place
from ikepy.wire.registry import EapType

TLS_BASED = frozenset({EapType.TLS, EapType.TTLS, EapType.PEAP})
"EAP methods in which the server has a certificate and proves itself."
WITH_PASSWORD = frozenset(EapType) - {EapType.TLS}


def check_auth(config: Config, connection: ConnectionConfig, place: Place, *, can_initiate: bool) -> None:
    """Check how both sides of a connection prove themselves; raises ConfigError."""
    try:
        _check_together(connection, can_initiate=can_initiate)
    except Unfit as fault:
        raise place.error(fault.problem, fault.remedy, fault.key) from fault
    try:
        table = "local"
        _check_local(config, connection, connection.local)
        if connection.local2 is not None:
            table = "local2"
            _check_local(config, connection, connection.local2)
        table = "remote"
        _check_remote(config, connection, connection.remote)
        if connection.remote2 is not None:
            table = "remote2"
            _check_remote(config, connection, connection.remote2)
    except Unfit as fault:
        raise place.inside(table).error(fault.problem, fault.remedy, fault.key) from fault


def auth_warnings(config: Config) -> Iterator[str]:
    """What works and should not stay so, one sentence each."""
    for connection in config.connections:
        place = f"connections.{connection.name}"
        for remote in (connection.remote, connection.remote2):
            methods = remote.eap_methods if remote is not None and remote.auth is AuthKind.EAP else ()
            if EapType.MD5_CHALLENGE in methods and not any(user.password is not None for user in config.users):
                yield f"{place}: md5 in eap_methods, and no user has a plain password: nobody can come by it"
            if EapType.GTC in methods:
                yield f"{place}: gtc in eap_methods has clients send the password itself; prefer mschapv2 or ttls"
        if connection.remote.auth is AuthKind.EAP and connection.local.auth is AuthKind.PSK:
            yield (
                f"{place}: clients know the gateway by a pre-shared key that they all have, so each of them can play the "
                'gateway; set local = { auth = "pubkey", ... }'
            )


def _check_local(config: Config, connection: ConnectionConfig, local: LocalAuthConfig) -> None:
    match local.auth:
        case AuthKind.PSK:
            _check_has_psk(config)
            if not _needs_certificate(connection):
                _check_unused((("certs", bool(local.certs)), ("key", local.key is not None)))
        case AuthKind.PUBKEY:
            _check_certificate(config, local, 'auth = "pubkey"')
        case AuthKind.EAP:
            if EapType.TLS in local.eap_methods:
                _check_certificate(config, local, "EAP-TLS")
            if WITH_PASSWORD & set(local.eap_methods) and not config.passwords:
                raise Unfit(
                    "EAP with a password, and none is there", 'add [secrets.NAME] with id and password = "..."', "auth"
                )


def _check_certificate(config: Config, local: LocalAuthConfig, what: str) -> None:
    if not local.certs and local.auth is AuthKind.PUBKEY and local.key is not None:
        if local.id is None:
            raise Unfit("a key alone says not who we are", 'add id = "our.name", or certs', "id")
        return
    if not local.certs:
        raise Unfit(f"{what} needs our certificate", 'add certs = "our-cert.pem"', "certs")
    if local.key is None and not config.private_keys:
        raise Unfit(f"{what} needs our private key", 'add key = "our-key.pem"', "key")


def _check_remote(config: Config, connection: ConnectionConfig, remote: RemoteAuthConfig) -> None:
    joins_tls = bool(TLS_BASED & set(connection.local.eap_methods))
    match remote.auth:
        case AuthKind.PSK:
            _check_has_psk(config)
            if not joins_tls:
                _check_unused((("cacerts", bool(remote.cacerts)), ("certs", bool(remote.certs))))
            _check_unused((("eku", bool(remote.eku)), ("pubkeys", bool(remote.pubkeys))))
        case AuthKind.PUBKEY:
            if not remote.cacerts and not remote.certs and not remote.pubkeys:
                raise Unfit(
                    'auth = "pubkey" needs something to trust',
                    'add cacerts = "ca.pem", certs = "peer-cert.pem" for one certificate, or pubkeys for a key alone',
                    "cacerts",
                )
            if remote.pubkeys and (remote.id.identification is None or remote.id.wildcard):
                raise Unfit("a public key says not whose it is", 'add id = "the.peer"', "id")
        case AuthKind.EAP:
            _check_eap_server(config, connection, remote)


def _check_eap_server(config: Config, connection: ConnectionConfig, remote: RemoteAuthConfig) -> None:
    methods = set(remote.eap_methods)
    if EapType.TLS in methods and not remote.cacerts:
        raise Unfit(
            "EAP-TLS needs the CA of the clients' certificates", 'add cacerts = "ca.pem", or leave out tls', "cacerts"
        )
    if WITH_PASSWORD & methods and not config.users and config.daemon.users_file is None:
        raise Unfit(
            "EAP with passwords, and there are no users",
            "add [users.NAME], or users_file under [daemon] for those of `ikepy user add`",
            "eap_methods",
        )
    if TLS_BASED & methods and not connection.local.certs:
        raise Unfit(
            "tls, ttls and peap need a certificate of ours",
            "add certs and key to local, or leave them out",
            "eap_methods",
        )


def _needs_certificate(connection: ConnectionConfig) -> bool:
    remotes = [each for each in (connection.remote, connection.remote2) if each is not None]
    return any(TLS_BASED & set(each.eap_methods) for each in remotes)


def _check_together(connection: ConnectionConfig, *, can_initiate: bool) -> None:
    local, remote = connection.local, connection.remote
    if local.auth is AuthKind.EAP and remote.auth is AuthKind.EAP and not connection.eap_only:
        raise Unfit(
            "one side of EAP proves itself otherwise",
            'set local or remote to auth = "pubkey" (or eap_only = true)',
            "remote",
        )
    is_client = local.auth is AuthKind.EAP or connection.local2 is not None or bool(connection.vips)
    if is_client and not can_initiate:
        raise Unfit("as a client we need a gateway's address", 'add remote_addrs = "vpn.example.com"', "remote_addrs")
    if connection.vips and connection.pools:
        raise Unfit("we ask for addresses and give addresses", "leave out vips or pools", "vips")
    _check_eap_only(connection)


def _check_eap_only(connection: ConnectionConfig) -> None:
    if not connection.eap_only:
        return
    methods = set(connection.local.eap_methods) | set(connection.remote.eap_methods)
    if not methods:
        raise Unfit('it means nothing without auth = "eap" on a side', "leave it out", "eap_only")
    if methods - TLS_BASED:
        raise Unfit(
            "a method does not prove who the gateway is", "name only tls, ttls and peap in eap_methods", "eap_only"
        )


def _check_unused(keys: tuple[tuple[str, bool], ...]) -> None:
    for key, given in keys:
        if given:
            raise Unfit('nothing is done with it where auth = "psk"', 'leave it out, or write auth = "pubkey"', key)


def _check_has_psk(config: Config) -> None:
    if not config.psks:
        raise Unfit(
            'auth = "psk", and no pre-shared key is there',
            'add [secrets.NAME] with secret = "..." or file = "..."',
            "auth",
        )
