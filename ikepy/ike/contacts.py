"""Who we have established IKE SAs with, by both identities and the user: what INITIAL_CONTACT and uniqueness ask (RFC 7296 §2.4).

Not here: what is done with the others found (endpoint.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikepy.ike.phases import Authenticated, Contact

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa


class Contacts:
    """IKE SAs by the identities they were authenticated with; looking one up walks over no others."""

    def __init__(self) -> None:
        self._sas: dict[Contact, list[IkeSa]] = {}

    def add(self, sa: IkeSa, authenticated: Authenticated) -> None:
        """The SA is established."""
        self._sas.setdefault(authenticated.contact, []).append(sa)

    def forget(self, sa: IkeSa, authenticated: Authenticated) -> None:
        """The SA is over."""
        left = [other for other in self._sas.pop(authenticated.contact, []) if other is not sa]
        if left:
            self._sas[authenticated.contact] = left

    def of(self, contact: Contact) -> tuple[IkeSa, ...]:
        """The SAs with that peer."""
        return tuple(self._sas.get(contact, ()))

    def of_owner(self, contact: Contact) -> tuple[IkeSa, ...]:
        """The SAs of who has sessions: of the user that EAP proved, whatever its IDi; else of the peer's identity."""
        user = contact[2]
        return tuple(
            sa
            for other, sas in self._sas.items()
            if (other[2] == user if user is not None else other[1:] == contact[1:])
            for sa in sas
        )
