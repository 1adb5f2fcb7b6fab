"""What follows when a conversation ends: its result becomes the SA's state, in one commit.

Rule 1: nothing here awaits; each result has one place.
Rule 2: what failed for a while is wished again after a wait (RFC 7296 §2.25); what is no more is not.
Not here: the exchanges (exchanges/), who starts them (granting.py), rekeyed IKE SAs (succession.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ikepy.config.model import Childless
from ikepy.ike.causes import Cause
from ikepy.ike.child import ChildSa
from ikepy.ike.child_table import Theirs
from ikepy.ike.collisions import Side
from ikepy.ike.duplicates import losing_child
from ikepy.ike.effects import RemoveChildSa
from ikepy.ike.errors import GaveUp, IkeError, RefusedByPeer
from ikepy.ike.events import AttemptFailed, ChildSaRekeyed, ChildSaUp, IkeSaUp
from ikepy.ike.exchanges import ike_auth
from ikepy.ike.exchanges.change_over import Looked
from ikepy.ike.exchanges.delete import IkeDeleted
from ikepy.ike.exchanges.ike_auth import AuthResult, RedirectedByPeer
from ikepy.ike.exchanges.informational import Informed
from ikepy.ike.exchanges.mobike import AddressesTold, Moved
from ikepy.ike.exchanges.proving import PeerNotAuthenticated
from ikepy.ike.exchanges.redirect import SentOn
from ikepy.ike.exchanges.rekey_child import ChildRekeyed, ChildRekeyedByPeer
from ikepy.ike.exchanges.rekey_ike import Successor
from ikepy.ike.faults import is_fatal
from ikepy.ike.nat import float_path
from ikepy.ike.phases import Authenticating, Closing, Established, Keyed
from ikepy.ike.redirection import Redirection
from ikepy.ike.snapshot import snapshot_child, snapshot_ike
from ikepy.ike.timers import TimerName
from ikepy.ike.upkeep import REDUNDANT
from ikepy.ike.viewing import REKEY_IKE
from ikepy.ike.wishes import WantChild, WantChildDeleted, WantChildRekeyed, WantRekeyed
from ikepy.wire.errors import WireError
from ikepy.wire.redirect import Gateway
from ikepy.wire.registry import NotifyType

if TYPE_CHECKING:
    from ikepy.ike.sa import IkeSa

PORT = 500
"IKE's own."
CONNECTING = frozenset({"IKE_SA_INIT", "IKE_AUTH"})
SOON = 8.0
"Seconds after which what the peer could not do just now is tried again (TEMPORARY_FAILURE)."
LATER = 60.0
"Seconds after which a refused rekeying is tried again."
SENT_ON = 30.0
"Seconds a peer that was sent to another gateway has to delete its IKE SA here."
PATIENCE = 180.0
"Seconds of nothing but TEMPORARY_FAILURE after which both sides are out of step, and the IKE SA is closed (§2.25)."
LULL = 60.0
"Seconds without a TEMPORARY_FAILURE after which the next begins anew: what was refused is wanted no more."


class Adoption:
    """Turns the ends of conversations into the state of their IKE SA."""

    def __init__(self, sa: IkeSa) -> None:
        self._sa = sa
        self._refused_since: float | None = None
        self._refused_at = 0.0

    def adopt(self, result: object) -> None:
        """Take the result of a conversation that came to its good end."""
        match result:
            case Keyed():
                self._adopt_keys(result)
            case AuthResult():
                self._establish(result)
            case Successor(initiated=True):
                self._sa.succession.made_by_us(result)
            case Successor():
                self._sa.succession.made_by_peer(result)
            case Moved():
                self._sa.moving.agreed(result)
            case SentOn():
                self._sa.agenda.set(TimerName.SUPERSEDED, self._sa.now + SENT_ON)
            case AddressesTold(path, ours):
                self._sa.moving.has_told(path, ours)
            case IkeDeleted():
                self._sa.close("deleted", Cause.OPERATOR)
            case _:
                self._adopt_of_children(result)  # of a liveness check, that it ended is all it says

    def _adopt_of_children(self, result: object) -> None:
        match result:
            case ChildSa():
                self._refused_since = None
                self.add_child(result)
            case ChildRekeyed(old, new):
                self._refused_since = None
                self._replace(old, new)
            case ChildRekeyedByPeer(old, new):
                self._prepare_heir(old, new)
            case Informed():
                self._take_news(result)
            case Looked(heir):
                self._look_again(heir, is_used=result.is_used)
            case tuple():
                self._removed(result, "deleted", Cause.OPERATOR)

    def _take_news(self, informed: Informed) -> None:
        sa, news = self._sa, informed.news
        if informed.redirect is not None:
            self._follow(informed.redirect)
        self._removed(informed.removed, "deleted by the peer", Cause.PEER_CLOSED)
        if news.others is not None:
            sa.moving.told_of(news.others, news.path)
        if news.moved is not None:
            sa.moving.peer_moved(news.moved)
        if informed.closed is not None:
            self._close(informed.closed)

    # -- failures ------------------------------------------------------------------------------------------------

    def attempt_failed(self, name: str, error: IkeError | WireError) -> None:
        """Take the fault that ended a conversation we began."""
        sa, reason = self._sa, str(error)
        if isinstance(error, PeerNotAuthenticated) and isinstance(sa.phase, Authenticating):
            sa.decided(f"giving up, and telling the peer so: {reason}", warning=True)
            sa.enter(Closing(sa.phase.keyed, None, reason))
        elif isinstance(error, RedirectedByPeer) and isinstance(sa.phase, Authenticating):
            self._go_elsewhere(error)
        elif name == REKEY_IKE and sa.succession.follow_peer():
            sa.decided(f"our rekeying of the IKE SA came to nothing ({reason}), the peer's did not")
        elif isinstance(error, GaveUp):
            sa.close(reason, Cause.PEER_DEAD)
        elif name in CONNECTING or name == "delete":
            sa.close(reason)
        elif isinstance(error, RefusedByPeer) and error.notify is NotifyType.INVALID_SYNTAX:
            sa.close(reason)  # §2.21.3: fatal on both sides, without a delete
        elif is_fatal(error):
            sa.terminate(reason, Cause.FAILED)
        else:
            self._try_again(name, error)

    def _go_elsewhere(self, redirect: RedirectedByPeer) -> None:
        """The gateway has let us in only to send us on: begin there, and delete this IKE SA."""
        sa, keyed = self._sa, self._sa.keyed
        assert keyed is not None  # noqa: S101 - IKE_AUTH follows IKE_SA_INIT
        children = tuple(wish.child for wish in sa.pending if isinstance(wish, WantChild))
        if sa.first_child is not None:
            children = (sa.first_child, *children)
        sa.enter(Closing(keyed, redirect.authenticated, str(redirect), Cause.SUPERSEDED))
        try:
            sa.follow_redirect(redirect.gateway)
        except GaveUp as fault:
            sa.enter(Closing(keyed, redirect.authenticated, str(fault), Cause.FAILED))
            sa.host.publish(AttemptFailed(sa.connection.name, None, sa.unique_id, str(fault)))
            return
        sa.host.go_elsewhere(sa, children, Redirection(redirect.gateway, sa.path.remote.address))

    def _follow(self, gateway: Gateway) -> None:
        """The gateway of an IKE SA that is up sends us elsewhere: this one ends when the other is up."""
        sa = self._sa
        try:
            sa.follow_redirect(gateway)
        except GaveUp as fault:
            sa.decided(str(fault), warning=True)
            return
        children = {child.name: child.negotiated.config for child in sa.table.children.values()}
        sa.host.go_elsewhere(sa, tuple(children.values()), Redirection(gateway, sa.path.remote.address))

    def _try_again(self, name: str, error: IkeError | WireError) -> None:
        sa, reason = self._sa, str(error)
        refusal = error.notify if isinstance(error, RefusedByPeer) else None
        if refusal is NotifyType.TEMPORARY_FAILURE and self._is_out_of_step():
            sa.decided("the peer says TEMPORARY_FAILURE for minutes: both sides are out of step", warning=True)
            sa.terminate("out of step with the peer", Cause.PEER_DEAD)
            return
        match name:
            case "rekey child":
                self._rekey_child_again(refusal, reason)
            case "rekey IKE SA":
                self._rekey_ike_again(refusal, reason)
            case "CREATE_CHILD_SA" if sa.wanted_child is not None:
                wanted, sa.wanted_child = sa.wanted_child, None
                if refusal is NotifyType.TEMPORARY_FAILURE:
                    sa.granting.postpone(WantChild(wanted), SOON)
                else:
                    sa.child_failed(wanted.name, reason)
            case _:
                sa.decided(f"{name} failed: {reason}", warning=True)

    def _is_out_of_step(self) -> bool:
        now = self._sa.now
        if self._refused_since is None or now - self._refused_at > LULL:
            self._refused_since = now
        self._refused_at = now
        return now - self._refused_since > PATIENCE

    def _rekey_child_again(self, refusal: NotifyType | None, reason: str) -> None:
        sa, table = self._sa, self._sa.table
        old = sa.rekeyed_child
        if old is None:
            return
        table.tidy(old.unique_id)
        if old.unique_id not in table.children or table.is_replaced(old):
            sa.decided(f"rekeying of child {old.name} is no longer wanted: {reason}")
        elif refusal is NotifyType.CHILD_SA_NOT_FOUND:
            # §2.25: the peer does not have it; a new one comes in its place.
            sa.decided(f"the peer does not know child {old.name} any more: it is made anew", warning=True)
            self._take_down(old, reason, Cause.SUPERSEDED)
            if table.named(old.name) is None:
                sa.wish(WantChild(old.negotiated.config))
        elif refusal is NotifyType.NO_ADDITIONAL_SAS:
            # §1.3: a peer that makes no children on an IKE SA; another IKE SA brings new keys.
            sa.decided(f"the peer does not rekey child {old.name}: the whole IKE SA is made anew")
            sa.host.reauthenticate(sa)
        else:
            soon = refusal is NotifyType.TEMPORARY_FAILURE
            sa.decided(f"child {old.name} could not be rekeyed: {reason}", warning=not soon)
            sa.granting.postpone(WantChildRekeyed(old.unique_id), SOON if soon else LATER)

    def _rekey_ike_again(self, refusal: NotifyType | None, reason: str) -> None:
        sa = self._sa
        if sa.is_closing:
            return
        if refusal is NotifyType.NO_ADDITIONAL_SAS:
            sa.decided("the peer does not rekey IKE SAs: a new one is made in its place")
            sa.host.reauthenticate(sa)
            return
        soon = refusal is NotifyType.TEMPORARY_FAILURE
        sa.decided(f"the IKE SA could not be rekeyed: {reason}", warning=not soon)
        sa.granting.postpone(WantRekeyed(), SOON if soon else LATER)

    def _take_down(self, child: ChildSa, reason: str, cause: Cause) -> None:
        """Remove a child without a word to the peer, who has nothing of it."""
        sa = self._sa
        if sa.begin_removal(child):
            sa.host.perform_undo(RemoveChildSa(child.spec))
            sa.end_removal(child, reason, cause)

    # -- children ------------------------------------------------------------------------------------------------

    def add_child(self, child: ChildSa) -> None:
        """A child is in the kernel."""
        sa = self._sa
        self._enter(child)
        sa.host.publish(ChildSaUp(snapshot_ike(sa), snapshot_child(child, "INSTALLED")))
        sa.host.child_up(sa, child)
        self._end_if_deleted_ahead(child)
        loser = losing_child(sa.table, child)
        if loser is not None:
            sa.decided(f"both sides made child {loser.name} at once: the peer's stays, ours goes")
            sa.granting.note(WantChildDeleted(loser.unique_id, exact=True))

    def _end_if_deleted_ahead(self, child: ChildSa) -> None:
        """The peer's delete came while the child was put into the kernel."""
        if self._sa.was_deleted_ahead(child.spi_out):
            self._take_down(child, "deleted by the peer", Cause.PEER_CLOSED)

    def _enter(self, child: ChildSa) -> None:
        sa = self._sa
        sa.table.children[child.unique_id] = child
        sa.moving.align(child)
        sa.host.reqids.hold(child.reqid)
        sa.upkeep.watch_child(child)

    def _replace(self, old: ChildSa, new: ChildSa | None) -> None:
        """Our rekeying is over: packets go by the new child, and the old one is deleted."""
        sa, table = self._sa, self._sa.table
        attempt = table.replacements.get(old.unique_id)
        theirs = attempt.theirs if attempt is not None else None
        if new is not None:
            self._enter(new)
            table.inherit(old, new)
            states = snapshot_child(old, "REKEYED"), snapshot_child(new, "INSTALLED")
            sa.host.publish(ChildSaRekeyed(snapshot_ike(sa), *states))
            if old.unique_id in table.children:
                sa.agenda.clear(TimerName.CHILD_REKEY, old.unique_id)
                sa.pending.appendleft(WantChildDeleted(old.unique_id, exact=True))
            if theirs is not None:
                self._expect_deletion(theirs)
            self._end_if_deleted_ahead(new)
        table.tidy(old.unique_id)

    def _expect_deletion(self, theirs: Theirs) -> None:
        """The peer's child has lost: the peer is to delete it."""
        sa, child = self._sa, theirs.child
        if child is None or child.unique_id not in sa.table.children:
            return
        sa.table.waiting.pop(child.unique_id, None)
        sa.table.redundant.add(child.unique_id)
        sa.agenda.clear_child(child.unique_id)
        sa.agenda.set(TimerName.CHILD_REDUNDANT, sa.now + REDUNDANT, child.unique_id)

    def _prepare_heir(self, old: ChildSa, heir: ChildSa) -> None:
        """The peer's rekeying is answered: we receive by the new child, and send by it when the peer does."""
        sa, table = self._sa, self._sa.table
        self._enter(heir)
        table.unannounced.add(heir.unique_id)
        table.waiting[heir.unique_id] = old
        attempt = table.replacements.get(old.unique_id)
        if attempt is not None and attempt.winner is Side.OURS and attempt.theirs is not None:
            self._expect_deletion(attempt.theirs)
        else:
            sa.upkeep.watch_heir(heir)

    def _look_again(self, heir: ChildSa, *, is_used: bool) -> None:
        sa = self._sa
        if not is_used:
            sa.upkeep.looked(heir)
            return
        for attempt in tuple(sa.table.replacements.values()):
            theirs = attempt.theirs.child if attempt.theirs is not None else None
            if theirs is not None and theirs.unique_id == heir.unique_id:
                # The peer made it and should delete the old one; if it does not, we do.
                sa.agenda.set(TimerName.CHILD_REDUNDANT, sa.now + REDUNDANT, attempt.old.unique_id)

    def _removed(self, children: tuple[ChildSa, ...], reason: str, cause: Cause) -> None:
        for child in children:
            self._sa.end_removal(child, reason, cause)

    # -- the IKE SA ----------------------------------------------------------------------------------------------

    def _close(self, reason: str) -> None:
        """The peer has deleted the IKE SA; one that it rekeyed goes on in its successor (§2.25.2)."""
        self._sa.succession.follow_peer()
        self._sa.close(reason, Cause.PEER_CLOSED)

    def _adopt_keys(self, keyed: Keyed) -> None:
        sa = self._sa
        sa.protect(keyed)
        sa.enter(Authenticating(keyed))
        if not sa.is_initiator:
            return
        # A peer on a port of its own is not sent elsewhere without need.
        may_move = keyed.nat.supported and keyed.connection.mobike and sa.path.remote.port == PORT
        if keyed.nat.is_between or may_move:
            who = "us" if keyed.nat.local or keyed.nat.forced else "the peer"
            why = f"NAT before {who}" if keyed.nat.is_between else "a NAT may come between later (MOBIKE)"
            sa.decided(f"{why}: on to port {keyed.connection.remote_port_nat_t}")
            sa.adopt_path(float_path(sa.path, sa.config.daemon.port_nat_t, keyed.connection.remote_port_nat_t))
        refusal = self._put_off_first_child(keyed)
        if refusal is not None:
            sa.close(refusal)
        else:
            sa.initiate("IKE_AUTH", ike_auth.initiate(sa, keyed, sa.first_child, sa.first_packet))

    def _put_off_first_child(self, keyed: Keyed) -> str | None:
        """Begin without a child where that is wanted and may be (RFC 6023); why the peer cannot, where it must."""
        sa, wanted, first = self._sa, self._sa.connection.childless, self._sa.first_child
        if keyed.childless and wanted in {Childless.PREFER, Childless.FORCE} and first is not None:
            sa.pending.appendleft(WantChild(first, sa.first_packet))
            sa.first_child = sa.first_packet = None
        elif not keyed.childless and (first is None or wanted is Childless.FORCE):
            return "the peer does not begin an IKE SA without a child: name one, or set `childless = allow`"
        return None

    def _establish(self, result: AuthResult) -> None:
        sa, keyed = self._sa, self._sa.keyed
        assert keyed is not None  # noqa: S101 - IKE_AUTH follows IKE_SA_INIT
        sa.agenda.clear(TimerName.HALF_OPEN)
        sa.enter(Established(_switched(keyed, result), result.authenticated, sa.now))
        sa.host.holdings.hold(result.authenticated.admission)
        sa.host.established(sa)
        sa.host.publish(IkeSaUp(snapshot_ike(sa)))
        if result.child is not None:
            self.add_child(result.child)
        sa.upkeep.begin_authenticated(result.lifetime)
        sa.moving.begin(result.others)
        sa.host.crossed(sa)
        sa.ending.end_if_doomed()
        if result.is_sent_on:
            sa.agenda.set(TimerName.SUPERSEDED, sa.now + SENT_ON)


def _switched(keyed: Keyed, result: AuthResult) -> Keyed:
    """The keys, under the connection that IKE_AUTH found to be meant."""
    return replace(keyed, connection=result.authenticated.connection)
