"""Users: from the configuration and from the file, found, verified, read again."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikepy.auth.users import Changes, User, UserStore, verify_password
from ikepy.auth.users_file import UsersFileError, changing, read_users, write_users
from ikepy.config.access import UserConfig
from ikepy.crypto.entropy import SystemEntropy
from ikepy.crypto.password import make_scrypt_hash, nt_hash
from ikepy.crypto.secret import Secret

ALICE = UserConfig("alice", nt_hash=nt_hash("clientPass"), groups=("staff",), expires=date(2026, 12, 31))
BOB = UserConfig("bob", scrypt=make_scrypt_hash(b"sesame", bytes(16)), disabled=True)
CAROL = UserConfig("carol", password=Secret("grün".encode()))
TODAY = date(2026, 5, 9)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.jsonl"
    write_users(path, [ALICE, BOB])
    return path


@pytest.fixture
def store(file: Path) -> UserStore:
    return UserStore([CAROL], file, SystemEntropy())


def refused(read: Callable[[], object]) -> str:
    with pytest.raises(UsersFileError) as caught:
        read()
    return str(caught.value)


def test_users_come_from_the_configuration_and_from_the_file(store: UserStore) -> None:
    assert len(store) == 3
    assert store.find("alice") == User("alice", ALICE.nt_hash, groups=("staff",), expires=ALICE.expires)
    assert store.find("carol") == User("carol", nt_hash("grün"), plain=Secret("grün".encode()))
    assert store.find("mallory") is None


def test_a_domain_before_the_name_is_left_off_unless_somebody_is_called_so(file: Path) -> None:
    write_users(file, [ALICE, UserConfig("LAB\\alice")])
    store = UserStore([], file, SystemEntropy())

    assert store.find("CORP\\alice") == store.find("alice")
    assert store.find("LAB\\alice") == User("LAB\\alice")
    assert store.find("CORP\\") is None
    assert store.find("alice\\CORP") is None


def test_who_may_not_come_in_is_said_why(store: UserStore) -> None:
    alice, bob = store.find("alice"), store.find("bob")
    assert alice is not None
    assert bob is not None

    assert alice.refusal(date(2026, 12, 31)) == ""
    assert alice.refusal(date(2027, 1, 1)) == "the user expired 2026-12-31"
    assert bob.refusal(TODAY) == "the user is disabled"
    assert store.find_or_stand_in("mallory").refusal(TODAY) == "there is no such user"


@pytest.mark.slow
def test_a_password_is_right_by_each_kind_of_hash(store: UserStore) -> None:
    for name, password in (("alice", "clientPass"), ("bob", "sesame"), ("carol", "grün")):
        user = store.find(name)
        assert store.verify_password(user, password.encode())
        assert not store.verify_password(user, password.encode() + b"x")
        assert not store.verify_password(user, b"")
        assert not store.verify_password(user, b"\xff\xfe")
        assert not store.verify_password(user, b"x" * 100_000)


def test_nobody_has_no_password_not_even_the_stand_ins(store: UserStore) -> None:
    stand_in = store.find_or_stand_in("mallory")

    assert (stand_in.name, stand_in.exists, stand_in.disabled) == ("mallory", False, True)
    assert not store.verify_password(None, b"")
    known = UserConfig("x", nt_hash=nt_hash("x"))
    assert not verify_password(User("x", known.nt_hash, exists=False), b"x")
    assert not verify_password(User("x"), b"")


def test_the_stand_ins_hash_differs_between_stores_and_is_as_long_as_any(store: UserStore, file: Path) -> None:
    one, other = store.find_or_stand_in("x").nt_hash, UserStore([], file, SystemEntropy()).find_or_stand_in("x").nt_hash

    assert one is not None
    assert one != other
    assert len(one) == 16
    assert store.find_or_stand_in("y").nt_hash == one


@pytest.mark.slow
def test_who_does_not_exist_costs_the_same_hashes_as_who_does(
    store: UserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    import ikepy.auth.users as module

    scrypt, nt = module.ScryptHash.fits, module.nt_hash
    monkeypatch.setattr(module.ScryptHash, "fits", lambda self, octets: done.append("scrypt") or scrypt(self, octets))
    monkeypatch.setattr(module, "nt_hash", lambda password: done.append("nt") or nt(password))

    for user in (store.find("alice"), store.find("bob"), store.find("carol"), None):
        store.verify_password(user, b"guess")

    assert done == ["scrypt", "nt"] * 4


def test_a_change_of_the_file_counts_at_the_next_look(store: UserStore, file: Path) -> None:
    assert not store.refresh()

    with changing(file) as users:
        users["alice"] = UserConfig("alice", nt_hash=ALICE.nt_hash, disabled=True)
        users["dave"] = UserConfig("dave")
        del users["bob"]

    assert store.refresh() == Changes(("dave",), ("alice",), ("bob",))
    assert not store.refresh()
    assert store.find("bob") is None
    alice = store.find("alice")
    assert alice is not None
    assert alice.refusal(TODAY) == "the user is disabled"


def test_a_file_that_goes_takes_its_users_with_it_and_one_that_comes_brings_them(store: UserStore, file: Path) -> None:
    file.unlink()
    assert store.refresh() == Changes(removed=("alice", "bob"))
    assert store.find("carol") is not None

    write_users(file, [BOB])

    assert store.refresh() == Changes(added=("bob",))


def test_a_file_that_cannot_be_read_changes_nothing_and_is_told_once(store: UserStore, file: Path) -> None:
    file.write_text("alice:secret\n")

    assert "users.jsonl, line 1: this is no line of JSON" in refused(store.refresh)
    assert not store.refresh()
    assert store.find("alice") is not None
    file.write_text('{"name": "alice"}\n')
    file.chmod(0o644)
    assert "others may get at the users' hashes (mode 0644); chmod 600" in refused(store.refresh)
    file.chmod(0o600)
    assert store.refresh() == Changes(altered=("alice",), removed=("bob",))


def test_a_name_in_both_the_configuration_and_the_file_is_refused(file: Path) -> None:
    assert "the user 'bob' is also in the configuration; run: ikepy user remove bob" in refused(
        lambda: UserStore([UserConfig("bob")], file, SystemEntropy())
    )


def test_groups_nobody_configured_can_be_warned_of(store: UserStore) -> None:
    assert store.unknown_groups(["sales"]) == ("staff",)
    assert store.unknown_groups(["staff"]) == ()


def test_the_file_says_what_it_was_given_and_never_a_password(file: Path) -> None:
    write_users(file, [ALICE, BOB, UserConfig("eve", password=Secret(b"hunter2"))])

    assert read_users(file)[0] == (ALICE, BOB, UserConfig("eve"))
    assert "hunter2" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["users.jsonl"]


def test_no_file_is_no_users(tmp_path: Path) -> None:
    assert read_users(tmp_path / "none") == ((), None)


@pytest.mark.parametrize(
    ("line", "wording"),
    [
        ("[]", "this is no user; write"),
        ("{}", "'' cannot be the name of a user"),
        ('{"name": "a:b"}', "'a:b' cannot be the name of a user"),
        ('{"name": "a\\nb"}', "'a\\nb' cannot be the name of a user"),
        ('{"name": 7}', "name is not text; write it in quotes"),
        ('{"name": "a", "nthash": "x"}', "unknown key 'nthash'; write one of disabled, expires, groups"),
        ('{"name": "a", "nt_hash": "5e5a4e"}', "this is no NT hash; write 32 hexadecimal digits"),
        ('{"name": "a", "scrypt": "5e5a4e"}', "this is no scrypt hash"),
        ('{"name": "a", "groups": "staff"}', "groups is no list of names"),
        ('{"name": "a", "groups": ["a\\u001b"]}', "groups is no list of names"),
        ('{"name": "a", "disabled": 1}', "disabled is neither true nor false"),
        ('{"name": "a", "expires": "soon"}', "'soon' is no day"),
        ('{"name": "a"}\n\n{"name": "a"}', "line 3: the user 'a' is also in line 1; take one of them out"),
        ("[" * 100_000, "this is no line of JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_what_would_be_right(file: Path, line: str, wording: str) -> None:
    file.write_text(line + "\n")

    message = refused(lambda: read_users(file))

    assert wording in message
    assert ", line " in message
    assert "5e5a4e" not in message


@pytest.mark.slow
@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["name", "groups", "nt_hash", "scrypt", "expires", "disabled"]), inner)
        ),
    ).map(lambda each: json.dumps(each).encode())
)
def test_any_octets_are_users_or_an_error(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    file.touch(0o600)
    file.write_bytes(octets)

    with suppress(UsersFileError):
        read_users(file)


def test_changes_at_the_same_time_are_all_kept(file: Path) -> None:
    def add(first: int) -> None:
        for number in range(first, first + 10):
            with changing(file) as users:
                users[f"user{number}"] = UserConfig(f"user{number}")

    threads = [threading.Thread(target=add, args=(first,)) for first in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(read_users(file)[0]) == 32


def test_an_error_while_changing_leaves_the_file_as_it_was(file: Path) -> None:
    before = file.read_bytes()

    with suppress(KeyError), changing(file) as users:
        users.clear()
        raise KeyError

    assert file.read_bytes() == before


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsersFileError, match="its directory cannot be opened"), changing(tmp_path / "no" / "users"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_file_keeps_its_owner(file: Path) -> None:
    os.chown(file, 12345, 12345)

    with changing(file) as users:
        users["dave"] = UserConfig("dave")

    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 12345)
