"""`Conversation`: what a panel and a broker say to each other over one connection.

What the broker has to know is not queued: an event only marks what has changed, and the state is read when there is
room to send it. So a broker that is slow gets the newest state of each light, and nothing piles up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asgi_app.errors import PanelError, TooFast
from asgi_app.hub import Outbox
from asgi_app.models.base import Actor
from asgi_app.models.groups import LightsResult
from asgi_app.models.lights import Light
from asgi_app.models.wire import AnyCommand
from asgi_app.mqtt import messages
from asgi_app.mqtt.connection import Client
from asgi_app.mqtt.messages import Hub, Platforms
from asgi_app.mqtt.topics import Kind, Topics
from asgi_app.net.limits import RateLimit
from asgi_app.service import Panel
from asgi_app.telemetry.counters import Counters
from asgi_app.telemetry.logs import LogLimit
from asgi_app.telemetry.tasks import start_task

log = logging.getLogger("pilotlight.mqtt")

AT_ONCE = 8  # messages on their way to the broker
ASKED = 64  # commands that are being done
EVENTS = 100  # runs that ended, of which the broker does not know yet
LATER = 1.0  # seconds: for reading what the broker has retained, and between an entity and its state when they go
SAMPLED = 5.0  # seconds between two looks at what only numbers tell

Mark = tuple[str, str]  # what has changed: a light with its id, or a whole kind
HUB, GROUPS, SHOWS, DIAGNOSTICS = ("hub", ""), ("groups", ""), ("shows", ""), ("diagnostics", "")
GONE = "gone"


class Conversation:
    """What is said over one connection. `lights` are those of this process; `diagnostics` returns what it reports."""

    def __init__(
        self,
        client: Client,
        topics: Topics,
        hub: Hub,
        panel: Panel,
        lights: Mapping[str, Light],
        actor: Actor,
        rate: float,
        diagnostics: Callable[[], dict[str, Any]],
    ) -> None:
        self._client = client
        self._topics = topics
        self._hub = hub
        self._panel = panel
        self._lights = lights
        self._actor = actor
        self._diagnostics = diagnostics
        self._limit = RateLimit(rate)
        self._counters: Counters = panel.counter_registry.of(actor.via)
        self._refusals = LogLimit(20, 60.0)
        self._sent: dict[str, bytes] = {}  # by topic: what the broker has, as far as is known
        self._components: Platforms = {}  # of the hub, as Home Assistant may know them
        self._due: dict[Mark, None] = {}
        self._events: deque[bytes] = deque(maxlen=EVENTS)
        self._ended = {id for id, run in panel.state.runs.items() if run.state == "ended"}  # runs that were told
        self._bell = asyncio.Event()
        self._asked: set[asyncio.Task[None]] = set()

    async def go_on(self, outbox: Outbox) -> None:
        """Talk until the connection ends. Raises `aiomqtt.MqttError`, and `Closed` once the panel has closed it."""
        topics = self._topics
        filters = [topics.commands, *topics.births, *topics.retained]
        await self._client.subscribe([(name, 1) for name in filters])
        await self._client.publish(topics.status, messages.ONLINE, qos=1, retain=True)
        self._mark_all()
        parts = (self._read(), self._write(), self._follow(outbox), self._sample(), self._stop_looking_back())
        tasks = [asyncio.create_task(part, name="mqtt") for part in parts]
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                    tasks.remove(task)
        finally:
            for task in tasks:  # what was asked is still done
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def leave(self) -> None:
        """Say that the panel is gone. Raises `aiomqtt.MqttError`."""
        await self._client.publish(self._topics.status, messages.OFFLINE, qos=1, retain=True)
        self._client.leave()

    # --- what has changed ----------------------------------------------------------------------------------------

    async def _follow(self, outbox: Outbox) -> None:
        """Mark what the events of the panel say has changed."""
        while True:
            for message in await outbox.take():
                self._see(message.data)

    def _see(self, said: Mapping[str, Any]) -> None:
        match said.get("event"):
            case "light_changed" | "light_removed":
                marks = [("light", said["light"]), GROUPS]
                if messages.may_rename_group(said["light"]):  # an id is free before another entity takes it
                    marks.insert(0 if said["event"] == "light_changed" else 1, HUB)
                for mark in marks:
                    self._mark(mark)
            case "run_changed":
                self._mark(SHOWS)
                self._tell_of_run(said["run"])
            case "light_actual" | "light_flashed" | "person_changed" | "room_changed" | "schedule_changed":
                pass
            case None:  # a snapshot: anything may have changed
                self._mark_all()
                for run in self._panel.state.runs:
                    self._tell_of_run(run)
            case _:
                self._mark(HUB)
                self._mark(GROUPS)

    def _tell_of_run(self, id: str) -> None:
        runs = self._panel.state.runs
        run = runs.get(id)
        if run is None or run.state != "ended":
            self._ended.discard(id)
        elif id not in self._ended:
            self._ended &= runs.keys()
            self._ended.add(id)
            if self._hub.keeps:
                self._events.append(messages.run_event(run))
                self._bell.set()

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLED)
            self._mark(DIAGNOSTICS)

    def _mark(self, mark: Mark) -> None:
        self._due[mark] = None
        self._bell.set()

    def _mark_all(self) -> None:
        known = filter(None, map(self._topics.device_in, self._sent))  # lights that may be gone
        for mark in (HUB, *(("light", id) for id in (*self._lights, *known)), GROUPS, SHOWS, DIAGNOSTICS):
            self._mark(mark)

    def _mark_later(self, mark: Mark) -> None:
        asyncio.get_running_loop().call_later(LATER, self._mark, mark)

    # --- to the broker -------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Send what the broker does not know yet."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._due or self._events:
                sending = [(topic, payload, True) for topic, payload in self._changes()]
                while self._events and len(sending) < AT_ONCE:
                    sending.append((self._topics.runs, self._events.popleft(), False))
                for at in range(0, len(sending), AT_ONCE):
                    publish, some = self._client.publish, sending[at : at + AT_ONCE]
                    await asyncio.gather(*(publish(topic, said, qos=1, retain=keep) for topic, said, keep in some))

    def _changes(self) -> Iterator[tuple[str, bytes]]:
        """Yield the next topics whose payload has changed, and note that the broker has it."""
        found = 0
        while self._due and found < AT_ONCE:
            mark = next(iter(self._due))
            del self._due[mark]
            for topic, payload in self._wanted(*mark):
                if self._sent.get(topic, b"") != payload:
                    self._sent[topic] = payload
                    found += 1
                    yield topic, payload

    def _wanted(self, kind: str, id: str) -> Iterator[tuple[str, bytes]]:
        """Yield what the broker should have of what has changed."""
        topics, state = self._topics, self._panel.state
        if kind == "light":
            yield from self._wanted_of_light(id)
        elif kind == HUB[0]:
            yield from self._wanted_of_hub()
        elif kind == GROUPS[0] and self._hub.keeps:
            for group in state.groups.values():
                yield topics.state("group", group.id), messages.group_state(group, state.lights)
        elif kind == SHOWS[0] and self._hub.keeps:
            for show in state.shows:
                yield topics.state("show", show), messages.show_state(state, show)
        elif kind == DIAGNOSTICS[0]:
            yield topics.diagnostics, messages.json_of(self._diagnostics())
        elif kind == GONE and (addressed := topics.addressed(id)) and not self._has(*addressed):
            yield topics.available(*addressed), b""
            yield topics.state(*addressed), b""

    def _wanted_of_light(self, id: str) -> Iterator[tuple[str, bytes]]:
        topics, light = self._topics, self._lights.get(id)
        config = topics.config(topics.device(id))
        if light is not None:
            yield config, messages.light_config(topics, light)
            yield topics.available("light", id), messages.availability(light)
            yield topics.state("light", id), messages.light_state(light)
        elif self._sent.get(config):  # its state goes later: Home Assistant would read it as the state of a light
            yield config, b""
            self._mark_later((GONE, topics.state("light", id)))

    def _wanted_of_hub(self) -> Iterator[tuple[str, bytes]]:
        topics = self._topics
        config, components = topics.config(topics.hub), messages.hub_components(topics, self._panel.state, self._hub)
        gone = {key: platform for key, platform in self._components.items() if key not in components}
        self._components = {key: str(component["platform"]) for key, component in components.items()}
        if gone:
            yield config, messages.hub_config(topics, self._hub, components, gone)
            for kind, id in map(messages.kind_and_id, gone):
                self._mark_later((GONE, f"{topics.base}/{kind}/{id}/state"))
        yield config, messages.hub_config(topics, self._hub, components, {})
        if self._hub.keeps:
            self._mark(SHOWS)

    def _has(self, kind: Kind, id: str) -> bool:
        """Whether there is such an entity now."""
        state = self._panel.state
        kept: dict[Kind, Mapping[str, Any]] = {"group": state.groups, "scene": state.scenes, "show": state.shows}
        return id in (self._lights if kind == "light" else kept[kind] if self._hub.keeps else ())

    # --- from the broker -----------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Take what the broker sends: commands, that Home Assistant has started, and what it has retained."""
        async for message in self._client.messages:
            topic, payload = str(message.topic), message.payload
            if not isinstance(payload, bytes):
                continue
            self._counters.received += 1
            if message.retain:  # not what somebody wants now: a command that is retained would be a ghost
                self._look_back(topic, payload)
            elif topic in self._topics.births:
                if payload == messages.ONLINE:
                    self._sent.clear()
                    self._mark_all()
            elif topic.endswith("/set") and (addressed := self._topics.addressed(topic)):
                await self._take(*addressed, payload)

    def _look_back(self, topic: str, payload: bytes) -> None:
        """Note what the broker has of this panel, from now or from before. What is of no use any more is cleared."""
        topics = self._topics
        if (light := topics.device_in(topic)) is not None:
            self._sent.setdefault(topic, payload)
            if light:
                self._mark(("light", light))
            else:
                self._components = {**messages.platforms_in(payload), **self._components}
                self._mark(HUB)
        elif not topic.endswith("/set") and (addressed := topics.addressed(topic)):
            self._sent.setdefault(topic, payload)
            if not self._has(*addressed):
                self._mark_later((GONE, topic))

    async def _stop_looking_back(self) -> None:
        await asyncio.sleep(LATER)
        await self._client.unsubscribe(self._topics.retained)

    async def _take(self, kind: Kind, id: str, payload: bytes) -> None:
        """Do a command, in the order in which they come, without waiting for the hardware."""
        try:
            self._limit.spend()
            command = messages.command_of(self._panel.state, kind, id, payload)
        except PanelError as error:
            self._refuse(kind, id, error.problem())
            return
        if len(self._asked) >= ASKED:
            await asyncio.wait(self._asked, return_when=asyncio.FIRST_COMPLETED)
        start_task(self._asked, self._ask(kind, id, command))

    async def _ask(self, kind: Kind, id: str, command: AnyCommand) -> None:
        reply = await self._panel.ask(self._actor, command)
        refused = [reply.problem] if reply.problem is not None else []
        if isinstance(reply.result, LightsResult):
            refused += reply.result.refused.values()
        for problem in refused:
            self._refuse(kind, id, problem)

    def _refuse(self, kind: Kind, id: str, problem: Mapping[str, Any]) -> None:
        """Say how it is: Home Assistant must not show what was not done."""
        if problem["type"].endswith(TooFast.slug):
            self._counters.refused += 1
        if self._refusals.allows((kind, id, problem["type"])):
            log.warning("refused a command for the %s %s: %s", kind, id, problem["detail"])
        if self._has(kind, id):
            self._sent.pop(self._topics.state(kind, id), None)
            self._mark((kind, id) if kind == "light" else GROUPS if kind == "group" else SHOWS)
