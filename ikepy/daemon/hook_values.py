r"""What an `updown` program is told of a child, as environment variables.

    environment_of("up", ike, child, "") -> {"IKEPY_EVENT": "up", "IKEPY_REMOTE_TS": "10.2.0.0/24", ...}

Rule 1: whatever a peer says is data: control characters and what is not text are written as `\xNN`, and each value has
        an end, so that no line of a program's is two, and no environment is too long to begin a program with.
Rule 2: every variable is there at every call; what there is nothing of is empty.
Rule 3: no secret is among them.
Not here: how programs are run (hooks.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ikepy.config.identities import format_identity
from ikepy.ike.events import ChildSnapshot, IkeSnapshot, Session
from ikepy.wire.payloads import Identification

MOST_CHARACTERS: Final = 4096
"Of one value; the rest is cut off."
SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NOBODY: Final = Session("")


def environment_of(event: str, ike: IkeSnapshot, child: ChildSnapshot, reason: str) -> dict[str, str]:
    """Say all that is known of a child.

    event    `up`, `down` or `moved`
    reason   why it is down, else empty
    """
    session = ike.session if ike.session is not None else _NOBODY
    spec = child.spec
    values = {
        "EVENT": event,
        "REASON": reason,
        "CONNECTION": ike.connection,
        "CHILD": child.name,
        "IKE_ID": str(ike.unique_id),
        "CHILD_ID": str(child.unique_id),
        "INITIATOR": "yes" if ike.initiator else "no",
        "MODE": child.mode.value,
        "LOCAL": str(ike.path.local.host),
        "LOCAL_PORT": str(ike.path.local.port),
        "LOCAL_ID": _identity(ike.local_id),
        "LOCAL_TS": _list(child.local_ts),
        "REMOTE": str(ike.path.remote.host),
        "REMOTE_PORT": str(ike.path.remote.port),
        "REMOTE_ID": _identity(ike.remote_id),
        "REMOTE_TS": _list(child.remote_ts),
        "SPI_IN": f"{spec.inbound.spi:08x}" if spec is not None else "",
        "SPI_OUT": f"{spec.outbound.spi:08x}" if spec is not None else "",
        "UDP": "yes" if child.encap else "no",
        "USER": session.user or "",
        "GROUPS": _list(session.groups),
        "CLIENT": session.client or "",
        "LENT": _list(session.lent),
        "GIVEN": _list(session.given),
        "DNS": _list(session.dns),
        "DOMAINS": _list(session.domains),
    }
    return {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"} | {
        f"IKEPY_{name}": harmless(value) for name, value in values.items()
    }


def harmless(text: str) -> str:
    """Write what is no printable character as escapes, and cut off what is too long."""
    shown = "".join(each if each.isprintable() else _escaped(each) for each in text[:MOST_CHARACTERS])
    return shown[:MOST_CHARACTERS]


def _escaped(character: str) -> str:
    octets = character.encode("utf-8", "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass")
    return "".join(f"\\x{octet:02x}" for octet in octets)


def _identity(identification: Identification | None) -> str:
    return format_identity(identification) if identification is not None else ""


def _list(items: Iterable[object]) -> str:
    """Items with spaces between them; none has one inside."""
    return " ".join(str(each).replace(" ", "\\x20") for each in items)
