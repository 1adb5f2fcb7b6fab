"""Who we have established IKE SAs with, by both identities: what INITIAL_CONTACT and uniqueness ask (RFC 7296 §2.4).

Not here: what is done with the others found (endpoint.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.ike.phases import Authenticated
from ikepy.wire.payloads import Identification

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

Identities = tuple[Identification, Identification]
"""Ours and the peer's."""


class Contacts:
    """IKE SAs by the identities they were authenticated with; looking one up walks over no others."""

    def __init__(self) -> None:
        self._sas: dict[Identities, list[IkeSa]] = {}

    def add(self, sa: IkeSa, authenticated: Authenticated) -> None:
        """The SA is established."""
        self._sas.setdefault((authenticated.local_id, authenticated.remote_id), []).append(sa)

    def forget(self, sa: IkeSa, authenticated: Authenticated) -> None:
        """The SA is over."""
        identities = authenticated.local_id, authenticated.remote_id
        left = [other for other in self._sas.pop(identities, []) if other is not sa]
        if left:
            self._sas[identities] = left

    def of(self, local: Identification, remote: Identification) -> tuple[IkeSa, ...]:
        """The SAs with that pair of identities."""
        return tuple(self._sas.get((local, remote), ()))
