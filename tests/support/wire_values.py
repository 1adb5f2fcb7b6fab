"""Any value of the wire, for Hypothesis: each strategy draws what the dataclass allows and no more."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from ikepy.wire.base import Payload
from ikepy.wire.cp import CfgAttribute, Cp
from ikepy.wire.eap import Eap
from ikepy.wire.header import IkeHeader
from ikepy.wire.message import Message
from ikepy.wire.notify import Notify
from ikepy.wire.payloads import (
    Auth,
    Cert,
    CertReq,
    Delete,
    Identification,
    IdI,
    IdR,
    Ke,
    Nonce,
    Sk,
    Skf,
    UnknownPayload,
    VendorId,
)
from ikepy.wire.registry import (
    AttributeType,
    AuthMethod,
    CertEncoding,
    CfgAttributeType,
    CfgType,
    EapCode,
    ExchangeType,
    IdType,
    KeMethod,
    NotifyType,
    PayloadType,
    ProtocolId,
    TransformType,
    TsType,
)
from ikepy.wire.sa import Attribute, Proposal, Sa, Transform, transform_id
from ikepy.wire.ts import OPAQUE, TrafficSelector, TsI, TsR, UnknownSelector

octet = st.integers(0, 0xFF)
number16 = st.integers(0, 0xFFFF)
flags = octet
some_octets = st.binary(max_size=40)
known_types = frozenset(PayloadType) - {PayloadType.GSPM, PayloadType.PS}


def reserved(octets: int):
    return st.one_of(st.just(bytes(octets)), st.binary(min_size=octets, max_size=octets))


# -- SA ------------------------------------------------------------------------------------------------------------

attributes = st.builds(Attribute, st.integers(0, 0x7FFF).map(AttributeType), st.one_of(number16, st.binary(max_size=6)))


@st.composite
def _transform(draw):
    kind = TransformType(draw(st.one_of(st.integers(1, 5), octet)))
    return Transform(
        kind,
        transform_id(kind, draw(number16)),
        tuple(draw(st.lists(attributes, max_size=3))),
        draw(octet),
        draw(octet),
    )


transforms = _transform()
proposals = st.builds(
    Proposal,
    octet,
    octet.map(ProtocolId),
    st.sampled_from([0, 4, 8, 255]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    st.lists(transforms, max_size=4).map(tuple),
    octet,
)
sas = st.builds(Sa, st.lists(proposals, min_size=1, max_size=3).map(tuple), flags=flags)

# -- TS ------------------------------------------------------------------------------------------------------------

_ports = st.one_of(st.just(OPAQUE), st.tuples(number16, number16).map(lambda pair: (min(pair), max(pair))))


@st.composite
def _selector(draw):
    family, bits = draw(st.sampled_from([(IPv4Address, 32), (IPv6Address, 128)]))
    ends = sorted(draw(st.tuples(*[st.integers(0, 2**bits - 1)] * 2)))
    kind = TsType.TS_IPV4_ADDR_RANGE if bits == 32 else TsType.TS_IPV6_ADDR_RANGE
    return TrafficSelector(kind, draw(octet), *draw(_ports), family(ends[0]), family(ends[1]))


traffic_selectors = _selector()
unknown_selectors = st.builds(
    UnknownSelector, octet.filter(lambda kind: kind not in {7, 8}).map(TsType), octet, some_octets
)
selectors = st.lists(st.one_of(traffic_selectors, unknown_selectors), min_size=1, max_size=4).map(tuple)
ts_is = st.builds(TsI, selectors, reserved(3), flags=flags)
ts_rs = st.builds(TsR, selectors, reserved(3), flags=flags)

# -- the others ------------------------------------------------------------------------------------------------------

identifications = st.builds(Identification, octet.map(IdType), some_octets, reserved(3))


@st.composite
def _delete(draw):
    size = draw(st.integers(1, 8))
    spis = draw(st.lists(st.binary(min_size=size, max_size=size), max_size=4))
    return Delete(draw(octet.map(ProtocolId)), tuple(spis), size if spis else draw(octet), flags=draw(flags))


@st.composite
def _skf(draw):
    total = draw(st.integers(1, 0xFFFF))
    number = draw(st.one_of(st.just(1), st.integers(1, total)))
    first = draw(octet.map(PayloadType)) if number == 1 else PayloadType.NO_NEXT_PAYLOAD
    return Skf(first, number, total, draw(some_octets), flags=draw(flags))


strategies: dict[type[Payload], st.SearchStrategy[Payload]] = {
    Sa: sas,
    Ke: st.builds(Ke, number16.map(KeMethod), some_octets, reserved(2), flags=flags),
    IdI: st.builds(IdI, identifications, flags=flags),
    IdR: st.builds(IdR, identifications, flags=flags),
    Cert: st.builds(Cert, octet.map(CertEncoding), some_octets, flags=flags),
    CertReq: st.builds(CertReq, octet.map(CertEncoding), some_octets, flags=flags),
    Auth: st.builds(Auth, octet.map(AuthMethod), some_octets, reserved(3), flags=flags),
    Nonce: st.builds(Nonce, st.binary(min_size=16, max_size=256), flags=flags),
    Notify: st.builds(
        Notify, number16.map(NotifyType), some_octets, octet.map(ProtocolId), st.binary(max_size=8), flags=flags
    ),
    Delete: _delete(),
    VendorId: st.builds(VendorId, some_octets, flags=flags),
    TsI: ts_is,
    TsR: ts_rs,
    Cp: st.builds(
        Cp,
        octet.map(CfgType),
        st.lists(
            st.builds(CfgAttribute, st.integers(0, 0x7FFF).map(CfgAttributeType), some_octets, st.integers(0, 1)),
            max_size=4,
        ).map(tuple),
        reserved(3),
        flags=flags,
    ),
    Eap: st.builds(Eap, octet.map(EapCode), octet, some_octets, flags=flags),
    UnknownPayload: st.builds(
        UnknownPayload,
        octet.map(PayloadType).filter(lambda kind: kind not in known_types),
        some_octets,
        flags=st.integers(0, 0x7F),
    ),
}
"A strategy for every payload that others may follow."

sks = st.builds(Sk, octet.map(PayloadType), some_octets, flags=flags)
skfs = _skf()


@st.composite
def _chain(draw):
    payloads = draw(st.lists(st.one_of(*strategies.values()), max_size=5))
    last = draw(st.one_of(st.none(), sks, skfs))
    return (*payloads, last) if last is not None else tuple(payloads)


chains = _chain()
headers = st.builds(
    IkeHeader,
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=8, max_size=8),
    octet.map(PayloadType),
    octet.map(ExchangeType),
    octet,
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.one_of(st.integers(0x20, 0x2F), octet),
)
messages = st.builds(Message, headers, chains)


@st.composite
def mutated(draw, octets_strategy):
    """Octets with a few changed, cut off, doubled or put in."""
    octets = bytearray(draw(octets_strategy))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(octets) - 1, 0)))
        match draw(st.integers(0, 3)):
            case 0:
                octets[at : at + 1] = bytes([draw(octet)])
            case 1:
                del octets[at:]
            case 2:
                octets[at:at] = draw(st.binary(min_size=1, max_size=4))
            case _:
                octets += octets[at:]
    return bytes(octets)
