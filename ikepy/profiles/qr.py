"""QR codes: for the terminal, and as PNG.

Rule 1: a code holds an address of the web to fetch the profile from, or what is typed by hand; never a password.
Not here: where a profile may be fetched.
"""

from __future__ import annotations

import io

import segno

from ikepy.profiles.facts import ClientFacts

_SCALE = 6
_MOST_OCTETS = 1200
"What cameras still read off a screen."


def text_for(facts: ClientFacts, url: str | None) -> str:
    """What the code says: the address where the profile is, else what is typed by hand; raises ValueError."""
    text = url or f"VPN IKEv2\nServer: {facts.address}\nServer ID: {facts.server_id}\nUser: {facts.user}\n"
    if len(text.encode()) > _MOST_OCTETS:
        raise ValueError(f"{len(text.encode())} octets do not fit into a QR code that a camera reads")
    return text


def png(text: str) -> bytes:
    """The code as a PNG image."""
    drawn = io.BytesIO()
    segno.make(text, micro=False, error="m").save(drawn, kind="png", scale=_SCALE)
    return drawn.getvalue()


def terminal(text: str) -> str:
    """The code in half blocks, for a terminal."""
    drawn = io.StringIO()
    segno.make(text, micro=False, error="l").terminal(drawn, compact=True)
    return drawn.getvalue()
