"""One endpoint with everything it asks for performed in memory: crypto at once, the kernel decoupled.

Not here: the line to another endpoint (link.py, pair.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ikepy.config.model import Config
from ikepy.crypto.entropy import Entropy
from ikepy.crypto.errors import InvalidPublicValue as CryptoInvalidPublicValue
from ikepy.crypto.key_exchange import make_key_exchange
from ikepy.daemon.admitting import give_back, lend
from ikepy.ike import admission, effects, errors
from ikepy.ike.actions import (
    Action,
    Datagram,
    Done,
    Failed,
    Outcome,
    Path,
    Perform,
    Publish,
    SendDatagram,
    SocketAddress,
)
from ikepy.ike.effects import Effect
from ikepy.ike.endpoint import Endpoint
from ikepy.ike.events import Event
from ikepy.ike.observer import Observer
from ikepy.ipsec import ChildSaSpec, IpAddress, Owner, PolicySpec, SaId, SaSpec, Spi
from ikepy.leases import Leases
from tests.support.recorder import Recorder


class MemoryKernel:
    """Remembers states by their names, as a kernel would; refuses what is there already."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self.states: dict[SaId, SaSpec] = {}
        self.children: dict[Owner, ChildSaSpec] = {}
        self.reserved: set[Spi] = set()
        self.held: set[SaId] = set()
        self.refuse: Exception | None = None
        self.packets: dict[SaId, int] = {}
        self.asked_again: list[int] = []
        self.policies: dict[Owner, tuple[PolicySpec, ...]] = {}
        self.addresses: Counter[IpAddress] = Counter()

    def allocate(self, effect: effects.AllocateSpi) -> Spi:
        while True:
            spi = Spi(int.from_bytes(self._entropy.octets(4), "big"))
            name = SaId(effect.destination, effect.protocol, spi)
            if spi >= 256 and name not in self.states and spi not in self.reserved:
                self.reserved.add(spi)
                if effect.hold_early:
                    self.held.add(name)
                return spi

    def release(self, effect: effects.ReleaseSpi) -> None:
        self._settle(effect.sa)

    def install(self, effect: effects.InstallChildSa) -> None:
        if self.refuse is not None:
            raise self.refuse
        child = effect.child
        for state in (child.inbound, child.outbound):
            if state.id in self.states:
                raise errors.SpiTaken(f"{state.id} is there already")
        for state in (child.inbound, child.outbound):
            self.states[state.id] = state
        self._settle(child.inbound.id)
        self.children[child.owner] = child
        self._retire(effect.replaces)

    def install_inbound(self, effect: effects.InstallInbound) -> None:
        if self.refuse is not None:
            raise self.refuse
        child = effect.child
        if child.inbound.id in self.states:
            raise errors.SpiTaken(f"{child.inbound.id} is there already")
        self.states[child.inbound.id] = child.inbound
        self._settle(child.inbound.id)
        self.children[child.owner] = child

    def install_outbound(self, effect: effects.InstallOutbound) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.states[effect.child.outbound.id] = effect.child.outbound
        self._retire(effect.replaces)

    def _settle(self, sa: SaId) -> None:
        self.reserved.discard(sa.spi)
        self.held.discard(sa)

    def _retire(self, child: ChildSaSpec | None) -> None:
        if child is not None:
            self.states.pop(self.children.get(child.owner, child).outbound.id, None)

    def look(self, effect: effects.LookAtInbound) -> effects.InboundSeen:
        packets = sum(self.packets.get(state, 0) for state in effect.states)
        return effects.InboundSeen(None, packets)

    def remove(self, effect: effects.RemoveChildSa) -> None:
        child = self.children.pop(effect.child.owner, effect.child)
        for state in (child.inbound, child.outbound, effect.child.inbound):
            self.states.pop(state.id, None)
            self.reserved.discard(state.spi)

    def move(self, child: ChildSaSpec) -> None:
        before = self.children.get(child.owner)
        if before is None:
            return
        for old, new in ((before.inbound, child.inbound), (before.outbound, child.outbound)):
            if self.states.pop(old.id, None) is not None:
                self.states[new.id] = new
        self.children[child.owner] = child

    @property
    def is_clean(self) -> bool:
        """Whether nothing of ours is left."""
        return not (self.states or self.children or self.reserved or self.held or any(self.addresses.values()))


class World:
    """An endpoint, its address, its kernel, its credentials; each action is performed in order.

    hold      effects this says yes to are kept in `held` until `release()`
    resolved  what the peer's name resolves to at present; empty for what remote_addrs say
    """

    def __init__(
        self,
        config: Config,
        address: IpAddress,
        auth: Any,
        entropy: Entropy,
        *,
        peer: IpAddress | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.config, self.peer, self.auth = config, peer, auth
        self.addresses: list[IpAddress] = []
        self.address = address
        self.recorder = observer if isinstance(observer, Recorder) else Recorder()
        self.entropy = entropy
        self.kernel = MemoryKernel(entropy)
        self.endpoint = Endpoint(config, entropy, observer or self.recorder)
        self.eap: Any = None
        self.leases: Leases | None = None
        self.events: list[Event] = []
        self.outbox: list[Datagram] = []
        self.hold: Callable[[Effect[Any]], bool] = lambda effect: False
        self.held: list[Perform] = []
        self.resolved: tuple[IpAddress, ...] = ()
        self.gateways: dict[object, tuple[IpAddress, ...]] = {}

    @property
    def address(self) -> IpAddress:
        """The address it prefers; the last it had where it has none."""
        return self.addresses[0] if self.addresses else self._last_address

    @address.setter
    def address(self, address: IpAddress) -> None:
        self.addresses, self._last_address = [address], address

    def run(self, actions: list[Action], now: float) -> None:
        """Perform actions, and those that follow from them."""
        queue = list(actions)
        while queue:
            action = queue.pop(0)
            match action:
                case SendDatagram(datagram):
                    self.outbox.append(datagram)
                case Publish(event):
                    self.events.append(event)
                case Perform() if self.hold(action.effect):
                    self.held.append(action)
                case Perform(ticket, effect):
                    queue = [*self.endpoint.complete(ticket, self.perform(effect), now), *queue]

    def release(self, now: float) -> None:
        """Perform what was held."""
        held, self.held = self.held, []
        for action in held:
            self.run(self.endpoint.complete(action.ticket, self.perform(action.effect), now), now)

    def perform(self, effect: Effect[Any]) -> Outcome:
        """What comes of an effect here."""
        try:
            return Done(self._perform(effect))
        except CryptoInvalidPublicValue as fault:
            return Failed(errors.InvalidPublicValue(str(fault)))
        except errors.IkeError as fault:
            return Failed(fault)

    def _perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case effects.ResolvePath(connection, gateway):
                return self._resolve(connection, gateway)
            case effects.FindWays(_, remotes):
                return self._ways(remotes)
            case effects.MoveChildSa(child):
                return self.kernel.move(child)
            case effects.MakeKeyExchange(method):
                return make_key_exchange(method, self.entropy)
            case effects.ComputeSharedSecret(exchange, public):
                return exchange.shared(public)
            case effects.SignAuth():
                return self.auth.sign_auth(effect)
            case effects.VerifyAuth():
                return self.auth.verify_auth(effect)
            case effects.LocalIdentity():
                return self.auth.local_identity(effect)
            case effects.FindTrustingConnections():
                return self.auth.find_trusting_connections(effect)
            case effects.TrustAnchorHashes():
                return self.auth.trust_anchor_hashes(effect)
            case admission.BeginEap():
                return self.eap.begin(effect)
            case admission.AnswerEap():
                return self.eap.answer(effect, 0.0)
            case admission.EapIdentity():
                return self.eap.identify(effect)
            case admission.VerifyEapAuth():
                return self.eap.verify(effect)
            case admission.JoinEap():
                return self.eap.join(effect)
            case admission.FollowEap():
                return self.eap.follow(effect)
            case admission.LendAddresses():
                return lend(self.leases, effect)
            case admission.ReturnAddresses():
                return give_back(self.leases, effect)
            case admission.HoldAddresses(addresses, _):
                self.kernel.addresses.update(addresses)
                return None
            case admission.DropAddresses(addresses):
                self.kernel.addresses.subtract(addresses)
                return None
            case effects.AllocateSpi():
                return self.kernel.allocate(effect)
            case effects.ReleaseSpi():
                return self.kernel.release(effect)
            case effects.InstallChildSa():
                return self.kernel.install(effect)
            case effects.InstallInbound():
                return self.kernel.install_inbound(effect)
            case effects.InstallOutbound():
                return self.kernel.install_outbound(effect)
            case effects.LookAtInbound():
                return self.kernel.look(effect)
            case effects.RemoveChildSa():
                return self.kernel.remove(effect)
            case effects.InstallPolicies(owner, policies):
                self.kernel.policies[owner] = policies
                return None
            case effects.AskAgain(reqid):
                self.kernel.asked_again.append(reqid)
                return None
            case effects.RemovePolicies(owner):
                self.kernel.policies.pop(owner, None)
                return None
        raise AssertionError(f"nobody performs {effect}")

    def _ways(self, remotes: tuple[IpAddress, ...]) -> effects.Ways:
        """Every address of ours leads to every one of the peer's of its family; the first is preferred."""
        pairs = []
        for remote in remotes:
            local = next((each for each in self.addresses if each.version == remote.version), None)
            if local is not None:
                pairs.append((local, remote))
        return effects.Ways(tuple(pairs), tuple(self.addresses))

    def _resolve(self, connection: str, gateway: object) -> tuple[Path, ...]:
        config = self.config.connection(connection)
        assert config is not None
        known = self.resolved or tuple(p.single for p in config.remote_addrs if p.single is not None)
        if gateway is not None:
            known = self.gateways.get(gateway, (gateway,))  # type: ignore[assignment]
        remotes = known or ((self.peer,) if self.peer is not None else ())
        if not remotes:
            raise errors.PeerUnknown(f"connection {connection} has no remote_addrs")
        local = SocketAddress(self.address, self.config.daemon.port)
        return tuple(Path(local, SocketAddress(remote, config.remote_port)) for remote in remotes)
