"""One line that says what is missing and what to do."""

from __future__ import annotations

import subprocess
import sys
from errno import EACCES, ENOSYS, EPERM, EPROTONOSUPPORT

import pytest
import trio

from ikepy.kernel.interface import KernelUnavailable
from ikepy.kernel.netlink import Refusal
from ikepy.kernel.probe import explain, require_esp
from tests.kernel.rig import XfrmHost, run


@pytest.mark.parametrize("errno", [EPERM, EACCES])
def test_without_permission_it_says_who_may(errno: int) -> None:
    assert "run as root or give CAP_NET_ADMIN" in str(explain(Refusal(errno)))


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (Refusal(EPROTONOSUPPORT), "it has no XFRM"),
        (Refusal(EPROTONOSUPPORT, "Requested type not found"), "Requested type not found"),
        (Refusal(ENOSYS, "Requested AEAD algorithm not found"), "Function not implemented: Requested AEAD algorithm"),
    ],
)
def test_without_esp_it_says_what_to_load_or_boot(refusal: Refusal, why: str) -> None:
    words = str(explain(refusal))
    assert f"this kernel cannot do ESP ({why}" in words
    assert "modprobe esp4 esp6" in words
    assert "CONFIG_INET_ESP" in words
    assert "\n" not in words


@pytest.mark.system
def test_a_kernel_that_can_is_left_as_it_was(xfrm_host: XfrmHost) -> None:
    trio.run(require_esp)
    assert run("ip", "xfrm", "state") == ""


def test_the_answer_is_yes_or_one_line() -> None:
    said = ""
    try:
        trio.run(require_esp)
    except KernelUnavailable as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.slow
def test_a_process_without_the_capability_is_told_so() -> None:
    program = (
        "import trio\n"
        "from ikepy.kernel.interface import KernelUnavailable\n"
        "from ikepy.kernel.probe import require_esp\n"
        "try: trio.run(require_esp)\n"
        "except KernelUnavailable as error: print(error)\n"
    )
    command = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", sys.executable, "-c", program]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no setpriv here (package util-linux)")
    if "setpriv:" in done.stderr:
        pytest.skip(f"capabilities cannot be given up here: {done.stderr.strip()}")
    assert done.stdout.strip().endswith("run as root or give CAP_NET_ADMIN"), done.stdout + done.stderr
