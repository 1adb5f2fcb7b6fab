"""StateBook: the states we installed, by name and by who they belong to.

Rule 1: of one owner there is at most one state each way.
Not here: the kernel's own tables (base.py).
"""

from __future__ import annotations

from ikepy.ipsec import Owner, SaId, SaSpec


class StateBook:
    """What was installed and not removed."""

    def __init__(self) -> None:
        self._specs: dict[SaId, SaSpec] = {}
        self._owners: dict[SaId, Owner] = {}
        self._of: dict[Owner, list[SaId]] = {}

    def add(self, owner: Owner, spec: SaSpec) -> None:
        """A state was installed."""
        self._specs[spec.id], self._owners[spec.id] = spec, owner
        self._of.setdefault(owner, []).append(spec.id)

    def remove(self, sa: SaId) -> None:
        """A state is removed; raises KeyError where there is none."""
        del self._specs[sa]
        owner = self._owners.pop(sa)
        names = self._of[owner]
        names.remove(sa)
        if not names:
            del self._of[owner]

    def get(self, sa: SaId) -> SaSpec | None:
        """The state of that name."""
        return self._specs.get(sa)

    def of(self, owner: Owner) -> tuple[SaSpec, ...]:
        """The states of an owner."""
        return tuple(self._specs[sa] for sa in self._of.get(owner, ()))

    def find(self, owner: Owner, *, inbound: bool) -> SaSpec | None:
        """The state of an owner that way."""
        return next((spec for spec in self.of(owner) if spec.inbound is inbound), None)

    @property
    def specs(self) -> tuple[SaSpec, ...]:
        """All of them."""
        return tuple(self._specs.values())

    def clear(self) -> None:
        """Forget all."""
        self._specs.clear()
        self._owners.clear()
        self._of.clear()

    def __contains__(self, sa: SaId) -> bool:
        return sa in self._specs
