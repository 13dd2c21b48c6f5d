"""Shows that people save: made, changed, tried and deleted on the wires, told to all, and kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel, eventually
from tests.support.show_wires import LIGHTS, write_shows

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEPS: list[dict[str, Any]] = [
    {"set": {"light": "desk", "level": 10}},
    {"fade": {"level": 60, "seconds": 30}},
    {"repeat": {"times": 2, "steps": [{"wait": {"seconds": 5}}]}},
]
PARTY = {"title": "Party  time", "description": "Loud.", "steps": STEPS}
NAMED = {"name": "party-time", "title": "Party time", "description": "Loud.", "translations": {}}
SAVED = NAMED | {"source": "own", "seconds": 40.0, "endless": False}


async def told(client: LiveClient) -> list[tuple[str, Any]]:
    """Each show that has changed since the last call, and how it is then."""
    return [(event["show"], event["state"]) for event in await client.caught_up() if event["event"] == "show_changed"]


async def ended(client: LiveClient, run: str) -> None:
    """Stop the run, and wait for its end."""
    await client.send({"do": "signal_run", "run": run, "signal": "stop"})
    await client.event("run_changed", run=run, state="ended")


@pytest.fixture
def fresh(start_panel: Callable[..., RunningPanel]) -> RunningPanel:
    return start_panel(lights=LIGHTS)


async def test_a_show_is_made_changed_played_and_deleted(fresh: RunningPanel) -> None:
    async with live(fresh, name="Ada") as ada:
        # when somebody saves a show over REST, then everybody knows it
        answer = fresh.post("/shows", json=PARTY)
        assert answer.status_code == 201, answer.text
        assert answer.json().items() >= (SAVED | {"steps": STEPS}).items()
        assert answer.json()["graph"]["nodes"]
        assert await told(ada) == [("party-time", SAVED)]
        assert fresh.get("/shows/party-time").json() == answer.json()
        async with live(fresh) as newcomer:
            assert newcomer.opening["state"]["shows"]["party-time"] == SAVED

        # and it can be played; a change does not disturb what plays
        run = (await ada.ask("start_show", show="party-time"))["run"]
        assert (run["name"], run["show"], run["kind"]) == ("Party time", "party-time", "show")
        changed = await ada.ask("save_show", show="party-time", title="Quiet", steps=[{"wait": {"seconds": 0}}])
        assert changed["show"] == SAVED | {"title": "Quiet", "seconds": 0.0}
        assert await told(ada) == [("party-time", changed["show"])]
        renamed = fresh.patch("/shows/party-time", {"title": "Louder"}).json()
        assert (renamed["title"], renamed["description"], renamed["steps"]) == (
            "Louder",
            "Loud.",
            [{"wait": {"seconds": 0.0}}],
        )
        going = fresh.get(f"/runs/{run['id']}").json()
        assert (going["state"], going["name"], going["show"]) == ("running", "Party time", "party-time")
        assert_refused(await ada.ask("start_show", show="party-time"), "show-running")

        # and deleted, which ends neither
        assert fresh.delete("/shows/party-time").json() == {}
        assert (await told(ada))[-1] == ("party-time", None)
        assert fresh.get("/shows/party-time").status_code == 404
        assert fresh.get(f"/runs/{run['id']}").json()["state"] == "running"
        await ended(ada, run["id"])
        assert_refused(await ada.ask("delete_show", show="party-time"), "unknown-show")


async def test_what_is_not_saved_can_be_tried_once_at_a_time(fresh: RunningPanel) -> None:
    steps = [{"set": {"light": "desk", "level": 33}}, {"wait": {"seconds": 30}}]
    async with live(fresh) as client:
        run = fresh.post("/shows/try", json={"title": "Draft", "steps": steps}).json()
        assert (run["name"], run["kind"], "show" in run) == ("Draft", "show", False)
        eventually(lambda: fresh.light("desk")["level"] == 33)
        assert_refused(await client.ask("try_show", title="Other", steps=steps), "show-running")
        await ended(client, run["id"])
        again = await client.ask("try_show", title="Other", steps=steps)
        assert (again["ok"], again["run"]["name"]) == (True, "Other")
        assert not {"draft", "other"} & {show["name"] for show in fresh.get("/shows").json()["shows"]}


async def test_they_are_there_after_a_crash_and_in_the_export(
    fresh: RunningPanel, start_panel: Callable[..., RunningPanel]
) -> None:
    fresh.post("/shows", json=PARTY)
    fresh.post("/shows", json={**PARTY, "title": "日落"})
    fresh.kill()
    fresh.start()
    shows = fresh.get("/shows").json()["shows"]
    assert [show["name"] for show in shows if show["source"] == "own"] == ["party-time", "show"]
    export = fresh.get("/export")
    assert [show["id"] for show in export.json()["shows"]] == ["party-time", "show"]

    other = start_panel(lights=LIGHTS)
    other.post("/shows", json={**PARTY, "title": "Goes"})
    async with live(other) as client:
        assert other.post("/import", json=export.json()).json()["shows"] == 2
        assert ("goes", None) in await told(client)
    assert other.get("/export").text == export.text
    assert other.get("/shows").json()["shows"] == shows
    assert other.post("/import", json={"pilotlight": 1, "shows": []}).json()["shows"] == 0
    assert other.get("/export").json()["shows"] == []


async def test_shows_of_files_stay_as_they_are(panel: RunningPanel, viewer: LiveClient) -> None:
    sources = {show["name"]: show["source"] for show in panel.get("/shows").json()["shows"]}
    assert (sources["sunrise"], sources["walk"], sources["attention"]) == ("built-in", "file", "file")
    for show in ("sunrise", "walk"):
        assert_refused(await viewer.ask("save_show", show=show, title="Mine now"), "show-fixed")
        assert panel.delete(f"/shows/{show}").status_code == 409
    # but a copy is one's own
    steps = panel.get("/shows/sunrise").json()["steps"]
    copy = panel.post("/shows", json={"title": "Sunrise 2", "steps": steps}).json()
    assert (copy["name"], copy["source"], copy["steps"]) == ("sunrise-2", "own", steps)
    assert panel.delete("/shows/sunrise-2").status_code == 200


async def test_a_file_wins_over_a_show_of_its_name_and_does_not_destroy_it(fresh: RunningPanel) -> None:
    fresh.post("/shows", json={**PARTY, "title": "Walk"})
    fresh.stop()
    write_shows(fresh.data)
    fresh.start()
    assert (fresh.get("/shows/walk").json()["source"], fresh.get("/shows/walk").json()["seconds"]) == ("file", 30.0)
    assert fresh.patch("/shows/walk", {"title": "x"}).status_code == 409
    fresh.stop()
    (fresh.data / "shows" / "walk.toml").unlink()
    fresh.start()
    assert fresh.get("/shows/walk").json().items() >= {"source": "own", "steps": STEPS}.items()


async def test_a_schedule_that_names_a_deleted_show_says_so(fresh: RunningPanel) -> None:
    fresh.post("/shows", json=PARTY)
    start = {"do": "start_show", "show": "party-time"}
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)).isoformat(timespec="seconds")
    made = fresh.post("/schedules", json={"name": "Party", "when": {"once": soon}, "do": start})
    assert made.status_code == 201, made.text
    fresh.delete("/shows/party-time")
    eventually(lambda: fresh.get("/schedules/party").json()["last"] is not None)
    eventually(lambda: fresh.get("/schedules/party").json()["last"]["outcome"] == "refused")
    assert "'party-time'" in fresh.get("/schedules/party").json()["last"]["detail"]
    refused = fresh.post("/schedules", json={"name": "Again", "when": {"every": 5}, "do": start}).json()
    assert (refused["type"].split(":")[-1], refused["errors"][0]["field"]) == ("unknown-show", "show")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("house") / "data", lights=LIGHTS, rest_rate=1e6) as running:
        running.post("/shows", json=PARTY)
        yield running


def inside(depth: int) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"wait": {"seconds": 1}}]
    for _ in range(depth):
        steps = [{"repeat": {"times": 1, "steps": steps}}]
    return steps


WAIT = {"wait": {"seconds": 1}}
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"steps": []}, "bad-show", "steps"),
    ({"steps": [WAIT, {"fade": {"level": 101, "seconds": 1}}]}, "bad-show", "steps[1].fade.level"),
    ({"steps": [{"fade": {"level": 5, "seconds": -1}}]}, "bad-show", "steps[0].fade.seconds"),
    ({"steps": [{"wait": {"seconds": 86_401}}]}, "bad-show", "steps[0].wait.seconds"),
    ({"steps": [{"fade": {"level": 5}}]}, "bad-show", "steps[0].fade.seconds"),
    ({"steps": [{}]}, "bad-show", "steps[0]"),
    ({"steps": ["wait"]}, "bad-show", "steps[0]"),
    ({"steps": [{"wait": {"seconds": 1}, "set": {"on": True}}]}, "bad-show", "steps[0]"),
    ({"steps": [{"blink": {}}]}, "bad-show", "steps[0].blink"),
    ({"steps": [{"set": {"light": "cellar", "on": True}}]}, "bad-show", "steps[0].set.light"),
    ({"steps": [{"repeat": {"times": 2, "steps": [{"set": {}}]}}]}, "bad-show", "steps[0].repeat.steps[0].set"),
    ({"steps": [{"repeat": {"times": 0, "steps": [{"set": {"on": True}}]}}]}, "bad-show", "steps[0].repeat"),
    ({"steps": [{"repeat": {"times": 0, "steps": [WAIT]}}, WAIT]}, "bad-show", "steps[1]"),
    ({"steps": [{"parallel": {"branches": [[WAIT]]}}]}, "bad-show", "steps[0].parallel.branches"),
    ({"steps": [WAIT] * 501}, "bad-show", "steps[500]"),
    ({"steps": inside(8)}, "bad-show", f"steps[0]{'.repeat.steps[0]' * 8}"),
    ({"steps": inside(60)}, "bad-show", f"steps[0]{'.repeat.steps[0]' * 8}"),
    ({"steps": {}}, "bad-command", "steps"),
    ({"title": ""}, "bad-show", "title"),
    ({"title": "x" * 65}, "bad-show", "title"),
    ({"title": "\u200b"}, "bad-name", "title"),
    ({"title": "party TIME"}, "name-in-use", "title"),
    ({"title": "sunrise"}, "name-in-use", "title"),
    ({"description": "x" * 501}, "bad-command", "description"),
    ({"name": "mine"}, "bad-command", "name"),
]


@pytest.mark.parametrize(("said", "slug", "field"), WRONG, ids=lambda value: str(value)[:40])
async def test_a_refusal_names_the_step_and_the_field(
    house: RunningPanel, said: dict[str, Any], slug: str, field: str
) -> None:
    before = house.get("/shows").json()
    answer = house.post("/shows", json={"title": "New", "steps": [WAIT], **said})
    problem = answer.json()
    assert (problem["type"].split(":")[-1], problem["errors"][0]["field"]) == (slug, field), problem
    async with live(house) as client:
        reply = await client.ask("save_show", **{"title": "New", "steps": [WAIT], **said})
        assert_refused(reply, slug)
        assert reply["problem"]["errors"][0]["field"] == field
    assert house.get("/shows").json() == before
    assert house.complaints() == []


async def test_a_new_show_needs_both_and_a_file_is_looked_at_before_it_changes_anything(house: RunningPanel) -> None:
    async with live(house) as client:
        for said, field in (({"title": "New"}, "steps"), ({"steps": [WAIT]}, "title"), ({}, "title")):
            reply = await client.ask("save_show", **said)
            assert_refused(reply, "bad-show")
            assert reply["problem"]["errors"][0]["field"] == field
    assert house.patch("/shows/none", {"title": "x"}).status_code == 404
    before = house.get("/export").text
    show = {"id": "a", "title": "A", "steps": [WAIT]}
    for shows, field in (
        ([show, {**show, "id": "b", "title": "a"}], "shows.title"),
        ([show, show], "shows.id"),
        ([show, {"id": "b", "title": "B", "steps": [{"wait": {}}]}], "shows.1.steps[0].wait.seconds"),
        ([{**show, "id": "x" * 33}], "shows.0.id"),
        ([{**show, "id": f"a{n}", "title": f"A{n}"} for n in range(101)], "shows"),
    ):
        answer = house.post("/import", json={"pilotlight": 1, "groups": [], "shows": shows})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    assert house.get("/export").text == before


async def test_there_is_room_for_so_many(fresh: RunningPanel) -> None:
    many = [{"id": f"a{n}", "title": f"A{n}", "steps": [WAIT]} for n in range(100)]
    assert fresh.post("/import", json={"pilotlight": 1, "shows": many}).json()["shows"] == 100
    refused = fresh.post("/shows", json=PARTY).json()
    assert refused["type"].endswith("too-many")
    assert fresh.patch("/shows/a7", {"title": "Still"}).status_code == 200
