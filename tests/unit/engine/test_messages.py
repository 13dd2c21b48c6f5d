"""What processes say to each other, read as what was meant, and refused if it is anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asgi_app.engine.messages import Answer, Ask, Resync, parse_event
from asgi_app.errors import LightOffline, NothingToUndo, PanelError
from asgi_app.models.access import Identity, Role
from asgi_app.models.base import Actor
from asgi_app.models.lights import SetLight, UndoLight

ADA = Actor(name="Ada", via="live", identity=Identity(role=Role.OPERATOR, how="pin", address="192.0.2.1"))
ASK = {
    "id": "1",
    "process": "p",
    "epoch": "e",
    "expires": 5.0,
    "actor": {"name": "Ada", "via": "live", "role": "operator"},
}


@pytest.mark.parametrize(
    "command",
    [
        SetLight(light="hall.led", level=40, transition=2.0),
        SetLight(light="hall.led", step=-10),
        SetLight(light="hall.led", on=False),
        SetLight(light="hall.led", effect="pulse", flash=3),
        UndoLight(light="hall.led"),
    ],
)
def test_a_command_arrives_as_it_was(command: SetLight | UndoLight) -> None:
    got = Ask.of(Ask("7", "front", "e", 1_790_000_000.25, ADA, command).text().encode())
    assert (got.id, got.process, got.epoch, got.expires, got.command) == ("7", "front", "e", 1_790_000_000.25, command)
    assert (got.actor.name, got.actor.via, got.actor.identity.role) == ("Ada", "live", Role.OPERATOR)
    assert got.actor.identity.address == ""  # where Ada is does not leave the process


@pytest.mark.parametrize(
    "change",
    [
        {"do": {"do": "ping"}},
        {"do": {"do": "say", "room": "lobby", "msg": "x", "client_id": "1"}},
        {"do": {"do": "set_light", "light": "hall.led", "level": 101}},
        {"do": {"do": "set_light", "light": "hall.led"}},
        {"do": None},
        {"do": []},
        {"do": {"do": "undo_light", "light": "a.b"}, "actor": {"name": "Ada", "via": "live", "role": "owner"}},
        {"do": {"do": "undo_light", "light": "a.b"}, "actor": {"name": 3, "via": "live", "role": "admin"}},
        {"do": {"do": "undo_light", "light": "a.b"}, "actor": None},
        {"do": {"do": "undo_light", "light": "a.b"}, "expires": float("nan")},
        {"do": {"do": "undo_light", "light": "a.b"}, "id": []},
        {"do": {"do": "undo_light", "light": "a.b"}, "process": 7},
        {"do": {"do": "undo_light", "light": "a.b"}, "epoch": None},
        {"do": {"do": "undo_light", "light": "a.b"}, "expires": None},
    ],
)
def test_what_is_no_command_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, PanelError)):
        Ask.of(json.dumps(ASK | change).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"3", b'"x"', b"null", b"{}", b"\xff"])
def test_nonsense_is_refused_everywhere(text: bytes) -> None:
    for read in (Ask.of, Answer.of, parse_event):
        with pytest.raises(ValueError):  # noqa: PT011 - each library has its own text
            read(text)


@pytest.mark.parametrize(
    "error",
    [
        LightOffline("Desk is offline: no pigpiod", field="light"),
        NothingToUndo("Nothing to undo.", field="light"),
        PanelError("x", retry_after=3.0),
    ],
)
def test_a_refusal_is_the_problem_that_the_node_has_given(error: PanelError) -> None:
    answer = Answer.of(Answer("7", problem=error.problem()).text().encode())
    with pytest.raises(PanelError) as refused:
        answer.result()
    assert refused.value.problem() == error.problem()


def test_a_resync_is_no_event() -> None:
    with pytest.raises(Resync):
        parse_event(b'{"event":"resync"}')
