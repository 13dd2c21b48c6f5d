"""Sessions by themselves: how long they are good, what clocks do to them, and how many there may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from asgi_app.access import SecretStore
from asgi_app.access import sessions as module
from asgi_app.access.sessions import DAY, Sessions
from asgi_app.errors import NotStored, UnknownSession
from asgi_app.models.access import Credentials, Role


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keys(tmp_path: Path) -> SecretStore:
    keys = SecretStore(tmp_path)
    keys.open()
    return keys


PIN = Credentials(pin=1)
BEGUN = 1_800_000_000.0


def panel(keys: SecretStore, now: float, days: int = 30) -> tuple[Sessions, Clock]:
    """The sessions of a process that starts now, with both clocks in one."""
    clock = Clock(now)
    again = SecretStore(keys.path.parent if keys.path else None)
    again.open()
    return Sessions(again, days, clock, clock), clock


@pytest.mark.parametrize("days", [1, 30, 365])
def test_a_session_is_good_for_its_days_and_never_again(keys: SecretStore, days: int) -> None:
    sessions, clock = panel(keys, BEGUN, days)
    credentials, cookie = sessions.begin(PIN, "192.0.2.1", "Chrome")
    for process in (sessions, panel(keys, BEGUN, days)[0]):
        process._clock.now = BEGUN + days * DAY - 1  # type: ignore[attr-defined]
        assert process.of_cookie(cookie) == credentials
    later, clock = panel(keys, BEGUN + days * DAY, days)
    assert later.of_cookie(cookie) == Credentials()
    assert later.all() == {}
    assert later.are_stale()
    later.tidy()
    clock.now = BEGUN  # a clock that is set back brings nothing back
    assert later.of_cookie(cookie) == Credentials()
    assert not later.are_stale()


@pytest.mark.parametrize("boot", [0.0, 1_000_000_000.0, BEGUN - 1])
def test_after_a_start_with_a_clock_in_the_past_it_is_good(keys: SecretStore, boot: float) -> None:
    credentials, cookie = panel(keys, BEGUN)[0].begin(PIN, "192.0.2.1", "Chrome")
    sessions, clock = panel(keys, boot)
    assert sessions.of_cookie(cookie) == credentials
    clock.now = BEGUN + 60  # somebody has set it
    assert sessions.of_cookie(cookie) == credentials
    assert not sessions.are_stale()


def test_one_that_begins_before_the_clock_is_set_is_dated_anew(keys: SecretStore) -> None:
    sessions, uptime = panel(keys, 10.0)
    wall = sessions._clock = Clock(10.0)
    credentials, cookie = sessions.begin(PIN, "192.0.2.1", "Chrome")
    wall.now, uptime.now = BEGUN, 70.0
    assert sessions.of_cookie(cookie) == credentials
    assert sessions.are_stale()
    sessions.tidy()
    assert not sessions.are_stale()
    assert panel(keys, BEGUN)[0].of_cookie(cookie) == credentials  # also in the next process
    assert sessions.get(str(credentials.session)).at == pytest.approx(BEGUN - 60)  # type: ignore[union-attr]


def test_one_that_ended_never_comes_back(keys: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSIONS", 10)
    sessions, _ = panel(keys, BEGUN)
    credentials, cookie = sessions.begin(PIN, "192.0.2.1", "Chrome")
    sessions.end(str(credentials.session))
    for _ in range(40):  # four times as many as are kept
        other, _ = sessions.begin(PIN, "192.0.2.1", "Chrome")
        sessions.end(str(other.session))
        sessions.begin(PIN, "192.0.2.1", "Chrome")
        assert sessions.of_cookie(cookie) == Credentials()
    assert panel(keys, BEGUN)[0].of_cookie(cookie) == Credentials()
    with pytest.raises(UnknownSession):
        sessions.end(str(credentials.session))


def test_who_signs_in_a_lot_ends_nobody_elses_session(keys: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSIONS", 10)
    id, _ = keys.add_token("script", Role.VIEWER)
    sessions, _ = panel(keys, BEGUN)
    phones = [sessions.begin(PIN, f"192.0.2.{number}", "phone")[1] for number in range(4)]
    cookies = [sessions.begin(Credentials(token=id), "192.0.2.9", "script")[1] for _ in range(100)]
    assert len(sessions.all()) == 10
    assert all(sessions.of_cookie(cookie).pin == 1 for cookie in phones)
    assert [sessions.of_cookie(cookie) == Credentials() for cookie in cookies] == [True] * 94 + [False] * 6


def test_the_file_stays_small(keys: SecretStore) -> None:
    assert module.SESSIONS == 1000  # as docs/reference/access.md says
    sessions, _ = panel(keys, BEGUN)
    sessions.begin(PIN, "2001:db8:1234:5678:9abc:def0:1234:5678", "x" * 10_000)
    assert keys.path is not None
    assert keys.path.stat().st_size < 1500


def test_what_a_session_stood_for_is_gone_and_it_with_it(keys: SecretStore) -> None:
    sessions, _ = panel(keys, BEGUN)
    sessions.begin(PIN, "192.0.2.1", "Chrome")
    assert not sessions.are_stale()
    sessions._secret_store.renew_pin()
    assert sessions.are_stale()
    sessions.tidy()
    assert sessions._secret_store.secrets.sessions == {}


def test_signing_in_again_makes_the_cookie_of_before_worthless(keys: SecretStore) -> None:
    sessions, _ = panel(keys, BEGUN)
    credentials, before = sessions.begin(PIN, "192.0.2.1", "Chrome")
    again, after = sessions.begin(credentials, "192.0.2.7", "Firefox")
    assert again.session == credentials.session
    assert sessions.of_cookie(before) == Credentials()
    assert sessions.of_cookie(after) == credentials
    assert len(sessions.all()) == 1
    assert after not in (keys.path.read_text() if keys.path else "")


def test_a_file_that_cannot_be_written_keeps_nobody_out(keys: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, _ = panel(keys, BEGUN)

    def full(secrets: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sessions._secret_store, "_write", full)
    opened = [sessions.begin(PIN, "192.0.2.1", "Chrome") for _ in range(module.UNSAVED + 5)]
    assert len(sessions.all()) == module.UNSAVED
    credentials, cookie = opened[-1]
    assert sessions.of_cookie(cookie) == credentials
    sessions.end(str(credentials.session))
    assert sessions.of_cookie(cookie) == Credentials()
    assert panel(keys, BEGUN)[0].all() == {}


def test_one_that_ends_while_the_file_cannot_be_written_is_none_at_once(
    keys: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, _ = panel(keys, BEGUN)
    credentials, cookie = sessions.begin(PIN, "192.0.2.1", "Chrome")
    with monkeypatch.context() as full_disk:

        def full(secrets: object) -> None:
            raise OSError(28, "No space left on device")

        full_disk.setattr(sessions._secret_store, "_write", full)
        with pytest.raises(NotStored):  # it would be good again after a crash, and the answer says so
            sessions.end(str(credentials.session))
        assert sessions.of_cookie(cookie) == Credentials()
        assert sessions.all() == {}
        assert sessions.are_stale()
    sessions.tidy()
    assert not sessions.are_stale()
    assert panel(keys, BEGUN)[0].of_cookie(cookie) == Credentials()
