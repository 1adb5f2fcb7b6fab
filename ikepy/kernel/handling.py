"""Handling and Offload <-> flags and attributes of XFRM states: pure, both ways.

Rule 1: what is as Linux does it by itself is not said.
Rule 2: with Offload.AUTO nothing is asked for that an interface never does: a state inside UDP, or one that pads.
Not here: the rest of a state (translate.py), whether the interface did what it was asked for (xfrm.py).
"""

from __future__ import annotations

from ikepy.ipsec import CopyDscp, Handling, Mark, Offload, SaSpec
from ikepy.kernel.messages import numbers
from ikepy.kernel.messages.message import xfrm_message
from ikepy.kernel.messages.structures import xfrm_usersa_info
from ikepy.kernel.messages.values import xfrm_user_offload

Attribute = tuple[str, object]
_ALL_BITS = 0xFFFFFFFF


def handling_flags(handling: Handling) -> int:
    """The flags of xfrm_usersa_info."""
    found = 0 if handling.copy_ecn else numbers.XFRM_STATE_NOECN
    found |= 0 if handling.copy_df else numbers.XFRM_STATE_NOPMTUDISC
    return found | (numbers.XFRM_STATE_DECAP_DSCP if handling.copy_dscp.inward else 0)


def handling_attributes(handling: Handling) -> list[Attribute]:
    """What has no flag there."""
    found: list[Attribute] = []
    if handling.tfc_octets:
        found.append(("XFRMA_TFCPAD", handling.tfc_octets))
    if not handling.copy_dscp.outward:
        found.append(("XFRMA_SA_EXTRA_FLAGS", numbers.XFRM_SA_XFLAG_DONT_ENCAP_DSCP))
    if handling.set_mark is not None:
        found.append(("XFRMA_SET_MARK", handling.set_mark.value))
        found.append(("XFRMA_SET_MARK_MASK", handling.set_mark.mask))
    return found


def read_handling(message: xfrm_message) -> Handling:
    """What a state does beside protecting."""
    info: xfrm_usersa_info = message["sa"]
    inward = bool(info.flags & numbers.XFRM_STATE_DECAP_DSCP)
    outward = not (message.get_attr("XFRMA_SA_EXTRA_FLAGS") or 0) & numbers.XFRM_SA_XFLAG_DONT_ENCAP_DSCP
    set_mark = message.get_attr("XFRMA_SET_MARK")
    mask = message.get_attr("XFRMA_SET_MARK_MASK")
    return Handling(
        copy_df=not info.flags & numbers.XFRM_STATE_NOPMTUDISC,
        copy_ecn=not info.flags & numbers.XFRM_STATE_NOECN,
        copy_dscp=next(each for each in CopyDscp if (each.inward, each.outward) == (inward, outward)),
        tfc_octets=message.get_attr("XFRMA_TFCPAD") or None,
        set_mark=Mark(set_mark, _ALL_BITS if mask is None else mask) if set_mark is not None else None,
    )


def make_offload(offload: Offload, interface_index: int, *, inbound: bool) -> Attribute:
    """Ask for an interface's hardware; index 0 is that of the way to the peer."""
    flags = numbers.XFRM_OFFLOAD_INBOUND if inbound else 0
    flags |= numbers.XFRM_OFFLOAD_PACKET if offload is Offload.PACKET else 0
    return "XFRMA_OFFLOAD_DEV", xfrm_user_offload(interface_index, flags)


def offload_attributes(spec: SaSpec, interface_index: int) -> list[Attribute]:
    """The same for a state, if it is to have it."""
    if spec.offload is None:
        return []
    if spec.offload is Offload.AUTO and (spec.encap is not None or spec.handling.tfc_octets):
        return []
    return [make_offload(spec.offload, interface_index, inbound=spec.inbound)]
