"""Every limit of access that docs/reference/access.md names."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from asgi_app.access import Access, Accounts, Audit, SecretStore
from asgi_app.access import access as module
from asgi_app.access import secret_store as keys
from asgi_app.access.pin import new_pin
from asgi_app.errors import BadCommand, SignInFailed, SignInNeeded, TooMany
from asgi_app.models.access import Credentials, Identity, Role
from asgi_app.net.origins import Origins
from asgi_app.routes.access import SignIn, TrailQuery
from asgi_app.settings import Settings
from asgi_app.store import Store
from tests.support.panel_process import ROOT

TEXT = " ".join((ROOT / "docs" / "reference" / "access.md").read_text().split())


@pytest.fixture
async def access(tmp_path: Path) -> Access:
    store = Store(None)
    store.open()
    return Access(Settings(data=tmp_path), SecretStore(None), Origins([]), Audit(store))


def with_ticket(ticket: str) -> dict[str, Any]:
    query = f"ticket={ticket}".encode()
    return {"type": "websocket", "scheme": "ws", "client": ("192.0.2.1", 1), "headers": [], "query_string": query}


def at_home(access: Access, **credentials: Any) -> Identity:
    return access.identities.resolve("192.168.0.7", "network", Credentials(**credentials))


async def test_a_ticket_is_good_for_five_seconds(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    assert '"expires_in": 5' in TEXT
    assert "within 5 seconds" in TEXT
    now = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    young, old = access.ticket(at_home(access, pin=1)), access.ticket(at_home(access, pin=1))
    now += 4.99
    assert access.identify(with_ticket(young)).role is Role.OPERATOR
    now += 0.02
    with pytest.raises(SignInFailed):
        access.identify(with_ticket(old))


async def test_a_ticket_is_good_once_and_there_are_so_many(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = access.ticket(at_home(access, pin=1))
    access.identify(with_ticket(ticket))
    with pytest.raises(SignInFailed):
        access.identify(with_ticket(ticket))
    with pytest.raises(SignInNeeded):
        access.ticket(at_home(access))
    monkeypatch.setattr(module, "TICKETS", 3)
    for _ in range(3):
        access.ticket(at_home(access, pin=1))
    with pytest.raises(TooMany):
        access.ticket(at_home(access, pin=1))


@pytest.mark.parametrize(("length", "good"), [(7, False), (8, True), (128, True), (129, False)])
async def test_the_length_of_a_password(access: Access, length: int, good: bool) -> None:
    assert "8 to 128 characters" in TEXT
    accounts, owner = Accounts(access, str), at_home(access, pin=1)
    if good:
        signed_in, _ = await accounts.sign_in(owner, name="Ada", password="x" * length)
        assert signed_in.name == "Ada"
        return
    with pytest.raises(BadCommand, match="8 to 128"):
        await accounts.sign_in(owner, name="Ada", password="x" * length)
    assert access.secret_store.secrets.names == {}
    if length > 128:
        with pytest.raises(ValidationError):
            SignIn(password="x" * length)


def test_the_digits_of_a_pin() -> None:
    assert "has 8 digits" in TEXT
    assert all(re.fullmatch(r"\d{8}", new_pin()) for _ in range(100))
    assert len({new_pin() for _ in range(100)}) > 95


def test_a_session_is_good_for_thirty_days_where_nothing_else_is_set() -> None:
    assert "for 30 days (setting `sign_in_days`)" in TEXT
    assert Settings.model_fields["sign_in_days"].default == 30


async def test_the_setting_is_what_counts(tmp_path: Path) -> None:
    for days in (1, 30):
        found = Access(Settings(data=tmp_path, sign_in_days=days), SecretStore(None), Origins([]), Audit(Store(None)))
        assert found.sessions.seconds == days * 24 * 3600


@pytest.mark.parametrize(("limit", "good"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_how_much_of_the_trail_is_read_at_once(limit: int, good: bool) -> None:
    assert "`?limit=` (1 to 1000)" in TEXT
    if good:
        assert TrailQuery(limit=limit).limit == limit
    else:
        with pytest.raises(ValidationError):
            TrailQuery(limit=limit)


def test_how_much_of_the_trail_is_kept() -> None:
    assert "10,000 rows of what was done are kept" in TEXT
    assert Settings.model_fields["keep_audit"].default == 10_000


def test_how_many_tokens_and_names_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "TOKENS", 3)
    monkeypatch.setattr(keys, "CLAIMS", 2)
    known = SecretStore(None)
    for number in range(3):
        known.add_token(str(number), Role.VIEWER)
    with pytest.raises(TooMany):
        known.add_token("one more", Role.VIEWER)
    for name in ("Ada", "Bob"):
        known.change(lambda secrets, name=name: secrets.claim(name, ""))
    with pytest.raises(TooMany):
        known.change(lambda secrets: secrets.claim("Carol", ""))
