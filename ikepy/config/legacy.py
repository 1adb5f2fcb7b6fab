"""What a connection takes for the sake of old clients, where the operator says so by name.

Not here: which clients these are (personas/windows_advice.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ikepy.config.model import ConnectionConfig
from ikepy.personas.windows_advice import legacy_windows_proposals


def make_connection(**fields: Any) -> ConnectionConfig:
    """A connection of its keys; with `legacy_windows`, what a Windows as installed offers stands behind the rest."""
    made = ConnectionConfig(**fields)
    if not made.legacy_windows:
        return made
    legacy = legacy_windows_proposals()
    children = tuple(
        child if child.is_shunt else replace(child, esp_proposals=(*child.esp_proposals, *legacy.esp))
        for child in made.children
    )
    return replace(made, proposals=(*made.proposals, *legacy.ike), children=children)
