"""Messages about policies (the SPD), in pyroute2's style."""

from __future__ import annotations

from ikepy.kernel.messages.message import field, structured, xfrm_message
from ikepy.kernel.messages.scalars import counts, nothing, u32
from ikepy.kernel.messages.structures import xfrm_userpolicy_id, xfrm_userpolicy_info


class newpolicy(xfrm_message):
    """NEWPOLICY, UPDPOLICY, and what GETPOLICY answers::

    struct xfrm_userpolicy_info (structures.py)
    """

    fields = (("policy", field(xfrm_userpolicy_info, 168)),)


class policyid(xfrm_message):
    """DELPOLICY, GETPOLICY and MIGRATE; a GETPOLICY that dumps carries nothing::

    struct xfrm_userpolicy_id (structures.py)
    """

    fields = (("id", field(xfrm_userpolicy_id, 64)),)


class dump(xfrm_message):
    """GETSA and GETPOLICY that dump: no body."""

    fields = (("nothing", field(nothing, 0)),)


class flushpolicy(xfrm_message):
    """FLUSHPOLICY; ikepy itself never sends it, since it takes away what is not its own."""

    fields = (("nothing", field(nothing, 0)),)


class spdinfo(xfrm_message):
    """GETSPDINFO and NEWSPDINFO: how many policies there are::

    __u32 flags;
    """

    prefix = "XFRMA_SPD_"

    fields = (("flags", field(u32, 4)),)

    nla_map = (("XFRMA_SPD_UNSPEC", "none"), ("XFRMA_SPD_INFO", "numbers"), ("XFRMA_SPD_HINFO", "numbers"))

    class numbers(structured):
        """struct xfrmu_spdinfo { __u32 incnt, outcnt, fwdcnt, inscnt, outscnt, fwdscnt; }; struct xfrmu_spdhinfo."""

        structure = counts
