"""libreswan answers our rekeying and sends by the new SA at once; with `hold_early` nothing of that is lost.

Under Debian's own kernel, emulated: the lab's others cannot queue. A processor that computes at a twentieth makes it only
harder: what comes early has twenty times as long to be lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.gateway import Gateway
from tests.lab.namespaces import add_addresses, link, namespaces, sh
from tests.system.cases import ikepy_conf
from tests.system.cast import NAMESPACES, addresses, make_peer
from tests.system.conftest import Lab
from tests.system.test_rekey_traffic import WITH_KE, WITHOUT_KE, Case, rekey_under_traffic

PEER, RIGHT = "libreswan", NAMESPACES["libreswan"]
PAIR = [WITHOUT_KE, WITH_KE]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """ikepy and libreswan, nobody else."""
    directory = tmp_path_factory.mktemp("early")
    with namespaces("left", RIGHT):
        for side, (namespace, end) in enumerate(zip(("left", RIGHT), link("left", RIGHT), strict=True), 1):
            add_addresses(namespace, addresses(PEER, PAIR, side, end))
        left, right = Gateway("left", directory / "left"), make_peer(PEER, directory / PEER, directory, PAIR)
        left.configure(ikepy_conf([(PEER, case) for case in PAIR], str(directory)))
        for each in (left, right):
            each.start()
        yield Lab(left, {PEER: right}, {}, directory)
        for each in (left, right):
            each.stop()


@pytest.mark.queue
@pytest.mark.parametrize("case", PAIR, ids=lambda case: case.name)
def test_what_libreswan_sends_early_is_not_lost(alone: Lab, case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    told = rekey_under_traffic(alone, PEER, "us", case)
    queue = sh("ip", "netns", "exec", "left", "cat", "/proc/net/netfilter/nfnetlink_queue").split()
    with capsys.disabled():
        print(f"\n{told}, {queue[-2]} waited until now", end="")

    assert int(queue[2]) == 0, "nobody waits any more"
    assert int(queue[-2]) > 0, "nobody ever waited: the test shows nothing"
    assert "hold_early is without effect" not in alone.left.log()
