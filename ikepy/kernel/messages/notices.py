"""Messages the kernel sends unasked, in pyroute2's style: ACQUIRE, EXPIRE, POLEXPIRE, MAPPING."""

from __future__ import annotations

from ikepy.kernel.messages.message import field, xfrm_message
from ikepy.kernel.messages.scalars import hard_flag, two_ports, u32, xfrm_address
from ikepy.kernel.messages.structures import (
    xfrm_id,
    xfrm_selector,
    xfrm_userpolicy_info,
    xfrm_usersa_id,
    xfrm_usersa_info,
)


class acquire(xfrm_message):
    """ACQUIRE: a packet met a policy with no state; XFRMA_TMPL says what the policy asks for::

    struct xfrm_user_acquire {
        struct xfrm_id id;
        xfrm_address_t saddr;
        struct xfrm_selector sel;               /* the packet */
        struct xfrm_userpolicy_info policy;
        __u32 aalgos;
        __u32 ealgos;
        __u32 calgos;
        __u32 seq;
    };
    """

    fields = (
        ("id", field(xfrm_id, 24)),
        ("saddr", field(xfrm_address, 16)),
        ("sel", field(xfrm_selector, 56)),
        ("policy", field(xfrm_userpolicy_info, 168)),
        ("aalgos", field(u32, 4)),
        ("ealgos", field(u32, 4)),
        ("calgos", field(u32, 4)),
        ("seq", field(u32, 4)),
    )


class expire(xfrm_message):
    """EXPIRE: a state reached a limit; sent to the kernel, it makes it so::

    struct xfrm_user_expire {
        struct xfrm_usersa_info state;
        __u8 hard;
    };
    """

    fields = (("state", field(xfrm_usersa_info, 224)), ("hard", field(hard_flag, 8)))


class polexpire(xfrm_message):
    """POLEXPIRE: a policy reached a limit::

    struct xfrm_user_polexpire {
        struct xfrm_userpolicy_info pol;
        __u8 hard;
    };
    """

    fields = (("pol", field(xfrm_userpolicy_info, 168)), ("hard", field(hard_flag, 8)))


class mapping(xfrm_message):
    """MAPPING: UDP-encapsulated ESP of a state came from elsewhere::

    struct xfrm_user_mapping {
        struct xfrm_usersa_id id;
        __u32 reqid;
        xfrm_address_t old_saddr;
        xfrm_address_t new_saddr;
        __be16 old_sport;
        __be16 new_sport;
    };
    """

    fields = (
        ("id", field(xfrm_usersa_id, 24)),
        ("reqid", field(u32, 4)),
        ("old_saddr", field(xfrm_address, 16)),
        ("new_saddr", field(xfrm_address, 16)),
        ("sports", field(two_ports, 4)),
    )
