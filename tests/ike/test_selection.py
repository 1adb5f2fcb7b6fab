"""Which connection and which secret apply, as tables."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path as FilePath

import pytest

from ikepy.config.algorithms import parse_proposals
from ikepy.config.identities import parse_identity, parse_identity_pattern
from ikepy.config.model import (
    AuthKind,
    Config,
    ConnectionConfig,
    IdentityPattern,
    LocalAuthConfig,
    PskConfig,
    RemoteAuthConfig,
)
from ikepy.config.selectors import parse_address_pattern
from ikepy.crypto.secret import Secret
from ikepy.ike.actions import Path, SocketAddress
from ikepy.ike.selection import (
    Ambiguous,
    AmbiguousPsk,
    NoneFits,
    Selected,
    Selection,
    candidates_by_address,
    choose_psk,
    first_guess,
    select,
)
from ikepy.wire.payloads import Identification
from ikepy.wire.registry import IdType, ProtocolId
from ikepy.wire.sa import Proposal

HERE, THERE = "192.0.2.1", "198.51.100.7"


def path(local: str = HERE, remote: str = THERE) -> Path:
    return Path(SocketAddress(ip_address(local), 500), SocketAddress(ip_address(remote), 500))


def proposal(text: str) -> tuple[Proposal, ...]:
    return parse_proposals([text], ProtocolId.IKE)


def conn(
    name: str,
    *,
    here: str = "",
    there: str = "",
    ours: str | None = None,
    theirs: str = "%any",
    auth: AuthKind = AuthKind.PSK,
    pinned: bool = False,
    ike: str = "aes256gcm16-prfsha256-x25519",
) -> ConnectionConfig:
    return ConnectionConfig(
        name,
        LocalAuthConfig(AuthKind.PSK, parse_identity(ours) if ours else None),
        RemoteAuthConfig(
            auth,
            IdentityPattern() if theirs == "%any" else parse_identity_pattern(theirs),
            certs=(FilePath("pinned.pem"),) if pinned else (),
        ),
        tuple(parse_address_pattern(text) for text in here.split()),
        tuple(parse_address_pattern(text) for text in there.split()),
        proposals=proposal(ike),
    )


def names_by_address(*connections: ConnectionConfig, at: Path | None = None) -> list[str]:
    return [c.name for c in candidates_by_address(Config(connections), at or path())]


def chosen_of(
    *connections: ConnectionConfig,
    idi: str = "peer.example",
    idr: str | None = None,
    auth: AuthKind = AuthKind.PSK,
    trusting: set[str] | None = None,
    chosen: str | None = None,
) -> Selection:
    return select(
        Config(connections),
        path(),
        parse_identity(idi),
        parse_identity(idr) if idr else None,
        auth,
        None if trusting is None else frozenset(trusting),
        proposal(chosen)[0] if chosen else None,
    )


# -- by addresses ------------------------------------------------------------------------------------------------


def test_the_more_specific_peer_address_goes_first() -> None:
    assert names_by_address(
        conn("named", there="gw.example.com"),
        conn("anybody"),
        conn("wide", there="198.51.0.0/16"),
        conn("range", there="198.51.100.5-198.51.100.9"),
        conn("exact", there=THERE),
        conn("everything v4", there="0.0.0.0/0"),
        conn("elsewhere", there="203.0.113.1"),
        conn("v6", there="::/0"),
    ) == ["exact", "range", "wide", "everything v4", "anybody", "named"]


def test_the_peer_address_decides_before_ours() -> None:
    assert names_by_address(
        conn("ours exact", here=HERE, there="198.51.100.0/24"),
        conn("theirs exact", here="192.0.2.0/24", there=THERE),
        conn("theirs and ours exact", here=HERE, there=THERE),
        conn("another of ours", here="192.0.2.2", there=THERE),
    ) == ["theirs and ours exact", "theirs exact", "ours exact"]


def test_of_several_patterns_the_most_specific_that_fits_counts() -> None:
    assert names_by_address(
        conn("b", there="198.51.100.0/24"), conn("a", there="%any 203.0.113.1 198.51.100.6-198.51.100.8")
    ) == ["a", "b"]


def test_equals_stay_in_the_order_of_the_file() -> None:
    assert names_by_address(conn("b"), conn("a"), conn("c", there="%any")) == ["b", "a", "c"]


def test_v6_paths_take_v6_patterns() -> None:
    at = path("2001:db8::1", "2001:db8::2")

    assert names_by_address(conn("v4", there="0.0.0.0/0"), conn("v6", there="2001:db8::/32"), at=at) == ["v6"]


def test_the_first_guess_is_the_first_candidate() -> None:
    exact = conn("exact", there=THERE)

    assert first_guess(Config((conn("any"), exact)), path()) is exact
    assert first_guess(Config((conn("no", there="203.0.113.1"),)), path()) is None


# -- by all that IKE_AUTH shows ----------------------------------------------------------------------------------

PSK, PUBKEY = AuthKind.PSK, AuthKind.PUBKEY
A, B = "a.example", "b.example"


@pytest.mark.parametrize(
    ("connections", "shown", "expected"),
    [
        pytest.param([conn("only")], {}, "only", id="one that fits"),
        pytest.param([conn("x", ours=A), conn("y", ours=B)], {"idr": B}, "y", id="IDr switches from the first guess"),
        pytest.param([conn("x", ours=A), conn("y")], {"idr": A}, "x", id="a named local identity goes before none"),
        pytest.param([conn("x", ours=A), conn("y")], {"idr": B}, "y", id="a connection that names none takes any IDr"),
        pytest.param([conn("x", ours="A.Example")], {"idr": A}, "x", id="names compare without case"),
        pytest.param([conn("x", theirs=A), conn("y", theirs=B)], {"idi": B}, "y", id="IDi switches"),
        pytest.param([conn("x"), conn("y", theirs=A)], {"idi": A}, "y", id="an exact IDi goes before any"),
        pytest.param([conn("x", theirs="*.example"), conn("y", theirs=A)], {"idi": A}, "y", id="before a wildcard"),
        pytest.param([conn("x"), conn("y", theirs="*.example")], {"idi": A}, "y", id="a wildcard goes before any"),
        pytest.param([conn("x", theirs=A), conn("y")], {"idi": B}, "y", id="any takes the others"),
        pytest.param([conn("x"), conn("y", auth=PUBKEY)], {"auth": PUBKEY}, "y", id="the method switches"),
        pytest.param([conn("x", theirs=A, ours=A), conn("y", theirs=A, ours=B)], {"idi": A, "idr": B}, "y", id="both"),
        pytest.param([conn("x", ours=A), conn("y", theirs=A)], {"idi": A, "idr": A}, "x", id="IDr decides before IDi"),
        pytest.param(
            [conn("x", there=THERE), conn("y", theirs=A)], {"idi": A}, "x", id="the address decides before IDi"
        ),
        pytest.param(
            [conn("x", there=THERE, theirs=B), conn("y", theirs=A)], {"idi": A}, "y", id="but only where the rest fits"
        ),
        pytest.param(
            [conn("x", auth=PUBKEY), conn("y", auth=PUBKEY)],
            {"auth": PUBKEY, "trusting": {"y"}},
            "y",
            id="the CA switches",
        ),
        pytest.param(
            [conn("x", auth=PUBKEY, pinned=True), conn("y", auth=PUBKEY)],
            {"auth": PUBKEY, "trusting": {"y"}},
            "y",
            id="a CA goes before pinned certificates",
        ),
        pytest.param(
            [conn("x", auth=PUBKEY, pinned=True), conn("y", auth=PUBKEY)],
            {"auth": PUBKEY, "trusting": set()},
            "x",
            id="pinned certificates need no CA",
        ),
        pytest.param([conn("x", auth=PUBKEY)], {"auth": PUBKEY}, "x", id="no certificate sent, no CA asked"),
        pytest.param([conn("x")], {"trusting": set()}, "x", id="a CA does not concern a PSK"),
        pytest.param(
            [conn("x", theirs=A), conn("y", theirs=B, ike="aes128-sha256-prfsha256-x25519")],
            {"idi": A, "chosen": "aes256gcm16-prfsha256-x25519"},
            "x",
            id="the chosen proposal fits",
        ),
        pytest.param(
            [conn("x", theirs=A, ike="aes128-sha256-modp2048"), conn("y", ike="aes128-aes256-sha256-sha384-modp2048")],
            {"idi": A, "chosen": "aes256-sha256-modp2048"},
            "y",
            id="one that could not have taken the proposal is not switched to",
        ),
    ],
)
def test_the_most_specific_connection_that_fits_is_selected(
    connections: list[ConnectionConfig], shown: dict[str, object], expected: str
) -> None:
    result = chosen_of(*connections, **shown)  # type: ignore[arg-type]

    assert isinstance(result, Selected), result
    assert result.connection.name == expected


@pytest.mark.parametrize(
    ("connections", "shown", "names"),
    [
        pytest.param([conn("x", ours=A), conn("y", ours=B)], {}, ("x", "y"), id="no IDr at all"),
        pytest.param([conn("x"), conn("y"), conn("z", theirs=B)], {"idi": A}, ("x", "y"), id="any and any"),
        pytest.param([conn("x", theirs=A), conn("y", theirs=A), conn("z")], {"idi": A}, ("x", "y"), id="equal IDi"),
        pytest.param(
            [conn("x", auth=PUBKEY), conn("y", auth=PUBKEY)],
            {"auth": PUBKEY, "trusting": {"x", "y"}},
            ("x", "y"),
            id="one CA for both",
        ),
        pytest.param([conn("x"), conn("y"), conn("z")], {}, ("x", "y", "z"), id="three"),
    ],
)
def test_what_fits_equally_well_is_refused_with_all_names(
    connections: list[ConnectionConfig], shown: dict[str, object], names: tuple[str, ...]
) -> None:
    result = chosen_of(*connections, **shown)  # type: ignore[arg-type]

    assert isinstance(result, Ambiguous), result
    assert result.names == names
    assert all(name in result.reason for name in names)


@pytest.mark.parametrize(
    ("connections", "shown", "reason"),
    [
        ([], {}, "no connection has addresses for 192.0.2.1 and 198.51.100.7; none is configured"),
        (
            [conn("x", there="203.0.113.1")],
            {},
            "no connection has addresses for 192.0.2.1 and 198.51.100.7; looked at x",
        ),
        ([conn("x", here="203.0.113.1")], {}, "has addresses for"),
        (
            [conn("x", ours=A)],
            {"idr": B},
            "no connection is for a peer that asks for identity 'b.example'; looked at x",
        ),
        ([conn("x", theirs=A)], {"idi": B}, "no connection expects a peer with identity 'b.example'; looked at x"),
        (
            [conn("x", theirs=A), conn("y", theirs=B)],
            {"idi": B, "auth": PUBKEY},
            "no connection expects a peer that authenticates by pubkey; looked at y",
        ),
        ([conn("x", auth=PUBKEY)], {"auth": PUBKEY, "trusting": set()}, "trusts a CA of the peer's certificates"),
        ([conn("x")], {"chosen": "aes128gcm16-x25519"}, "takes the IKE proposal chosen in IKE_SA_INIT; looked at x"),
    ],
)
def test_where_none_fits_the_reason_names_what_was_missing(
    connections: list[ConnectionConfig], shown: dict[str, object], reason: str
) -> None:
    result = chosen_of(*connections, **shown)  # type: ignore[arg-type]

    assert isinstance(result, NoneFits), result
    assert reason in result.reason


def test_a_hostile_identity_does_not_break_the_line_of_the_log() -> None:
    idi = Identification(IdType.ID_FQDN, b"a\n\x1b[31mERROR\x00\xff")
    result = select(Config((conn("x", theirs=A),)), path(), idi, None, PSK)

    assert isinstance(result, NoneFits)
    assert result.reason.isprintable()


# -- pre-shared keys ---------------------------------------------------------------------------------------------

ME, ALICE, BOB = "me.example", "alice.example", "bob.example"


def psk(name: str, *owners: str, secret: str = "") -> PskConfig:
    return PskConfig(name, Secret((secret or name).encode()), tuple(parse_identity(owner) for owner in owners))


def psk_for(*psks: PskConfig, remote: str | None = ALICE) -> str | None:
    found = choose_psk(psks, parse_identity(ME), parse_identity(remote) if remote else None, path())
    return found.name if found else None


@pytest.mark.parametrize(
    ("psks", "remote", "expected"),
    [
        pytest.param([], ALICE, None, id="none at all"),
        pytest.param([psk("all")], ALICE, "all", id="everybody's"),
        pytest.param([psk("all"), psk("mine", ME)], ALICE, "mine", id="ours for any peer goes before everybody's"),
        pytest.param([psk("mine", ME), psk("peer", THERE)], ALICE, "peer", id="the peer's address before ours alone"),
        pytest.param([psk("at", THERE), psk("us", THERE, ME)], ALICE, "us", id="with us before without"),
        pytest.param([psk("at", THERE, HERE), psk("us", THERE, ME)], ALICE, "us", id="our identity before our address"),
        pytest.param(
            [psk("at", THERE, ME), psk("alice", ALICE)], ALICE, "alice", id="the peer's identity before its address"
        ),
        pytest.param([psk("alice", ALICE), psk("both", ME, ALICE)], ALICE, "both", id="both before one"),
        pytest.param([psk("alice", ALICE), psk("addr", HERE, ALICE)], ALICE, "addr", id="our address counts for us"),
        pytest.param([psk("upper", "ALICE.EXAMPLE")], ALICE, "upper", id="names compare without case"),
        pytest.param([psk("bob", ME, BOB)], ALICE, None, id="another's secret is not used although it names us"),
        pytest.param([psk("bob", ME, BOB), psk("all")], ALICE, "all", id="everybody's instead of another's"),
        pytest.param([psk("bob", BOB)], ALICE, None, id="another's secret is not used"),
        pytest.param([psk("mine", ME, HERE)], ALICE, "mine", id="both owners are us"),
        pytest.param([psk("group", ME, ALICE, BOB)], BOB, "group", id="a group's secret"),
        pytest.param([psk("alice", ME, ALICE)], None, "alice", id="peer unknown: one that names us"),
        pytest.param([psk("alice", ALICE), psk("all")], None, "all", id="peer unknown: not one that does not name us"),
        pytest.param([psk("alice", ALICE)], None, None, id="peer unknown: none"),
        pytest.param([psk("alice", ME, ALICE), psk("peer", THERE)], None, "peer", id="peer unknown: its address"),
    ],
)
def test_the_secret_that_says_most_of_the_peer_is_chosen(
    psks: list[PskConfig], remote: str | None, expected: str | None
) -> None:
    assert psk_for(*psks, remote=remote) == expected
    assert psk_for(*reversed(psks), remote=remote) == expected


def test_of_equal_secrets_the_first_in_the_file_is_chosen() -> None:
    assert psk_for(psk("first", ALICE, secret="s"), psk("second", ALICE, secret="s")) == "first"


@pytest.mark.parametrize(
    ("psks", "remote"),
    [
        pytest.param([psk("x"), psk("y")], ALICE, id="everybody's twice"),
        pytest.param([psk("x", ME, ALICE), psk("y", ALICE, ME)], ALICE, id="both twice"),
        pytest.param([psk("x", ME, ALICE), psk("y", ME, BOB)], None, id="peer unknown: two that name us"),
        pytest.param([psk("x", ME, ALICE), psk("y", ME)], None, id="peer unknown: with a peer and without"),
    ],
)
def test_different_secrets_that_fit_equally_well_are_refused_with_both_names(
    psks: list[PskConfig], remote: str | None
) -> None:
    with pytest.raises(AmbiguousPsk, match=r"secrets\.x and secrets\.y"):
        psk_for(*psks, remote=remote)


def test_v6_addresses_own_secrets_too() -> None:
    at = path("2001:db8::1", "2001:db8::2")
    ours = psk("v6", "2001:db8::2")

    assert choose_psk([ours], parse_identity(ME), parse_identity(ALICE), at) is ours
