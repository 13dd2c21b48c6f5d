"""People in a home: who joins rooms, what they hear, and who is present."""

from __future__ import annotations

from typing import Any

from tests.support.live_client import LiveClient
from tests.support.panel_process import RunningPanel


async def joined(client: LiveClient, room: str) -> None:
    assert (await client.ask("join_room", room=room))["ok"]


async def heard(client: LiveClient, count: int) -> list[tuple[int, str, Any]]:
    """The next messages: number, sender, text."""
    messages = [(await client.event("message"))["message"] for _ in range(count)]
    return [(message["n"], message["from"], message["msg"]) for message in messages]


def people_on(panel: RunningPanel) -> set[str]:
    return {person["name"] for person in panel.get("/chat/rooms").json()["people"]}
