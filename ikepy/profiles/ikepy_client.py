"""ikepy as a client: a configuration of our own, laptop.conf, beside the files it names.

Rule 1: our own loader reads it; what it must have that is not in it (a password) it names as a file, and says so.
Not here: what the keys mean (config/schema.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from ikepy.profiles.facts import ClientFacts, SignIn
from ikepy.profiles.quoting import comment, toml
from ikepy.profiles.strongswan import AUTH, authority_name
from ikepy.profiles.suites import written

PUBLIC_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"Where Linux keeps the CAs that all know."


def make(facts: ClientFacts, slug: str) -> str:
    """Make the configuration.

    slug   what the names of the files beside it begin with
    """
    return f"""\
# {comment(facts.title)}, for {comment(facts.user)}. Run it as root: ikepy --conf {slug}-laptop.conf
{_advice(facts, slug)}
[connections.vpn]
remote_addrs = [{toml(facts.address)}]
proposals = [{_list(written(facts.ike))}]
vips = [{_list(facts.any_addresses)}]
mobike = {str(facts.mobike).lower()}{_certreq(facts)}

[connections.vpn.local]
auth = {toml(AUTH[facts.sign_in])}
{_local(facts, slug)}

[connections.vpn.remote]
auth = "{"psk" if facts.sign_in is SignIn.PSK else "pubkey"}"
id = {toml(facts.server_id)}
{_cacerts(facts, slug)}

[connections.vpn.children.net]
remote_ts = [{_list(map(str, facts.networks))}]
esp_proposals = [{_list(written(facts.esp))}]
start_action = "start"
{_secrets(facts, slug)}"""


def secret_name(slug: str) -> str:
    """The file of the password or the pre-shared key."""
    return f"{slug}-password"


def _list(texts: Iterable[str]) -> str:
    return ", ".join(map(toml, texts))


def _advice(facts: ClientFacts, slug: str) -> str:
    """What must be there besides before it runs."""
    if facts.sign_in.by_certificate or facts.password is not None:
        return ""
    what = "the pre-shared key" if facts.sign_in is SignIn.PSK else "your password"
    return f"# First write {what} into the file {secret_name(slug)} beside this one, for nobody else: umask 077\n"


def _certreq(facts: ClientFacts) -> str:
    """All CAs that are publicly known are too many to name in CERTREQ."""
    return "\nsend_certreq = false" if not facts.anchors and facts.sign_in is not SignIn.PSK else ""


def _local(facts: ClientFacts, slug: str) -> str:
    if facts.sign_in is SignIn.PSK:
        return f"id = {toml(facts.user)}"
    lines = [f"id = {toml(facts.identity)}"] if facts.identity is not None else []
    if facts.sign_in.by_certificate:
        lines += [f"certs = [{toml(f'{slug}-cert.pem')}]", f"key = {toml(f'{slug}-key.pem')}"]
    if facts.sign_in is not SignIn.CERTIFICATE:
        lines.append(f"eap_id = {toml(facts.user)}")
    return "\n".join(lines)


def _cacerts(facts: ClientFacts, slug: str) -> str:
    if facts.sign_in is SignIn.PSK:
        return ""
    files = [authority_name(slug, at) for at in range(len(facts.anchors))] or [PUBLIC_AUTHORITIES]
    return f"cacerts = [{_list(files)}]"


def _secrets(facts: ClientFacts, slug: str) -> str:
    if facts.sign_in.by_certificate:
        return ""
    word = "file" if facts.sign_in is SignIn.PSK else "password_file"
    return f"\n[secrets.vpn]\n{word} = {toml(secret_name(slug))}\n"
