"""What the panel says to Home Assistant by MQTT, and what it understands. Pure.

https://www.home-assistant.io/integrations/mqtt/ has the payloads of discovery; `light.mqtt` those of lights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import pydantic_core

from asgi_app import __version__
from asgi_app.core.groups import level_of
from asgi_app.core.lights import without_node
from asgi_app.errors import BadCommand, UnknownShow
from asgi_app.hw.motion import FLASH_SECONDS
from asgi_app.models.base import as_json
from asgi_app.models.groups import Group, RecallScene, SetLights
from asgi_app.models.json_text import parse_json
from asgi_app.models.lights import Effect, Light, SetLight
from asgi_app.models.run_commands import SignalRun
from asgi_app.models.runs import Outcome, Run
from asgi_app.models.shows import StartShow
from asgi_app.models.wire import AnyCommand, State, parse_body
from asgi_app.mqtt.topics import Kind, Topics

ONLINE, OFFLINE = b"online", b"offline"
ON, OFF = "ON", "OFF"
NO_EFFECT = "off"  # Home Assistant's own word for none
EFFECTS = [NO_EFFECT, *get_args(Effect)]
SHORT_FLASH, LONG_FLASH = 2, 6  # seconds
MOST_FLASHES = 20
LONGEST = 4096  # bytes of a command; those of Home Assistant have at most 100
ORIGIN = {"name": "Pilot Light", "sw_version": __version__}
MAKER = {"manufacturer": "Pilot Light", "sw_version": __version__}

Platforms = Mapping[str, str]  # by component: light, switch, …


class Hub(NamedTuple):
    """What is known of the panel beside its state: its name, and whether this board reports how it is powered."""

    name: str
    has_power: bool = False
    keeps: bool = True  # groups, scenes, shows and runs; another panel has them otherwise


def json_of(value: Any) -> bytes:
    """Return the payload of this value."""
    return pydantic_core.to_json(value)


# --- discovery ---------------------------------------------------------------------------------------------------


def light_config(topics: Topics, light: Light) -> bytes:
    """Return the payload that makes a light a device of Home Assistant."""
    device = topics.device(light.id)
    available = [{"topic": topics.status}, {"topic": topics.available("light", light.id)}]
    return json_of(
        {
            "device": {
                "identifiers": [device],
                "name": light.name,
                "model": "Light",
                "via_device": topics.hub,
                **MAKER,
            },
            "origin": ORIGIN,
            "components": {
                "light": {
                    "name": None,  # that of the device
                    "unique_id": device,
                    "availability": available,
                    "availability_mode": "all",
                    **_dimmable(topics, "light", light.id),
                }
            },
        }
    )


def _dimmable(topics: Topics, kind: Kind, id: str) -> dict[str, Any]:
    return {
        "platform": "light",
        "schema": "json",
        "command_topic": topics.set(kind, id),
        "state_topic": topics.state(kind, id),
        "brightness": True,
        "brightness_scale": 100,
        "supported_color_modes": ["brightness"],
        "effect": True,
        "effect_list": EFFECTS,
        "flash_time_short": SHORT_FLASH,
        "flash_time_long": LONG_FLASH,
        "qos": 1,  # here: that of the whole device is ignored by 2025.4
    }


def hub_components(topics: Topics, state: State, hub: Hub) -> dict[str, dict[str, Any]]:
    """Return the entities of the panel itself, by their keys."""
    found = {
        "clients": {
            "platform": "sensor",
            "name": "Clients",
            "state_topic": topics.diagnostics,
            "value_template": "{{ value_json.clients }}",
            "state_class": "measurement",
            "entity_category": "diagnostic",
            "icon": "mdi:account-multiple",
        }
    }
    if hub.has_power:
        found["throttled"] = {
            "platform": "binary_sensor",
            "name": "Throttled",
            "state_topic": topics.diagnostics,
            "value_template": "{{ 'ON' if value_json.throttled else 'OFF' }}",
            "device_class": "problem",
            "entity_category": "diagnostic",
        }
    if hub.keeps:
        found |= _kept_components(topics, state)
    common = {"availability": [{"topic": topics.status}], "qos": 1}
    return {key: {**given, "unique_id": f"{topics.hub}_{key}", **common} for key, given in found.items()}


def _kept_components(topics: Topics, state: State) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {
        "runs": {
            "platform": "event",
            "name": "Runs",
            "state_topic": topics.runs,
            "event_types": list(get_args(Outcome)),
            "icon": "mdi:console",
        }
    }
    for group in state.groups.values():
        found[_group_key(topics, state, group.id)] = {"name": group.name, **_dimmable(topics, "group", group.id)}
    for scene in state.scenes.values():
        found[f"scene_{scene.id}"] = {
            "platform": "scene",
            "name": scene.name,
            "command_topic": topics.set("scene", scene.id),
            "payload_on": ON,
        }
    for show in state.shows.values():
        found[f"show_{show.name}"] = {
            "platform": "switch",
            "name": show.title,
            "command_topic": topics.set("show", show.name),
            "state_topic": topics.state("show", show.name),
            "icon": "mdi:play-circle-outline",
        }
    return found


def _group_key(topics: Topics, state: State, id: str) -> str:
    """Return the key of a group, which is part of its id in Home Assistant. There, lights and groups are one kind.

    A light of this panel may have that id. Then the group gets one that no light can have, as lights have no dot.
    """
    key = f"group_{id}"
    return key if topics.prefix + key not in state.lights else f"group.{id}"


def may_rename_group(light: str) -> bool:
    """Whether a group may have another key once this light is there, or gone."""
    return without_node(light).startswith("group_")


def kind_and_id(key: str) -> tuple[str, str]:
    """Return the kind and the id of the entity of the panel with this key."""
    kind, _, id = key.replace(".", "_", 1).partition("_")
    return kind, id


def hub_config(topics: Topics, hub: Hub, components: Mapping[str, Mapping[str, Any]], gone: Platforms) -> bytes:
    """Return the payload that makes the panel a device of Home Assistant, without the components that are `gone`.

    Home Assistant drops an entity if the payload has nothing of it but its platform, and keeps one that is missing.
    """
    return json_of(
        {
            "device": {"identifiers": [topics.hub], "name": hub.name, "model": "Panel", **MAKER},
            "origin": ORIGIN,
            "components": {**components, **{key: {"platform": platform} for key, platform in gone.items()}},
        }
    )


def platforms_in(config: bytes) -> Platforms:
    """Return the components of a payload that this panel has sent, now or in another version; none if it is broken."""
    try:
        components = parse_json(config)["components"]
        return {str(key): str(given["platform"]) for key, given in components.items()}
    except (ValueError, KeyError, TypeError, AttributeError, BadCommand):
        return {}


# --- states ------------------------------------------------------------------------------------------------------


def light_state(light: Light) -> bytes:
    """Return the state of a light: its target, so that a slider does not follow a fade."""
    return _state(light.target, light.effect)


def group_state(group: Group, lights: Mapping[str, Light]) -> bytes:
    """Return the state of a group: on if one of its lights is, with the level of the brightest."""
    there = [lights[id] for id in group.lights if id in lights]
    lit = [light for light in there if light.target > 0]
    effects = {light.effect for light in lit}
    return _state(level_of(lit), effects.pop() if len(effects) == 1 else None)


def _state(level: int, effect: str | None) -> bytes:
    if level == 0:
        return json_of({"state": OFF})
    return json_of({"state": ON, "brightness": level, "effect": effect or NO_EFFECT})


def availability(light: Light) -> bytes:
    """Return whether the light can be used."""
    return ONLINE if light.online else OFFLINE


def playing(state: State, show: str) -> Run | None:
    """Return the run that plays this show now."""
    return next((run for run in state.runs.values() if run.show == show and run.state != "ended"), None)


def show_state(state: State, show: str) -> bytes:
    """Return whether the show is playing."""
    return (ON if playing(state, show) is not None else OFF).encode()


def run_event(run: Run) -> bytes:
    """Return the event of a run that has ended."""
    said = {"event_type": run.outcome, "run": run.id, "name": run.name, "kind": run.kind, "exit_code": run.exit_code}
    return json_of(said)


# --- commands ----------------------------------------------------------------------------------------------------


def command_of(state: State, kind: Kind, id: str, payload: bytes) -> AnyCommand:
    """Return the command in a message. Raises a `PanelError`."""
    if len(payload) > LONGEST:
        raise BadCommand(f"The command has {len(payload)} bytes. Send {LONGEST} at most.")
    if kind == "light":
        return parse_body(SetLight, _change(payload), light=id)
    if kind == "group":
        return parse_body(SetLights, _change(payload), group=id)
    word = payload.decode(errors="replace")
    if kind == "scene" and word == ON:
        return RecallScene(scene=id)
    if kind == "show" and word == ON:
        return StartShow(show=id)
    if kind == "show" and word == OFF:
        return _stop(state, id)
    raise BadCommand(f"{as_json(word)} is no command for a {kind}. Send ON{' or OFF' if kind == 'show' else ''}.")


def _stop(state: State, show: str) -> AnyCommand:
    if show not in state.shows:
        raise UnknownShow(f"No show has the name {as_json(show)}.", field="show")
    run = playing(state, show)
    if run is None:
        raise BadCommand(f"The show {show} is not running.", field="show")
    return SignalRun(run=run.id, signal="stop")


def _change(payload: bytes) -> dict[str, Any]:
    """Return the fields of a `LightChange` in a command of Home Assistant. Raises `BadCommand`, `MalformedJSON`.

    What else it may say, such as a colour, is left out.
    """
    said = parse_json(payload)
    if not isinstance(said, dict):
        raise BadCommand(f"A command is a JSON object like {{'state': 'ON'}}, not {as_json(said)}.")
    state = said.get("state")
    if state not in (ON, OFF, None):
        raise BadCommand(f"The state {as_json(state)} is unknown. Use ON or OFF.", field="state")
    change: dict[str, Any] = {} if state is None else {"on": state == ON}
    names = {"brightness": "level", "effect": "effect", "transition": "transition"}
    change |= {ours: said[theirs] for theirs, ours in names.items() if said.get(theirs) is not None}
    if change.get("effect") == NO_EFFECT:
        change["effect"] = "none"
    if (flash := said.get("flash")) is not None:
        change["flash"] = _flashes(flash)
        if change.get("on") and "level" not in change and "effect" not in change:
            del change["on"]  # it flashes, and then is as it was
    return change


def _flashes(seconds: Any) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 3600:
        raise BadCommand(f"flash is {as_json(seconds)}. Give the seconds for which it flashes.", field="flash")
    return min(max(round(seconds / FLASH_SECONDS), 1), MOST_FLASHES)
