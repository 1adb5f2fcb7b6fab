"""Tests that run only where `-m` names their marker: what takes minutes, what the lab's usual kernel cannot do."""

from __future__ import annotations

import pytest


def only_where_asked(config: pytest.Config, items: list[pytest.Item], marker: str) -> None:
    """Deselect the tests of a marker that `-m` does not name."""
    if marker not in config.option.markexpr:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker(marker)])
        items[:] = [item for item in items if not item.get_closest_marker(marker)]
