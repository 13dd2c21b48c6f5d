"""The connection for what is asked often: answers in order, refusals, silence, the end, and what is published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
import redis

from asgi_app.engine.connection import Connection
from asgi_app.engine.link import client
from tests.support.redis_server import PASSWORD, RedisServer

LONG = 20.0  # seconds

protocols = pytest.mark.parametrize("protocol", [2, 3])


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(password=PASSWORD) as server:
        yield server


async def opened(
    server: RedisServer, protocol: int = 3, hear: Callable[[bytes, bytes], None] | None = None, within: float = LONG
) -> Connection:
    return await Connection.open(client(f"{server.url}?protocol={protocol}", PASSWORD), within, hear)


@protocols
async def test_answers_come_in_the_order_of_the_commands(server: RedisServer, protocol: int) -> None:
    """Also where a command is refused, or nobody waits for its answer any more."""
    connection = await opened(server, protocol)
    answers = [connection.ask("ECHO", number) for number in range(100)]
    answers[10].cancel()
    answers.append(connection.ask("EVAL", "return redis.error_reply('ERR not like this')", 0))
    answers.append(connection.ask("ECHO", "é" * 100_000))
    said = await asyncio.gather(*answers, return_exceptions=True)
    assert isinstance(said.pop(10), asyncio.CancelledError)
    assert said[:99] == [str(number).encode() for number in range(100) if number != 10]
    assert (type(said[99]), str(said[99])) == (redis.ResponseError, "not like this")
    assert said[100] == ("é" * 100_000).encode()
    await connection.close()


@protocols
async def test_what_is_published_is_heard_between_the_answers(server: RedisServer, protocol: int) -> None:
    heard: list[tuple[bytes, bytes]] = []
    hearing = await opened(server, protocol, lambda channel, text: heard.append((channel, text)))
    speaking = await opened(server)
    await hearing.ask("SUBSCRIBE", "one")
    texts = [speaking.ask("PUBLISH", "one", number) for number in range(50)]
    await hearing.ask("SUBSCRIBE", "two")  # messages come before its answer
    assert await asyncio.gather(*texts) == [1] * 50
    await speaking.ask("PUBLISH", "two", "last")
    async with asyncio.timeout(LONG):
        while (b"two", b"last") not in heard:
            await asyncio.sleep(0.01)
    assert heard == [(b"one", str(number).encode()) for number in range(50)] + [(b"two", b"last")]
    await hearing.close()
    await speaking.close()


async def test_silence_ends_it(server: RedisServer) -> None:
    """It counts from each command. Nothing is asked afterwards."""
    connection = await opened(server, within=1.5)
    for _ in range(3):
        assert await connection.ask("BLPOP", "nothing", "0.6") is None
    waiting = [connection.ask("BLPOP", "nothing", 30), connection.ask("PING")]
    for answer in (*waiting, connection.ended, connection.ask("PING")):
        with pytest.raises(redis.RedisError):
            await answer
    assert isinstance(waiting[0].exception(), redis.TimeoutError)


@pytest.mark.parametrize("ends", ["server", "process", "nonsense"])
async def test_its_end_is_known_to_all_that_wait(ends: str) -> None:
    with RedisServer() as server:
        connection = await Connection.open(client(server.url, None), LONG)
        waiting = [connection.ask("BLPOP", "nothing", 0) for _ in range(3)]
        if ends == "server":
            server.kill()
        elif ends == "process":
            await connection.close()
        else:
            connection.data_received(b"HTTP/1.1 400 Bad Request\r\n")
        async with asyncio.timeout(LONG / 2):
            for answer in (*waiting, connection.ended, connection.ask("PING")):
                with pytest.raises(redis.ConnectionError):
                    await answer
    await connection.close()  # twice is no error


async def test_a_user_who_may_not(server: RedisServer) -> None:
    server.do("ACL", "SETUSER", "guest", "on", ">guest", "+@connection", "+hello")
    connection = await Connection.open(client(server.url.replace("//", "//guest@"), "guest"), LONG)
    with pytest.raises(redis.exceptions.NoPermissionError):
        await connection.ask("GET", "x")
    await connection.close()
