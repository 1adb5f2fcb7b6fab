"""EAP-Identity: the name a client goes by (RFC 3748 §5.1).

Rule 1: the name is a claim, and picks the user's entry; what is proved is what the method says.
Rule 2: it is UTF-8, bounded, and prints, so that it can stand in a log as it is.
Not here: `DOMAIN` before a name, realms behind it: that is whoever looks users up (auth/users.py).
"""

from __future__ import annotations

from ikepy.auth.eap.method import EapError

MOST_IDENTITY_OCTETS = 253
"The longest name, as RADIUS has it."


def parse_identity(octets: bytes) -> str:
    """Read the name of an Identity response; empty where the client does not tell (§5.1). Raises EapError."""
    if len(octets) > MOST_IDENTITY_OCTETS:
        raise EapError(f"an identity of {len(octets)} octets; {MOST_IDENTITY_OCTETS} are the most")
    try:
        name = octets.decode()
    except UnicodeDecodeError:
        raise EapError(f"an identity of {len(octets)} octets that is not UTF-8") from None
    if not name.isprintable():
        raise EapError(f"an identity of {len(octets)} octets with characters that do not print")
    return name


def build_identity(name: str) -> bytes:
    """Build what goes behind the type of an Identity response; raises ValueError where nobody would take it."""
    octets = name.encode()
    if len(octets) > MOST_IDENTITY_OCTETS or not name.isprintable():
        raise ValueError(f"an EAP identity prints and has at most {MOST_IDENTITY_OCTETS} octets; mend eap_id")
    return octets
