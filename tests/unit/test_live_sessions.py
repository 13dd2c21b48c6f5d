"""Live connections: what one still sends while it is being ended does not count, on any protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from asgi_app.access import Access, Accounts, Audit, SecretStore
from asgi_app.errors import NameTaken, PanelError, SignInNeeded
from asgi_app.models.access import Credentials, Role
from asgi_app.models.base import Actor
from asgi_app.models.chat import Say
from asgi_app.net.origins import Origins
from asgi_app.settings import Settings
from asgi_app.store import Store

LOOPBACK = ("127.0.0.1", "loopback")
PASSWORD = "correct horse"


class Home:
    """The access of a panel, and connections from the machine itself, which may do all."""

    def __init__(self, data: Path) -> None:
        store = Store(None)
        store.open()
        self.access = Access(Settings(data=data), SecretStore(None), Origins([]), Audit(store))
        self.accounts = Accounts(self.access, str)
        self.here = self.access.identities.resolve(*LOOPBACK, Credentials())
        self.ends: list[PanelError] = []

    def connect(self, credentials: Credentials, name: str) -> Actor:
        identity = self.access.identities.resolve(*LOOPBACK, credentials)
        actor = self.access.identities.actor(identity, name, None, "live")
        self.access.live.connected(actor, self.ends.append)
        return actor


async def claimed(home: Home) -> Actor:
    actor = home.connect(Credentials(), "Eve")
    await home.accounts.sign_in(home.here, name="Eve", password=PASSWORD)
    return actor


async def released(home: Home) -> Actor:
    owner, _ = await home.accounts.sign_in(home.here, name="Eve", password=PASSWORD)
    actor = home.connect(owner.credentials, "Eve")
    await home.accounts.release(owner, "Eve")
    return actor


async def revoked(home: Home) -> Actor:
    id, _ = await home.accounts.add_token(home.here, "eve", Role.OPERATOR, None)
    actor = home.connect(Credentials(token=id), "Eve")
    await home.accounts.revoke_token(home.here, id)
    return actor


async def signed_out(home: Home) -> Actor:
    pin = home.access.secret_store.secrets.pin
    who, _ = await home.accounts.sign_in(home.here, pin=pin)
    actor = home.connect(who.credentials, "Eve")
    await home.accounts.sign_out(who)
    return actor


@pytest.mark.parametrize(
    ("lose", "why"),
    [(claimed, NameTaken), (released, SignInNeeded), (revoked, SignInNeeded), (signed_out, SignInNeeded)],
)
async def test_who_is_being_ended_says_no_more(
    tmp_path: Path, lose: Callable[[Home], Awaitable[Actor]], why: type[PanelError]
) -> None:
    home = Home(tmp_path)
    actor = await lose(home)
    assert [type(end) for end in home.ends] == [why]
    with pytest.raises(PanelError):
        home.access.authorize_command(actor, Say(room="lobby", msg="it is me, Eve"))
