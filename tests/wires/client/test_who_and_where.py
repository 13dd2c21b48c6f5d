"""The Python client and names: who it is on the panel, and rooms and talks that are deleted and begin again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import pilotlight
from tests.support.cuttable_line import Line
from tests.support.panel_process import RunningPanel, eventually

OWNER = "Zoë Quill"


@pytest.fixture(scope="module")
def token(panel: RunningPanel) -> Iterator[str]:
    """A token that has a name."""
    made = panel.post("/access/tokens", json={"label": "script", "role": "operator", "name": OWNER}).json()
    yield made["token"]
    panel.delete(f"/access/tokens/{made['id']}")


async def texts(messages: pilotlight.Events[pilotlight.MessageSaid], count: int) -> list[object]:
    """What the next messages say."""
    async with asyncio.timeout(15):
        return [(await anext(messages)).message.msg for _ in range(count)]


@pytest.mark.parametrize("name", [None, OWNER, "zoë quill", " Zoë  Quill"])
async def test_a_named_token_misses_no_private_message(panel: RunningPanel, token: str, name: str | None) -> None:
    async with (
        Line(panel) as line,
        pilotlight.connect(line.url, token=token, name=name) as zoe,
        pilotlight.connect(panel.url, name="Bob") as bob,
    ):
        messages = zoe.messages()
        await bob.say("one", to=OWNER)
        await zoe.say("two", to="Bob")
        await zoe.say("a note", to=OWNER)
        assert await texts(messages, 3) == ["one", "two", "a note"]
        line.cut()
        await bob.say("three", to=OWNER)
        line.mend()
        assert await texts(messages, 1) == ["three"]  # nothing else makes the client look
        await zoe.say("four", to="Bob")
        assert await texts(messages, 1) == ["four"]


@pytest.mark.parametrize("spelling", ["cellar", " cellar ", "living  room", "Cafe\u0301"])
async def test_a_room_is_one_however_it_is_written(panel: RunningPanel, spelling: str) -> None:
    async with Line(panel) as line, pilotlight.connect(line.url, name="Ada") as ada:
        messages, changes = ada.messages(spelling), ada.events(pilotlight.Lost, pilotlight.Resumed)
        room = await ada.join(spelling)
        await room.say("one")
        assert await texts(messages, 1) == ["one"]
        await ada.leave(spelling)
        line.cut()
        line.mend()
        assert [type(await anext(changes)) for _ in range(2)] == [pilotlight.Lost, pilotlight.Resumed]
        await ada.say("two", room=room.name)
        await ada.join(room.name)
        await ada.say("three", room=room.name)
        assert await texts(messages, 1) == ["three"]


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("says", [0, 1, 3])
async def test_a_deleted_room_that_is_joined_again_begins_again(panel: RunningPanel, away: bool, says: int) -> None:
    async with (
        Line(panel) as line,
        pilotlight.connect(line.url, name="Ada") as ada,
        pilotlight.connect(panel.url, name="Bob") as bob,
    ):
        messages, gone = ada.messages(), ada.events(pilotlight.RoomChanged)
        await ada.join("attic")
        await bob.join("attic")
        for n in range(2):
            await bob.say(n, room="attic")
        assert await texts(messages, 2) == [0, 1]
        if away:
            line.cut()
        await bob.ask("delete_room", room="attic")
        if says:
            room = await bob.join("attic")
            for n in range(says):
                await room.say(f"without Ada {n}")
        line.mend()
        async with asyncio.timeout(15):
            while (await anext(gone)).state is not None:
                pass
        await ada.ask("ping")  # by then it is in all its rooms
        assert ("attic" in ada.rooms) == bool(says)  # not made again
        await ada.join("attic")
        await bob.join("attic")
        for n in range(3):
            await bob.say(f"new {n}", room="attic")
        assert await texts(messages, 3) == ["new 0", "new 1", "new 2"]
        await bob.ask("delete_room", room="attic")


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("says", [0, 1, 3])
async def test_a_deleted_talk_begins_again(panel: RunningPanel, away: bool, says: int) -> None:
    async with (
        Line(panel) as line,
        pilotlight.connect(line.url, name="Ada") as ada,
        pilotlight.connect(panel.url, name="admin") as admin,
    ):
        messages, gone = ada.messages(), ada.events(pilotlight.TalkDeleted, pilotlight.Resumed)
        async with pilotlight.connect(panel.url, name="Carl") as carl:
            for n in range(2):
                await carl.say(n, to="Ada")
            assert await texts(messages, 2) == [0, 1]
        if away:
            line.cut()
        await admin.ask("delete_person", person="Carl")
        async with pilotlight.connect(panel.url, name="Carl") as carl:
            for n in range(says):
                await carl.say(f"new {n}", to="Ada")
            line.mend()
            await asyncio.wait_for(anext(gone), 15)
            assert await texts(messages, says) == [f"new {n}" for n in range(says)]
            await carl.say("last", to="Ada")
            assert await texts(messages, 1) == ["last"]
        await admin.ask("delete_person", person="Carl")


@pytest.mark.parametrize("reads", [False, True])
async def test_a_viewer_is_refused_nothing_that_it_does_not_ask_for(panel: RunningPanel, reads: bool) -> None:
    made = panel.post("/access/tokens", json={"label": f"screen {reads}", "role": "viewer"}).json()
    for _ in range(2):
        async with pilotlight.connect(panel.url, token=made["token"]) as screen:
            events = screen.events() if reads else screen.events(pilotlight.LightChanged)
            panel.patch("/lights/led", {"step": 1})
            while not isinstance(await anext(events), pilotlight.LightChanged):
                pass
            await screen.ask("ping")
    panel.delete(f"/access/tokens/{made['id']}")

    def trail() -> list[tuple[str, str]] | None:
        rows = [(row["how"], row["what"]) for row in panel.get("/audit").json()["audit"]]
        return rows if (rows[0][1] == "revoke_token") else None

    of_screen = [what for how, what in eventually(trail) if how == f"token screen {reads}"]
    assert ("get_threads" in of_screen) == reads  # its private messages, which it reads
