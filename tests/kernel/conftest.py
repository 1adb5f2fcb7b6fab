"""Hosts for the kernel's tests: one in memory, and one that is this machine's kernel in a namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from ikepy.kernel.interface import KernelUnavailable
from ikepy.kernel.probe import require_esp
from tests.kernel.rig import DecoupledHost, Host, XfrmHost, fresh_namespace
from tests.lab.markers import only_where_asked


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs a namespace of a real kernel is a system test: it runs in the lab where this kernel lacks something."""
    here = Path(__file__).parent
    only_where_asked(config, items, "queue")
    for item in items:
        if here in item.path.parents and {"namespace", "xfrm_host"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("system")


@pytest.fixture
def xfrm_host() -> Iterator[XfrmHost]:
    """This kernel, in a fresh network namespace; skips where it cannot do ESP."""
    try:
        with fresh_namespace():
            trio.run(require_esp)
            yield XfrmHost()
    except (KernelUnavailable, PermissionError) as error:
        pytest.skip(str(error))


@pytest.fixture(params=["decoupled", pytest.param("xfrm", marks=pytest.mark.system)])
def host(request: pytest.FixtureRequest) -> Host:
    """Each kind of kernel in turn."""
    return DecoupledHost() if request.param == "decoupled" else request.getfixturevalue("xfrm_host")
