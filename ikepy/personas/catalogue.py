"""All personas, by name.

Not here: what they are (windows.py, apple.py, android.py, strongswan.py).
"""

from __future__ import annotations

from ikepy.personas import android, apple, strongswan, windows
from ikepy.personas.persona import Persona

PERSONAS: tuple[Persona, ...] = (*windows.PERSONAS, *apple.PERSONAS, *android.PERSONAS, *strongswan.PERSONAS)
_BY_NAME = {persona.name: persona for persona in PERSONAS}


def find_persona(name: str) -> Persona | None:
    """The persona of that name; None where there is none."""
    return _BY_NAME.get(name)
