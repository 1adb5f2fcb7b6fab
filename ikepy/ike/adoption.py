"""What follows when a conversation ends: its result becomes the SA's state, in one commit.

Rule 1: nothing here awaits; each result has one place.
Not here: the exchanges (exchanges/), who starts them (sa.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ikepy.config.model import ChildConfig
from ikepy.ike.child import ChildSa
from ikepy.ike.errors import GaveUp, IkeError
from ikepy.ike.events import ChildSaUp, IkeSaUp
from ikepy.ike.exchanges import ike_auth
from ikepy.ike.exchanges.delete import IkeDeleted
from ikepy.ike.exchanges.ike_auth import AuthResult, PeerNotAuthenticated
from ikepy.ike.exchanges.informational import Informed
from ikepy.ike.faults import is_fatal
from ikepy.ike.nat import float_path
from ikepy.ike.phases import Authenticating, Closing, Established, Keyed
from ikepy.ike.snapshot import snapshot_child, snapshot_ike
from ikepy.ike.timers import TimerName
from ikepy.wire.errors import WireError

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

_CONNECTING = frozenset({"IKE_SA_INIT", "IKE_AUTH"})


class Adoption:
    """Turns the ends of conversations into the state of their IKE SA."""

    def __init__(self, sa: IkeSa) -> None:
        self._sa = sa
        self.first_child: ChildConfig | None = None
        self.wanted_child: ChildConfig | None = None

    @property
    def child_under_way(self) -> ChildConfig | None:
        """The child that the present conversation makes, None where it makes none."""
        conversation = self._sa.initiating
        if conversation is None:
            return None
        if conversation.name in _CONNECTING:
            return self.first_child
        return self.wanted_child if conversation.name == "CREATE_CHILD_SA" else None

    def adopt(self, result: object) -> None:
        """Take the result of a conversation that came to its good end."""
        match result:
            case Keyed():
                self._adopt_keys(result)
            case AuthResult():
                self._establish(result)
            case ChildSa():
                self.add_child(result)
            case Informed(closed, removed):
                self._removed(removed, "deleted by the peer")
                if closed is not None:
                    self._sa.close(closed)
            case IkeDeleted():
                self._sa.close("deleted")
            case tuple():
                self._removed(result, "deleted")
            case _:
                pass  # a liveness check: that it ended is all it says

    def attempt_failed(self, name: str, error: IkeError | WireError) -> None:
        """Take the fault that ended a conversation we began."""
        sa, reason = self._sa, str(error)
        if isinstance(error, PeerNotAuthenticated) and isinstance(sa.phase, Authenticating):
            sa.enter(Closing(sa.phase.keyed, None, reason))
        elif name in _CONNECTING or name == "delete" or isinstance(error, GaveUp):
            sa.close(reason)
        elif is_fatal(error):
            sa.terminate(reason)
        elif name == "CREATE_CHILD_SA" and self.wanted_child is not None:
            sa.child_failed(self.wanted_child.name, reason)
        else:
            sa.decided(f"{name} failed: {reason}", warning=True)

    def add_child(self, child: ChildSa) -> None:
        """A child is in the kernel."""
        sa = self._sa
        sa.children[child.unique_id] = child
        sa.host.publish(ChildSaUp(snapshot_ike(sa), snapshot_child(child, "INSTALLED")))

    def _adopt_keys(self, keyed: Keyed) -> None:
        sa = self._sa
        sa.channel.protect(keyed)
        sa.enter(Authenticating(keyed))
        integ = str(keyed.suite.integ.id) if keyed.suite.integ is not None else "NONE"
        encr = f"{keyed.suite.encr.id}-{keyed.suite.encr.key_length_bits or 0}"
        sa.host.observer.keys_derived(keyed.spi_i, keyed.spi_r, keyed.keys.named(), encr, integ)
        if not sa.is_initiator:
            return
        if keyed.nat.is_between:
            who = "us" if keyed.nat.local else "the peer"
            sa.decided(f"NAT before {who}: on to port {keyed.connection.remote_port_nat_t}")
            sa.adopt_path(float_path(sa.path, sa.config.daemon.port_nat_t, keyed.connection.remote_port_nat_t))
        sa.initiate("IKE_AUTH", ike_auth.initiate(sa, keyed, self.first_child))

    def _establish(self, result: AuthResult) -> None:
        sa, keyed = self._sa, self._sa.keyed
        assert keyed is not None  # noqa: S101 - IKE_AUTH follows IKE_SA_INIT
        sa.host.clear_timer(sa, TimerName.HALF_OPEN)
        connection = result.authenticated.connection
        sa.enter(Established(_switched(keyed, result), result.authenticated, sa.now))
        sa.host.established(sa)
        sa.host.publish(IkeSaUp(snapshot_ike(sa)))
        if result.child is not None:
            self.add_child(result.child)
        if connection.dpd_delay > 0:
            sa.watch_for_life()

    def _removed(self, children: tuple[ChildSa, ...], reason: str) -> None:
        for child in children:
            self._sa.end_removal(child, reason)


def _switched(keyed: Keyed, result: AuthResult) -> Keyed:
    """The keys, under the connection that IKE_AUTH found to be meant."""
    return replace(keyed, connection=result.authenticated.connection)
