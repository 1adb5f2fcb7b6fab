"""The XFRM netlink family as pyroute2 message classes (pyroute2 has none of its own): it could be offered there as it is.

Rule 1: a message is an `nlmsg`, an attribute an `nla`, their names are the kernel's; C structures stand in docstrings.
Rule 2: this is the codec alone; nothing here opens a socket or knows ikepy's values (translate.py does).
"""

from __future__ import annotations

from ikepy.kernel.messages import numbers
from ikepy.kernel.messages.message import xfrm_message
from ikepy.kernel.messages.notices import acquire, expire, mapping, polexpire
from ikepy.kernel.messages.policy import dump, flushpolicy, newpolicy, policyid, spdinfo
from ikepy.kernel.messages.sa import aevent, flushsa, newsa, sadinfo, said

MESSAGE_CLASSES: dict[int, type[xfrm_message]] = {
    numbers.XFRM_MSG_NEWSA: newsa,
    numbers.XFRM_MSG_UPDSA: newsa,
    numbers.XFRM_MSG_DELSA: said,
    numbers.XFRM_MSG_GETSA: said,
    numbers.XFRM_MSG_FLUSHSA: flushsa,
    numbers.XFRM_MSG_NEWPOLICY: newpolicy,
    numbers.XFRM_MSG_UPDPOLICY: newpolicy,
    numbers.XFRM_MSG_DELPOLICY: policyid,
    numbers.XFRM_MSG_GETPOLICY: policyid,
    numbers.XFRM_MSG_FLUSHPOLICY: flushpolicy,
    numbers.XFRM_MSG_ACQUIRE: acquire,
    numbers.XFRM_MSG_EXPIRE: expire,
    numbers.XFRM_MSG_POLEXPIRE: polexpire,
    numbers.XFRM_MSG_NEWAE: aevent,
    numbers.XFRM_MSG_GETAE: aevent,
    numbers.XFRM_MSG_MIGRATE: policyid,
    numbers.XFRM_MSG_MAPPING: mapping,
    numbers.XFRM_MSG_NEWSADINFO: sadinfo,
    numbers.XFRM_MSG_GETSADINFO: sadinfo,
    numbers.XFRM_MSG_NEWSPDINFO: spdinfo,
    numbers.XFRM_MSG_GETSPDINFO: spdinfo,
}
"""Which class reads which message type."""

__all__ = [
    "MESSAGE_CLASSES",
    "acquire",
    "aevent",
    "dump",
    "expire",
    "flushpolicy",
    "flushsa",
    "mapping",
    "newpolicy",
    "newsa",
    "numbers",
    "polexpire",
    "policyid",
    "sadinfo",
    "said",
    "spdinfo",
    "xfrm_message",
]
