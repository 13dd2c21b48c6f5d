"""The parts that decide what a client may do, each tested alone."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from asgi_app.access import Access, Audit, SecretStore, permissions
from asgi_app.access.login_throttle import FREE, LONGEST, LoginThrottle
from asgi_app.access.secret_store import Secrets, name_key
from asgi_app.errors import NameTaken, NotAllowed, SetupError, SignInNeeded, TooManyTries
from asgi_app.models.access import Credentials, Identity, Role
from asgi_app.models.base import Actor
from asgi_app.models.lights import SetLight
from asgi_app.net.hosts import Hosts
from asgi_app.net.origins import Origins
from asgi_app.settings import Settings
from asgi_app.store import Retention, Store
from tests.support.sign_in_source import source


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.9.10", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.0.0.1", "network"),
        ("172.16.0.1", "network"),
        ("172.32.0.1", "elsewhere"),
        ("192.168.7.7", "network"),
        ("::ffff:192.168.7.7", "network"),
        ("169.254.1.1", "network"),
        ("fe80::1%eth0", "network"),
        ("fd00::1", "network"),
        ("2001:db8::1", "elsewhere"),
        ("8.8.8.8", "elsewhere"),
        ("0.0.0.0", "elsewhere"),
        ("", "elsewhere"),
        ("nonsense", "elsewhere"),
    ],
)
def test_where_an_address_is(address: str, place: str) -> None:
    assert permissions.place_of(address, proxied=False) == place
    assert permissions.place_of(address, proxied=True) == "elsewhere"


@pytest.mark.parametrize(
    ("role", "credentials", "error"),
    [
        (Role.NOBODY, Credentials(), SignInNeeded),
        (Role.VIEWER, Credentials(), SignInNeeded),
        (Role.VIEWER, Credentials(name=("Ada", 1)), SignInNeeded),
        (Role.VIEWER, Credentials(pin=1), NotAllowed),
        (Role.VIEWER, Credentials(token="t"), NotAllowed),
        (Role.OPERATOR, Credentials(), None),
        (Role.ADMIN, Credentials(), None),
    ],
)
def test_what_a_small_role_is_told(role: Role, credentials: Credentials, error: type[Exception] | None) -> None:
    identity = Identity(role=role, credentials=credentials)
    if error is None:
        permissions.check(identity, Role.OPERATOR, "this")
    else:
        with pytest.raises(error, match=r"operator.*/access"):
            permissions.check(identity, Role.OPERATOR, "this")


# --- guessing ----------------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_few_tries_are_free_and_then_each_doubles_the_wait() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    waits = []
    for _ in range(FREE + 12):
        throttle.check(source("192.0.2.1"))
        throttle.wrong(source("192.0.2.1"), "pin")
        try:
            throttle.check(source("192.0.2.1"))
            waits.append(0)
        except TooManyTries as error:
            waits.append(error.retry_after)
            clock.now += error.retry_after
    assert waits == [0] * (FREE - 1) + [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, LONGEST, LONGEST, LONGEST]
    throttle.check(source("192.0.2.2"))


def test_a_right_answer_forgives_what_was_wrong_on_it_only() -> None:
    throttle = LoginThrottle(Clock())
    for _ in range(FREE - 1):
        throttle.wrong(source("192.0.2.1"), "pin")
        throttle.right(source("192.0.2.1"), "token")  # whoever has a token of their own buys no tries at the PIN
    throttle.wrong(source("192.0.2.1"), "pin")
    with pytest.raises(TooManyTries):
        throttle.check(source("192.0.2.1"))
    throttle.right(source("192.0.2.1"), "pin")
    throttle.check(source("192.0.2.1"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_whose_tries_count_together(one: str, other: str, same: bool) -> None:
    throttle = LoginThrottle(Clock())
    for _ in range(FREE):
        throttle.wrong(source(one), "pin")
    if same:
        with pytest.raises(TooManyTries):
            throttle.check(source(other))
    else:
        throttle.check(source(other))


# --- names and hosts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"), [("Ada", "ada"), ("Ada", "ＡＤＡ"), ("Ada", " Ada "), ("Ada L", "Ada  L"), ("Ada", "A\u200dda")]
)
def test_spellings_that_look_alike_are_one_name(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)
    secrets = Secrets()
    secrets.claim(one, "")
    with pytest.raises(NameTaken):
        secrets.claim(other, "")


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        (None, True),
        ("pi", True),
        ("pi:5000", True),
        ("PI.LOCAL.", True),
        ("pi.home.arpa", True),
        ("[fe80::1%25eth0]:5000", True),
        ("mine.example.com", True),
        ("Mine.Example.Com:80", True),
        ("sub.mine.example.com", False),
        ("evil.com", False),
        ("pi.local.evil.com", False),
    ],
)
def test_under_which_names_the_panel_is_asked_for(host: str | None, ours: bool) -> None:
    hosts = Hosts(["mine.example.com"])
    assert hosts.allows(host) is ours
    assert hosts.allows(host) is ours  # also from what it remembers
    assert Hosts(["*"]).allows(host)


# --- the file ----------------------------------------------------------------------------------------------


def test_two_who_change_the_secrets_at_once_lose_nothing(tmp_path: Path) -> None:
    def add(number: int) -> None:
        keys = SecretStore(tmp_path)
        keys.open()
        for each in range(5):
            keys.add_token(f"{number}.{each}", Role.VIEWER)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = SecretStore(tmp_path)
    keys.open()
    assert len(keys.secrets.tokens) == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["access.json", "access.lock"]


def test_a_token_is_kept_as_a_hash_only(tmp_path: Path) -> None:
    keys = SecretStore(tmp_path)
    keys.open()
    id, token = keys.add_token("switch", Role.OPERATOR)
    assert token not in (tmp_path / "access.json").read_text()
    assert keys.token_of(token) == id
    assert keys.token_of(token + "x") is None
    keys.revoke_token(id)
    assert keys.token_of(token) is None


def test_a_file_that_makes_no_sense_lets_nobody_in(tmp_path: Path) -> None:
    keys = SecretStore(tmp_path)
    keys.open()
    pin = keys.secrets.pin
    (tmp_path / "access.json").write_text("{}}")
    assert keys.refresh() is True
    assert keys.trouble is not None
    assert keys.secrets.pin == pin
    with pytest.raises(SetupError, match="makes no sense"):
        SecretStore(tmp_path).open()


# --- who somebody is ---------------------------------------------------------------------------------------


def scope(**fields: Any) -> dict[str, Any]:
    return {"type": "http", "scheme": "http", "client": ("127.0.0.1", 1), "headers": [], "query_string": b"", **fields}


def access(tmp_path: Path) -> Access:
    keys = SecretStore(None)
    keys.open()
    return Access(Settings(data=tmp_path), keys, Origins([]), Audit(Store(None)))


@pytest.mark.parametrize(
    ("asked", "role"),
    [
        (scope(), Role.ADMIN),
        (scope(client=("192.168.1.2", 1)), Role.VIEWER),
        (scope(client=("198.51.100.1", 1)), Role.NOBODY),
        (scope(client=None), Role.NOBODY),
        # What a proxy that nobody named forwards comes from loopback, and is from anywhere.
        (scope(**{"pilotlight.proxied": True}), Role.NOBODY),
        (scope(headers=[(b"cookie", b"pilotlight-5000=made-up")]), Role.ADMIN),
        (scope(client=("192.168.1.2", 1), headers=[(b"cookie", b"pilotlight-5000=made-up")]), Role.VIEWER),
    ],
)
def test_the_role_of_a_request(tmp_path: Path, asked: dict[str, Any], role: Role) -> None:
    assert access(tmp_path).identify(asked).role is role


async def test_a_drag_is_one_row_on_rest_too_where_each_request_is_somebody_anew() -> None:
    store = Store(None)
    store.open()
    audit = Audit(store)
    for level in range(50):
        who = Identity(role=Role.ADMIN, how="loopback", address="127.0.0.1")
        audit.note_command(Actor(name="curl", via="rest", identity=who), SetLight(light="led", level=level))
    (row,), _ = await audit.page(before=None, limit=10)
    assert (row["times"], row["subject"], row["detail"], row["role"]) == (50, "led", {"level": 49}, "admin")
    await asyncio.to_thread(store.close)


async def test_the_trail_keeps_the_newest_of_what_was_done_and_of_what_was_refused() -> None:
    store = Store(None, Retention(audit=100))
    store.open()
    audit = Audit(store)
    someone = Identity(role=Role.OPERATOR, how="pin", address="192.0.2.1")
    audit.note(someone, "sign_in")
    for number in range(300):
        audit.note(someone, f"knock {number}", outcome="refused")
    audit.flush()
    while await store.prune():
        pass
    rows, _ = await audit.page(before=None, limit=1000)
    assert [row["what"] for row in rows if row["outcome"] == "done"] == ["sign_in"]
    assert [row["what"] for row in rows if row["outcome"] == "refused"] == [
        f"knock {number}" for number in range(299, 199, -1)
    ]
    await asyncio.to_thread(store.close)
