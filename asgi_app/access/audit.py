"""The audit trail: who did what from where, and what was refused. A drag makes one row a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from asgi_app.models.access import Identity, Role
from asgi_app.models.base import Actor, shown
from asgi_app.models.groups import SetLights, UndoLights
from asgi_app.models.wire import AnyCommand
from asgi_app.store import Store
from asgi_app.store import audit as stored
from asgi_app.store.audit import Deed

PERIOD = 1.0  # seconds in which equal actions are one row
SUBJECTS = (
    "light",
    "group",
    "scene",
    "schedule",
    "run",
    "show",
    "room",
    "person",
)  # of a command, the first of these fields that is given
LEFT_OUT = {"do", "graph", "steps", *SUBJECTS}  # of the detail of a command
OF_SEVERAL = LEFT_OUT - {"group", "scene"}  # the same, where the command has the name of one for a light
PENDING = 1000  # rows that may wait; at this number they are stored at once

Outcome = Literal["done", "refused"]


class _Key(NamedTuple):
    """The fields that equal actions have in common."""

    who: str | None
    via: str
    how: str
    address: str
    what: str
    subject: str | None
    outcome: Outcome


class _Row(NamedTuple):
    """A row that waits to be stored."""

    at: float
    role: Role
    times: int
    detail: Mapping[str, Any] | AnyCommand


class Audit:
    """Record of actions and refusals, stored once a second."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._pending: dict[_Key, _Row] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.pass_on: Callable[[Sequence[Deed]], bool] = lambda deeds: False  # to the keeper of a home, if there is one

    def note(
        self,
        identity: Identity,
        what: str,
        *,
        actor: Actor | None = None,
        subject: str | None = None,
        outcome: Outcome = "done",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Record an action or a refusal. Never blocks."""
        who, via = (actor.name, actor.via) if actor is not None else (identity.name, "rest")
        key = _Key(who, via, identity.how, identity.address, shown(what), subject and shown(subject), outcome)
        self._note(key, identity.role, detail or {})

    def note_command(self, actor: Actor, command: AnyCommand) -> None:
        """Record a command. Its content is read only when the row is stored, so a drag costs next to nothing."""
        fields = _subject_fields(type(command))
        subject = next((found for name in fields if (found := getattr(command, name)) is not None), None)
        who = actor.identity
        key = _Key(actor.name, actor.via, who.how, who.address, str(command.do), subject, "done")
        self._note(key, who.role, command)

    def _note(self, key: _Key, role: Role, detail: Mapping[str, Any] | AnyCommand) -> None:
        if key.how == "panel":  # steps of a show: the trail has who started it
            return
        before = self._pending.pop(key, None)
        times = before.times + 1 if before is not None else 1
        self._pending[key] = _Row(self._clock(), role, times, detail)
        if len(self._pending) >= PENDING:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PERIOD, self.flush)

    def flush(self) -> None:
        """Store what is pending."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            deeds = [_deed(key, row) for key, row in self._pending.items()]
            self._pending = {}
            if not self.pass_on(deeds):
                self.keep(deeds)

    def keep(self, deeds: Sequence[Deed]) -> None:
        """Store these."""
        self._store.try_to(partial(stored.add, deeds=deeds))

    async def page(
        self, *, before: int | None, limit: int, who: str | None = None, subject: str | None = None
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return rows before an id, or the newest, newest first, and whether there are more.

        `who` and `subject` choose rows of one person, and about one light, group, scene, schedule, run or show.
        """
        self.flush()
        return await self._store.do(partial(stored.page, before=before, limit=limit, who=who, subject=subject))


@cache
def _subject_fields(kind: type[BaseModel]) -> tuple[str, ...]:
    return tuple(name for name in SUBJECTS if name in kind.model_fields)


def _deed(key: _Key, row: _Row) -> Deed:
    detail = row.detail
    if isinstance(detail, BaseModel):
        left_out = OF_SEVERAL if isinstance(detail, SetLights | UndoLights) else LEFT_OUT
        detail = detail.model_dump(mode="json", exclude_none=True, exclude=left_out)
    return Deed(**key._asdict(), at=row.at, role=row.role.word, times=row.times, detail=dict(detail))
