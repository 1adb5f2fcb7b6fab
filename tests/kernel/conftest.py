"""Hosts for the kernel's tests: one in memory, and one that is this machine's kernel in a namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from ikepy.kernel.interface import KernelUnavailable
from ikepy.kernel.probe import require_esp
from tests.kernel.rig import DecoupledHost, Host, XfrmHost, fresh_namespace


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
