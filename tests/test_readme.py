"""What the README shows works."""

from __future__ import annotations

import re
from pathlib import Path

from ikepy.config.load import load

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_ten_lines_of_the_readme_are_ten_and_load(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert example is not None
    conf = tmp_path / "site.conf"
    conf.write_text(example[1])
    conf.chmod(0o600)
    loaded = load(conf)

    assert len(example[1].splitlines()) == 10
    assert [connection.name for connection in loaded.config.connections] == ["site"]


def test_each_page_the_readme_links_is_there() -> None:
    for page in re.findall(r"\]\((docs/[^)]+)\)", README.read_text()):
        assert (README.parent / page).is_file(), page
