"""What `ikepy status` is told of an IKE SA: the snapshot in the configuration's words.

Not here: the table (cli/table.py), vici's own sections in charon's words (sections.py).
"""

from __future__ import annotations

from ikepy.config.algorithms import proposal_words
from ikepy.control.codec import Section
from ikepy.control.sections import Counted, identity_words, to_go
from ikepy.ike.events import ChildSnapshot, IkeSnapshot, Session

_GOING = frozenset({"REKEYED", "DELETING"})
_STAYING = frozenset({"INSTALLED", "REKEYING"})


def status_section(ike: IkeSnapshot, now: float, counted: dict[int, Counted]) -> Section:
    """One IKE SA; spans are in seconds."""
    since = ike.established_at if ike.established_at is not None else ike.created_at
    behind_nat = [side for side, is_so in (("us", ike.nat_local), ("the peer", ike.nat_remote)) if is_so]
    section: Section = {
        "uniqueid": str(ike.unique_id),
        "state": ike.state,
        "role": "initiator" if ike.initiator else "responder",
        "local": str(ike.path.local),
        "remote": str(ike.path.remote),
        "local-id": identity_words(ike.local_id),
        "remote-id": identity_words(ike.remote_id),
        "since": str(int(now - since)),
        "proposal": proposal_words(ike.proposal) if ike.proposal is not None else "",
        "behind-nat": behind_nat,
        "waiting-for": ike.waiting_for or "",
        "queued": list(ike.queued),
    }
    if ike.next_event is not None:
        section["next-event"] = ike.next_event[0]
        section["next-event-in"] = str(max(0, int(ike.next_event[1] - now)))
    if ike.session is not None:
        section |= _session(ike.session)
    section |= to_go(now, {"rekey-in": ike.rekey_at, "reauth-in": ike.reauth_at})
    section["children"] = {
        f"{child.name}-{child.unique_id}": _child(child, now, counted.get(child.unique_id, (None, None)))
        | ({"replaced": "yes"} if is_replaced(child, ike) else {})
        for child in ike.children
    }
    return section


def _session(session: Session) -> Section:
    """Who the peer is, and what it has; keys of what there is none of are left out."""
    words: dict[str, str | None] = {"method": session.method, "user": session.user, "client": session.client}
    lists = {
        "groups": session.groups,
        "quirks": session.quirks,
        "lent": session.lent,
        "given": session.given,
        "dns": session.dns,
        "domains": session.domains,
    }
    section: Section = {name: word for name, word in words.items() if word}
    return section | {name: [str(each) for each in items] for name, items in lists.items() if items}


def is_replaced(child: ChildSnapshot, ike: IkeSnapshot) -> bool:
    """Whether another child of the IKE SA has come in its place, and it is only there until both sides have let go of it."""
    heirs = (each for each in ike.children if each.name == child.name and each.unique_id > child.unique_id)
    return child.state in _GOING and any(heir.state in _STAYING for heir in heirs)


def _child(child: ChildSnapshot, now: float, counted: Counted) -> Section:
    inbound, outbound = counted
    return {
        "name": child.name,
        "uniqueid": str(child.unique_id),
        "state": child.state,
        "mode": child.mode.value,
        "proposal": proposal_words(child.proposal),
        "encap": "yes" if child.encap else "no",
        "since": str(int(now - child.installed_at)) if child.installed_at is not None else "",
        "spi-in": f"{child.spec.inbound.spi:08x}" if child.spec is not None else "",
        "spi-out": f"{child.spec.outbound.spi:08x}" if child.spec is not None else "",
        "bytes-in": str(inbound.octets if inbound is not None else 0),
        "bytes-out": str(outbound.octets if outbound is not None else 0),
        "packets-in": str(inbound.packets if inbound is not None else 0),
        "packets-out": str(outbound.packets if outbound is not None else 0),
        "local-ts": [str(selector) for selector in child.local_ts],
        "remote-ts": [str(selector) for selector in child.remote_ts],
    } | to_go(now, {"rekey-in": child.rekey_at, "life-in": child.life_until})
