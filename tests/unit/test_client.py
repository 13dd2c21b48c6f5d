"""`import pilotlight`: light to import, typed for its users, and with every field, event and problem of the panel."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

import pilotlight
from asgi_app import errors, models
from asgi_app.models import chat, history, lights, machine, runs, schedules, shows, wire
from pilotlight import address, decode, things, values
from pilotlight.errors import error_of
from pilotlight.events import BY_NAME, OF_FEEDS
from tests.support.panel_process import ROOT

NOT_LOADED = ("asgi_app.models", "pydantic", "websockets", "quart", "socketio", "uvicorn", "click", "sqlite3")
OWN = {"n": values.LogLine}  # fields that the client adds
PAIRS: list[tuple[type, type[BaseModel]]] = [
    (things.Light, lights.Light),
    (things.Group, wire.Group),
    (things.Scene, wire.Scene),
    (things.Run, runs.Run),
    (things.Show, shows.ShowName),
    (things.Room, chat.Room),
    (values.Actor, models.base.Actor),
    (values.Transition, lights.Transition),
    (values.LightSettings, lights.LightSettings),
    (values.Hardware, lights.Hardware),
    (values.Storage, machine.Storage),
    (values.Moment, history.Moment),
    (values.Device, chat.Device),
    (values.Person, chat.Person),
    (values.Message, chat.ChatMessage),
    (values.Marks, chat.Marks),
    (values.Thread, chat.ThreadState),
    (values.Span, runs.Span),
    (values.LogLine, runs.LogLine),
    (values.Done, schedules.Done),
    (values.Schedule, schedules.Schedule),
    (values.ShowWords, shows.ShowWords),
]
EVENTS = {kind.model_fields["event"].default: kind for kind in typing.get_args(typing.get_args(wire.Event)[0])}


def on_wire(model: type[BaseModel]) -> set[str]:
    """The names of its fields as they are sent."""
    sent = {
        info.serialization_alias or info.alias or name for name, info in model.model_fields.items() if not info.exclude
    }
    return sent | set(model.model_computed_fields)


def read(kind: type) -> set[str]:
    """The names of the fields that the client reads."""
    fields = {field.metadata.get("wire", field.name) for field in dataclasses.fields(kind)}
    return fields - {"_panel"} - {name for name, owner in OWN.items() if owner is kind}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda kind: kind.__name__)
def test_the_client_reads_every_field(ours: type, theirs: type[BaseModel]) -> None:
    assert read(ours) == on_wire(theirs)


def may_be_none(kind: object) -> bool:
    return kind is typing.Any or type(None) in typing.get_args(kind)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [*PAIRS, *((BY_NAME[name], kind) for name, kind in EVENTS.items() if name in BY_NAME)],
    ids=lambda kind: kind.__name__,
)
def test_the_client_reads_every_null(ours: type, theirs: type[BaseModel]) -> None:
    nulls = {info.alias or name for name, info in theirs.model_fields.items() if may_be_none(info.annotation)}
    fields = {field.metadata.get("wire", field.name): field for field in dataclasses.fields(ours)}
    for name in nulls & fields.keys():
        assert may_be_none(decode._type_of(ours, fields[name].type)), name


def test_every_value_of_the_client_is_compared() -> None:
    ours = {kind for module in (things, values) for kind in vars(module).values() if dataclasses.is_dataclass(kind)}
    assert {kind for kind in ours if not kind.__name__.endswith("State")} - {things.Bound, things.Many} == {
        ours for ours, _ in PAIRS
    }


@pytest.mark.parametrize("name", EVENTS)
def test_the_client_reads_every_event(name: str) -> None:
    assert (name in BY_NAME) != (name in OF_FEEDS)
    if name in BY_NAME:
        assert read(BY_NAME[name]) == on_wire(EVENTS[name]) - {"event"}
        assert BY_NAME[name].__name__ in pilotlight.__all__


@pytest.mark.parametrize("part", [part for part in wire.State.model_fields if part != "light_order"])
def test_the_client_has_every_part_of_the_state(part: str) -> None:
    assert hasattr(pilotlight.Panel, part)


def kinds() -> list[type[errors.PanelError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PanelError)]


@pytest.mark.parametrize("kind", [kind for kind in kinds() if not issubclass(kind, errors.SetupError)])
def test_each_problem_is_a_class(kind: type[errors.PanelError]) -> None:
    assert getattr(pilotlight, kind.__name__) is kind
    assert kind.__name__ in pilotlight.__all__
    problem = {"type": errors.PROBLEM_TYPE + kind.slug, "title": kind.title, "status": kind.status}
    raised = error_of(problem | {"detail": "Because.", "errors": [{"field": "level"}], "retry_after": 2.5})
    assert raised.slug == kind.slug
    assert issubclass(kind, type(raised))  # one class of each slug
    assert (raised.detail, raised.errors, raised.retry_after, str(raised)) == (
        "Because.",
        [{"field": "level"}],
        2.5,
        "Because.",
    )


def test_a_problem_of_a_newer_panel_is_read() -> None:
    raised = error_of({"type": "urn:pilotlight:problem:too-bright", "title": "Too bright", "status": 418})
    assert (type(raised), raised.slug, raised.status, str(raised)) == (
        pilotlight.PanelError,
        "too-bright",
        418,
        "Too bright",
    )


def test_what_a_newer_panel_says_more_is_left_out() -> None:
    light = decode.build(things.Light, {"id": "led", "level": 5, "on": True, "colour": "red"}, None)
    assert (light.id, light.level, light.by.name) == ("led", 5, "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        light.level = 6  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        ("pi.local", "pi.local"),
        ("me:plt_secret@pi.local:5000", "pi.local:5000"),
        ("//me:plt_secret@pi.local", "pi.local"),
        ("http://me:plt_secret@pi.local:99999", "http://pi.local:99999"),
        ("http://me:plt_secret@pi.local:port/light", "http://pi.local:port/light"),
        ("http://me:plt_se/secret@pi.local", "http://pi.local"),
        ("http://me:plt_secret@[::1", "http://[::1"),
        ("http://me:plt_secret@", "http://"),
        ("ftp://me:plt_secret@pi.local", "ftp://pi.local"),
        ("pi.local?token=secret", "pi.local"),
        ("http://pi.local:plt_secret", "http://pi.local:plt_…"),
        ("plt_secret", "plt_…"),
    ],
)
def test_a_wrong_address_is_shown_without_its_token(wrong: str, shown: str) -> None:
    with pytest.raises(ValueError, match="Write it like") as raised:
        pilotlight.connect(wrong)
    assert "secret" not in str(raised.value)
    assert str(raised.value).startswith(f"{shown!r} is not")


def test_an_address_is_shown_without_its_token() -> None:
    assert address.url_of("http://plt_secret@pi.local:1/light") == "http://me:plt_secret@pi.local:1/light"
    assert address.shown("https://me:plt_secret@pi.local:5000/light?token=plt_secret") == "https://pi.local:5000/light"


def test_every_name_is_there() -> None:
    for name in pilotlight.__all__:
        assert getattr(pilotlight, name).__name__ == name
    assert set(pilotlight.__all__) <= set(dir(pilotlight))
    with pytest.raises(AttributeError, match="lamps"):
        pilotlight.lamps  # noqa: B018


def test_the_import_loads_no_server() -> None:
    program = "import sys, pilotlight; pilotlight.connect, pilotlight.connect_sync; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    names = set(loaded.stdout.split())
    assert names.isdisjoint(NOT_LOADED)
    ours = {name for name in names if name.startswith("asgi_app")}
    assert {".".join(name.split(".")[:2]) for name in ours} == {"asgi_app", "asgi_app.errors"}


GOOD = """
import asyncio
import pilotlight

async def main() -> None:
    async with pilotlight.connect("http://pi.local:5000", token="t", name="script") as panel:
        desk: pilotlight.Light = await panel.lights["desk"].set(40, transition=2)
        done: pilotlight.Many = await panel.groups["kitchen"].off()
        room: pilotlight.Room = await panel.join("lobby")
        message: pilotlight.Message = await room.say({"any": "json"})
        async with panel.run("backup") as run:
            run.progress = 30
            run.log("…")
        async for event in panel.events():
            if isinstance(event, pilotlight.LightChanged):
                level: int = event.state.level
        async for said in panel.events(pilotlight.MessageSaid):
            text: str = said.message.sender
        print(desk.level, done.refused, message.n)

try:
    asyncio.run(main())
except (pilotlight.LightOffline, pilotlight.Unanswered) as error:
    print(error.detail)
"""
GOOD += """
with pilotlight.connect_sync() as home:
    lamp: pilotlight.SyncLight = home.lights["desk"].set(40, transition=2)
    lamp.undo().off()
    done: pilotlight.Many = home.scenes["dinner"].recall()
    home.join("lobby").say("hi")
    for line in home.shows["sunrise"].start().log(follow=True):
        number: int = line.n
"""
BAD = """
import pilotlight

async def main() -> None:
    async with pilotlight.connect("http://pi.local:5000") as panel:
        await panel.lights["desk"].set("40")
        panel.lights["desk"].level = 3
        level: str = panel.lights["desk"].level
        async for said in panel.events(pilotlight.MessageSaid):
            print(said.light)
        await panel.lights["desk"].sett(40)
    with pilotlight.connect_sync() as home:
        home.lights["desk"].set("40")
        home.lights["desk"].set(40).sett(40)
    pilotlight.conect()
"""


@pytest.mark.slow  # 4 to 10 seconds of CPU
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_users_are_checked_by_mypy(tmp_path: Path, version: str) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    flags = [
        "--strict",
        f"--python-version={version}",
        "--no-error-summary",
        "--hide-error-context",
        f"--cache-dir={ROOT / '.mypy_cache' / 'users'}",
        "--config-file=",
    ]
    command = [sys.executable, "-m", "mypy", *flags, "good.py", "bad.py"]
    environment = {"MYPYPATH": str(ROOT), "PATH": ""}
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False).stdout
    lines = [line.split(":")[:2] for line in found.splitlines() if ": error:" in line]
    assert lines == [["bad.py", str(number)] for number in (6, 7, 8, 10, 11, 13, 14, 15)], found
    assert (ROOT / "pilotlight" / "py.typed").exists()
