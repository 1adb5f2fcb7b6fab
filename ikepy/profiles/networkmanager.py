"""NetworkManager with strongSwan's plugin: a script that adds the connection by nmcli, and takes it away with --undo.

Rule 1: every value that comes from names is one quoted word of the shell (shlex.quote), in nmcli's own escapes.
Rule 2: a password is never an argument of a program: it goes into a file that `nmcli connection up` reads.
Not here: strongSwan without NetworkManager (strongswan.py).
"""

from __future__ import annotations

from shlex import quote

from ikepy.profiles.facts import ClientFacts, NotForThisPlatform, SignIn
from ikepy.profiles.quoting import comment, pem, vpn_data
from ikepy.profiles.suites import written

_METHODS = {
    SignIn.PASSWORD: "eap",
    SignIn.TOKEN: "eap",
    SignIn.EAP_TLS: "eap-tls",
    SignIn.CERTIFICATE: "cert",
    SignIn.PSK: "psk",
}
_LEAST_PSK = 20
"Characters of a pre-shared key that the plugin takes."


def make(facts: ClientFacts, slug: str) -> str:
    """Make the script; raises NotForThisPlatform.

    slug   what its own directory is called
    """
    _check(facts)
    return f"""\
#!/bin/sh
# Adds {comment(facts.title)} for {comment(facts.user)} to NetworkManager; with --undo it is taken away again.
# It needs strongSwan's plugin: apt install network-manager-strongswan, dnf install NetworkManager-strongswan-gnome
set -eu
umask 077
name={quote(facts.title)}
place="${{XDG_DATA_HOME:-$HOME/.local/share}}/ikepy/"{quote(slug)}

nmcli connection delete id "$name" >/dev/null 2>&1 || true
if [ "${{1-}}" = --undo ]; then
  rm -rf -- "$place"
  echo "Removed: $name"
  exit 0
fi
mkdir -p -- "$place"
{_files(facts)}
nmcli connection add type vpn con-name "$name" ifname '*' vpn-type strongswan connection.autoconnect no \\
  vpn.data {_data(facts)} \\
{_addresses(facts)}
{_last(facts)}"""


def settings(facts: ClientFacts) -> dict[str, str]:
    """The entries of vpn.data whose values are no files."""
    entries = {
        "address": facts.address,
        "remote-identity": facts.server_id,
        "method": _METHODS[facts.sign_in],
        "virtual": "yes",
        "encap": "no",
        "ipcomp": "no",
        "proposal": "yes",
        "ike": ";".join(written(facts.ike)),
        "esp": ";".join(written(facts.esp)),
    }
    if facts.sign_in.by_certificate:
        entries["cert-source"] = "file"
    else:
        entries |= {"user": facts.user, "password-flags": "1"}
    if facts.identity is not None or facts.sign_in is SignIn.PSK:
        entries["local-identity"] = facts.local_id
    return entries


def _check(facts: ClientFacts) -> None:
    if facts.sign_in is SignIn.PSK and facts.password is not None and len(facts.password) < _LEAST_PSK:
        raise NotForThisPlatform(
            f"NetworkManager's plugin takes pre-shared keys of {_LEAST_PSK} characters and more: make a longer one"
        )


def _files(facts: ClientFacts) -> str:
    """The files beside the connection, each as a document in the script."""
    files = []
    if facts.anchors:
        files.append(("ca.pem", "".join(map(pem, facts.anchors))))
    if facts.certificate is not None and facts.sign_in.by_certificate:
        files.append(("cert.pem", "".join(map(pem, facts.certificate.chain))))
        files.append(("key.pem", facts.certificate.key_pem.reveal().decode()))
    return "\n".join(f"cat > \"$place/{name}\" <<'END-OF-FILE'\n{text.rstrip()}\nEND-OF-FILE" for name, text in files)


def _data(facts: ClientFacts) -> str:
    """The word of the shell that is vpn.data: quoted, but for the directory."""
    plain = quote(", ".join(vpn_data(key, value) for key, value in settings(facts).items()))
    files = []
    if facts.anchors:
        files.append(("certificate", "ca.pem"))
    if facts.sign_in.by_certificate:
        files += [("usercert", "cert.pem"), ("userkey", "key.pem")]
    return plain + "".join(f'", {key} = $place/{name}"' for key, name in files)


def _addresses(facts: ClientFacts) -> str:
    """Whether all traffic goes through it, and which domains are asked of its DNS servers."""
    lines = []
    for family in ("ipv4", "ipv6"):
        never = "no" if facts.is_full else "yes"
        lines.append(f"{family}.never-default {never}")
    if facts.domains:
        lines.append(f"ipv4.dns-search {quote(','.join(facts.domains))}")
    return " \\\n".join(f"  {line}" for line in lines)


def _last(facts: ClientFacts) -> str:
    secret = facts.password_text
    if secret is None or facts.sign_in.by_certificate:
        return "echo \"Added: $name. Connect: nmcli --ask connection up id '$name'\"\n"
    if "\n" in secret:
        raise NotForThisPlatform("nmcli reads no password of several lines: take another")
    return (
        f"printf '%s\\n' {quote(f'vpn.secrets.password:{secret}')} > \"$place/password\"\n"
        "echo \"Added: $name. Connect: nmcli connection up id '$name' passwd-file '$place/password'\"\n"
    )
