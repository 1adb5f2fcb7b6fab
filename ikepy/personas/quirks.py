r"""Quirks: what a kind of client needs done otherwise, and why.

    quirks_for(connection.quirks, kind)      what the configuration says, else what the fingerprint says

Rule 1: a quirk is one thing that IKE does otherwise; what is right for everybody is no quirk and is always done: CERT is sent
        unasked, selectors of a rekey are narrowed again, KE in a child rekey is the peer's choice, an IDi that is an
        address selects nobody where EAP does, `DOMAIN\user` is user where nobody is called just so.
Rule 2: each is off by default, and a peer of no known kind has none.
Rule 3: no quirk lets somebody in, or takes a weaker algorithm: that is `legacy_windows`, and said by the operator.
Not here: how a kind is known (fingerprint.py), legacy proposals (windows_advice.py).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ikepy.personas.kinds import Kind, QuirksChoice

SMALL_FRAGMENTS = 576
"Octets of the IPv4 datagrams that carry fragments for clients which themselves send no larger ones."


@dataclass(frozen=True, slots=True)
class Quirks:
    """What is done otherwise for one peer.

    never_rekey_child                 no child rekey is begun; the client begins its own
    never_rekey_ike                   no IKE SA rekey is begun
    child_rekey_without_ke            a child rekey that is begun all the same has no KE, neither payload nor transform
    cert_always                       CERT goes into IKE_AUTH though `send_cert = ifasked` and none was asked for
    fragment_octets                   of the largest IPv4 datagram with a fragment (RFC 7383); None as configured
    pkcs1_signatures                  RSA signatures of RFC 7427 are PKCS#1 v1.5, not PSS
    rsa_certificate                   of several certificates of ours one with an RSA key is shown, if there is one
    strip_domain                      a domain before a user's name is no part of it
    narrow_again_on_rekey             selectors wider than the child's are narrowed in its rekey, not refused; always so
    rekey_offers_lead_with_own_suite  offers for new keys begin with the suite the SA has, and its method of key exchange
    ignore_idi                        IDi says where the client is, not who
    asks_by_dhcp                      it asks by DHCPINFORM for its routes, which goes to 255.255.255.255
    """

    never_rekey_child: bool = False
    never_rekey_ike: bool = False
    child_rekey_without_ke: bool = False
    cert_always: bool = False
    fragment_octets: int | None = None
    pkcs1_signatures: bool = False
    rsa_certificate: bool = False
    strip_domain: bool = False
    narrow_again_on_rekey: bool = True
    rekey_offers_lead_with_own_suite: bool = False
    ignore_idi: bool = False
    asks_by_dhcp: bool = False

    def words(self) -> tuple[str, ...]:
        """What differs from everybody else, as `ikepy status` shows it: `never_rekey_child`, `fragment_octets=576`."""
        named = ((field.name, getattr(self, field.name), getattr(NO_QUIRKS, field.name)) for field in fields(self))
        return tuple(name if value is True else f"{name}={value}" for name, value, usual in named if value != usual)


NO_QUIRKS = Quirks()

_QUIRKS = {
    # Each reason stands in the client's own module, under `faults`.
    Kind.WINDOWS: Quirks(
        never_rekey_child=True,
        never_rekey_ike=True,
        child_rekey_without_ke=True,
        cert_always=True,
        fragment_octets=SMALL_FRAGMENTS,
        strip_domain=True,
        rekey_offers_lead_with_own_suite=True,
        ignore_idi=True,
        asks_by_dhcp=True,
    ),
    Kind.APPLE: Quirks(
        child_rekey_without_ke=True, cert_always=True, rsa_certificate=True, rekey_offers_lead_with_own_suite=True
    ),
    Kind.ANDROID: Quirks(child_rekey_without_ke=True, cert_always=True, pkcs1_signatures=True),
}


def quirks_of(kind: Kind | None) -> Quirks:
    """What clients of a kind need; nothing where the kind is not known."""
    return _QUIRKS.get(kind, NO_QUIRKS) if kind is not None else NO_QUIRKS


def quirks_for(choice: QuirksChoice, found: Kind | None) -> Quirks:
    """What a client needs: of the kind the configuration names, of the kind found where it leaves that open, or nothing."""
    return quirks_of(found if choice is QuirksChoice.AUTO else choice.kind)
