"""What a child's configuration says of its states and policies beside what is negotiated: it is in both, each way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikepy.ipsec import ChildSaSpec, CopyDscp, Direction, Handling, Mark, Offload
from tests.support.pair import established_pair, make_child, make_config


def spec_of(**more: object) -> ChildSaSpec:
    """The child of a pair of which one side has that in its configuration."""
    child = replace(make_child(), **more)  # type: ignore[arg-type]
    pair = established_pair(make_config(children=(child,)), None)
    (made,) = pair.left.sa.children
    assert made.spec is not None
    return made.spec


def test_marks_and_interface_ids_go_each_way() -> None:
    spec = spec_of(mark=Mark(1), mark_out=Mark(2), if_id=3, if_id_in=4)
    assert (spec.inbound.mark, spec.outbound.mark) == (Mark(1), Mark(2))
    assert (spec.inbound.if_id, spec.outbound.if_id) == (4, 3)
    for policy in spec.policies:
        inward = policy.direction is not Direction.OUT
        assert (policy.mark, policy.if_id) == ((Mark(1), 4) if inward else (Mark(2), 3))


def test_what_states_do_with_packets_goes_each_way() -> None:
    spec = spec_of(
        copy_df=False, copy_ecn=False, copy_dscp=CopyDscp.NO, tfc_padding=900, set_mark_in=Mark(5), set_mark_out=Mark(6)
    )
    assert spec.inbound.handling == Handling(False, False, CopyDscp.NO, None, Mark(5))
    assert spec.outbound.handling == Handling(False, False, CopyDscp.NO, 900, Mark(6))


def test_without_policies_there_are_states_alone() -> None:
    spec = spec_of(policies=False)
    assert spec.policies == ()
    assert spec.inbound.reqid == spec.outbound.reqid


def test_an_interface_is_that_of_the_routes() -> None:
    assert spec_of(interface="ipsec0").interface == "ipsec0"


@pytest.mark.parametrize("offload", [None, *Offload])
def test_policies_are_offloaded_only_with_the_packets(offload: Offload | None) -> None:
    spec = spec_of(hw_offload=offload)
    assert (spec.inbound.offload, spec.outbound.offload) == (offload, offload)
    assert {policy.offload for policy in spec.policies} == {offload if offload is Offload.PACKET else None}
