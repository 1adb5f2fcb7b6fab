"""The page for one user: what to tap, and what errors mean, in HTML that needs nothing from anywhere.

Rule 1: every word from outside goes through html.escape; there is no script in it, and nothing is fetched.
Rule 2: no password is in it, whatever is in the files beside it.
Not here: the words (guides.py), the files (bundle.py).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from html import escape

from ikepy.profiles.android import fields
from ikepy.profiles.facts import ClientFacts, SignIn
from ikepy.profiles.guides import GUIDES, Guide, Platform

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "code{overflow-wrap:anywhere}img{image-rendering:pixelated;max-width:18rem}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_SIGN_IN = {
    SignIn.PASSWORD: "with your password",
    SignIn.TOKEN: "with your password",
    SignIn.EAP_TLS: "with your certificate",
    SignIn.CERTIFICATE: "with your certificate",
    SignIn.PSK: "with a pre-shared key",
}


def make(facts: ClientFacts, slug: str, platforms: Sequence[Platform], qr_png: bytes | None = None) -> str:
    """Make the page.

    slug        what the names of the files beside it begin with
    platforms   those there are files for
    qr_png      a QR code to be shown, None for none
    """
    parts = "".join(_part(facts, slug, platform) for platform in platforms)
    code = (
        "" if qr_png is None else f'<p><img alt="QR code" src="data:image/png;base64,{b64encode(qr_png).decode()}"></p>'
    )
    return f"""\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(facts.title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(facts.title)}</h1>
<p>For <strong>{escape(facts.user)}</strong>, who signs in {_SIGN_IN[facts.sign_in]}. {_reaches(facts)}</p>
{code}
{parts}</body></html>
"""


def _reaches(facts: ClientFacts) -> str:
    if facts.is_full:
        return "All traffic of the device goes through it."
    return f"Through it you reach {escape(', '.join(map(str, facts.networks)))}; all else goes as before."


def _part(facts: ClientFacts, slug: str, platform: Platform) -> str:
    guide = GUIDES[platform]
    steps = "".join(f"<li>{escape(step.format(slug=slug))}</li>" for step in guide.steps)
    table = _fields(facts, slug) if platform is Platform.ANDROID else ""
    return f'<h2 id="{platform.value}">{escape(guide.title)}</h2>\n<ol>{steps}</ol>\n{table}{_errors(guide)}'


def _fields(facts: ClientFacts, slug: str) -> str:
    """What goes where on Android's screen, without the password."""
    rows = fields(replace(facts, password=None), slug)
    cells = "".join(f"<tr><th>{escape(name)}</th><td><code>{escape(value)}</code></td></tr>" for name, value in rows)
    return f"<table>{cells}</table>\n"


def _errors(guide: Guide) -> str:
    rows = "".join(f"<tr><td>{escape(shown)}</td><td>{escape(meaning)}</td></tr>" for shown, meaning in guide.errors)
    return f"<table><tr><th>It says</th><th>What that is</th></tr>{rows}</table>\n"
