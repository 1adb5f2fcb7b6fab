"""What one table says as a whole: keys that exclude each other, and defaults that depend on other keys.

Rule 1: looked at before anything is filled in: only what the operator wrote can be wrong here.
Rule 2: a shunt's table comes out complete, with selectors of its own: there is no peer whose address could stand in.
Not here: single values (values.py), what fits together between tables (checks.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

from ikepy.config.algorithms import default_proposals
from ikepy.config.errors import Unfit
from ikepy.config.model import StartAction
from ikepy.config.selectors import parse_selector
from ikepy.ipsec import Mode
from ikepy.wire.registry import ProtocolId
from ikepy.wire.sa import Proposal
from ikepy.wire.ts import TrafficSelector

Written = Mapping[str, object]
"The keys of one table that the operator wrote, with their values."

IKE_REKEY_TIME = 14400.0
CHILD_REKEY_TIME = 3600.0
DPD_DELAY = 30.0

_LIFE_OVER_REKEY = 1.1
_OF_SHUNTS = frozenset({"local_ts", "remote_ts", "mode", "start_action", "mark", "if_id"})
"The keys that mean something for a shunt."
_EVERYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


def check_child(written: Written) -> None:
    """Refuse keys that mean nothing for a shunt, and a shunt without selectors; raises Unfit."""
    if not _is_shunt(written):
        return
    mode = written["mode"]
    word = mode.value if isinstance(mode, Mode) else mode
    for key in written:
        if key not in _OF_SHUNTS:
            raise Unfit(f'nothing is negotiated where mode = "{word}"', "leave it out", key)
    if written.get("start_action") is StartAction.START:
        raise Unfit(
            f'nothing is brought up where mode = "{word}"',
            "leave it out, or write none to switch it off",
            "start_action",
        )
    for key in ("remote_ts", "local_ts"):
        if not written.get(key, key == "local_ts"):
            raise Unfit(
                f'where mode = "{word}" there is no peer whose address `dynamic` could be',
                'write prefixes, such as "10.1.0.0/16"' + (", or leave it out for any" if key == "local_ts" else ""),
                key,
            )


def default_child_start(written: Written) -> StartAction:
    """A shunt that is in the file is there."""
    return StartAction.TRAP if _is_shunt(written) else StartAction.NONE


def default_local_ts(written: Written) -> tuple[TrafficSelector, ...]:
    """The address of the IKE SA (none are named); for a shunt any address of the families of remote_ts."""
    remote = written.get("remote_ts")
    if not _is_shunt(written) or not isinstance(remote, tuple):
        return ()
    families = sorted({selector.start.version for selector in remote if isinstance(selector, TrafficSelector)})
    return tuple(parse_selector(str(_EVERYWHERE[family])) for family in families)


def default_esp_proposals(written: Written) -> tuple[Proposal, ...]:
    """The default ESP proposals; a shunt has none."""
    return () if _is_shunt(written) else default_proposals(ProtocolId.ESP)


def default_child_rekey_time(written: Written) -> float:
    """One hour, or what leaves a tenth to a life_time that is named; a shunt has no keys."""
    life = written.get("life_time")
    if _is_shunt(written):
        return 0.0
    return life / _LIFE_OVER_REKEY if isinstance(life, float) else CHILD_REKEY_TIME


def default_ike_rekey_time(written: Written) -> float:
    """Four hours; none where the IKE SA is reauthenticated, which makes new keys as well."""
    return 0.0 if written.get("reauth_time") else IKE_REKEY_TIME


def _is_shunt(written: Written) -> bool:
    return written.get("mode") in {Mode.PASS, Mode.DROP}
