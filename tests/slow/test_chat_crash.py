"""Twenty people chat while the panel is killed, again and again: acknowledged messages are stored once, in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.support.live_client import LiveClient, strict_json
from tests.support.panel_process import RunningPanel, eventually

CHATTERS = 20
KILLS = 10
WAIT = (0.0, 0.4)  # seconds from a start to the next kill


class Chatter:
    """Client that sends one message after the other, and repeats each until it is acknowledged."""

    def __init__(self, panel: RunningPanel, number: int, chance: random.Random) -> None:
        self.name = f"chatter-{number}"
        self.friend = f"chatter-{(number + 1) % CHATTERS}"
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.received: list[list[dict[str, Any]]] = []  # of each connection
        self.stopping = False
        self._panel = panel
        self._chance = chance
        self._next = 0

    async def live(self) -> None:
        """Chat until told to stop, and then until the last message is acknowledged."""
        while not (self.stopping and self._next == len(self.acknowledged)):
            # what may happen to a client whose panel is killed: refused, reset, cut off in the handshake
            with contextlib.suppress(OSError, WebSocketException, EOFError, TimeoutError):
                async with connect(
                    self._panel.socket_url(f"/live?name={self.name}"), open_timeout=5, close_timeout=0.1, proxy=None
                ) as socket:
                    await self._talk(LiveClient(socket, strict_json(await socket.recv())))
            await asyncio.sleep(self._chance.uniform(0.1, 0.3))  # before it tries again

    async def _talk(self, client: LiveClient) -> None:
        self.received.append([])
        try:
            await client.ask("join_room", room="lobby")
            while not (self.stopping and self._next == len(self.acknowledged)):
                if self._next == len(self.acknowledged):
                    self._next += 1
                # the last one that nobody acknowledged, with the same id, or a new one
                await self._say(client, f"{self.name}/{self._next}")
        finally:
            events = [event for frame in client.frames for event in frame.get("events", [])]
            assert not [event for event in events if event["event"] == "gap"]
            self.received[-1] += [event["message"] for event in events if event["event"] == "message"]

    async def _say(self, client: LiveClient, id: str) -> None:
        number = int(id.rpartition("/")[2])
        where = {"to": self.friend} if number % 5 == 0 else {"room": "lobby"}
        reply = await client.ask("say", **where, msg=f"{id} says", client_id=id)
        if not reply["ok"] and reply["problem"]["status"] == 404:
            await asyncio.sleep(0.05)  # the friend was never here yet
        elif not reply["ok"]:
            raise AssertionError(f"refused: {reply}")
        else:
            self.acknowledged[id] = reply["message"]


async def history(client: LiveClient, **where: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more = True
    while more:
        page = await client.ask("get_messages", **where, after=found[-1]["n"] if found else 0, limit=200)
        found += page["messages"]
        more = page["more"]
    return found


def check(kept: list[dict[str, Any]], acknowledged: list[dict[str, Any]]) -> None:
    """The history of a thread has every acknowledged message once, as it was acknowledged, and no hole."""
    assert [message["n"] for message in kept] == list(range(1, len(kept) + 1)), "a hole, or a number twice"
    assert [message["id"] for message in kept] == sorted(message["id"] for message in kept)
    ids = [message["client_id"] for message in kept]
    assert len(set(ids)) == len(ids), "a message twice"
    by_id = {message["client_id"]: message for message in kept}
    for message in acknowledged:
        assert by_id.get(message["client_id"]) == message, "acknowledged, and not in the history like that"
    for sender in {message["from"] for message in kept}:
        numbers = [int(id.rpartition("/")[2]) for id in ids if id.startswith(f"{sender}/")]
        assert numbers == sorted(numbers), "a sender's own order"


@pytest.mark.timeout(120)
async def test_ten_kills_lose_nothing_that_was_acknowledged(start_panel: Callable[..., RunningPanel]) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.randrange(10**9))
    print(f"CRASH_SEED={seed}")  # pytest shows it where the test fails
    chance = random.Random(seed)
    panel = start_panel(chat_rate=1000)
    await asyncio.to_thread(panel.restart)  # from now on its port is a given one
    chatters = [Chatter(panel, number, random.Random(seed + number)) for number in range(CHATTERS)]
    living = asyncio.gather(*(chatter.live() for chatter in chatters))

    # when the panel is killed ten times, in the middle of it
    began = time.monotonic()
    for _ in range(KILLS):
        so_far = sum(len(chatter.acknowledged) for chatter in chatters)

        def going_on(so_far: int = so_far) -> bool:
            return living.done() or sum(len(chatter.acknowledged) for chatter in chatters) > so_far + CHATTERS

        await asyncio.to_thread(eventually, going_on)
        assert not living.done(), living.exception()
        await asyncio.sleep(chance.uniform(*WAIT))  # at any moment
        os.kill(panel.process.pid, signal.SIGKILL)
        await asyncio.to_thread(eventually, lambda: panel.returncode is not None)
        await asyncio.to_thread(panel.start)
    for chatter in chatters:
        chatter.stopping = True
    await asyncio.wait_for(living, 40)
    print(f"{time.monotonic() - began:.1f} s, {sum(len(c.acknowledged) for c in chatters)} messages acknowledged")

    # then all that was acknowledged is in the history, once
    acknowledged = [message for chatter in chatters for message in chatter.acknowledged.values()]
    assert all(len(chatter.received) > KILLS / 2 for chatter in chatters)
    async with connect(panel.socket_url("/live?name=auditor"), max_size=None) as socket:
        auditor = LiveClient(socket, strict_json(await socket.recv()))
        lobby = await history(auditor, room="lobby")
        assert auditor.opening["state"]["rooms"]["lobby"]["n"] == len(lobby)
        check(lobby, [message for message in acknowledged if message["room"] == "lobby"])
    private: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for chatter in chatters:
        async with connect(panel.socket_url(f"/live?name={chatter.name}"), max_size=None) as socket:
            client = LiveClient(socket, strict_json(await socket.recv()))
            pair = tuple(sorted((chatter.name, chatter.friend)))
            private[pair] = await history(client, to=chatter.friend)
            check(private[pair], [message for message in acknowledged if message["to"] == chatter.friend])
    # and everybody saw them in that order, each as it is kept: nothing was seen that is not there
    kept = {message["id"]: message for messages in (lobby, *private.values()) for message in messages}
    for chatter in chatters:
        for received in chatter.received:
            assert all(kept.get(message["id"]) == message for message in received)
            in_lobby = [message["n"] for message in received if message["room"] == "lobby"]
            assert in_lobby == list(range(in_lobby[0], in_lobby[0] + len(in_lobby))) if in_lobby else True
            for other in {message["from"] for message in received} | {message["to"] for message in received}:
                pairs = [
                    m["n"] for m in received if m["to"] is not None and {m["from"], m["to"]} == {chatter.name, other}
                ]
                assert pairs == sorted(set(pairs))
    assert "Traceback" not in panel.log()
