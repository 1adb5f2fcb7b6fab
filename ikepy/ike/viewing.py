"""How an IkeSa shows itself to its exchanges: the half of it that exchanges/view.py describes.

Not here: what an IkeSa does with its inputs (sa.py).
"""

from __future__ import annotations

from collections import deque

from ikepy.config.model import Config, ConnectionConfig
from ikepy.crypto.entropy import Entropy
from ikepy.ike.actions import Path
from ikepy.ike.channel import Channel
from ikepy.ike.child import ChildSa
from ikepy.ike.events import AttemptFailed
from ikepy.ike.host import Host
from ikepy.ike.phases import Closed, Closing, Connecting, Keyed, Phase
from ikepy.ike.wishes import WantForeignChildDeleted, Wish
from ikepy.ipsec import Spi
from ikepy.wire.payloads import Identification

MOST_CHILDREN = 256
"Children of one IKE SA; a peer that wants more is told NO_ADDITIONAL_SAS."


class Viewing:
    """Facts of an IKE SA, and the named things an exchange may do to it."""

    host: Host
    channel: Channel
    unique_id: int
    children: dict[int, ChildSa]
    deleting: set[int]
    removing: dict[int, ChildSa]
    pending: deque[Wish]
    _phase: Phase
    _connection: ConnectionConfig

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.host.config

    @property
    def entropy(self) -> Entropy:
        """Randomness."""
        return self.host.entropy

    @property
    def connection(self) -> ConnectionConfig:
        """The connection as far as it is known."""
        return self._connection

    @property
    def path(self) -> Path:
        """Where messages go at present."""
        return self.channel.path

    @property
    def phase(self) -> Phase:
        """What is known at present."""
        return self._phase

    @property
    def keyed(self) -> Keyed | None:
        """What IKE_SA_INIT found out, None before."""
        return None if isinstance(self._phase, Connecting) else self._phase.keyed

    @property
    def is_closing(self) -> bool:
        """Whether a delete of this IKE SA is on its way, or done."""
        return isinstance(self._phase, Closing | Closed)

    @property
    def now(self) -> float:
        """The instant of the present input."""
        return self.host.now

    @property
    def has_room(self) -> bool:
        """Whether one more child may be made."""
        return len(self.children) < MOST_CHILDREN

    def adopt_path(self, path: Path) -> None:
        """Send there from now on."""
        self.channel.path = path

    def child_by_spi_in(self, spi: Spi) -> ChildSa | None:
        """The child we receive by that SPI."""
        return next((child for child in self.children.values() if child.spi_in == spi), None)

    def child_by_spi_out(self, spi: Spi) -> ChildSa | None:
        """The child we send by that SPI."""
        return next((child for child in self.children.values() if child.spi_out == spi), None)

    def is_deleting(self, child: ChildSa) -> bool:
        """Whether our delete of that child is on its way."""
        return child.unique_id in self.deleting

    def next_child_ids(self) -> tuple[int, int]:
        """A unique number and a request ID for a new child."""
        return self.host.next_child_ids()

    def is_first_contact(self) -> bool:
        """Whether we have no other IKE SA with this peer."""
        return not self.host.has_other_contact(self.unique_id, self._connection, self.path)

    def close_earlier(self, local: Identification, remote: Identification) -> None:
        """Close other IKE SAs of that pair of identities."""
        self.host.close_earlier(self.unique_id, local, remote)

    def candidates(self) -> tuple[ConnectionConfig, ...]:
        """The connections that the addresses of the path allow."""
        return self.host.candidates(self.path)

    def decided(self, decision: str, *, warning: bool = False) -> None:
        """Tell the observer of a choice and its reason."""
        self.host.observer.decided(self.channel.spi_i, self.channel.spi_r, decision, warning=warning)

    def child_failed(self, child: str | None, reason: str) -> None:
        """Publish that a child came to nothing while the IKE SA lives on."""
        self.host.publish(AttemptFailed(self._connection.name, child, self.unique_id, reason))

    def delete_foreign_child(self, spi_in: Spi) -> None:
        """Ask the peer, as soon as may be, to delete a child it has and we do not."""
        self.pending.appendleft(WantForeignChildDeleted(spi_in))

    def begin_removal(self, child: ChildSa) -> None:
        """The child is being taken down: no other exchange finds it any more."""
        if self.children.pop(child.unique_id, None) is not None:
            self.deleting.discard(child.unique_id)
            self.removing[child.unique_id] = child
