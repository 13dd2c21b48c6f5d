"""Native commands into `Panel.ask`: one reply each, and nothing changes by what was refused."""

from __future__ import annotations

import json
from typing import Any, get_args

from asgi_app.errors import PanelError
from asgi_app.models.access import PANEL
from asgi_app.models.base import actor
from asgi_app.models.json_text import parse_json
from asgi_app.models.lights import SetLight
from asgi_app.models.wire import AnyCommand
from asgi_app.ws.native.protocol import read_command
from campaigns.fuzz.choices import Choices
from campaigns.fuzz.house import Inside

RENEW = 500  # inputs a session is used for
# What each field may be; a show is never the name of one, since that would move the light afterwards.
FIELDS: dict[str, tuple[Any, ...]] = {
    "light": ("led", "nope"),
    "level": (50, 0, 100, 70.0),
    "step": (10, -100),
    "on": (True, False),
    "transition": (0, 0.001, 3600),
    "effect": ("none", "pulse", "blink", "candle"),
    "flash": (1, 20),
    "room": ("lobby", "garden"),
    "to": ("Ada", "fuzz"),
    "msg": ("hello", 5, None),
    "client_id": ("a1", "a2"),
    "typing": (True, False),
    "delivered": (1, 5),
    "read": (1, 3),
    "before": (1, 10, 2**63, 10**30),
    "after": (0, 3, 2**63, 10**30),
    "limit": (1, 200),
    "name": ("a run",),
    "kind": ("process", "command"),
    "run": ("r1", "r2"),
    "progress": (0, 50.5, 100),
    "running_edge": (["e1"], []),
    "graph": ({"nodes": [], "edges": []}, {"graphData": {"nodes": [{"id": "a"}], "edges": []}}),
    "state": ("running", "paused"),
    "lines": (["one", "two"], [{"msg": "three", "level": "error"}], 5),
    "from": (0, 3, 2**63, 10**30),
    "exit_code": (0, 1, None),
    "signal_id": (1, 2),
    "answer": ("yes", {"a": 1}),
    "signal": ("stop", "pause", "get_uia"),
    "show": ("nope",),
}
KINDS = get_args(AnyCommand)


def command(choices: Choices) -> Any:
    """A command that is right, or nearly."""
    if choices.one_in(12):
        return choices.value()
    kind = choices.pick(KINDS)
    infos = {info.alias or name: info for name, info in kind.model_fields.items()}
    fields = {name: choices.pick(FIELDS.get(name, (1,))) for name in infos if name != "do"}
    for name, info in infos.items():
        if name in fields and not info.is_required() and choices.below(2):
            del fields[name]
    made = {"do": kind.model_fields["do"].default, **fields}
    if choices.one_in(2):
        made["id"] = choices.pick((7, "a", None, [], 1e308))
    return choices.spoiled_fields(made) if choices.one_in(2) else made


class Words:
    """The target: a session that asks."""

    def __init__(self) -> None:
        self._inside = Inside()
        self._actor = actor("fuzz", "fuzz/1", "live", PANEL)
        self._session = self._inside.panel.session(self._actor)
        self._inside.run(self._enter())
        self._count = 0

    async def _enter(self) -> None:
        self._session.open()

    async def _leave(self) -> None:
        self._session.close()

    async def _renew(self) -> None:
        self._session.close()
        self._session = self._inside.panel.session(self._actor)
        self._session.open()
        for run in list(self._inside.house.runs._live.values()):
            await self._inside.house.runs.end(run, 0)
        await self._inside.panel.ask(self._actor, SetLight(light="led", level=50, effect="none"))

    def check(self, data: bytes) -> str:
        """Exactly one reply; a refused command changed nothing."""
        choices = Choices(data)
        text = choices.written(command(choices))
        try:
            asked = parse_json(text)
        except PanelError:
            return "no JSON"
        outcome = self._inside.run(self._ask(asked))
        self._inside.settle()
        return outcome

    def _standing(self) -> Any:
        state = self._inside.panel.state
        return self._inside.intents, state.rooms, set(state.people), set(state.runs)

    async def _ask(self, asked: Any) -> str:
        self._count += 1
        if self._count % RENEW == 0:
            await self._renew()
        before = self._standing()
        id, command = read_command(asked)
        panel = self._inside.panel
        if isinstance(command, PanelError):
            reply = panel.refused(command).on_wire(id)
        else:
            reply = (await panel.ask(self._actor, command, self._session)).on_wire(id)
        json.dumps(reply, allow_nan=False)
        assert isinstance(reply["ok"], bool), reply
        assert ("problem" in reply) is not reply["ok"], reply
        self._session.outbox.take_now()  # type: ignore[attr-defined]  # it is an Outbox
        if reply["ok"]:
            assert all(0 <= light.level <= 100 for light in self._inside.panel.state.lights.values())
            return "done"
        assert 400 <= reply["problem"]["status"] < 600, reply
        assert reply["problem"]["status"] != 500, reply
        assert self._standing() == before, (asked, reply)
        return "refused"

    def close(self) -> None:
        """End the panel."""
        self._inside.run(self._leave())
        self._inside.close()
