"""What people do with their lights in Home Assistant, and what may fail meanwhile: each must be right in a second."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from campaigns.home_assistant.instance import HomeAssistant
from tests.support.mosquitto import Mosquitto
from tests.support.panel_process import RunningPanel

SOON = 1.0  # seconds in which it must be right
STARTS = 3.0  # seconds after its start: it connects and subscribes in that time
BACK = 25.0  # seconds that Home Assistant may take to connect again; it waits 10 s between two attempts
LIGHTS = '[lights.desk]\npin = 5\nname = "Desk"\n[lights.shelf]\npin = 6\n'
DESK = "light.desk"
UNAVAILABLE = "unavailable"

State = dict[str, Any]
Holds = Callable[[dict[str, State]], Any]


class Site:
    """The three of them, and how long each step took."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.folder = folder
        self.broker = Mosquitto(folder / "broker", persistent=True)
        self.ha = HomeAssistant(python, folder, self.broker.port)
        data, where = folder / "data", {"mqtt_host": "127.0.0.1", "mqtt_port": self.broker.port}
        self.panel = RunningPanel(data, lights=f"node = 'pi'\n{LIGHTS}", run_rate=1000, **where)
        self.took: dict[str, float] = {}
        self.wrong: list[str] = []

    @property
    def desk(self) -> State:
        """The light as the panel has it."""
        return self.panel.light("desk")

    async def set(self, **change: Any) -> None:
        """Change the light on the panel."""
        answer = await asyncio.to_thread(self.panel.patch, "/lights/desk", change)
        assert answer.status_code == 200, answer.text

    async def rest(self, method: str, path: str, **json: Any) -> Any:
        """Ask the panel something over REST."""
        ask = getattr(self.panel, method)
        answer = await asyncio.to_thread(ask, path, **({"json": json} if json else {}))
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def see(self, what: str, holds: Holds, *, within: float = SOON, since: float | None = None) -> None:
        """Wait until Home Assistant shows it, and note how long that took."""
        began = time.monotonic() if since is None else since
        with contextlib.suppress(TimeoutError):
            await self.ha.until(holds, BACK)
        self._note(what, time.monotonic() - began, within)

    async def happens(self, what: str, holds: Callable[[], Any], *, within: float = SOON) -> None:
        """Wait until the panel has it, and note how long that took."""
        began = time.monotonic()
        while not await asyncio.to_thread(holds) and time.monotonic() - began < BACK:
            await asyncio.sleep(0.002)
        self._note(what, time.monotonic() - began, within)

    def _note(self, what: str, seconds: float, within: float) -> None:
        self.took[what] = max(seconds, self.took.get(what, 0.0))
        if seconds > within:
            self.wrong.append(f"{what}: after {seconds:.1f} s, not {within:g}")

    def check(self, what: str, holds: Any) -> None:
        """Note what must be true."""
        if not holds:
            self.wrong.append(what)


def level(percent: int) -> Holds:
    """The desk shines so bright: Home Assistant counts to 255."""

    def holds(states: dict[str, State]) -> bool:
        shown = states.get(DESK, {}).get("attributes", {}).get("brightness") or 0
        return round(shown * 100 / 255) == percent

    return holds


def is_now(state: str, entity: str = DESK) -> Holds:
    """The entity has this state."""
    return lambda states: states.get(entity, {}).get("state") == state


def gone(entity: str) -> Holds:
    """There is no such entity any more."""
    return lambda states: entity not in states


# --- the steps ---------------------------------------------------------------------------------------------------


async def both_ways(site: Site) -> None:
    """Levels, fades, flashes and effects."""
    call, ha = site.ha.call, site.ha
    await call("light.turn_on", DESK, brightness=128)
    await site.happens("Home Assistant sets a level", lambda: site.desk["level"] == 50)
    await site.set(level=70)
    await site.see("the panel sets a level", level(70))
    for percent in range(1, 101):
        await call("light.turn_on", DESK, brightness_pct=percent)
        await site.happens("each percent there", lambda percent=percent: site.desk["level"] == percent)
        await site.see("each percent, and back", level(percent))
    await call("light.turn_off", DESK, transition=1)
    await site.happens("off, with a fade", lambda: not site.desk["on"])
    await site.see("off, with a fade", is_now("off"))
    before = len(ha.seen)
    await call("light.turn_on", DESK, brightness_pct=60, transition=2)
    await site.happens("a fade", lambda: (site.desk["transition"] or {}).get("seconds") == 2)
    await site.see("a fade", level(60))
    await asyncio.sleep(2.2)
    site.check("a fade is one change", len([1 for entity, _ in ha.seen[before:] if entity == DESK]) == 1)
    before = len(ha.seen)
    await call("light.turn_on", DESK, flash="short")
    await site.happens("a flash", lambda: site.desk["actual"] != 60)
    await asyncio.sleep(2.5)
    site.check("a flash leaves the light as it was", site.desk["level"] == 60 and site.desk["actual"] == 60)
    site.check("a flash is no change", DESK not in [entity for entity, _ in ha.seen[before:]])
    await call("light.turn_on", DESK, effect="candle", brightness_pct=40)
    await site.happens("an effect", lambda: (site.desk["effect"], site.desk["level"]) == ("candle", 40))
    await site.see("an effect", lambda states: states[DESK]["attributes"].get("effect") == "candle")
    await call("light.turn_on", DESK, effect="off")
    await site.happens("an effect ends", lambda: site.desk["effect"] is None)
    await site.see("an effect ends", lambda states: states[DESK]["attributes"].get("effect") == "off")
    await call("light.turn_on", DESK, effect="disco")  # it is passed on unchecked
    await asyncio.sleep(0.5)
    site.check("an unknown effect changes nothing", level(40)(ha.states) and site.desk["level"] == 40)
    before = len(ha.seen)
    for percent in range(40, 100):
        await site.set(level=percent)
    await site.see("a drag of 60 levels", level(99))
    levels = [state["attributes"]["brightness"] for entity, state in ha.seen[before:] if entity == DESK and state]
    site.check("a drag goes one way", levels == sorted(levels))


async def comes_and_goes(site: Site) -> None:
    """Lights, groups and scenes that are added, renamed and removed; shows and runs."""
    await site.rest("post", "/lights", id="stairs", pin=7, name="Stairs")
    await site.see("a light is added", is_now("on", "light.stairs"))
    await asyncio.to_thread(site.panel.patch, "/lights/stairs/setup", {"name": "Upper stairs"})
    named = "Upper stairs"
    await site.see("a light is renamed", lambda states: states["light.stairs"]["attributes"]["friendly_name"] == named)
    await site.rest("delete", "/lights/stairs")
    await site.see("a light is removed", gone("light.stairs"))
    await site.rest("post", "/groups", name="Kitchen", lights=["desk", "shelf"])
    kitchen = "light.pilot_light_pi_kitchen"
    await site.see("a group is made", is_now("on", kitchen))
    await site.ha.call("light.turn_off", kitchen)
    await site.happens("a group is switched", lambda: not site.desk["on"])
    await site.see("a group is switched", is_now("off", kitchen))
    await site.rest("delete", "/groups/kitchen")
    await site.see("a group is deleted", gone(kitchen))
    await site.set(level=80)
    await site.rest("post", "/scenes", name="Dinner")
    dinner = "scene.pilot_light_pi_dinner"
    await site.see("a scene is made", is_now("unknown", dinner))  # unavailable until it knows the panel
    await site.set(on=False)
    await site.ha.call("scene.turn_on", dinner)
    await site.happens("a scene is recalled", lambda: (site.desk["on"], site.desk["level"]) == (True, 80))
    await site.rest("delete", "/scenes/dinner")
    await site.see("a scene is deleted", gone(dinner))
    show = "switch.pilot_light_pi_candle_evening"
    await site.ha.call("switch.turn_on", show)
    await site.see("a show starts", is_now("on", show))
    await site.ha.call("switch.turn_off", show)
    await site.see("a show is stopped", is_now("off", show))
    runs = "event.pilot_light_pi_runs"
    run = (await site.rest("post", "/runs", name="Backup"))["id"]
    await site.rest("post", f"/runs/{run}/end", exit_code=2)
    await site.see("a run fails", lambda states: states[runs]["attributes"].get("event_type") == "failed")
    device = await _device_of(site, DESK)
    entry = (await site.ha.ask(type="config_entries/get", domain="mqtt"))[0]["entry_id"]
    await site.ha.ask(type="config/device_registry/remove_config_entry", device_id=device, config_entry_id=entry)
    await site.see("a device is deleted in Home Assistant", gone(DESK))
    await asyncio.to_thread(site.panel.stop)
    await site.see("the panel is stopped", is_now(UNAVAILABLE, "light.shelf"))
    await asyncio.to_thread(site.panel.start)
    await site.see("a device is back with the next start", is_now("on"))


async def _device_of(site: Site, entity: str) -> str:
    entities = await site.ha.ask(type="config/entity_registry/list")
    return next(str(one["device_id"]) for one in entities if one["entity_id"] == entity)


async def failures(site: Site) -> None:
    """Each of the three ends and comes back, or hangs; meanwhile the light is changed."""
    await asyncio.to_thread(site.panel.kill)
    await site.see("the panel is killed", is_now(UNAVAILABLE))
    await asyncio.to_thread(site.panel.start)
    await site.see("the panel is back", is_now("on"))
    for percent, wait in ((31, 0.0), (32, 3.0)):
        await asyncio.to_thread(site.broker.stop)
        await site.see("the broker is killed", is_now(UNAVAILABLE))
        await site.set(level=percent)
        await asyncio.sleep(wait)
        await asyncio.to_thread(site.broker.start)
        await _right_once_there(site, "the broker is back", percent)
    for percent, wait in ((33, 3.0), (34, 20.0)):
        site.broker.freeze()
        await site.set(level=percent)
        await asyncio.sleep(wait)
        site.broker.thaw()
        await _right_once_there(site, f"the broker was frozen for {wait:.0f} s", percent)
    await site.ha.stop()
    await site.set(level=35)
    await site.ha.start()
    await site.see("Home Assistant is back", level(35), within=STARTS)
    await asyncio.to_thread(site.panel.stop)
    await site.ha.stop()
    await site.ha.start()
    await site.see("Home Assistant starts without the panel", is_now(UNAVAILABLE), within=STARTS)
    await asyncio.to_thread(site.panel.start)
    await site.see("then the panel starts", level(35))


async def _right_once_there(site: Site, what: str, percent: int) -> None:
    """Wait until Home Assistant has the light, and then until it is right."""
    await site.ha.until(lambda states: states[DESK]["state"] != UNAVAILABLE, BACK)
    await site.see(what, level(percent))
    await asyncio.sleep(SOON)
    site.check(f"{what}: it stays so", level(percent)(site.ha.states))


STEPS: tuple[Callable[[Site], Awaitable[None]], ...] = (both_ways, comes_and_goes, failures)


@contextlib.asynccontextmanager
async def _site(python: Path) -> AsyncIterator[Site]:
    with tempfile.TemporaryDirectory(prefix="pilotlight-ha-") as folder:
        site = Site(python, Path(folder))
        with site.broker, site.panel:
            async with site.ha:
                yield site


async def run(python: Path) -> dict[str, Any]:
    """Do all of it, and return what it took and what was wrong."""
    began = time.monotonic()
    async with _site(python) as site:
        await site.see("Home Assistant finds the lights", is_now("on"), within=STARTS)
        for step in STEPS:
            try:
                await step(site)
            except (AssertionError, TimeoutError, RuntimeError, KeyError) as error:
                site.wrong.append(f"{step.__name__}: {type(error).__name__}: {error}")
        site.wrong += site.ha.complaints() + site.panel.complaints()
        return {
            "version": site.ha.version,
            "took": site.took,
            "wrong": site.wrong,
            "seconds": time.monotonic() - began,
        }
