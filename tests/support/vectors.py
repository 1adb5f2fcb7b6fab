"""Where the shared test vectors are, and how they are read.

They belong to other projects, some under the GPL: nothing of them is copied into this repository.
IKEPY_VECTORS names their directory; without it they are looked for beside the repository, in ../shared/vectors.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def _find() -> Path | None:
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
    path = Path(os.environ.get("IKEPY_VECTORS") or beside)
    return path if (path / "MANIFEST.json").is_file() else None


VECTORS: Path | None = _find()
"The directory of the vectors, None where there is none."

needs_vectors = pytest.mark.skipif(
    VECTORS is None, reason="the shared vectors are not here: set IKEPY_VECTORS or put them at ../shared/vectors"
)


def load_json(name: str) -> Any:
    """A JSON file of the vectors; None where there are no vectors, so that a module can still be collected."""
    return None if VECTORS is None else json.loads((VECTORS / name).read_text())


def pcap_names(*folders: str) -> list[str]:
    """The captures in folders below pcap/ ("" for pcap/ itself), as `openswan/x.pcap`; empty without vectors."""
    if VECTORS is None:
        return []
    root = VECTORS / "pcap"
    return sorted(str(path.relative_to(root)) for folder in folders for path in (root / folder).glob("*.pcap*"))
