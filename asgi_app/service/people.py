"""`People`: whom the panel knows, and who is present with which devices. `Topic`: the sessions of one, or in a room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from asgi_app.core import chat as rules
from asgi_app.errors import PanelError, TooMany
from asgi_app.hub import Feed, Message
from asgi_app.models.base import Actor
from asgi_app.models.chat import Device, Gap, PersonChanged, device_of
from asgi_app.service.component import Component, unversioned
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session
from asgi_app.settings import Settings
from asgi_app.store import Store
from asgi_app.store import chat as stored

DEVICES_SHOWN = 20  # of one person
PRIVATE = Gap(of="private")


class Topic:
    """The sessions in a room or of a person, and the feed that they follow. `gap` is for readers that are too slow."""

    def __init__(self, gap: Gap, next: int = 0) -> None:
        self.sessions: set[Session] = set()
        self.feed = Feed(partial(_gap_message, gap), next=next)

    def publish(self, message: Message, *, but: Session | None = None) -> None:
        """Send what is not stored, such as typing. A reader that is too slow for it misses nothing."""
        for session in self.sessions:
            if session is not but:
                session.outbox.offer(message)


class People(Component):
    """The component for presence. `known` are the names that messages can be sent to, `present` the people here."""

    def __init__(self, panel: Panel, store: Store, settings: Settings, clock: Callable[[], float]) -> None:
        self.known = store.read(stored.people)
        self.present: dict[str, Topic] = {}
        self._panel = panel
        self._store = store
        self._settings = settings
        self._clock = clock
        self._devices: dict[Session, Device] = {}
        self._forgetting = False
        panel.add(self)

    def person(self, actor: Actor) -> str:
        """Return the name that this actor talks under. Raises `NameNeeded`, `BadName`."""
        return rules.person_of(actor, self._settings.chat_name)

    def session_opened(self, session: Session) -> None:
        """Mark the person of a new connection as present, if it has a valid name."""
        try:
            person = self.person(session.actor)
            self.meet(person)
        except PanelError:  # it may use the lights; the first chat command gets the reason
            return
        topic = self.present.setdefault(person, Topic(PRIVATE))
        topic.sessions.add(session)
        session.follow("private", topic.feed)
        self._devices[session] = device_of(session.actor, self._clock())
        self._publish_devices(person)

    def session_closed(self, session: Session) -> None:
        """Update the presence of the person of a connection that has ended."""
        if self._devices.pop(session, None) is None:
            return
        person = self.person(session.actor)
        self.present[person].sessions.discard(session)
        self._publish_devices(person)
        if not self.present[person].sessions:
            del self.present[person]

    def clock_stepped(self, seconds: float) -> None:
        """Move the times at which devices connected."""
        for session, device in self._devices.items():
            self._devices[session] = device.model_copy(update={"at": device.at + seconds})
        for person in self.present:
            self._publish_devices(person)

    async def read_again(self) -> None:
        """Read the people of a file that was opened late or replaced. Raises `NotStored`."""
        self.known |= await self._store.do(stored.people)
        for topic in list(self.present.values()):  # each connection then reads what it has not received
            topic.publish(_gap_message(PRIVATE))

    def meet(self, person: str) -> None:
        """Know this person from now on. Raises `TooMany`."""
        if person in self.known:
            return
        most = self._settings.chat_people
        if len(self.known) >= most:
            self._forget_strangers()
            raise TooMany(
                f"The panel knows {most} people, which is the limit (setting chat_people). Try again.", field="name"
            )
        self.known.add(person)
        self._store.try_to(lambda database: stored.meet(database, person))

    def forget(self, person: str) -> None:
        """Do not know this person any more. Whoever is here under the name connects again, as somebody new."""
        self.known.discard(person)
        if (topic := self.present.get(person)) is not None:
            for session in list(topic.sessions):
                session.outbox.restart()

    def _forget_strangers(self) -> None:
        """Forget people who are not present and have no private messages, to make room for others."""
        if not self._forgetting:
            self._forgetting = True
            work = partial(stored.forget_strangers, present=frozenset(self.present))
            self._store.do(work).add_done_callback(self._forgot)

    def _forgot(self, done: asyncio.Future[set[str]]) -> None:
        self._forgetting = False
        if not done.cancelled() and done.exception() is None:
            self.known -= done.result() - self.present.keys()

    def _publish_devices(self, person: str) -> None:
        devices = [self._devices[session] for session in self.present[person].sessions if session in self._devices]
        devices.sort(key=lambda device: device.at)
        self._panel.commit(PersonChanged(person=person, devices=tuple(devices[:DEVICES_SHOWN])))


def _gap_message(gap: Gap, since: int = 0, upto: int = 0) -> Message:
    """Return the gap event for these numbers. Private messages have none."""
    numbers: dict[str, Any] = {} if gap.of == "private" else {"since": since, "upto": upto}
    return unversioned(gap.model_copy(update=numbers))
