"""The trail: who did what, from where, and who was refused what. One row a second for a drag."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from asgi_app.models import Actor, AnyCommand, Identity, shown
from asgi_app.store import Store
from asgi_app.store import audit as stored
from asgi_app.store.audit import Deed

APART = 1.0  # seconds: what somebody does again and again within them is one row
PENDING = 1000  # rows that wait to be written; more are written at once

Outcome = Literal["done", "refused"]


class _Key(NamedTuple):
    """What makes two deeds one row."""

    who: str | None
    via: str
    address: str
    what: str
    subject: str | None
    outcome: Outcome


class Audit:
    """What was done and refused; rows are put together for a second, then stored."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._pending: dict[_Key, Deed] = {}
        self._timer: asyncio.TimerHandle | None = None

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
        """It was done, or refused. Never blocks."""
        if identity.how == "panel":  # a show's steps: who started it is in the trail
            return
        who, via = (actor.name, actor.via) if actor is not None else (identity.name, "rest")
        key = _Key(who, via, identity.address, shown(what), subject and shown(subject), outcome)
        before = self._pending.pop(key, None)
        self._pending[key] = Deed(
            at=self._clock(),
            who=who,
            via=via,
            role=identity.role.word,
            how=identity.how,
            address=identity.address,
            what=key.what,
            subject=key.subject,
            outcome=outcome,
            times=before.times + 1 if before is not None else 1,
            detail=dict(detail or {}),
        )
        if len(self._pending) >= PENDING:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(APART, self.flush)

    def note_command(self, actor: Actor, command: AnyCommand) -> None:
        """A command was done: on which light, run or show, and what it says."""
        fields = command.model_dump(mode="json", exclude_none=True, exclude={"do", "graph"})
        subject = next((str(fields.pop(name)) for name in ("light", "run", "show") if name in fields), None)
        self.note(actor.identity, str(command.do), actor=actor, subject=subject, detail=fields)

    def flush(self) -> None:
        """Store what is pending."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            deeds, self._pending = list(self._pending.values()), {}
            self._store.try_to(partial(stored.add, deeds=deeds))

    def close(self) -> None:
        """As `flush`, at the end."""
        if self._pending:
            self.flush()

    async def page(self, *, before: int | None, limit: int) -> list[dict[str, Any]]:
        """The newest rows, or those before an id, the newest first."""
        self.flush()
        return await self._store.do(partial(stored.page, before=before, limit=limit))
