"""What a row of the trail is about: the first of the subjects that its command names."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_app.access.audit import Audit
from asgi_app.models.base import Actor
from asgi_app.models.chat import Say
from asgi_app.models.groups import SaveScene, SetLights, UndoLights
from asgi_app.models.lights import SetLight
from asgi_app.models.run_commands import DeleteRun
from asgi_app.models.wire import AnyCommand, GetState
from asgi_app.store.audit import Deed

ADA = Actor(name="Ada", via="live")


class Kept(Audit):
    """A trail whose rows are kept here."""

    def __init__(self) -> None:
        super().__init__(store=None)  # type: ignore[arg-type]
        self.deeds: list[Deed] = []

    def keep(self, deeds: Any) -> None:
        self.deeds.extend(deeds)


@pytest.mark.parametrize(
    ("command", "subject"),
    [
        (SetLight(light="desk", level=1), "desk"),
        (SetLights(group="kitchen", level=1), "kitchen"),
        (SetLights(lights=["desk"], level=1), None),
        (UndoLights(group="kitchen"), "kitchen"),
        (UndoLights(scene="dinner"), "dinner"),
        (UndoLights(lights=["desk"]), None),
        (SaveScene(name="Dinner", group="kitchen"), "kitchen"),
        (SaveScene(name="Dinner", lights={"desk": {"level": 1}}, scene="dinner"), "dinner"),
        (Say(room="lobby", msg="hello", client_id="1"), "lobby"),
        (DeleteRun(run="build"), "build"),
        (GetState(), None),
    ],
    ids=repr,
)
async def test_the_subject_of_a_command(command: AnyCommand, subject: str | None) -> None:
    trail = Kept()
    trail.note_command(ADA, command)
    trail.note_command(ADA, command)
    trail.flush()
    assert [(deed.subject, deed.times) for deed in trail.deeds] == [(subject, 2)]
