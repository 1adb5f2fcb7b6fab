"""strongSwan on Linux and elsewhere: a swanctl.conf of a client, beside the certificates it names.

Rule 1: every value that comes from names stands in quotes; the file includes nothing.
Rule 2: the certificates go where swanctl looks for them: x509ca, x509 and private below its directory.
Not here: strongSwan's app (sswan.py), its plugin for NetworkManager (networkmanager.py).
"""

from __future__ import annotations

import re

from ikepy.profiles.facts import ClientFacts, SignIn
from ikepy.profiles.quoting import comment, secret_text, swanctl
from ikepy.profiles.suites import written

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(@[A-Za-z0-9.-]+)?")
AUTH = {
    SignIn.PASSWORD: "eap-mschapv2",
    SignIn.TOKEN: "eap-gtc",
    SignIn.EAP_TLS: "eap-tls",
    SignIn.CERTIFICATE: "pubkey",
    SignIn.PSK: "psk",
}


def make(facts: ClientFacts, slug: str) -> str:
    """Make the swanctl.conf.

    slug   what the names of the files beside it begin with
    """
    return f"""\
# {comment(facts.title)}, for {comment(facts.user)}.
# Copy it to /etc/swanctl/conf.d/{slug}.conf{_copies(facts, slug)}, then: swanctl --load-all && swanctl --initiate --child vpn

connections {{
  vpn {{
    version = 2
    remote_addrs = {swanctl(facts.address)}
    vips = {", ".join(facts.any_addresses)}
    proposals = {", ".join(written(facts.ike))}
    send_certreq = yes
    mobike = {"yes" if facts.mobike else "no"}
    dpd_delay = 30s
    local {{
      auth = {AUTH[facts.sign_in]}
{_local(facts, slug)}
    }}
    remote {{
      auth = {"psk" if facts.sign_in is SignIn.PSK else "pubkey"}
      id = {swanctl(facts.server_id)}
{_cacerts(facts, slug)}
    }}
    children {{
      vpn {{
        remote_ts = {", ".join(str(network) for network in facts.networks)}
        esp_proposals = {", ".join(written(facts.esp))}
        dpd_action = restart
      }}
    }}
  }}
}}
{_secrets(facts)}"""


def authority_name(slug: str, at: int) -> str:
    """The file of one CA."""
    return f"{slug}-ca{at or ''}.pem"


def _user(facts: ClientFacts) -> str:
    """The user's name in EAP: strongSwan takes one with signs in it for something else, such as %any, unless told."""
    return swanctl(facts.user if _PLAIN.fullmatch(facts.user) else f"keyid:{facts.user}")


def _copies(facts: ClientFacts, slug: str) -> str:
    places = [f"{authority_name(slug, at)} to /etc/swanctl/x509ca/" for at in range(len(facts.anchors))]
    if facts.sign_in.by_certificate:
        places += [f"{slug}-cert.pem to /etc/swanctl/x509/", f"{slug}-key.pem to /etc/swanctl/private/"]
    return "".join(f", {place}" for place in places)


def _local(facts: ClientFacts, slug: str) -> str:
    lines = []
    if facts.sign_in.by_certificate:
        lines.append(f"certs = {slug}-cert.pem")
    else:
        lines.append(f"id = {swanctl(facts.user)}" if facts.sign_in is SignIn.PSK else f"eap_id = {_user(facts)}")
    if facts.identity is not None and facts.sign_in is not SignIn.PSK:
        lines.append(f"id = {swanctl(facts.identity)}")
    return "\n".join(f"      {line}" for line in lines)


def _cacerts(facts: ClientFacts, slug: str) -> str:
    if not facts.anchors:
        return "      # Its certificate is under a CA that is publicly known: link that CA into /etc/swanctl/x509ca."
    return f"      cacerts = {', '.join(authority_name(slug, at) for at in range(len(facts.anchors)))}"


def _secrets(facts: ClientFacts) -> str:
    if facts.sign_in.by_certificate:
        return ""
    shared = facts.sign_in is SignIn.PSK
    owner = swanctl(facts.server_id) if shared else _user(facts)
    section = "ike-vpn" if shared else "eap-vpn"
    secret = facts.password_text
    line = f"secret = {swanctl(secret_text(secret))}" if secret is not None else '# secret = "write it here"'
    return f"""
secrets {{
  {section} {{
    id = {owner}
    {line}
  }}
}}
"""
