"""Commands on groups, scenes and several lights: proportions, refusals, undo."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_app.core.groups import level_of
from asgi_app.models.groups import Group, GroupChanged, Scene, SceneChanged
from asgi_app.models.lights import LightSettings
from asgi_app.models.wire import Reply, parse_command
from asgi_app.service.many_lights import ManyLights
from tests.support.service_bench import ANN, BOB, SOON, Bench, settle


class Many(Bench):
    """The bench, whose group `both` has its two lights and one that is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.deeds: dict[tuple[str, str], Any] = {}  # as they are kept
        self.many = ManyLights(self.panel, self.lights, save=self.keep, clock=lambda: self.now)
        group = Group(id="both", name="Both", lights=("led", "desk", "gone"))
        self.panel.commit(GroupChanged(group="both", by=ANN, at=0, state=group))
        lights = {"led": LightSettings(level=10, on=True), "desk": LightSettings(level=70, on=False)}
        scene = Scene(id="dinner", name="Dinner", lights=lights)
        self.panel.commit(SceneChanged(scene="dinner", by=ANN, at=0, state=scene))

        empty = Scene(id="empty", name="Empty", lights={})  # as an import may have it
        self.panel.commit(SceneChanged(scene="empty", by=ANN, at=0, state=empty))

    def keep(self, key: tuple[str, str], left: Any) -> None:
        if left is None:
            del self.deeds[key]
        else:
            self.deeds[key] = dict(left)

    def start_again(self) -> None:
        """Forget everything but what is kept. The lights are remembered with their own undo."""
        self.many = ManyLights(self.panel, self.lights, self.deeds, clock=lambda: self.now)

    async def do(self, do: str, actor: Any = ANN, **fields: Any) -> Reply:
        return await asyncio.wait_for(self.panel.ask(actor, parse_command({"do": do, **fields})), SOON)

    async def set(self, actor: Any = ANN, **fields: Any) -> Reply:
        return await self.do("set_light", actor, **fields)

    async def start(self, led: int, desk: int) -> None:
        """Set both, and let the gesture end."""
        await self.set(light="led", level=led)
        await self.set(light="desk", level=desk)
        self.now += 10

    @property
    def levels(self) -> tuple[int, int]:
        return self.panel.light("led").target, self.panel.light("desk").target


@pytest.fixture
async def many() -> Many:
    return Many()


async def test_proportions_outlive_the_way_down_and_up(many: Many) -> None:
    await many.start(80, 37)
    for level, then in [(40, (40, 18)), (1, (1, 1)), (0, (0, 0)), (3, (3, 1)), (100, (100, 46))]:
        assert (await many.set(group="both", level=level)).ok
        assert many.levels == then
        many.now += 10  # also if it is not one drag
    await many.set(group="both", step=-20)
    assert many.levels == (80, 37)


async def test_proportions_hold_within_a_drag_that_is_faster_than_the_pins(many: Many) -> None:
    await many.start(80, 40)
    many.pins.hold()
    drag = [asyncio.create_task(many.set(group="both", level=level)) for level in (60, 3, 20, 90)]
    await settle()
    many.pins.let_go()
    assert all([(await reply).ok for reply in drag])
    assert many.levels == (90, 45)


async def test_proportions_are_taken_anew_after_a_light_was_moved(many: Many) -> None:
    await many.start(80, 40)
    await many.set(group="both", level=40)
    many.now += 10
    await many.set(BOB, light="desk", level=40)
    await many.set(group="both", level=80)
    assert many.levels == (80, 80)


async def test_a_light_that_somebody_moves_during_the_drag_goes_on_from_there(many: Many) -> None:
    await many.start(80, 40)
    await many.set(group="both", level=40)
    await many.set(BOB, light="desk", level=10)
    many.now += 0.5
    await many.set(group="both", level=20)
    assert many.levels == (20, 5)
    await many.set(BOB, light="desk", on=False)
    await many.set(group="both", level=60)
    assert many.levels == (60, 0)
    await many.set(BOB, light="desk", level=30)
    await many.set(group="both", level=0)
    assert many.levels == (0, 0)


async def test_lights_that_are_off_stay_off_unless_all_are(many: Many) -> None:
    await many.start(80, 40)
    await many.set(light="desk", on=False)
    await many.set(group="both", level=50)
    assert many.levels == (50, 0)
    await many.set(group="both", on=False)
    many.now += 10
    await many.set(group="both", level=60, transition=1)
    assert many.levels == (60, 48)
    await many.set(group="both", on=False)
    await many.set(group="both", on=True)
    assert many.levels == (60, 48)


VERBS: list[dict[str, Any]] = [
    {"level": 30},
    {"level": 30, "on": True},  # as Home Assistant says it
    {"level": 30, "effect": "pulse"},
    {"level": 30, "effect": "none", "on": True, "transition": 1},
    {"level": 30, "flash": 2},
    {"step": -50, "on": True},
    {"level": 30, "on": None, "step": None, "effect": None, "flash": None, "transition": None},
]


@pytest.mark.parametrize("verbs", VERBS)
async def test_the_level_of_a_group_is_the_one_asked_for_whatever_verbs_come_with_it(
    many: Many, verbs: dict[str, Any]
) -> None:
    await many.start(80, 100)
    await many.set(light="desk", on=False)
    assert (await many.set(group="both", **verbs)).ok
    assert many.levels == (30, 0)  # what is off stays off
    await many.set(light="led", on=False)
    await many.set(light="led", level=80, on=False)
    many.now += 10
    if "level" in verbs:
        assert (await many.set(group="both", **verbs)).ok
        assert many.levels == (24, 30)  # if none shines, all come on
    for more in ({"effect": "pulse"}, {"on": True}):
        assert (await many.set(group="both", level=0, **more)).ok
        assert many.levels == (0, 0)


async def test_a_light_that_comes_on_between_two_drags_follows_the_second(many: Many) -> None:
    await many.start(80, 40)
    await many.set(light="desk", on=False)
    await many.set(group="both", level=50)
    await many.set(BOB, light="desk", on=True)
    await many.set(group="both", level=25)
    assert many.levels == (25, 20)


async def test_a_light_that_is_offline_does_not_count_for_the_level_and_says_so(many: Many) -> None:
    await many.start(80, 40)
    many.lights.light_offline("led", "a wire is loose")
    reply = await many.set(group="both", level=20)
    assert (many.panel.light("desk").target, list(reply.result.refused)) == (20, ["led"])
    assert level_of(many.panel.light(id) for id in ("led", "desk")) == 20


async def test_several_lights_get_the_same_level(many: Many) -> None:
    reply = await many.set(lights=["led", "desk", "led"], level=33)
    assert many.levels == (33, 33)
    assert list(reply.result.lights) == ["led", "desk"]


async def test_a_refusal_of_one_light_is_told_by_name_and_stops_no_other(many: Many) -> None:
    many.lights.light_offline("desk", "a wire is loose")
    reply = await many.set(group="all", on=False)
    assert reply.ok
    assert list(reply.result.lights) == ["led"]
    assert reply.result.refused["desk"]["type"].endswith("light-offline")
    assert "a wire is loose" in reply.result.refused["desk"]["detail"]
    reply = await many.set(lights=["led", "nope"], level=5)
    assert (many.levels[0], list(reply.result.refused)) == (5, ["nope"])


async def test_if_all_refuse_the_command_is_refused(many: Many) -> None:
    for light in ("led", "desk"):
        many.lights.light_offline(light, "no power")
    reply = await many.set(group="both", level=10)
    assert (reply.ok, reply.status) == (False, 503)
    assert [error["field"] for error in reply.problem["errors"]] == ["led", "desk"]


@pytest.mark.parametrize(
    ("command", "slug"),
    [
        ({"do": "set_light", "group": "nope", "on": True}, "unknown-group"),
        ({"do": "undo_light", "scene": "nope"}, "unknown-scene"),
        ({"do": "recall_scene", "scene": "nope"}, "unknown-scene"),
        ({"do": "set_light", "lights": ["nope"], "on": True}, "unknown-light"),
        ({"do": "recall_scene", "scene": "empty"}, "unknown-light"),
        ({"do": "undo_light", "group": "both"}, "nothing-to-undo"),
        ({"do": "undo_light", "scene": "dinner"}, "nothing-to-undo"),
        ({"do": "undo_light", "lights": ["led"]}, "nothing-to-undo"),
    ],
)
async def test_refusals(many: Many, command: dict[str, Any], slug: str) -> None:
    problem = (await many.panel.ask(ANN, parse_command(command))).problem
    assert problem is not None
    assert problem["type"].endswith(slug)
    assert many.levels == (50, 50)


async def test_one_undo_brings_a_scene_back_also_right_after_a_drag(many: Many) -> None:
    await many.set(light="led", level=81)
    await many.set(light="desk", level=82)
    assert (await many.do("recall_scene", scene="dinner")).ok
    assert many.levels == (10, 0)
    assert (await many.do("undo_light", scene="dinner")).ok
    assert many.levels == (81, 82)
    assert (await many.do("undo_light", scene="dinner")).ok  # which redoes it
    assert many.levels == (10, 0)


async def test_recalled_twice_one_undo_goes_one_step_back(many: Many) -> None:
    await many.do("recall_scene", scene="dinner")
    await many.set(light="led", level=60)
    await many.do("recall_scene", scene="dinner")
    await many.do("undo_light", scene="dinner")
    assert many.levels == (60, 0)


async def do_off(many: Many) -> dict[str, str]:
    await many.set(group="both", on=False)
    return {"group": "both"}


async def do_recall(many: Many) -> dict[str, str]:
    await many.do("recall_scene", scene="dinner")
    return {"scene": "dinner"}


DEEDS = pytest.mark.parametrize("deed", [do_off, do_recall])


@DEEDS
async def test_what_changes_nothing_leaves_the_undo_as_it_was(many: Many, deed: Any) -> None:
    await many.start(80, 40)
    for _ in range(3):
        of = await deed(many)
        many.now += 10
    many.start_again()
    assert (await many.do("undo_light", **of)).ok
    assert many.levels == (80, 40)


@DEEDS
async def test_an_undo_that_is_refused_can_be_done_later(many: Many, deed: Any) -> None:
    await many.start(80, 40)
    of = await deed(many)
    for light in ("led", "desk"):
        many.lights.light_offline(light, "no power")
    assert (await many.do("undo_light", **of)).status == 503
    for light in ("led", "desk"):
        many.lights.light_online(light)
    assert (await many.do("undo_light", **of)).ok
    assert many.levels == (80, 40)


@DEEDS
async def test_a_light_that_refuses_the_undo_is_undone_by_the_next_one(many: Many, deed: Any) -> None:
    await many.start(80, 40)
    of = await deed(many)
    after = many.levels
    many.lights.light_offline("desk", "a wire is loose")
    assert list((await many.do("undo_light", **of)).result.refused) == ["desk"]
    assert many.levels == (80, after[1])
    many.lights.light_online("desk")
    assert list((await many.do("undo_light", **of)).result.lights) == ["desk"]
    assert many.levels == (80, 40)
    assert (await many.do("undo_light", **of)).ok  # which redoes both
    assert many.levels == after


async def test_two_undos_at_once_are_one(many: Many) -> None:
    await many.start(80, 40)
    of = await do_off(many)
    replies = await asyncio.gather(*(many.do("undo_light", **of) for _ in range(2)))
    assert sorted(reply.ok for reply in replies) == [False, True]
    assert many.levels == (80, 40)


async def test_a_drag_after_an_undo_is_a_deed_of_its_own(many: Many) -> None:
    await many.start(80, 40)
    await do_off(many)
    await many.do("undo_light", group="both")
    await many.set(BOB, light="desk", on=False)
    await many.set(group="both", level=50)
    await many.do("undo_light", group="both")
    assert many.levels == (80, 0)


@pytest.mark.parametrize("is_new_start", [False, True])
@DEEDS
async def test_a_group_or_scene_with_the_id_of_a_deleted_one_has_done_nothing(
    many: Many, deed: Any, is_new_start: bool
) -> None:
    await many.start(80, 40)
    of = await deed(many)
    ((kind, id),) = of.items()
    made = getattr(many.panel.state, f"{kind}s")[id]
    event = GroupChanged if kind == "group" else SceneChanged
    for state in (None, made):
        many.panel.commit(event(**of, by=ANN, at=0, state=state))
    after = many.levels
    assert many.deeds == {}
    if is_new_start:
        many.start_again()
    assert (await many.do("undo_light", **of)).problem["type"].endswith("nothing-to-undo")
    assert many.levels == after


async def test_a_group_with_the_id_of_a_deleted_one_has_its_own_proportions(many: Many) -> None:
    await many.start(80, 40)
    await many.set(group="both", level=1)
    made = many.panel.state.groups["both"]
    for state in (None, made):
        many.panel.commit(GroupChanged(group="both", by=ANN, at=0, state=state))
    await many.set(group="both", level=60)
    assert many.levels == (60, 60)


async def test_undo_of_all_off_leaves_what_was_off(many: Many) -> None:
    await many.start(80, 40)
    await many.set(light="desk", on=False)
    await many.set(group="all", on=False)
    assert many.levels == (0, 0)
    await many.do("undo_light", group="all")
    assert many.levels == (80, 0)


async def test_undo_of_a_group_leaves_what_somebody_moved_since(many: Many) -> None:
    await many.start(80, 40)
    for level in (70, 30, 20):
        await many.set(group="both", level=level)
    await many.set(BOB, light="desk", level=99)
    reply = await many.do("undo_light", group="both")
    assert many.levels == (80, 99)
    assert list(reply.result.lights) == ["led"]


@pytest.mark.parametrize("deed", [{"group": "both"}, {"scene": "dinner"}])
async def test_undo_of_a_group_or_a_scene_outlives_the_panel(many: Many, deed: dict[str, str]) -> None:
    await many.start(60, 20)
    if "group" in deed:
        await many.set(level=30, **deed)
    else:
        await many.do("recall_scene", **deed)
    many.start_again()
    assert (await many.do("undo_light", **deed)).ok
    assert many.levels == (60, 20)


async def test_what_another_hand_does_after_a_start_is_a_deed_of_its_own(many: Many) -> None:
    await many.start(60, 20)
    await many.set(group="both", level=30)
    many.start_again()
    await many.set(BOB, group="both", on=False)
    await many.do("undo_light", group="both")
    assert many.levels == (30, 10)


async def test_a_group_that_a_drag_turns_off_comes_back_at_the_level_before_the_drag(many: Many) -> None:
    await many.start(80, 40)
    for level in (50, 20, 3):
        await many.set(group="both", level=level)
    await many.set(group="both", level=80, on=False)
    assert many.levels == (0, 0)
    await many.set(group="both", on=True)
    assert many.levels == (80, 40)
    await many.set(group="both", level=60, on=False)
    await many.set(group="both", level=20)  # the hand goes up again
    assert many.levels == (20, 10)
