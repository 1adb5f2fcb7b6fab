"""Moving: where an IKE SA and its children go when addresses change, here, there or in a NAT between (RFC 7296 §2.23, RFC 4555).

With MOBIKE who began the first IKE SA decides: it looks for a way, tries it, and tells the peer (UPDATE_SA_ADDRESSES). The
other side tells what addresses it has, and follows. Without MOBIKE a peer behind a NAT is followed to wherever its
authentic messages, or its children's packets, come from; nobody else is.

Rule 1: nothing that did not open moves anything: what a datagram's header says alone is never believed.
Rule 2: children move when both sides have agreed, or when the kernel has verified packets from elsewhere; not before.
Rule 3: a request that waits for its answer goes by the new way at once, octet for octet as it was.
Not here: the exchange (exchanges/mobike.py), which addresses there are (daemon/paths.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.causes import Cause
from ikepy.ike.child import ChildSa
from ikepy.ike.effects import FindWays, LookAtInbound, MoveChildSa, Ways
from ikepy.ike.events import IkeSaMoved
from ikepy.ike.exchanges.mobike import Moved
from ikepy.ike.nat import NatFindings
from ikepy.ike.phases import Closed, Closing, Connecting, Established, Rekeyed
from ikepy.ike.snapshot import snapshot_ike
from ikepy.ike.timers import TimerName
from ikepy.ike.wishes import WantAddressesTold, WantLiveness, WantUpdate
from ikepy.ipsec import IpAddress

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

UPDATE = "update of addresses"
LIVING = Established | Closing | Rekeyed
"Phases in which the peer may still have to find us."
KEEPALIVE = b"\xff"
"What goes out to keep a NAT's mapping (RFC 3948 §2.3)."
MOST_ADDRESSES = 32
"Addresses of a peer that are remembered."
LEAST_WAIT = 1.0
"Seconds between two looks whether a keepalive is due."


class Moving:
    """Where one IKE SA is, and where it may go."""

    def __init__(self, sa: IkeSa) -> None:
        self._sa = sa
        self.is_mobile = False
        self.leads = sa.is_initiator
        self.known: tuple[IpAddress, ...] = ()
        self.told: tuple[IpAddress, ...] = ()
        self.seen_as = b""
        self._child_path: Path | None = None

    def begin(self, others: tuple[IpAddress, ...] | None) -> None:
        """The IKE SA is up; `others` are the peer's further addresses, None where not both sides do MOBIKE."""
        sa, keyed = self._sa, self._sa.keyed
        self.is_mobile, self._child_path = others is not None, sa.path
        self._know((sa.path.remote.address, *(others or ())))
        self.watch_nat()
        if self.is_mobile and self.leads and keyed is not None and keyed.nat.local:
            sa.granting.note(WantLiveness(ask=True))  # to learn as what we are seen

    def take_over(self, other: Moving) -> None:
        """This IKE SA has come in another's place; who began the first of them leads (RFC 4555 §2.1)."""
        self.is_mobile, self.leads, self.known = other.is_mobile, other.leads, other.known
        self.told, self.seen_as, self._child_path = other.told, other.seen_as, other._child_path
        self._sa.channel.path = other._sa.path
        self._sa.channel.alternatives = other._sa.channel.alternatives
        self.watch_nat()

    @property
    def child_path(self) -> Path:
        """Between which sockets the children's packets go."""
        return self._child_path or self._sa.path

    # -- the peer ------------------------------------------------------------------------------------------------

    def heard(self, path: Path) -> None:
        """A message of the peer's has opened that came by this path."""
        sa = self._sa
        if isinstance(sa.phase, Connecting | Closed):
            return
        if self.is_mobile and self.leads:
            if path in sa.channel.alternatives:
                sa.channel.path = path
            self._update_if_elsewhere()
        elif self.is_mobile or path == sa.path:
            return
        elif self._follows and path.local == sa.path.local and path.non_esp_marker == sa.path.non_esp_marker:
            sa.decided(f"the peer's NAT sends from {path.remote} now")
            self.move(path)

    def mapped(self, at: SocketAddress) -> None:
        """The kernel has verified a packet of a child's that came from another address or port."""
        sa = self._sa
        path = replace(self.child_path, remote=at)
        if not self._follows or path == self.child_path:
            return
        sa.decided(f"packets of the peer's children come from {at} now")
        self._move_children(path)
        sa.channel.alternatives = (*sa.channel.alternatives[-MOST_ADDRESSES:], path)

    def told_of(self, others: tuple[IpAddress, ...], path: Path) -> None:
        """The peer has told its addresses beside the one it told them from."""
        self._know((path.remote.address, *others))
        if self.leads and self._sa.path.remote.address not in self.known:
            self._sa.decided(f"the peer is not at {self._sa.path.remote.address} any more")
            self.look()

    def peer_moved(self, moved: Moved) -> None:
        """The peer has said where it is now."""
        keyed = self._sa.keyed
        if keyed is not None and moved.path == self._sa.path and moved.nat == keyed.nat and self._children_are_there:
            return
        self._take(moved)
        self._sa.wish(WantLiveness(ask=True))  # whether it can be reached there (RFC 4555 §3.7)

    def agreed(self, moved: Moved) -> None:
        """The peer has answered our update."""
        self._take(moved)

    def has_told(self, path: Path, ours: tuple[IpAddress, ...]) -> None:
        """The peer knows our addresses; where the one it knew is gone, it is to send to where it heard us from.

        Who leads says so with an update; some only follow (strongSwan 5.9).
        """
        if not self.leads and self.child_path.local.address not in ours and path == self._sa.path:
            self.move(path)

    def look_at_nat(self, nat: NatFindings, seen_as: bytes) -> None:
        """An answer tells what is between both: where that changed, the peer is to know."""
        keyed = self._sa.keyed
        if keyed is None or not (self.is_mobile and self.leads) or not nat.supported:
            return
        changed = (nat.local, nat.remote) != (keyed.nat.local, keyed.nat.remote)
        if changed or (self.seen_as and seen_as != self.seen_as):
            self._sa.decided("what is between us and the peer has changed: the peer is told")
            self._sa.granting.wish_first(WantUpdate())
        self.seen_as = seen_as

    def _know(self, addresses: tuple[IpAddress, ...]) -> None:
        self.known = tuple(dict.fromkeys(addresses))[:MOST_ADDRESSES]

    # -- we ------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Addresses or routes changed: see whether the way to the peer is still there.

        A successor that has not come in the old one's place goes where that one goes.
        """
        if isinstance(self._sa.phase, LIVING) and self._sa.held_by is None:
            self._sa.host.run("looking for a way to the peer", self._look())

    def probe(self) -> None:
        """The peer does not answer: its request goes by all other ways in turn, too."""
        if self.is_mobile and self.leads and isinstance(self._sa.phase, Established):
            self._sa.host.run("looking for other ways to the peer", self._probe())

    async def _look(self) -> None:
        sa = self._sa
        ways = await FindWays(sa.connection.name, self._peer_addresses)
        if not isinstance(sa.phase, LIVING):
            return
        if not ways.pairs:
            sa.decided("no way leads to the peer: waiting for one", warning=True)
        elif (sa.path.local.address, sa.path.remote.address) in ways.pairs:
            self._tell_addresses(ways)
            sa.channel.send_again()
        elif self.is_mobile:
            self._aim(ways)
            sa.granting.wish_first(WantUpdate() if self.leads else WantAddressesTold())
        else:
            self._go_without_mobike(ways)

    async def _probe(self) -> None:
        sa = self._sa
        ways = await FindWays(sa.connection.name, self._peer_addresses)
        paths = tuple(self._path_between(*pair) for pair in ways.pairs)
        sa.channel.alternatives = tuple(path for path in paths if path != sa.path)

    def _tell_addresses(self, ways: Ways) -> None:
        if self.is_mobile and set(ways.ours) != set(self.told) and isinstance(self._sa.phase, Established):
            self.told = ways.ours
            self._sa.wish(WantAddressesTold())

    def _go_without_mobike(self, ways: Ways) -> None:
        sa, keyed = self._sa, self._sa.keyed
        if keyed is not None and keyed.nat.local and ways.pairs[0][1] == sa.path.remote.address:
            # To the peer it looks as if our NAT had changed its mind.
            sa.decided(f"our address is {ways.pairs[0][0]} now: the peer is to follow, as through a NAT")
            self.move(self._path_between(*ways.pairs[0], port=sa.path.remote.port))
            sa.channel.send_again()
            sa.wish(WantLiveness(ask=True))
        elif sa.path.local.address not in ways.ours and isinstance(sa.phase, Established):
            sa.close("our address is gone, and the peer has no MOBIKE", Cause.PEER_DEAD)

    def _aim(self, ways: Ways) -> None:
        """Send by the first of these ways from now on, and by the others should it lead nowhere."""
        sa = self._sa
        first, *rest = (self._path_between(*pair) for pair in ways.pairs)
        sa.decided(f"the way to the peer is between {first.local} and {first.remote} now")
        sa.channel.path, sa.channel.alternatives = first, tuple(rest)
        self.told = ways.ours
        sa.channel.send_again()

    def _update_if_elsewhere(self) -> None:
        """Who leads has an answer by another way than the children go: the peer is to know."""
        here, there = self._sa.path, self.child_path
        initiating = self._sa.initiating
        if initiating is not None and initiating.name == UPDATE:
            return
        if (here.local.address, here.remote.address) != (there.local.address, there.remote.address):
            self._sa.granting.wish_first(WantUpdate())

    # -- moving --------------------------------------------------------------------------------------------------

    def move(self, path: Path) -> None:
        """Send by that path from now on, IKE and children."""
        sa, before = self._sa, self.child_path
        sa.channel.path = path
        sa.channel.alternatives = ()
        self._move_children(path)
        if path != before:
            sa.host.publish(IkeSaMoved(snapshot_ike(sa), before))
        self.watch_nat()

    def align(self, child: ChildSa) -> None:
        """See to it that a child goes where the others go: it may have been made while they moved."""
        sa, keyed = self._sa, self._sa.keyed
        if keyed is None:
            return
        path = self.child_path
        encap = keyed.nat.is_between and path.non_esp_marker
        moved = child.moved(path, encap=encap)
        if moved.spec != child.spec:
            sa.table.moved(moved)
            sa.host.perform_undo(MoveChildSa(moved.spec))

    def _move_children(self, path: Path) -> None:
        self._child_path = path
        for child in self._sa.table.all():
            self.align(child)

    def _take(self, moved: Moved) -> None:
        sa, phase = self._sa, self._sa.phase
        if isinstance(phase, LIVING):
            nat = replace(moved.nat, forced=phase.keyed.nat.forced) if moved.nat.supported else phase.keyed.nat
            sa.enter(replace(phase, keyed=replace(phase.keyed, nat=nat)))
        self.seen_as = moved.seen_as or self.seen_as
        self.move(moved.path)
        sa.channel.send_again()

    # -- keepalives ----------------------------------------------------------------------------------------------

    def watch_nat(self) -> None:
        """Behind a NAT, see to it that its mapping stays."""
        sa, keyed = self._sa, self._sa.keyed
        wait = sa.config.daemon.keep_alive
        if keyed is not None and keyed.nat.local and wait > 0 and isinstance(sa.phase, Established):
            sa.agenda.set(TimerName.KEEPALIVE, sa.now + wait)
        else:
            sa.agenda.clear(TimerName.KEEPALIVE)

    def keep_alive(self) -> None:
        """A keepalive is due if nothing else went out."""
        sa = self._sa
        due = sa.channel.sent_at + sa.config.daemon.keep_alive
        if due > sa.now:
            sa.agenda.set(TimerName.KEEPALIVE, due)
        elif isinstance(sa.phase, Established):
            sa.host.run("keepalive", self._keep_alive())

    async def _keep_alive(self) -> None:
        sa, wait = self._sa, self._sa.config.daemon.keep_alive
        states = tuple(child.spec.outbound.id for child in sa.table.children.values())
        idle = (await LookAtInbound(states)).idle if states else None
        if not isinstance(sa.phase, Established):
            return
        if idle is None or idle >= wait - LEAST_WAIT:
            sa.host.send(KEEPALIVE, replace(sa.path, non_esp_marker=False))
            idle = 0.0
        sa.agenda.set(TimerName.KEEPALIVE, sa.now + max(wait - idle, LEAST_WAIT))

    # -- facts ---------------------------------------------------------------------------------------------------

    @property
    def _children_are_there(self) -> bool:
        """Whether the children go where IKE goes, but perhaps for the port: a NAT may show ESP by one of its own."""
        here, there = self._sa.path, self.child_path
        return replace(there, remote=replace(there.remote, port=here.remote.port)) == here

    @property
    def _follows(self) -> bool:
        """Whether the peer is behind a NAT and we are where it comes to; who only answers is not followed (§2.23)."""
        keyed = self._sa.keyed
        return keyed is not None and keyed.nat.remote and (not self.leads or not keyed.nat.local)

    @property
    def _peer_addresses(self) -> tuple[IpAddress, ...]:
        """Those it told, the present one first unless it is none of them any more."""
        present = self._sa.path.remote.address
        return tuple(dict.fromkeys((present, *self.known))) if present in self.known or not self.known else self.known

    def _path_between(self, local: IpAddress, remote: IpAddress, *, port: int | None = None) -> Path:
        """The path of two addresses, on the ports of the present one; a NAT's port is of its address alone."""
        now, connection = self._sa.path, self._sa.connection
        if port is None and remote == now.remote.address:
            port = now.remote.port
        if port is None:
            port = connection.remote_port_nat_t if now.non_esp_marker else connection.remote_port
        return Path(SocketAddress(local, now.local.port), SocketAddress(remote, port), now.non_esp_marker)
