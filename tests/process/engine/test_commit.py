"""One commit of a node: its events are numbered, and the commands that they answer are answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis.asyncio

from asgi_app.engine import scripts
from asgi_app.engine.clock import EngineClock
from asgi_app.engine.link import Fenced, Link
from asgi_app.engine.owner import Owner
from asgi_app.engine.picture import Change
from asgi_app.service.panel import Asker
from tests.support.redis_server import RedisServer


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


async def test_each_command_gets_the_number_of_its_event(server: RedisServer) -> None:
    ada, eve, odd = Asker("ada", "1"), Asker("eve", "2"), Asker("ada", 'of " and %d')
    changes = [
        Change("runs:old", "", ""),  # nobody is told
        Change("hall.led", '{"event":"a"}', '{"level":"7 %s"}', [ada, eve]),
        Change("hall.desk", '{"event":"b"}', '{"level":8}'),
        Change("hall.led", '{"event":"c"}', '{"level":9}', [odd]),
    ]
    link = Link(server.url, None, EngineClock(), Owner("hall", "here:1"))
    async with redis.asyncio.Redis(port=server.port) as engine, engine.pubsub() as replies:
        await replies.psubscribe(scripts.REPLY + "*")
        await link.join()
        await link.beat()
        assert await link.commit(changes, resync=True) == 4
        await engine.publish(scripts.REPLY, "all")
        said = []
        async for message in replies.listen():
            if message["data"] == b"all":
                break
            if message["type"] == "pmessage":
                said.append((message["channel"].decode(), json.loads(message["data"])))
        entries = await engine.xrange(scripts.EVENTS)
    texts = [b'{"event":"a"}', b'{"event":"b"}', b'{"event":"c"}', b'{"event":"resync"}']
    assert entries == [(b"%d-1" % rev, {b"e": text}) for rev, text in enumerate(texts, 1)]
    assert said == [
        (
            scripts.REPLY + "ada",
            {"id": "1", "rev": 1, "epoch": link.epoch, "light": {"level": "7 %s"}, "event": {"event": "a"}},
        ),
        (
            scripts.REPLY + "eve",
            {"id": "2", "rev": 1, "epoch": link.epoch, "light": {"level": "7 %s"}, "event": {"event": "a"}},
        ),
        (
            scripts.REPLY + "ada",
            {"id": odd.id, "rev": 3, "epoch": link.epoch, "light": {"level": 9}, "event": {"event": "c"}},
        ),
    ]
    assert all(asker.answered for asker in (ada, eve, odd))
    await link.close()


async def test_who_owns_the_name_no_more_answers_nobody(server: RedisServer) -> None:
    asker = Asker("ada", "1")
    old, new = (Link(server.url, None, EngineClock(), Owner("hall", "here:1")) for _ in range(2))
    for link in (old, new):
        await link.join()
        await link.beat()
    with pytest.raises(Fenced):
        await old.commit([Change("hall.led", "{}", "{}", [asker])])
    assert not asker.answered
    assert server.do("XLEN", scripts.EVENTS) == 0
    for link in (old, new):
        await link.close()
