"""What the tests of the store say and read back: drafts, pages, histories."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from asgi_app.models.chat import ChatMessage, Thread
from asgi_app.store import Store
from asgi_app.store import chat as stored
from tests.support.chat_people import Person
from tests.support.panel_process import RunningPanel

StartPanel = Callable[..., RunningPanel]


LOBBY = Thread(room="lobby")


def draft(number: int, thread: Thread = LOBBY, sender: str = "Ada", client_id: str | None = None) -> stored.Draft:
    return stored.Draft(thread, sender, thread.other(sender), number, 1000.0 + number, client_id)


async def page(
    store: Store, thread: Thread = LOBBY, *, after: int | None = 0, limit: int = 10_000
) -> list[ChatMessage]:
    found, _ = await store.do(partial(stored.messages, thread=thread, before=None, after=after, limit=limit))
    return found


def errors(panel: RunningPanel) -> list[str]:
    return [line for line in panel.output if " ERROR " in line]


async def history(one: Person, **where: Any) -> list[tuple[int, Any]]:
    found = (await one.ask("get_messages", **where, after=0, limit=200))["messages"]
    return [(message["n"], message["msg"]) for message in found]
