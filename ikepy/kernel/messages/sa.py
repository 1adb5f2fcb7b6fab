"""Messages about states (the SAD), in pyroute2's style."""

from __future__ import annotations

from ikepy.kernel.messages.message import field, structured, xfrm_message
from ikepy.kernel.messages.scalars import counts, u8, u32
from ikepy.kernel.messages.structures import xfrm_aevent_id, xfrm_usersa_id, xfrm_usersa_info


class newsa(xfrm_message):
    """NEWSA, UPDSA, and what GETSA answers::

    struct xfrm_usersa_info (structures.py)
    """

    fields = (("sa", field(xfrm_usersa_info, 224)),)


class said(xfrm_message):
    """DELSA and GETSA; a GETSA that dumps carries nothing::

    struct xfrm_usersa_id (structures.py)
    """

    fields = (("id", field(xfrm_usersa_id, 24)),)


class flushsa(xfrm_message):
    """FLUSHSA; ikepy itself never sends it, since it takes away what is not its own::

    struct xfrm_usersa_flush {
        __u8 proto;
    };
    """

    fields = (("proto", field(u8, 4)),)


class aevent(xfrm_message):
    """NEWAE and GETAE: sequence numbers and used-up lifetimes::

    struct xfrm_aevent_id (structures.py)
    """

    fields = (("id", field(xfrm_aevent_id, 48)),)


class sadinfo(xfrm_message):
    """GETSADINFO and NEWSADINFO: how many states there are::

    __u32 flags;
    """

    prefix = "XFRMA_SAD_"

    fields = (("flags", field(u32, 4)),)

    nla_map = (("XFRMA_SAD_UNSPEC", "none"), ("XFRMA_SAD_CNT", "number"), ("XFRMA_SAD_HINFO", "hash_info"))

    class hash_info(structured):
        """struct xfrmu_sadhinfo { __u32 sadhcnt; __u32 sadhmcnt; };"""

        structure = counts
