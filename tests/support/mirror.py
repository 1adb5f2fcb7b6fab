"""What must be true of a pair at rest: both sides have the same, each from its end, and nothing is left over.

Not here: how they came there (pair.py, tests/scenarios).
"""

from __future__ import annotations

from ikepy.ike.phases import Closed
from ikepy.ike.timers import TimerName
from tests.support.pair import Pair, Side

OF_REST = {
    TimerName.LIVENESS,
    TimerName.KEEPALIVE,
    TimerName.REKEY,
    TimerName.REAUTHENTICATE,
    TimerName.OVERDUE,
    TimerName.CHILD_REKEY,
}
"What an IKE SA may wait for where nothing is under way."


def assert_mirror(pair: Pair, *, ike_sas: int | None = 1, children: dict[str, int] | None = None) -> None:
    """Both sides mirror each other, and nothing leaks or is doubled.

    ike_sas    how many IKE SAs there are; None for any number up to one
    children   how many children of each name; None for at most one of each
    """
    left, right = pair.left.sas, pair.right.sas
    assert len(left) == len(right), f"{[sa.state for sa in left]} and {[sa.state for sa in right]}"
    assert len(left) in ({0, 1} if ike_sas is None else {ike_sas}), [sa.state for sa in left]
    for ours, theirs in zip(left, right, strict=True):
        assert ours.state == theirs.state == "ESTABLISHED", (ours.state, theirs.state)
        assert (ours.spi_i, ours.spi_r) == (theirs.spi_i, theirs.spi_r)
        assert ours.initiator is not theirs.initiator
        if not (ours.nat_local or ours.nat_remote):
            assert ours.path.local.address == theirs.path.remote.address, (ours.path, theirs.path)
            assert ours.path.remote.address == theirs.path.local.address, (ours.path, theirs.path)
    found = {side: [child for sa in side.sas for child in sa.children] for side in (pair.left, pair.right)}
    names = [child.name for child in found[pair.left]]
    if children is None:
        assert len(names) == len(set(names)), f"doubled: {names}"
    else:
        assert sorted(names) == sorted(name for name, count in children.items() for _ in range(count)), names
    assert {_ends(child) for child in found[pair.left]} == {_ends(child)[::-1] for child in found[pair.right]}
    assert all(child.state == "INSTALLED" for each in found.values() for child in each)
    for side in (pair.left, pair.right):
        _assert_kernel(side)
        _assert_calm(side)
    _assert_windows(pair)


def _ends(child: object) -> tuple[object, object]:
    """Both states of a child, ours first: SPI, keys, and what is behind them."""
    negotiated, spec = child, child.spec  # type: ignore[attr-defined]
    here = (spec.inbound.spi, spec.inbound.encr_key.reveal(), negotiated.local_ts)  # type: ignore[attr-defined]
    there = (spec.outbound.spi, spec.outbound.encr_key.reveal(), negotiated.remote_ts)  # type: ignore[attr-defined]
    return here, there


def _assert_kernel(side: Side) -> None:
    wanted = {
        name for sa in side.sas for child in sa.children for name in (child.spec.inbound.id, child.spec.outbound.id)
    }
    assert set(side.kernel.states) == wanted, "the kernel has other states than the IKE SAs have children"
    assert not side.kernel.reserved, "an SPI was neither used nor given back"
    assert {owner for sa in side.sas for child in sa.children for owner in (child.spec.owner,)} == set(
        side.kernel.children
    )


def _assert_calm(side: Side) -> None:
    endpoint = side.endpoint
    assert not endpoint._tickets, "an effect was never answered"
    live = [sa for sa in endpoint._by_id.values() if not isinstance(sa.phase, Closed)]
    assert len(live) == len(side.sas), [type(sa.phase).__name__ for sa in live]
    for sa in live:
        table = sa.table
        assert sa.initiating is None
        assert sa.responding is None
        assert not sa.pending, [str(wish) for wish in sa.pending]
        assert not sa.granting.postponed
        assert sa.held is None
        assert sa.held_by is None
        left_over = (
            table.deleting,
            table.removing,
            table.retiring,
            table.replacements,
            table.waiting,
            table.redundant,
            table.unannounced,
        )
        assert not any(left_over), [list(each) for each in left_over]
        timers = {key for key, _at in sa.agenda._timers.entries()}
        assert {name for name, _ in timers} <= OF_REST, f"waits for {[name.value for name, _ in timers]}"
        assert {child for _, child in timers if child} <= set(table.children), "a timer of a child that is gone"
    of_children = {child.reqid for sa in live for child in sa.table.children.values()}
    of_traps = set(endpoint._keeping.keeper._traps._by_reqid)
    assert set(endpoint.reqids._holders) == of_children | of_traps, "a request ID is held by nobody"


def _assert_windows(pair: Pair) -> None:
    """Each side's next request is the one the other expects (RFC 7296 §2.2)."""
    for side, other in ((pair.left, pair.right), (pair.right, pair.left)):
        theirs = {sa.channel.spi_i + sa.channel.spi_r: sa for sa in other.endpoint._by_id.values()}
        for sa in side.endpoint._by_id.values():
            if not isinstance(sa.phase, Closed):
                peer = theirs[sa.channel.spi_i + sa.channel.spi_r]
                assert sa.channel.requests.next_id == peer.channel.responses.expected_id
