"""Groups of lights and scenes: what they are, the commands on them and on many lights at once, and their events."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from asgi_app.models.base import Actor, Asks, Frozen, Result, Strict
from asgi_app.models.lights import Level, Light, LightChange, LightSettings, Seconds, WantedEffect

ALL = "all"  # the group that is always there, of all lights

MOST_LIGHTS = 4000  # of a command, and in all groups, scenes or schedules: every client has all of them
KEPT_ID = r"^[a-z][a-z0-9-]{0,63}$"  # of a group, a scene or a schedule
Lights = Annotated[list[str], Field(min_length=1, max_length=MOST_LIGHTS)]  # ids


class Group(Frozen):
    """Lights that are switched and dimmed as one. A light may be in several groups."""

    id: str
    name: str
    lights: tuple[str, ...] = Field(description="Ids; a light may be gone.")


class Scene(Frozen):
    """How some lights are set, to be recalled at once."""

    id: str
    name: str
    lights: dict[str, LightSettings] = Field(description="By the id of the light, which may be gone.")


class SceneLight(Strict):
    """One light of a scene that is written, not taken from what is now. What is left out: as it is now, but on."""

    level: Level | None = None
    on: bool | None = None
    effect: WantedEffect | None = None


class LightsResult(Result):
    """What became of each light of a command on several."""

    lights: dict[str, Light] = Field(description="Those that did it, as they are now.")
    refused: dict[str, dict[str, Any]] = Field(description="The problem object of each light that did not.")


class GroupResult(Result):
    """The group after the command."""

    group: Group


class SceneResult(Result):
    """The scene after the command."""

    scene: Scene


class SetLights(LightChange, Asks[LightsResult]):
    """Change the lights of a group, or several lights. A refusal of one does not stop the others.

    With `group`, level and step are of its brightest light, and those that are on keep their proportions.
    """

    do: Literal["set_light"] = "set_light"
    group: str | None = None
    lights: Lights | None = None

    @model_validator(mode="after")
    def _which(self) -> SetLights:
        _check_one_of(self, "group", "lights")
        return self


class UndoLights(Strict, Asks[LightsResult]):
    """Undo what a group or a scene did last, or the last change of each of these lights. A second undo redoes it."""

    do: Literal["undo_light"] = "undo_light"
    group: str | None = None
    scene: str | None = None
    lights: Lights | None = None

    @model_validator(mode="after")
    def _which(self) -> UndoLights:
        _check_one_of(self, "group", "lights", "scene")
        return self


class GroupContent(Strict):
    """Name and lights of a group."""

    name: str
    lights: Lights


class SaveGroup(GroupContent, Asks[GroupResult]):
    """Make a group, or replace the one with the id `group`."""

    do: Literal["save_group"] = "save_group"
    group: str | None = None


class RenameGroup(Strict, Asks[GroupResult]):
    """Give a group another name. Its id stays."""

    do: Literal["rename_group"] = "rename_group"
    group: str
    name: str


class DeleteGroup(Strict, Asks[Result]):
    """Delete a group. Its lights stay."""

    do: Literal["delete_group"] = "delete_group"
    group: str


class GroupOrder(Strict):
    """All groups, in their new order."""

    order: list[str]


class OrderGroups(GroupOrder, Asks[Result]):
    """Change the order of the groups."""

    do: Literal["order_groups"] = "order_groups"


class LightOrder(Strict):
    """All lights, in their new order."""

    order: Lights


class OrderLights(LightOrder, Asks[Result]):
    """Change the order of the lights. A new light is the last."""

    do: Literal["order_lights"] = "order_lights"


IDS, WRITTEN = SCENE_LIGHTS = ("ids", "written")  # of a scene: as they are now, or as they are to be
SceneLights = Annotated[
    Annotated[Lights, Tag(IDS)]
    | Annotated[dict[str, SceneLight], Field(min_length=1, max_length=MOST_LIGHTS), Tag(WRITTEN)],
    Discriminator(lambda value: WRITTEN if isinstance(value, dict) else IDS),
]


class SceneContent(Strict):
    """Name of a scene, and its lights: as written, or as they are now. Without both fields: all lights, as now."""

    name: str
    group: str | None = Field(None, description="The lights of this group, as they are now.")
    lights: SceneLights | None = Field(
        None, description="Ids of lights, as they are now; or how each is to be, by its id."
    )

    @model_validator(mode="after")
    def _which(self) -> SceneContent:
        if self.group is not None and self.lights is not None:
            raise ValueError("Give group or lights, not both.")
        return self


class SaveScene(SceneContent, Asks[SceneResult]):
    """Make a scene, or replace the one with the id `scene`."""

    do: Literal["save_scene"] = "save_scene"
    scene: str | None = None


class RenameScene(Strict, Asks[SceneResult]):
    """Give a scene another name. Its id stays."""

    do: Literal["rename_scene"] = "rename_scene"
    scene: str
    name: str


class DeleteScene(Strict, Asks[Result]):
    """Delete a scene. Its lights stay as they are."""

    do: Literal["delete_scene"] = "delete_scene"
    scene: str


class HowToRecall(Strict):
    """How to recall a scene."""

    transition: Seconds | None = Field(None, description="Length of the fade, seconds.")


class RecallScene(HowToRecall, Asks[LightsResult]):
    """Set the lights as the scene has them. One undo brings them back."""

    do: Literal["recall_scene"] = "recall_scene"
    scene: str


class _Arranged(Frozen):
    by: Actor
    at: float

    @property
    def key(self) -> None:
        """None takes the place of another: the order of what happened is that of the groups and scenes."""


class GroupChanged(_Arranged):
    """A group was made (it is the last one), changed, or deleted. `state` is the group now, or null."""

    event: Literal["group_changed"] = "group_changed"
    group: str
    state: Group | None


class GroupsOrdered(_Arranged):
    """The groups have another order."""

    event: Literal["groups_ordered"] = "groups_ordered"
    order: tuple[str, ...]


class LightsOrdered(_Arranged):
    """The lights have another order. One that it does not name comes after the others."""

    event: Literal["lights_ordered"] = "lights_ordered"
    order: tuple[str, ...]


class SceneChanged(_Arranged):
    """A scene was made (it is the last one), changed, or deleted. `state` is the scene now, or null."""

    event: Literal["scene_changed"] = "scene_changed"
    scene: str
    state: Scene | None


ARRANGING = SaveGroup | RenameGroup | DeleteGroup | OrderGroups | OrderLights | SaveScene | RenameScene | DeleteScene
ARRANGED = GroupChanged | GroupsOrdered | LightsOrdered | SceneChanged


def _check_one_of(command: Strict, *fields: str) -> None:
    if sum(getattr(command, field) is not None for field in fields) != 1:
        raise ValueError(f"Give one of light, {', '.join(fields)}.")
