"""An Endpoint that does what a script says, for tests of whoever drives it.

It keeps to the contract of ikepy.ike.endpoint.Endpoint: each input returns its actions, in order, and raises nothing
unless the script wants it to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ikepy.ike.actions import Action, Datagram, Outcome, Ticket
from ikepy.ike.events import IkeSnapshot, InstalledPolicy, KernelEvent

Script = Callable[[object, float], list[Action]]
"""What an input comes to: the input's value (None for a timeout) and the instant, to actions."""


def nothing(_what: object, _now: float) -> list[Action]:
    """Nothing comes of it."""
    return []


@dataclass
class ScriptedEndpoint:
    """Answers each kind of input by its script, and remembers all inputs.

    due   what next_timeout() says
    """

    on_datagram: Script = nothing
    on_timeout: Script = nothing
    on_outcome: Script = nothing
    on_kernel_event: Script = nothing
    on_wish: Script = nothing
    due: float | None = None
    placed: tuple[InstalledPolicy, ...] = ()
    tried: frozenset[str] = frozenset()
    "Connections that are tried again and again."
    sas: tuple[IkeSnapshot, ...] = ()
    tickets: dict[Ticket, int] = field(default_factory=dict)
    inputs: list[tuple[str, object, float]] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    def receive_datagram(self, datagram: Datagram, now: float) -> list[Action]:
        self.inputs.append(("datagram", datagram.octets, now))
        return self.on_datagram(datagram, now)

    def handle_timeout(self, now: float) -> list[Action]:
        self.inputs.append(("timeout", None, now))
        return self.on_timeout(None, now)

    def next_timeout(self) -> float | None:
        return self.due

    def complete(self, ticket: Ticket, outcome: Outcome, now: float) -> list[Action]:
        self.inputs.append(("outcome", outcome, now))
        return self.on_outcome(outcome, now)

    def kernel_event(self, event: KernelEvent, now: float) -> list[Action]:
        self.inputs.append(("kernel event", event, now))
        return self.on_kernel_event(event, now)

    def initiate(self, connection: str, child: str | None, now: float) -> list[Action]:
        return self._wish("initiate", (connection, child), now)

    def rekey(
        self, now: float, *, ike_ids: tuple[int, ...] = (), child_ids: tuple[int, ...] = (), reauth: bool = False
    ) -> list[Action]:
        return self._wish("reauthenticate" if reauth else "rekey", (ike_ids, child_ids), now)

    def terminate(
        self, now: float, *, ike_ids: tuple[int, ...] = (), child_ids: tuple[int, ...] = (), reason: str = "terminated"
    ) -> list[Action]:
        return self._wish("terminate", (ike_ids, child_ids), now)

    def install(self, connection: str, child: str, now: float) -> list[Action]:
        return self._wish("install", (connection, child), now)

    def uninstall(self, connection: str, child: str, now: float) -> list[Action]:
        return self._wish("uninstall", (connection, child), now)

    def forget(self, connection: str, child: str | None, now: float) -> tuple[bool, list[Action]]:
        return connection in self.tried, self._wish("forget", (connection, child), now)

    def policies(self) -> tuple[InstalledPolicy, ...]:
        return self.placed

    def _wish(self, what: str, wish: object, now: float) -> list[Action]:
        self.inputs.append((what, wish, now))
        return self.on_wish(wish, now)

    def sa_of(self, ticket: Ticket) -> int | None:
        return self.tickets.get(ticket)

    def fail_sa(self, unique_id: int, reason: str, now: float) -> list[Action]:
        self.failed.append(unique_id)
        return []

    def snapshot(self, now: float) -> tuple[IkeSnapshot, ...]:
        return self.sas
