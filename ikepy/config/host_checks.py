"""What tables about this host say together with children: whose interface ID, or mark, a child has.

Rule 1: a child that names an interface of ours gets its interface ID or its mark; what it says itself must be the same.
Rule 2: a child whose interface leads everywhere makes no route there by itself, unless a gateway gives us an address:
        else this host would be cut off from what it reaches now.
Not here: single tables (host_schema.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ikepy.config.host import InterfaceConfig, InterfaceKind
from ikepy.config.model import ChildConfig, Config, ConnectionConfig
from ikepy.config.tables import Place
from ikepy.ipsec import Mark, Mode

PlaceOf = Callable[[str], Place]

FIRST_ID = 0x1CE0000
"The interface IDs, or keys, of interfaces for which none is configured follow this number."


def with_interfaces(config: Config, place_of: PlaceOf) -> Config:
    """Give interfaces their IDs, and children those of their interfaces; raises ConfigError."""
    interfaces = _numbered(config.interfaces, place_of)
    known = {each.name: each for each in interfaces}
    connections = tuple(
        replace(
            connection,
            children=tuple(
                _with_interface(
                    connection, child, known, place_of(f"connections.{connection.name}.children.{child.name}")
                )
                for child in connection.children
            ),
        )
        for connection in config.connections
    )
    return replace(config, interfaces=interfaces, connections=connections)


def _numbered(interfaces: tuple[InterfaceConfig, ...], place_of: PlaceOf) -> tuple[InterfaceConfig, ...]:
    used: dict[tuple[InterfaceKind, int], str] = {}
    found = []
    for at, each in enumerate(interfaces):
        if each.kind is not InterfaceKind.DUMMY:
            each = replace(each, if_id=each.if_id or FIRST_ID + at + 1)  # noqa: PLW2901 - the same, whole
            other = used.setdefault((each.kind, each.if_id or 0), each.name)
            if other != each.name:
                raise place_of(f"interfaces.{each.name}").error(
                    f"it has the if_id of interface {other}", "leave if_id out, or write another", "if_id"
                )
        found.append(each)
    wild = [each for each in found if each.kind is InterfaceKind.VTI and each.remote_addr is None]
    for each in wild[1:]:
        raise place_of(f"interfaces.{each.name}").error(
            f"of the vti interfaces, {wild[0].name} takes any peer already", "say which peer it is for", "remote_addr"
        )
    return tuple(found)


def _with_interface(
    connection: ConnectionConfig, child: ChildConfig, known: dict[str, InterfaceConfig], place: Place
) -> ChildConfig:
    if child.interface is None:
        return child
    if child.mode is not Mode.TUNNEL:
        raise place.error(f'mode = "{child.mode.value}" goes by no interface', "leave it out", "interface")
    ours = known.get(child.interface)
    if ours is None and child.if_id is None and (child.if_id_out is None or child.if_id_in is None):
        raise place.error(
            f"there is no [interfaces.{child.interface}], and no if_id of an interface that others make",
            "write one of both",
            "interface",
        )
    if ours is not None and ours.kind is InterfaceKind.XFRM:
        child = _with_id(child, ours, place)
    elif ours is not None and ours.kind is InterfaceKind.VTI:
        child = _with_key(child, ours, place)
    everywhere = any(
        ts.start == ts.start.__class__(0) and int(ts.end) == 2**ts.end.max_prefixlen - 1 for ts in child.remote_ts
    )
    if everywhere and not connection.vips and ours is not None and ours.kind is not InterfaceKind.DUMMY:
        child = replace(child, install_routes=False)
    return child


def _with_id(child: ChildConfig, interface: InterfaceConfig, place: Place) -> ChildConfig:
    for key in ("if_id", "if_id_in", "if_id_out"):
        if getattr(child, key) not in {None, interface.if_id}:
            raise place.error(f"interface {interface.name} has the ID {interface.if_id}", "leave it out", key)
    return replace(child, if_id=interface.if_id)


def _with_key(child: ChildConfig, interface: InterfaceConfig, place: Place) -> ChildConfig:
    mark = Mark(interface.if_id or 0)
    for key in ("mark", "mark_in", "mark_out"):
        if getattr(child, key) not in {None, mark}:
            raise place.error(f"interface {interface.name} has the key {mark.value}", "leave it out", key)
    if child.if_id is not None:
        raise place.error("a vti finds its child by mark, not by interface ID", "leave it out", "if_id")
    return replace(child, mark=mark)
