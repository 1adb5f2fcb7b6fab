"""XfrmKernel: the kernel's own SAD and SPD, by netlink.

Rule 1: a child is one write: two states and its policies; what the kernel refuses of it takes the rest back out.
Rule 2: ours is what has a request ID of our range, or, for a policy without one, an index of that range.
Not here: order and ownership (base.py), the words (translate.py), what the kernel tells (notices.py).
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from errno import EOPNOTSUPP

import trio

from ikepy.crypto.entropy import Entropy
from ikepy.ike.errors import KernelRefused
from ikepy.ike.events import KernelEvent
from ikepy.ipsec import Direction, IpAddress, Mark, Mode, Offload, PolicyAction, PolicySpec, SaCounters, SaId, SaSpec
from ikepy.kernel import sockets
from ikepy.kernel.addresses import unpack_address
from ikepy.kernel.base import BookedKernel
from ikepy.kernel.early import QueuedEarly
from ikepy.kernel.interface import REQID_BASE, REQID_COUNT
from ikepy.kernel.links import ROUTE_TABLE, Links
from ikepy.kernel.messages import MESSAGE_CLASSES, dump, numbers, xfrm_message
from ikepy.kernel.messages.message import make
from ikepy.kernel.messages.structures import xfrm_usersa_info
from ikepy.kernel.netlink import Connection, Refusal, open_netlink
from ikepy.kernel.notices import Notices, epoch, missed
from ikepy.kernel.operations import (
    AddPolicy,
    AddState,
    DeletePolicy,
    DeleteState,
    Operation,
    ReplacePolicy,
    UpdateState,
)
from ikepy.kernel.owners import PolicyKey, key_of
from ikepy.kernel.probe import require_esp, throw_away_state
from ikepy.kernel.progress import Progress, read_progress
from ikepy.kernel.translate import (
    direction_number,
    make_policy,
    make_policy_id,
    make_state,
    make_state_id,
    read_counters,
    read_mark,
    read_policy,
    read_state,
)

_NOTICE_OCTETS = 4 << 20
_INDEX_STEP = 8


class XfrmTables:
    """The SAD and SPD of the network namespace it is made in."""

    def __init__(
        self, reqid_base: int, reqid_count: int, interface_index: Callable[[IpAddress], int] = lambda _: 0
    ) -> None:
        self._interface_index = interface_index
        self._ours = range(reqid_base, reqid_base + reqid_count)
        self._connection = Connection(open_netlink(numbers.NETLINK_XFRM), MESSAGE_CLASSES)
        self._indexes: dict[PolicyKey, int] = {}
        self._last_index = reqid_base

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()

    def is_ours(self, reqid: int) -> bool:
        """Whether a request ID, or an index, is of our range."""
        return reqid in self._ours

    async def apply(self, operations: Sequence[Operation]) -> list[Refusal | None]:
        """Do all of it in one write, going on after what is refused; see Tables."""
        if not operations:
            return []
        messages = [self._message(operation) for operation in operations]
        answers = await self._connection.request(messages)
        refusals = await self._without_offload(operations, [answer.refusal for answer in answers])
        for operation, answer in zip(operations, answers, strict=True):
            is_gone = isinstance(operation, DeletePolicy) or (isinstance(operation, AddPolicy) and answer.refusal)
            if is_gone and self._indexes:
                self._indexes.pop(key_of(operation.spec), None)  # type: ignore[arg-type]
        return refusals

    async def _without_offload(
        self, operations: Sequence[Operation], refusals: list[Refusal | None]
    ) -> list[Refusal | None]:
        """Refuse states that are to be ciphered by hardware and are not: the kernel takes them, and says nothing."""
        for at, operation in enumerate(operations):
            is_meant = isinstance(operation, AddState) and operation.spec.offload in {Offload.CRYPTO, Offload.PACKET}
            if not is_meant or refusals[at] is not None:
                continue
            spec = operation.spec
            name = make_state_id(spec.id, numbers.XFRM_MSG_GETSA, spec.mark)  # type: ignore[union-attr]
            (answer,) = await self._connection.request([name])
            if not any(reply.get_attr("XFRMA_OFFLOAD_DEV") for reply in answer.replies):
                delete = make_state_id(spec.id, numbers.XFRM_MSG_DELSA, spec.mark)  # type: ignore[union-attr]
                await self._connection.request([delete])
                refusals[at] = Refusal(EOPNOTSUPP, 'the interface does no ESP; write hw_offload = "auto"')
        return refusals

    async def states(self) -> tuple[SaSpec, ...]:
        """The states of ours."""
        found = [read_state(message) for message in await self.dump_states()]
        return tuple(spec for spec in found if spec is not None)

    async def dump_states(self) -> list[xfrm_message]:
        """The states of ours as the kernel says them."""
        messages = await self._connection.dump(make(dump, numbers.XFRM_MSG_GETSA, nothing=None))
        return [message for message in messages if self.is_ours(message["sa"].reqid)]

    async def remove_larval(self, reqid: int | None = None) -> None:
        """Remove, of one request ID or of all of ours, what an ACQUIRE leaves for xfrm_acq_expires: placeholders without SPI, which no DELSA can name.

        A state of the same addresses and request ID takes a placeholder's place, and can be deleted.
        """
        messages: list[xfrm_message] = []
        for message in await self.dump_states():
            if message["sa"].id.spi == 0 and reqid in {None, message["sa"].reqid}:
                spec = _in_place_of(message)
                messages += [make_state(spec), make_state_id(spec.id, numbers.XFRM_MSG_DELSA, spec.mark)]
        if messages:
            await self._connection.request(messages)

    async def policies(self) -> tuple[PolicySpec, ...]:
        """The policies of ours."""
        found = []
        for message in await self._connection.dump(make(dump, numbers.XFRM_MSG_GETPOLICY, nothing=None)):
            policy = read_policy(message)
            if policy is not None:
                number = policy.template.reqid if policy.template is not None else message["policy"].index
                if self.is_ours(number):
                    found.append(policy)
        return tuple(found)

    async def counters(self, sa: SaId, mark: Mark | None) -> SaCounters | None:
        """What was counted of a state; None where there is none."""
        (answer,) = await self._connection.request([make_state_id(sa, numbers.XFRM_MSG_GETSA, mark)])
        return read_counters(answer.replies[0]) if answer.replies else None

    async def progress(self, spec: SaSpec) -> Progress | None:
        """How far a state has come; None where there is none."""
        (answer,) = await self._connection.request([make_state_id(spec.id, numbers.XFRM_MSG_GETSA, spec.mark)])
        return read_progress(answer.replies[0]) if answer.replies else None

    def _message(self, operation: Operation) -> xfrm_message:
        match operation:
            case AddState(spec, progress):
                self._check_reqid(spec.reqid)
                return make_state(spec, interface_index=self._device_of(spec), progress=progress)
            case UpdateState(spec):
                return make_state(spec, interface_index=self._device_of(spec), update=True)
            case DeleteState(spec):
                return make_state_id(spec.id, numbers.XFRM_MSG_DELSA, spec.mark)
            case AddPolicy(policy):
                return make_policy(policy, index=self._index(policy), interface_index=self._device_for(policy))
            case ReplacePolicy(policy, _):
                return make_policy(policy, update=True)
            case DeletePolicy(policy):
                return make_policy_id(policy, numbers.XFRM_MSG_DELPOLICY)

    def _device_of(self, spec: SaSpec) -> int:
        """The interface whose hardware takes a state; 0 lets the kernel look for it."""
        if spec.offload is not Offload.PACKET:
            return 0
        return self._interface_index(spec.destination if spec.inbound else spec.source)

    def _device_for(self, policy: PolicySpec) -> int:
        if policy.offload is None or policy.template is None:
            return 0
        ends = policy.template
        return self._interface_index(ends.source if policy.direction is Direction.OUT else ends.destination)

    def _check_reqid(self, reqid: int) -> None:
        if reqid not in self._ours:
            raise ValueError(f"request ID {reqid} is not of our range, {self._ours.start} to {self._ours.stop - 1}")

    def _index(self, policy: PolicySpec) -> int:
        """What tells a policy without request ID to be ours; 0, the kernel's choice, for one with."""
        if policy.action is PolicyAction.PROTECT:
            if policy.template is not None:
                self._check_reqid(policy.template.reqid)
            return 0
        used = set(self._indexes.values())
        for _ in range(len(self._ours) // _INDEX_STEP):
            self._last_index += _INDEX_STEP
            if self._last_index + _INDEX_STEP > self._ours.stop:
                self._last_index = self._ours.start
            index = self._last_index | direction_number(policy.direction)
            if index not in used:
                self._indexes[key_of(policy)] = index
                return index
        raise ValueError(f"more than {len(self._ours) // _INDEX_STEP} shunts")


class XfrmKernel(BookedKernel):
    """The Linux kernel: made by open()."""

    def __init__(
        self, entropy: Entropy, tables: XfrmTables, links: Links, early: QueuedEarly, notice_octets: int
    ) -> None:
        super().__init__(entropy, tables, links, early)
        self._xfrm = tables
        self._notices = Notices(tables.is_ours, self._resync, self.losses, notice_octets)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        entropy: Entropy,
        reqid_base: int = REQID_BASE,
        reqid_count: int = REQID_COUNT,
        *,
        route_table: int = ROUTE_TABLE,
        keep_leftovers: bool = False,
        notice_octets: int = _NOTICE_OCTETS,
    ) -> AsyncIterator[XfrmKernel]:
        """Open the tables of this network namespace, and take out all that is ours at the end.

        reqid_base      a multiple of 8; request IDs and policy indexes of ours begin there
        route_table     number of our routing table and of its rule; another one for each daemon in a namespace
        keep_leftovers  leave be what a process of ours that crashed has left (remove_leftovers() takes it out)
        notice_octets   of the kernel's queue of notices

        Raises KernelUnavailable.
        """
        await require_esp(reqid_base)
        links, early = Links(route_table), QueuedEarly()
        tables = XfrmTables(reqid_base, reqid_count, links.interface_index)
        kernel = cls(entropy, tables, links, early, notice_octets)
        try:
            failure: Exception | None = None
            async with trio.open_nursery() as nursery:
                if not keep_leftovers:
                    await kernel.remove_leftovers()
                nursery.start_soon(kernel._notices.listen, kernel._tell.send)
                nursery.start_soon(links.listen, kernel._tell.send)
                nursery.start_soon(early.listen)
                try:
                    yield kernel
                except Exception as error:  # noqa: BLE001 - raised below, outside the nursery: bare, not in a group
                    failure = error
                finally:
                    nursery.cancel_scope.cancel()
                    await kernel._leave()
            if failure is not None:
                raise failure
        finally:
            kernel._notices.close()
            tables.close()
            early.close()
            links.close()
            kernel._tell.close()

    async def remove_leftovers(self) -> int:
        """Remove states, policies and routes of ours that are not in the books, and say how many that was."""
        links = self.links
        routes = await links.remove_leftovers() if isinstance(links, Links) else 0
        found = routes + await super().remove_leftovers()
        await self._xfrm.remove_larval()
        return found

    async def remove_everything(self) -> None:
        """Remove all that is ours: routes, policies, states, and placeholders of states."""
        await super().remove_everything()
        await self._xfrm.remove_larval()

    async def ask_again(self, reqid: int) -> None:
        """Remove what keeps the kernel from asking again within xfrm_acq_expires."""
        async with self._turn():
            await self._xfrm.remove_larval(reqid)

    def bypass(self, sock: socket.socket) -> None:
        """Let the socket's packets pass outside IPsec policy, in and out; raises KernelRefused."""
        sockets.bypass(sock)

    def enable_udp_encap(self, sock: socket.socket) -> None:
        """Let the kernel take ESP out of the socket's datagrams (RFC 3948); raises KernelRefused."""
        sockets.enable_udp_encap(sock)

    async def _leave(self) -> None:
        with trio.CancelScope(shield=True), suppress(KernelRefused):
            await self.remove_everything()

    async def _resync(self) -> Iterable[KernelEvent]:
        return missed(await self._xfrm.dump_states(), self.known_states, epoch())


def _in_place_of(placeholder: xfrm_message) -> SaSpec:
    info: xfrm_usersa_info = placeholder["sa"]
    return replace(
        throw_away_state(info.reqid),
        source=unpack_address(info.saddr, info.family),
        destination=unpack_address(info.id.daddr, info.family),
        mode=Mode.TUNNEL if info.mode == numbers.XFRM_MODE_TUNNEL else Mode.TRANSPORT,
        mark=read_mark(placeholder),
        if_id=placeholder.get_attr("XFRMA_IF_ID"),
    )
