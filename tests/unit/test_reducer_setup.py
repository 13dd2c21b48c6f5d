"""The settings page's reducer, static/js/setup/state.js: what it knows, and when it asks anew how lights are set up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.page_reducer import reduced

Event = dict[str, Any]


def light(id: str = "desk", at: float = 100.0, **more: Any) -> dict[str, Any]:
    return {"id": id, "at": at, "online": True, **more}


def changed(at: float, light: dict[str, Any]) -> Event:
    return {"event": "light_changed", "rev": 6, "light": light["id"], "at": at, "state": light}


OPENING: list[Event] = [
    {"event": "snapshot", "epoch": "first", "rev": 5, "state": {"lights": {"desk": light()}, "hardware": None}},
    {"event": "set_up", "setup": {"lights": [{"id": "desk"}], "free_pins": [17]}},
]
REMOVED: Event = {"event": "light_removed", "rev": 7, "light": "desk", "at": 120.0}


@pytest.mark.parametrize(
    ("event", "asks"),
    [
        pytest.param(OPENING[0], True, id="a snapshot"),
        pytest.param(changed(120.0, light(at=120.0)), False, id="somebody set it"),
        pytest.param(changed(120.0, light(at=100.0)), True, id="it was set up, or went offline"),
        pytest.param(changed(120.0, light("shelf", at=120.0)), True, id="a new one"),
        pytest.param(REMOVED, True, id="one is gone"),
        pytest.param({"event": "lights_ordered", "rev": 6, "order": ["desk"]}, True, id="another order"),
        pytest.param({"event": "light_actual", "rev": 6, "light": "desk", "actual": 3}, False, id="it moves"),
    ],
)
def test_when_it_asks_again_how_lights_are_set_up(event: Event, asks: bool) -> None:
    view = f"(page, state) => [page.isSetUp(state, {event!r})]".replace("True", "true").replace("None", "null")
    assert reduced("setup/state.js", view, OPENING) == [asks]


def test_lights_come_change_and_go() -> None:
    view = "(page, state) => [state.lights, state.rev]"
    offline = light(online=False)
    events = [*OPENING, changed(120.0, offline), changed(121.0, light("shelf"))]
    assert reduced("setup/state.js", view, events) == [{"desk": offline, "shelf": light("shelf")}, 6]
    assert reduced("setup/state.js", view, [*events, REMOVED]) == [{"shelf": light("shelf")}, 7]


@pytest.mark.parametrize(("role", "may"), [(None, False), ("nobody", False), ("operator", False), ("admin", True)])
def test_only_admins_change_lights(role: str | None, may: bool) -> None:
    me = {"event": "me", "me": role and {"role": role}}
    assert reduced("setup/state.js", "(page, state) => [page.mayChange(state)]", [me]) == [may]
