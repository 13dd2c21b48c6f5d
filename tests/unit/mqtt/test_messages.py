"""What is said to Home Assistant by MQTT, and what its commands mean, as tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asgi_app.errors import PanelError
from asgi_app.models.base import Actor
from asgi_app.models.groups import Group, RecallScene, Scene, SetLights
from asgi_app.models.lights import Hardware, Light, SetLight
from asgi_app.models.run_commands import SignalRun
from asgi_app.models.runs import Run
from asgi_app.models.shows import ShowName, StartShow
from asgi_app.models.wire import State
from asgi_app.mqtt import messages
from asgi_app.mqtt.messages import Hub
from asgi_app.mqtt.topics import Topics

WHO = Actor(name="Ada", via="rest")
TOPICS = Topics("pilotlight", "homeassistant", "a1b2c3d4e5f6", "hall.")
BASE = "pilotlight/a1b2c3d4e5f6"


def light(id: str = "hall.desk", **fields: Any) -> Light:
    given = {"name": "Desk", "pin": 5, "level": 40, "on": True, "actual": 40.0, "online": True, "by": WHO, "at": 0}
    return Light(id=id, **{**given, **fields})


def run(id: str = "sunrise-1", **fields: Any) -> Run:
    given = {
        "name": "Sunrise",
        "kind": "show",
        "state": "running",
        "started_at": 0,
        "by": WHO,
        "producer": True,
        "show": "sunrise",
    }
    return Run(id=id, **{**given, **fields})


def state(*runs: Run) -> State:
    return State(
        lights={"hall.desk": light()},
        hardware=Hardware(pins="mock", why="a test"),
        groups={"kitchen": Group(id="kitchen", name="Kitchen", lights=("hall.desk",))},
        scenes={"dinner": Scene(id="dinner", name="Dinner", lights={})},
        shows={"sunrise": ShowName(name="sunrise", title="Sunrise")},
        runs={one.id: one for one in runs},
    )


# What Home Assistant sends, and the change that it asks for.
COMMANDS: dict[str, dict[str, Any]] = {
    '{"state":"ON"}': {"on": True},
    '{"state":"OFF"}': {"on": False},
    '{"state":"OFF","transition":3.0}': {"on": False, "transition": 3.0},
    '{"state":"ON","transition":2.0,"brightness":50}': {"on": True, "level": 50, "transition": 2.0},
    '{"state":"ON","transition":6553}': {"on": True, "transition": 6553.0},
    '{"state":"ON","flash":2}': {"flash": 7},
    '{"state":"ON","flash":6,"brightness":39}': {"on": True, "level": 39, "flash": 20},
    '{"state":"OFF","flash":2}': {"on": False, "flash": 7},
    '{"state":"ON","flash":0.01}': {"flash": 1},
    '{"state":"ON","transition":1.0,"brightness":40,"effect":"candle"}': {
        "on": True,
        "level": 40,
        "effect": "candle",
        "transition": 1.0,
    },
    '{"state":"ON","effect":"off"}': {"on": True, "effect": "none"},
    '{"state":"ON","color":{"r":255,"g":0,"b":0},"color_temp":300}': {"on": True},
    '{"brightness":12.0}': {"level": 12},
}


@pytest.mark.parametrize("payload", COMMANDS)
def test_commands_of_home_assistant(payload: str) -> None:
    wanted = COMMANDS[payload]
    of_light = messages.command_of(state(), "light", "hall.desk", payload.encode())
    assert of_light == SetLight(light="hall.desk", **wanted)
    assert messages.command_of(state(), "group", "kitchen", payload.encode()) == SetLights(group="kitchen", **wanted)


REFUSED = {
    "": "malformed-json",
    "ON": "malformed-json",
    "[]": "bad-command",
    "{}": "bad-command",
    '{"state":"TOGGLE"}': "bad-command",
    '{"state":"ON","brightness":101}': "level-out-of-range",
    '{"state":"ON","brightness":true}': "level-not-an-integer",
    '{"state":"ON","effect":"disco"}': "bad-command",
    '{"state":"ON","effect":["candle"]}': "bad-command",
    '{"state":"ON","transition":-1}': "bad-command",
    '{"state":"ON","flash":0}': "bad-command",
    '{"state":"ON","flash":true}': "bad-command",
    '{"state":"ON","flash":1e999}': "bad-command",
    '{"state":"ON","more":"' + 5000 * "x" + '"}': "bad-command",
    "[" * 4000: "malformed-json",
}


@pytest.mark.parametrize("payload", REFUSED)
def test_what_is_no_command(payload: str) -> None:
    with pytest.raises(PanelError) as refused:
        messages.command_of(state(), "light", "hall.desk", payload.encode())
    assert refused.value.slug == REFUSED[payload]


def test_commands_to_scenes_and_shows() -> None:
    here = state(run())
    assert messages.command_of(here, "scene", "dinner", b"ON") == RecallScene(scene="dinner")
    assert messages.command_of(here, "show", "sunrise", b"ON") == StartShow(show="sunrise")
    assert messages.command_of(here, "show", "sunrise", b"OFF") == SignalRun(run="sunrise-1", signal="stop")
    for kind, id, payload in (("scene", "dinner", b"OFF"), ("show", "sunrise", b"\xff"), ("show", "sunrise", b"on")):
        with pytest.raises(PanelError, match=f"is no command for a {kind}"):
            messages.command_of(here, kind, id, payload)  # type: ignore[arg-type]
    with pytest.raises(PanelError, match="is not running"):
        messages.command_of(state(run(state="ended")), "show", "sunrise", b"OFF")
    with pytest.raises(PanelError, match="No show has the name"):
        messages.command_of(here, "show", "sunset", b"OFF")


STATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"state": "ON", "brightness": 40, "effect": "off"}),
    ({"on": False}, {"state": "OFF"}),
    ({"level": 0}, {"state": "OFF"}),
    ({"effect": "candle"}, {"state": "ON", "brightness": 40, "effect": "candle"}),
    ({"actual": 3.0}, {"state": "ON", "brightness": 40, "effect": "off"}),  # in a fade: where it goes
]


@pytest.mark.parametrize(("fields", "wanted"), STATES)
def test_states_of_lights(fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert json.loads(messages.light_state(light(**fields))) == wanted


def test_the_state_of_a_group() -> None:
    group = Group(id="kitchen", name="Kitchen", lights=("a", "b", "gone"))

    def of(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(messages.group_state(group, {"a": light("a", **a), "b": light("b", **b)}))
        return said

    assert of({"level": 30}, {"level": 60}) == {"state": "ON", "brightness": 60, "effect": "off"}
    assert of({"level": 30}, {"on": False, "level": 60}) == {"state": "ON", "brightness": 30, "effect": "off"}
    assert of({"on": False}, {"on": False}) == {"state": "OFF"}
    assert of({"effect": "pulse"}, {"effect": "pulse"})["effect"] == "pulse"
    assert of({"effect": "pulse"}, {})["effect"] == "off"
    assert json.loads(messages.group_state(group, {})) == {"state": "OFF"}


def test_a_light_is_a_device_of_its_own() -> None:
    config = json.loads(messages.light_config(TOPICS, light()))
    assert config["device"]["identifiers"] == ["pilotlight_a1b2c3d4e5f6_desk"]
    assert (config["device"]["name"], config["device"]["via_device"]) == ("Desk", "pilotlight_a1b2c3d4e5f6")
    assert config["origin"]["name"] == "Pilot Light"
    component = config["components"]["light"]
    assert component["command_topic"] == f"{BASE}/light/desk/set"
    assert component["state_topic"] == f"{BASE}/light/desk/state"
    assert component["availability"] == [{"topic": f"{BASE}/status"}, {"topic": f"{BASE}/light/desk/available"}]
    assert (component["brightness_scale"], component["schema"], component["name"]) == (100, "json", None)
    assert component["effect_list"][0] == "off"


def test_what_the_panel_is_itself() -> None:
    keys = set(messages.hub_components(TOPICS, state(), Hub("hall", has_power=True)))
    assert keys == {"clients", "throttled", "runs", "group_kitchen", "scene_dinner", "show_sunrise"}
    assert set(messages.hub_components(TOPICS, state(), Hub("hall", keeps=False))) == {"clients"}
    components = messages.hub_components(TOPICS, state(), Hub("hall"))
    assert len({one["unique_id"] for one in components.values()}) == len(components)
    config = messages.hub_config(TOPICS, Hub("hall"), components, {"scene_old": "scene"})
    assert json.loads(config)["components"]["scene_old"] == {"platform": "scene"}  # which drops it
    assert messages.platforms_in(config)["show_sunrise"] == "switch"


def entities(here: State) -> list[tuple[str, str, str | None, str | None]]:
    """Platform, unique id, command topic and own state topic of all that Home Assistant gets of this panel."""
    own = [light for id, light in here.lights.items() if id.startswith(TOPICS.prefix)]
    found = [json.loads(messages.light_config(TOPICS, light))["components"]["light"] for light in own]
    found += messages.hub_components(TOPICS, here, Hub("hall", has_power=True)).values()
    states = [one.get("state_topic") for one in found]
    alone = [None if topic == TOPICS.diagnostics else topic for topic in states]
    return [
        (one["platform"], one["unique_id"], one.get("command_topic"), topic)
        for one, topic in zip(found, alone, strict=True)
    ]


@pytest.mark.parametrize(
    "ids",
    [
        ["group_kitchen"],
        ["group_kitchen", "group_all", "group__kitchen", "group-kitchen", "group"],
        ["kitchen", "dinner", "sunrise", "clients", "runs", "throttled"],
        ["scene_dinner", "show_sunrise", "scene_kitchen", "show_kitchen", "light_kitchen"],
    ],
)
def test_no_two_entities_are_one(ids: list[str]) -> None:
    lights = {f"hall.{id}": light(f"hall.{id}") for id in ids} | {"attic.group_kitchen": light("attic.group_kitchen")}
    found = entities(state().model_copy(update={"lights": lights}))
    assert len({(platform, unique) for platform, unique, _, _ in found}) == len(found)
    for topics in ([one[2] for one in found if one[2]], [one[3] for one in found if one[3]]):
        assert len(set(topics)) == len(topics)
    assert len({TOPICS.device(id) for id in lights} | {TOPICS.hub}) == len(lights) + 1


def test_an_id_changes_only_where_two_were_one() -> None:
    hub = TOPICS.hub

    def unique(*lights: str) -> set[str]:
        here = state().model_copy(update={"lights": {id: light(id) for id in lights}})
        return {unique for platform, unique, _, _ in entities(here) if platform == "light"}

    assert unique("hall.group_kitchen", "hall.desk") == {
        f"{hub}_group_kitchen",
        f"{hub}_desk",
        f"{hub}_group.kitchen",
    }
    assert unique("hall.group_hall", "attic.group_kitchen") == {f"{hub}_group_hall", f"{hub}_group_kitchen"}


@pytest.mark.parametrize(
    ("key", "addressed"),
    [
        ("group_kitchen", ("group", "kitchen")),
        ("group.kitchen", ("group", "kitchen")),
        ("show_at_dawn", ("show", "at_dawn")),
        ("scene_dinner-2", ("scene", "dinner-2")),
        ("clients", ("clients", "")),
    ],
)
def test_a_key_leads_back_to_its_entity(key: str, addressed: tuple[str, str]) -> None:
    assert messages.kind_and_id(key) == addressed


@pytest.mark.parametrize("config", [b"", b"x", b"[]", b"{}", b'{"components":[]}', b'{"components":{"a":{}}}', b"\xff"])
def test_a_broken_config_has_nothing_in_it(config: bytes) -> None:
    assert messages.platforms_in(config) == {}


def test_topics_lead_back_to_what_they_are_about() -> None:
    assert TOPICS.addressed(f"{BASE}/light/desk/set") == ("light", "hall.desk")
    assert TOPICS.addressed(f"{BASE}/show/sunrise/state") == ("show", "sunrise")
    for other in (f"{BASE}/status", f"{BASE}/lamp/desk/set", f"{BASE}/light/a/b/set", "pilotlight/else/light/desk/set"):
        assert TOPICS.addressed(other) is None
    assert TOPICS.device_in(TOPICS.config(TOPICS.hub)) == ""
    assert TOPICS.device_in(TOPICS.config(TOPICS.device("hall.desk"))) == "hall.desk"
    assert TOPICS.device_in("homeassistant/device/pilotlight_000000000000_desk/config") is None
    assert TOPICS.births == ["homeassistant/status"]
    assert Topics("p", "ha", "n").births == ["homeassistant/status", "ha/status"]


def test_a_run_that_has_ended() -> None:
    said = json.loads(messages.run_event(run(state="ended", outcome="failed", exit_code=2)))
    assert said == {"event_type": "failed", "run": "sunrise-1", "name": "Sunrise", "kind": "show", "exit_code": 2}
