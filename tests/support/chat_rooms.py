"""Rooms of a test's own, on each wire that speaks the panel's own words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chat_people import Person, new

WIRES = ("live", "panel")


on_every_wire = pytest.mark.parametrize("wire", WIRES)


async def room_of(*people: Person) -> str:
    """A new room that all of them have joined, and whose making has been heard."""
    name = new("room")
    for one in people:
        assert (await one.ask("join_room", room=name))["ok"]
    for one in people:
        await one.events()
    return name


async def history(one: Person, **where: Any) -> list[dict[str, Any]]:
    """All messages of a thread."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = await one.ask("get_messages", **where, after=after, limit=200)
        found += page["messages"]
        if not page["more"]:
            return found
        after = found[-1]["n"]
