"""The XFRM family under pyroute2's codec: sizes are C's, and each message comes back from its octets."""

from __future__ import annotations

import pytest
import trio
from pyroute2.netlink import nlmsg

from ikepy.kernel.messages import MESSAGE_CLASSES, numbers, xfrm_message
from ikepy.kernel.messages.message import make
from ikepy.kernel.messages.structures import (
    xfrm_aevent_id,
    xfrm_id,
    xfrm_lifetime_cur,
    xfrm_selector,
    xfrm_stats,
    xfrm_userpolicy_id,
    xfrm_userpolicy_info,
    xfrm_usersa_id,
    xfrm_usersa_info,
)
from ikepy.kernel.messages.values import (
    xfrm_algo,
    xfrm_algo_icv,
    xfrm_encap_tmpl,
    xfrm_mark,
    xfrm_replay_state,
    xfrm_replay_state_esn,
    xfrm_user_kmaddress,
    xfrm_user_migrate,
    xfrm_user_offload,
    xfrm_user_tmpl,
)
from ikepy.kernel.netlink import Connection, open_netlink
from ikepy.kernel.translate import make_state
from tests.kernel.rig import XfrmHost, make_child

ADDRESS = bytes(range(16))
OTHER = bytes(range(16, 32))
SELECTOR = xfrm_selector(ADDRESS, OTHER, 443, 0xFFFF, 80, 0xFF00, 10, 64, 48, 6, -1, 1000)
STATE = xfrm_usersa_info(
    SELECTOR,
    xfrm_id(ADDRESS, 0xC0A81F03, 50),
    OTHER,
    curlft=xfrm_lifetime_cur(1, 2, 3, 4),
    stats=xfrm_stats(5, 6, 7),
    seq=8,
    reqid=9,
    family=10,
    mode=1,
    replay_window=32,
    flags=128,
)
POLICY = xfrm_userpolicy_info(SELECTOR, priority=7, index=9, dir=1, action=0, flags=2, share=1)
STATE_ID = xfrm_usersa_id(ADDRESS, 0xC0A81F03, 10, 50)

# sizeof() of each struct of linux/xfrm.h by a C compiler (x86-64).
SIZES = {
    numbers.XFRM_MSG_NEWSA: 224,
    numbers.XFRM_MSG_DELSA: 24,
    numbers.XFRM_MSG_NEWPOLICY: 168,
    numbers.XFRM_MSG_DELPOLICY: 64,
    numbers.XFRM_MSG_ACQUIRE: 280,
    numbers.XFRM_MSG_EXPIRE: 232,
    numbers.XFRM_MSG_POLEXPIRE: 176,
    numbers.XFRM_MSG_NEWAE: 48,
    numbers.XFRM_MSG_MIGRATE: 64,
    numbers.XFRM_MSG_MAPPING: 64,
    numbers.XFRM_MSG_FLUSHSA: 4,
    numbers.XFRM_MSG_FLUSHPOLICY: 0,
    numbers.XFRM_MSG_GETSADINFO: 4,
    numbers.XFRM_MSG_GETSPDINFO: 4,
}
FIELDS: dict[int, dict[str, object]] = {
    numbers.XFRM_MSG_NEWSA: {"sa": STATE},
    numbers.XFRM_MSG_DELSA: {"id": STATE_ID},
    numbers.XFRM_MSG_NEWPOLICY: {"policy": POLICY},
    numbers.XFRM_MSG_DELPOLICY: {"id": xfrm_userpolicy_id(SELECTOR, 9, 1)},
    numbers.XFRM_MSG_ACQUIRE: {
        "id": xfrm_id(ADDRESS, 0, 50),
        "saddr": OTHER,
        "sel": SELECTOR,
        "policy": POLICY,
        "aalgos": 1,
        "ealgos": 2,
        "calgos": 3,
        "seq": 4,
    },
    numbers.XFRM_MSG_EXPIRE: {"state": STATE, "hard": True},
    numbers.XFRM_MSG_POLEXPIRE: {"pol": POLICY, "hard": False},
    numbers.XFRM_MSG_NEWAE: {"id": xfrm_aevent_id(STATE_ID, OTHER, 4, 9)},
    numbers.XFRM_MSG_MIGRATE: {"id": xfrm_userpolicy_id(SELECTOR, 0, 1)},
    numbers.XFRM_MSG_MAPPING: {
        "id": STATE_ID,
        "reqid": 9,
        "old_saddr": ADDRESS,
        "new_saddr": OTHER,
        "sports": (4500, 40123),
    },
    numbers.XFRM_MSG_FLUSHSA: {"proto": 50},
    numbers.XFRM_MSG_FLUSHPOLICY: {"nothing": None},
    numbers.XFRM_MSG_GETSADINFO: {"flags": 0xFFFFFFFF},
    numbers.XFRM_MSG_GETSPDINFO: {"flags": 0xFFFFFFFF},
}
ATTRIBUTES: list[tuple[str, object]] = [
    ("XFRMA_ALG_AUTH", xfrm_algo("hmac(sha1)", bytes(range(20)))),
    ("XFRMA_ALG_CRYPT", xfrm_algo("cbc(aes)", bytes(range(16)))),
    ("XFRMA_ALG_AEAD", xfrm_algo_icv("rfc4106(gcm(aes))", 128, bytes(range(20)))),
    ("XFRMA_ENCAP", xfrm_encap_tmpl(2, 4500, 40123, ADDRESS)),
    ("XFRMA_TMPL", (xfrm_user_tmpl(xfrm_id(ADDRESS, 0, 50), 10, OTHER, 9, 1),) * 2),
    ("XFRMA_REPLAY_VAL", xfrm_replay_state(1, 2, 3)),
    ("XFRMA_REPLAY_ESN_VAL", xfrm_replay_state_esn(4, 1, 2, 3, 4, 128, bytes(range(16)))),
    ("XFRMA_SRCADDR", ADDRESS),
    ("XFRMA_LASTUSED", 1 << 33),
    ("XFRMA_MIGRATE", xfrm_user_migrate(ADDRESS, OTHER, OTHER, ADDRESS, 50, 1, 0, 9, 10, 10)),
    ("XFRMA_KMADDRESS", xfrm_user_kmaddress(ADDRESS, OTHER, 0, 10)),
    ("XFRMA_MARK", xfrm_mark(1, 0xFF)),
    ("XFRMA_OFFLOAD_DEV", xfrm_user_offload(3, 2)),
    ("XFRMA_IF_ID", 77),
    ("XFRMA_MTIMER_THRESH", 60),
]


def encoded(message: xfrm_message) -> bytes:
    message.encode()
    return bytes(message.data)


@pytest.mark.parametrize("kind", sorted(FIELDS), ids=lambda kind: MESSAGE_CLASSES[kind].__name__)
def test_each_message_has_cs_size_and_comes_back(kind: int) -> None:
    octets = encoded(make(MESSAGE_CLASSES[kind], kind, attrs=[], **FIELDS[kind]))
    assert len(octets) == 16 + SIZES[kind]
    again = MESSAGE_CLASSES[kind](octets)
    again.decode()
    assert {name: again[name] for name in FIELDS[kind]} == FIELDS[kind]


@pytest.mark.parametrize(("name", "value"), ATTRIBUTES, ids=[name for name, _ in ATTRIBUTES])
def test_each_attribute_comes_back_and_is_as_pyroute2_builds_it(name: str, value: object) -> None:
    message = make(MESSAGE_CLASSES[numbers.XFRM_MSG_DELSA], numbers.XFRM_MSG_DELSA, id=STATE_ID, attrs=[(name, value)])
    octets = encoded(message)
    again = MESSAGE_CLASSES[numbers.XFRM_MSG_DELSA](octets)
    again.decode()
    assert again.get_attr(name) == value
    message.reset()
    nlmsg.encode(message)
    assert bytes(message.data) == octets


def test_keys_do_not_print() -> None:
    for name, value in ATTRIBUTES[:3]:
        assert "\\x0f" not in repr((name, value))


@pytest.mark.system
def test_the_kernel_says_how_many_states_and_policies_there_are(xfrm_host: XfrmHost) -> None:
    async def main() -> None:
        connection = Connection(open_netlink(numbers.NETLINK_XFRM), MESSAGE_CLASSES)
        state = make_state(make_child().inbound)
        sad = make(MESSAGE_CLASSES[numbers.XFRM_MSG_GETSADINFO], numbers.XFRM_MSG_GETSADINFO, flags=0, attrs=[])
        spd = make(MESSAGE_CLASSES[numbers.XFRM_MSG_GETSPDINFO], numbers.XFRM_MSG_GETSPDINFO, flags=0, attrs=[])
        _, states, policies = await connection.request([state, sad, spd])
        assert states.replies[0].get_attr("XFRMA_SAD_CNT") == 1
        assert policies.replies[0].get_attr("XFRMA_SPD_INFO")[:3] == (0, 0, 0)
        connection.close()

    trio.run(main)
