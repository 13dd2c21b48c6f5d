"""One connection of a process to Redis: what it asks there, and what comes from there."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from asgi_app.engine import scripts
from asgi_app.engine.clock import EngineClock, boot_time
from asgi_app.engine.connection import Connection, Hear
from asgi_app.engine.owner import Owner
from asgi_app.engine.picture import Change, Picture, read_picture

log = logging.getLogger("pilotlight.engine")

ANSWER = 2.5  # seconds for an answer of Redis
BLOCK = 5.0  # seconds for which a read waits for events
MOST = 1000  # events of one read
AWAY = "%NODE% is away: it has given no sign of life for 6 s."
SHAPE = (AttributeError, IndexError, KeyError, TypeError, ValueError)  # of an answer that is not ours


class Lost(Exception):
    """The connection is of no use any more. The text says why, and begins with a capital letter."""


class Fenced(Lost):
    """Another process owns the name or a pin of this one."""


class Keeper(NamedTuple):
    """The process that has the shared database: the token of its connection, and its address."""

    token: str
    address: str


class Link:
    """A connection. Every method raises `Lost` when Redis does not answer, or is not the one it was.

    `token` is new for each connection: what an earlier one has sent and comes late is refused. `before` is the token
    of the connection before, whose name this one takes.
    """

    def __init__(self, url: str, password: str | None, clock: EngineClock, owner: Owner, before: str = "") -> None:
        self._redis = client(url, password)
        self._asking: Connection | None = None  # for what waits for nothing
        self._reading: Connection | None = None  # for reads that block
        self._hearing: Connection | None = None
        self._in_order = asyncio.Lock()
        self._clock = clock
        self._owner = owner
        self._before = before
        self.token = uuid.uuid4().hex
        self.epoch = ""
        self.keeper: Keeper | None = None  # at the last beat
        self.trip = 0.0  # seconds, of the last beat
        clock.forget()

    async def close(self) -> None:
        """Close the connections."""
        for one in (self._asking, self._reading, self._hearing):
            if one is not None:
                await one.close()
        await self._redis.aclose()

    async def join(self, history: int = 1) -> Picture:
        """Return the state now, and at most so many of the last events. Call it before all else."""
        if self._asking is None:
            self._asking = await self._do(Connection.open(self._redis, ANSWER))
        asked_at = boot_time()
        info = await self._do(self._redis.info("server"))
        said = await self._run(scripts.JOIN, info["run_id"], uuid.uuid4().hex, history)
        epoch, rev, fields, time, events = said
        self._clock.note(asked_at, _time(time))
        self.epoch = epoch.decode()
        try:
            entries = [(_number(id), pairs[1]) for id, pairs in reversed(events)]
        except SHAPE as error:
            raise Lost(f"Redis has events that are none: {error}") from None
        return read_picture(self.epoch, rev, zip(fields[::2], fields[1::2], strict=True), entries)

    async def beat(self) -> bool:
        """Renew the lease of the node, and take the lights of dead nodes offline. Raises `Fenced`.

        Return whether the node had none before: then its lights were taken offline.
        """
        said = await self._beat(self._before)
        if said[0] == b"held" and (dead := self._owner.may_replace(said[1])):
            said = await self._beat(dead)
        match said:
            case [b"ok", _, claimed, keeper]:
                record = json.loads(keeper or "{}")
                self.keeper = Keeper(record["token"], record["address"]) if record else None
                return bool(claimed)
            case [b"epoch"]:
                raise Lost("Redis has lost what it had")
            case [b"keeper", record] | [b"held", record] if self._owner.keeper and json.loads(record).get("keeper"):
                address = json.loads(record)["address"]
                raise Fenced(f"The panel at {address} is the keeper already. Start this one without --keeper")
            case [b"held", record]:
                address, node = json.loads(record)["address"], self._owner.node
                raise Fenced(f"The name {node} belongs to the panel at {address}. Start this one with another --node")
            case [b"pin", record, pin]:
                address = json.loads(record)["address"]
                raise Fenced(f"The panel at {address} drives the pin {pin.decode()}")
        raise Lost("Redis does not run the scripts of this panel as it should")

    async def _beat(self, before: str) -> Any:
        owner, asked_at = self._owner, boot_time()
        record, lease = owner.record(self.token), int(scripts.LEASE * 1000)
        said = await self._run(
            scripts.BEAT_SCRIPT, self.epoch, lease, AWAY, owner.name, record, self.token, before, owner.light
        )
        if said[0] == b"ok":
            self._clock.note(asked_at, _time(said[1]))
            self.trip = boot_time() - asked_at
        return said

    async def commit(self, changes: Sequence[Change], *, resync: bool = False) -> int:
        """Number the events, and return the last revision. With `resync`, everybody reads the state again.

        Raises `Fenced`.
        """
        name = self._owner.name
        words: list[str | int] = ["EVAL", scripts.COMMIT, len(scripts.KEYS), *scripts.KEYS]
        words += self.epoch, name, self.token, int(resync), len(changes)
        for change in changes:
            words += change.field, change.event, change.state
        askers = [(at, asker) for at, change in enumerate(changes, 1) for asker in change.askers]
        for at, asker in askers:
            words += at, scripts.REPLY + asker.process, json.dumps(asker.id)
        said = await self._ask(*words)
        match said:
            case [b"ok", rev]:
                for _, asker in askers:
                    asker.answered = True
                return int(rev)
            case [b"fenced"]:
                raise Fenced(f"The lease of the name {name} had expired")
        raise Lost("Redis has lost what it had")

    async def leave(self, reason: str) -> None:
        """Give up the name: the lights of the node go offline for this reason."""
        await self._run(scripts.LEAVE, self.epoch, self._owner.name, self.token, reason)

    async def send(self, channel: str, text: str) -> int:
        """Publish the text, and return how many processes get it."""
        return int(await self._ask("PUBLISH", channel, text))

    async def send_all(self, texts: Sequence[tuple[str, str]]) -> list[int]:
        """Publish texts on their channels, in this order. Return how many processes get each."""
        async with self._in_order:
            pipeline = self._redis.pipeline(transaction=False)
            for channel, text in texts:
                pipeline.publish(channel, text)
            return [int(heard) for heard in await self._do(pipeline.execute())]

    async def keep_secrets(self, text: str) -> None:
        """Keep the sign-ins of the home in the engine, for processes that join."""
        await self._do(self._redis.set(scripts.SECRETS, text))

    async def secrets(self) -> bytes | None:
        """Return the sign-ins of the home, if there are any."""
        found: bytes | None = await self._do(self._redis.get(scripts.SECRETS))
        return found

    async def read(self, after: int) -> list[tuple[int, bytes]]:
        """Return the events after this revision, as soon as there are any; an empty list after some seconds."""
        if self._reading is None:
            self._reading = await self._do(Connection.open(self._redis, BLOCK + ANSWER))
        words = "XREAD", "COUNT", MOST, "BLOCK", int(BLOCK * 1000), "STREAMS", scripts.EVENTS, f"{after}-1"
        said = await self._do(self._reading.ask(*words))
        try:
            streams = said.items() if isinstance(said, dict) else said or ()  # a dict in version 3 of the protocol
            return [(_number(id), fields[1]) for _, entries in streams for id, fields in entries]
        except SHAPE as error:
            raise Lost(f"Redis has events that are none: {error}") from None

    async def hear(self, take: Hear, channels: Sequence[str], begun: asyncio.Event) -> None:
        """Have `take` called with what is published on these channels, and its channel, until the connection ends.

        Set `begun` once everything will be heard.
        """
        self._hearing = hearing = await self._do(Connection.open(self._redis, ANSWER, take))
        for channel in channels:
            await self._do(hearing.ask("SUBSCRIBE", channel))
        begun.set()
        await self._do(hearing.ended)

    async def _ask(self, *words: str | int) -> Any:
        assert self._asking is not None, "there was no join"
        return await self._do(self._asking.ask(*words))

    async def _run(self, script: str, *arguments: str | int) -> Any:
        return await self._do(self._redis.eval(script, len(scripts.KEYS), *scripts.KEYS, *arguments))

    @staticmethod
    async def _do(answer: Any) -> Any:
        try:
            said = await answer
        except (redis.RedisError, OSError) as error:
            stop_if_cancelled()
            raise lost(error) from None
        stop_if_cancelled()
        return said


def client(url: str, password: str | None, *, waits: bool = False) -> redis.asyncio.Redis:
    """Return a client of Redis that tries nothing twice. Each answer has `ANSWER` seconds, unless it `waits`."""
    given = {} if password is None else {"password": password}
    options: dict[str, Any] = {"retry": Retry(NoBackoff(), 0), "socket_connect_timeout": ANSWER, **given}
    return redis.asyncio.Redis.from_url(url, socket_timeout=None if waits else ANSWER, **options)


def stop_if_cancelled() -> None:
    """Raise `CancelledError` again: redis-py loses it where a connection ends at the same time.

    Call it in tasks that end with their cancellation, after each answer.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def lost(error: Exception) -> Lost:
    """Return the error without the address and the password of the engine, which nobody but its owner may see."""
    match error:
        case redis.AuthenticationError() | redis.exceptions.NoPermissionError():
            return Lost("Redis refuses the user or the password of this panel, or its rights are too small")
        case redis.TimeoutError():
            return Lost(f"Redis has not answered for {ANSWER:g} s")
        case redis.ConnectionError() | OSError():
            return Lost("Redis cannot be reached")
        case redis.ResponseError():
            return Lost(f"Redis refuses: {str(error).partition(' script:')[0].rstrip('.')}")
    return Lost(f"Redis cannot be used ({type(error).__name__})")


def _time(said: Any) -> tuple[int, int]:
    return int(said[0]), int(said[1])


def _number(id: bytes) -> int:
    """Return the revision in the id of an entry of the stream."""
    return int(id.partition(b"-")[0])
