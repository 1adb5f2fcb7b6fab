"""SaSpec and PolicySpec <-> XFRM messages: pure, both ways.

Rule 1: what goes in comes out: read_state(make_state(spec)) is spec, but for `inbound` and `offload`.
Rule 2: a value the kernel could not take as it is meant raises ValueError here; the kernel does not guess.
Not here: sockets, who owns what; what the kernel tells unasked (notices.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from socket import AF_INET, AF_INET6, IPPROTO_AH, IPPROTO_ESP

from ikepy.crypto.secret import Secret
from ikepy.ipsec import (
    Direction,
    Lifetime,
    Mark,
    Mode,
    PolicyAction,
    PolicySpec,
    SaCounters,
    SaId,
    SaSpec,
    Selector,
    Spi,
    Template,
    UdpEncap,
)
from ikepy.kernel.addresses import family_of, pack_address, unpack_address
from ikepy.kernel.algorithms import encr_of, integ_of, kernel_cipher, kernel_integrity
from ikepy.kernel.handling import handling_attributes, handling_flags, make_offload, offload_attributes, read_handling
from ikepy.kernel.messages import newpolicy, newsa, numbers, policyid, said
from ikepy.kernel.messages.message import make, xfrm_message
from ikepy.kernel.messages.structures import (
    ANY_ADDRESS,
    XFRM_INF,
    xfrm_id,
    xfrm_lifetime_cfg,
    xfrm_selector,
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
    xfrm_replay_state_esn,
    xfrm_user_tmpl,
)
from ikepy.kernel.progress import FRESH, Progress, progress_attributes
from ikepy.wire.registry import EncrId, IntegId, ProtocolId

MOST_REPLAY_WINDOW = 4096
_SMALL_WINDOW = 32

_MODES = {Mode.TUNNEL: numbers.XFRM_MODE_TUNNEL, Mode.TRANSPORT: numbers.XFRM_MODE_TRANSPORT}
_MODES_BACK = {number: mode for mode, number in _MODES.items()}
_PROTOCOLS = {ProtocolId.ESP: IPPROTO_ESP, ProtocolId.AH: IPPROTO_AH}
_PROTOCOLS_BACK = {number: protocol for protocol, number in _PROTOCOLS.items()}
_DIRECTIONS = {
    Direction.IN: numbers.XFRM_POLICY_IN,
    Direction.OUT: numbers.XFRM_POLICY_OUT,
    Direction.FORWARD: numbers.XFRM_POLICY_FWD,
}
_DIRECTIONS_BACK = {number: direction for direction, number in _DIRECTIONS.items()}
_NO_LIMIT = Lifetime()
_NO_LIMIT_CFG = xfrm_lifetime_cfg()
_NO_SELECTOR = xfrm_selector()

Attributes = list[tuple[str, object]]


# -- selectors -----------------------------------------------------------------------------------------------------


def make_selector(selector: Selector) -> xfrm_selector:
    """Word a selector for the kernel."""
    source, destination = selector.source, selector.destination
    return xfrm_selector(
        daddr=pack_address(destination.network_address),
        saddr=pack_address(source.network_address),
        dport=selector.destination_port,
        dport_mask=selector.destination_port_mask,
        sport=selector.source_port,
        sport_mask=selector.source_port_mask,
        family=AF_INET if isinstance(source, IPv4Network) else AF_INET6,
        prefixlen_d=destination.prefixlen,
        prefixlen_s=source.prefixlen,
        proto=selector.protocol,
    )


def read_selector(sel: xfrm_selector) -> Selector:
    """Read the kernel's selector."""
    network = IPv4Network if sel.family == AF_INET else IPv6Network
    octets = 4 if sel.family == AF_INET else 16
    return Selector(
        source=network((sel.saddr[:octets], sel.prefixlen_s), strict=False),
        destination=network((sel.daddr[:octets], sel.prefixlen_d), strict=False),
        protocol=sel.proto,
        source_port=sel.sport,
        source_port_mask=sel.sport_mask,
        destination_port=sel.dport,
        destination_port_mask=sel.dport_mask,
    )


# -- states ------------------------------------------------------------------------------------------------------


def make_state(
    spec: SaSpec, *, interface_index: int = 0, update: bool = False, progress: Progress = FRESH
) -> xfrm_message:
    """Make NEWSA (or UPDSA).

    interface_index  of the interface that has our outer address, where spec.offload needs it
    progress         where its sequence numbers go on

    Raises ValueError where Linux has no such algorithm, or key or replay window have a wrong size.
    """
    window = _replay_window(spec)
    wide = spec.esn or window > _SMALL_WINDOW
    tunnel = spec.mode is Mode.TUNNEL
    flags = (numbers.XFRM_STATE_AF_UNSPEC if tunnel else 0) | (numbers.XFRM_STATE_ESN if spec.esn else 0)
    flags |= handling_flags(spec.handling)
    info = xfrm_usersa_info(
        sel=make_selector(spec.selector) if spec.selector is not None else _NO_SELECTOR,
        id=xfrm_id(pack_address(spec.destination), spec.spi, _PROTOCOLS[spec.protocol]),
        saddr=pack_address(spec.source),
        lft=_make_lifetime(spec.lifetime),
        reqid=spec.reqid,
        family=family_of(spec.destination),
        mode=_MODES[spec.mode],
        replay_window=0 if wide else window,
        flags=flags,
    )
    attributes = _algorithms(spec)
    if spec.encap is not None:
        attributes.append(("XFRMA_ENCAP", _make_encap(spec.encap)))
    attributes += progress_attributes(progress, window, wide=wide)
    attributes += offload_attributes(spec, interface_index) + handling_attributes(spec.handling)
    attributes += _mark_and_interface(spec.mark, spec.if_id)
    message_type = numbers.XFRM_MSG_UPDSA if update else numbers.XFRM_MSG_NEWSA
    return make(newsa, message_type, sa=info, attrs=attributes)


def make_state_id(sa: SaId, message_type: int, mark: Mark | None = None) -> xfrm_message:
    """Make DELSA or GETSA."""
    name = xfrm_usersa_id(pack_address(sa.destination), sa.spi, family_of(sa.destination), _PROTOCOLS[sa.protocol])
    return make(said, message_type, id=name, attrs=_mark_and_interface(mark, None))


def read_state(message: xfrm_message) -> SaSpec | None:
    """Read a state; None where it has an algorithm or mode ikepy does not use."""
    info: xfrm_usersa_info = message["sa"]
    mode, protocol = _MODES_BACK.get(info.mode), _PROTOCOLS_BACK.get(info.id.proto)
    keys = _read_algorithms(message)
    if mode is None or protocol is None or keys is None:
        return None
    encr, encr_key, integ, integ_key = keys
    wide: xfrm_replay_state_esn | None = message.get_attr("XFRMA_REPLAY_ESN_VAL")
    encap: xfrm_encap_tmpl | None = message.get_attr("XFRMA_ENCAP")
    has_selector = bool(info.sel.family) and not info.flags & numbers.XFRM_STATE_AF_UNSPEC
    return SaSpec(
        source=unpack_address(info.saddr, info.family),
        destination=unpack_address(info.id.daddr, info.family),
        spi=Spi(info.id.spi),
        mode=mode,
        reqid=info.reqid,
        encr=encr,
        encr_key=encr_key,
        integ=integ,
        integ_key=integ_key,
        protocol=protocol,
        esn=bool(info.flags & numbers.XFRM_STATE_ESN),
        replay_window=wide.replay_window if wide is not None else info.replay_window,
        encap=_read_encap(encap, info.family) if encap is not None else None,
        lifetime=_read_lifetime(info.lft),
        selector=read_selector(info.sel) if has_selector and info.sel != _whole(info.sel.family) else None,
        mark=read_mark(message),
        if_id=message.get_attr("XFRMA_IF_ID"),
        handling=read_handling(message),
    )


def _make_encap(encap: UdpEncap) -> xfrm_encap_tmpl:
    # Linux keeps the original address and does not need it: it takes checksums inside transport mode as they are.
    original = pack_address(encap.original) if encap.original is not None else ANY_ADDRESS
    return xfrm_encap_tmpl(numbers.UDP_ENCAP_ESPINUDP, encap.source_port, encap.destination_port, original)


def _read_encap(encap: xfrm_encap_tmpl, family: int) -> UdpEncap:
    original = unpack_address(encap.encap_oa, family) if encap.encap_oa != ANY_ADDRESS else None
    return UdpEncap(encap.encap_sport, encap.encap_dport, original)


def state_id(info: xfrm_usersa_info) -> SaId:
    """What names the state."""
    protocol = _PROTOCOLS_BACK.get(info.id.proto, ProtocolId.NONE)
    return SaId(unpack_address(info.id.daddr, info.family), protocol, Spi(info.id.spi))


def read_state_id(name: xfrm_usersa_id) -> SaId:
    """What names the state, as MAPPING says it."""
    protocol = _PROTOCOLS_BACK.get(name.proto, ProtocolId.NONE)
    return SaId(unpack_address(name.daddr, name.family), protocol, Spi(name.spi))


def read_counters(message: xfrm_message) -> SaCounters:
    """What the kernel counted of a state."""
    info: xfrm_usersa_info = message["sa"]
    used = message.get_attr("XFRMA_LASTUSED") or info.curlft.use_time or None
    return SaCounters(
        octets=info.curlft.bytes,
        packets=info.curlft.packets,
        last_used=used,
        added=info.curlft.add_time,
        replay_errors=info.stats.replay + info.stats.replay_window,
        integrity_errors=info.stats.integrity_failed,
    )


# -- policies ----------------------------------------------------------------------------------------------------


def make_policy(spec: PolicySpec, *, index: int = 0, update: bool = False, interface_index: int = 0) -> xfrm_message:
    """Make NEWPOLICY (or UPDPOLICY); index 0 leaves the choice to the kernel.

    interface_index  of the interface whose hardware takes it, where spec.offload says so
    """
    info = xfrm_userpolicy_info(
        sel=make_selector(spec.selector),
        priority=spec.priority,
        index=index,
        dir=_DIRECTIONS[spec.direction],
        action=numbers.XFRM_POLICY_BLOCK if spec.action is PolicyAction.DISCARD else numbers.XFRM_POLICY_ALLOW,
    )
    attributes: Attributes = []
    if spec.action is PolicyAction.PROTECT:
        if spec.template is None:
            raise ValueError(f"a policy that protects {spec.selector} needs a template")
        attributes.append(("XFRMA_TMPL", (_make_template(spec.template),)))
    if spec.offload is not None:
        attributes.append(make_offload(spec.offload, interface_index, inbound=spec.direction is not Direction.OUT))
    attributes += _mark_and_interface(spec.mark, spec.if_id)
    message_type = numbers.XFRM_MSG_UPDPOLICY if update else numbers.XFRM_MSG_NEWPOLICY
    return make(newpolicy, message_type, policy=info, attrs=attributes)


def make_policy_id(spec: PolicySpec, message_type: int) -> xfrm_message:
    """Make DELPOLICY or GETPOLICY by the selector."""
    name = xfrm_userpolicy_id(make_selector(spec.selector), 0, _DIRECTIONS[spec.direction])
    return make(policyid, message_type, id=name, attrs=_mark_and_interface(spec.mark, spec.if_id))


def read_policy(message: xfrm_message) -> PolicySpec | None:
    """Read a policy; None where it is a socket's, or asks for what ikepy does not use."""
    info: xfrm_userpolicy_info = message["policy"]
    direction = _DIRECTIONS_BACK.get(info.dir)
    templates: Sequence[xfrm_user_tmpl] = message.get_attr("XFRMA_TMPL") or ()
    if direction is None or len(templates) > 1:
        return None
    template = None
    action = PolicyAction.BYPASS if info.action == numbers.XFRM_POLICY_ALLOW else PolicyAction.DISCARD
    if templates:
        template, action = _read_template(templates[0]), PolicyAction.PROTECT
        if template is None:
            return None
    return PolicySpec(
        selector=read_selector(info.sel),
        direction=direction,
        action=action,
        template=template,
        priority=info.priority,
        mark=read_mark(message),
        if_id=message.get_attr("XFRMA_IF_ID"),
    )


def direction_number(direction: Direction) -> int:
    """The kernel's number of a direction, which also stands in the low bits of a policy's index."""
    return _DIRECTIONS[direction]


# -- parts -------------------------------------------------------------------------------------------------------


def read_mark(message: xfrm_message) -> Mark | None:
    """The mark among a message's attributes; None where there is none, or it matches any."""
    mark: xfrm_mark | None = message.get_attr("XFRMA_MARK")
    return Mark(mark.v, mark.m) if mark is not None and mark.m else None


def _mark_and_interface(mark: Mark | None, if_id: int | None) -> Attributes:
    attributes: Attributes = []
    if mark is not None:
        attributes.append(("XFRMA_MARK", xfrm_mark(mark.value, mark.mask)))
    if if_id is not None:
        attributes.append(("XFRMA_IF_ID", if_id))
    return attributes


def _replay_window(spec: SaSpec) -> int:
    window = spec.replay_window
    if not 0 <= window <= MOST_REPLAY_WINDOW:
        raise ValueError(f"a replay window has 0 to {MOST_REPLAY_WINDOW} packets, not {window}")
    if spec.esn and window == 0:
        raise ValueError("extended sequence numbers need a replay window of at least one packet: set replay_window")
    return window


def _algorithms(spec: SaSpec) -> Attributes:
    key = spec.encr_key.reveal()
    cipher = kernel_cipher(spec.encr, len(key))
    if cipher.icv_bits is not None:
        return [("XFRMA_ALG_AEAD", xfrm_algo_icv(cipher.name, cipher.icv_bits, key))]
    if spec.integ is None or spec.integ_key is None:
        raise ValueError(f"{spec.encr} needs an integrity algorithm and its key")
    integ_key = spec.integ_key.reveal()
    integ = kernel_integrity(spec.integ, len(integ_key))
    return [
        ("XFRMA_ALG_CRYPT", xfrm_algo(cipher.name, key)),
        ("XFRMA_ALG_AUTH_TRUNC", xfrm_algo_icv(integ.name, integ.icv_bits, integ_key)),
    ]


def _read_algorithms(message: xfrm_message) -> tuple[EncrId, Secret, IntegId | None, Secret | None] | None:
    aead: xfrm_algo_icv | None = message.get_attr("XFRMA_ALG_AEAD")
    if aead is not None:
        encr = encr_of(aead.alg_name, aead.alg_icv_len)
        return (encr, Secret(aead.alg_key), None, None) if encr is not None else None
    crypt: xfrm_algo | None = message.get_attr("XFRMA_ALG_CRYPT")
    auth: xfrm_algo_icv | None = message.get_attr("XFRMA_ALG_AUTH_TRUNC")
    if crypt is None or auth is None:
        return None
    encr, integ = encr_of(crypt.alg_name, None), integ_of(auth.alg_name, auth.alg_icv_len)
    if encr is None or integ is None:
        return None
    return encr, Secret(crypt.alg_key), integ, Secret(auth.alg_key)


def _make_lifetime(lifetime: Lifetime) -> xfrm_lifetime_cfg:
    if lifetime == _NO_LIMIT:
        return _NO_LIMIT_CFG
    return xfrm_lifetime_cfg(
        soft_byte_limit=XFRM_INF if lifetime.soft_octets is None else lifetime.soft_octets,
        hard_byte_limit=XFRM_INF if lifetime.hard_octets is None else lifetime.hard_octets,
        soft_packet_limit=XFRM_INF if lifetime.soft_packets is None else lifetime.soft_packets,
        hard_packet_limit=XFRM_INF if lifetime.hard_packets is None else lifetime.hard_packets,
        soft_add_expires_seconds=lifetime.soft_seconds or 0,
        hard_add_expires_seconds=lifetime.hard_seconds or 0,
    )


def _read_lifetime(lft: xfrm_lifetime_cfg) -> Lifetime:
    if lft == _NO_LIMIT_CFG:
        return _NO_LIMIT
    soft_octets, hard_octets, soft_packets, hard_packets = [None if limit == XFRM_INF else limit for limit in lft[:4]]
    return Lifetime(
        soft_seconds=lft.soft_add_expires_seconds or None,
        hard_seconds=lft.hard_add_expires_seconds or None,
        soft_octets=soft_octets,
        hard_octets=hard_octets,
        soft_packets=soft_packets,
        hard_packets=hard_packets,
    )


def _make_template(template: Template) -> xfrm_user_tmpl:
    name = xfrm_id(pack_address(template.destination), template.spi or 0, _PROTOCOLS[template.protocol])
    family = family_of(template.destination)
    return xfrm_user_tmpl(name, family, pack_address(template.source), template.reqid, _MODES[template.mode])


def _read_template(tmpl: xfrm_user_tmpl) -> Template | None:
    mode, protocol = _MODES_BACK.get(tmpl.mode), _PROTOCOLS_BACK.get(tmpl.id.proto)
    if mode is None or protocol is None:
        return None
    return Template(
        source=unpack_address(tmpl.saddr, tmpl.family),
        destination=unpack_address(tmpl.id.daddr, tmpl.family),
        mode=mode,
        reqid=tmpl.reqid,
        protocol=protocol,
        spi=Spi(tmpl.id.spi) if tmpl.id.spi else None,
    )


def _whole(family: int) -> xfrm_selector:
    """What the kernel makes of a transport-mode state without a selector: any packet of its family."""
    return xfrm_selector(family=family)
