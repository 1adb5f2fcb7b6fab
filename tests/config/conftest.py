"""What tests of configuration files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.conf_files import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str, name: str = "site.conf", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    return write_file
