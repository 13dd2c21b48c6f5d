"""The whole panel on pigpio: a daemon that is absent, dies, hangs, is slow, or is shared with `pigs`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.panel_process import END_SECONDS, NO_TLS, RunningPanel, eventually
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.steady_clock import steady

Start = Callable[..., RunningPanel]
CLIENT = httpx.Client(timeout=30, verify=NO_TLS)  # one for all: to make one takes longer than a request
FADE_SECONDS = 1.5  # longer than most machines stand still
AT_ONCE = 0.5  # seconds, on a loaded machine; a pin that is waited for takes longer
PUSH = 0.016  # seconds between two events of a fade, at least


@pytest.fixture
def start(start_panel: Start) -> Start:
    """Start a panel on this daemon's pins: `start(pigpiod)`."""

    def on(daemon: StandIn, **settings: Any) -> RunningPanel:
        return start_panel(pins="pigpio", pigpio_host=HOST, pigpio_port=daemon.port, **settings)

    return on


class Screen:
    """A page that is open on `/live`: the snapshot it started from, and every event since."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.snapshot: dict[str, Any] = json.loads(socket.recv(timeout=30))
        self.events: list[dict[str, Any]] = []

    def until(self, seen: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event from now on that is what `seen` looks for."""
        end = time.monotonic() + 30
        while True:
            frame = json.loads(self._socket.recv(timeout=max(end - time.monotonic(), 0.01)))
            self.events += frame["events"]
            for event in frame["events"]:
                if seen(event):
                    found: dict[str, Any] = event
                    return found


@contextmanager
def screen(panel: RunningPanel) -> Iterator[Screen]:
    with connect(panel.socket_url("/live")) as socket:
        yield Screen(socket)


def set_to(level: int) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == "light_changed" and event["state"]["target"] == level


def online(is_online: bool) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == "light_changed" and event["state"]["online"] is is_online


@dataclass(frozen=True)
class Answer:
    """What became of one request."""

    status: int
    level: int
    seconds: float


class Drag:
    """A client that sets one level after the other until it is stopped, and keeps every answer."""

    def __init__(self, panel: RunningPanel, offset: int) -> None:
        self.answers: list[Answer] = []
        self.failure: Exception | None = None
        self._url = panel.url + "/led"
        self._offset = offset
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with httpx.Client(timeout=30, verify=NO_TLS) as client:
            step = 0
            while not self._stopped.wait(0.01):
                step += 1
                level = (step * 3 + self._offset) % 101
                began = steady()
                try:
                    response = client.post(self._url, json={"level": level})
                except httpx.HTTPError as error:
                    self.failure = error
                    return
                self.answers.append(Answer(response.status_code, level, steady() - began))

    def last_accepted(self) -> int:
        return [answer.level for answer in self.answers if answer.status == 200][-1]

    def __enter__(self) -> Drag:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(15)


def timed_post(panel: RunningPanel, level: int) -> tuple[int, float]:
    """The status of `POST /led`, and how many seconds it took."""
    began = steady()
    status = CLIENT.post(panel.url + "/led", json={"level": level}).status_code
    return status, steady() - began


# --- absent, dying, hanging, slow --------------------------------------------------------------------------


def test_a_daemon_that_comes_after_the_panel(start: Start, pigpiod: StandIn) -> None:
    pigpiod.kill()
    panel = start(pigpiod)
    light = panel.light()
    assert (light["online"], light["level"]) == (False, 50)
    assert "pigpiod" in light["reason"]
    with screen(panel) as page:
        response = panel.post("/led", json={"level": 70})
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert light["reason"] in response.json()["detail"]
        assert timed_post(panel, 70)[1] < AT_ONCE
        assert panel.light() == light
        assert panel.level() == 50
        pigpiod.start()
        page.until(online(True))
        assert {event["event"] for event in page.events} == {"light_changed"}
        assert pigpiod.duty(21) == 0.5
    assert panel.post("/led", json={"level": 70}).status_code == 200
    assert pigpiod.duty(21) == 0.7


def test_a_daemon_that_dies_and_comes_back_in_the_middle_of_three_drags(start: Start, pigpiod: StandIn) -> None:
    panel = start(pigpiod)
    with screen(panel) as page, Drag(panel, 0) as one, Drag(panel, 33) as two, Drag(panel, 66) as three:
        drags = (one, two, three)
        for drag in drags:
            eventually(lambda drag=drag: len(drag.answers) > 10)
        pigpiod.kill()
        page.until(online(False))
        kept = panel.level()
        for drag in drags:
            refused = len(drag.answers)
            eventually(lambda drag=drag, refused=refused: len(drag.answers) > refused + 5)
            assert drag.answers[-1].status == 503
        assert kept in {drag.last_accepted() for drag in drags}
        assert panel.level() == kept
        pigpiod.start()
        back = page.until(online(True))
        assert back["state"]["level"] == kept
        for drag in drags:
            eventually(lambda drag=drag: drag.answers[-1].status == 200)
    for drag in drags:
        assert drag.failure is None
        assert {answer.status for answer in drag.answers} == {200, 503}
        assert max(answer.seconds for answer in drag.answers) < 4
    assert panel.level() in {drag.last_accepted() for drag in drags}
    assert pigpiod.duty(21) == panel.level() / 100
    assert "Traceback" not in panel.log()


def test_the_last_accepted_level_is_shown_again_by_itself(start: Start, pigpiod: StandIn) -> None:
    panel = start(pigpiod)
    assert timed_post(panel, 70)[0] == 200
    with screen(panel) as page:
        pigpiod.kill()
        offline = page.until(online(False))  # though nobody asked for anything
        assert "pigpiod" in offline["state"]["reason"]
        assert offline["by"]["via"] == "pin"
        assert timed_post(panel, 20)[0] == 503
        pigpiod.start()
        page.until(online(True))
    assert (pigpiod.duty(21), panel.level()) == (0.7, 70)


def test_a_daemon_that_hangs(start: Start, pigpiod: StandIn) -> None:
    panel = start(pigpiod)
    assert timed_post(panel, 70)[0] == 200
    pigpiod.hang()
    status, seconds = timed_post(panel, 20)
    assert status == 503
    assert seconds < 3
    for _ in range(3):
        status, seconds = timed_post(panel, 20)
        assert status == 503
        assert seconds < AT_ONCE
    assert panel.level() == 70
    with screen(panel) as page:
        assert page.snapshot["state"]["lights"]["led"]["online"] is False
        pigpiod.resume()
        page.until(online(True))
    eventually(lambda: pigpiod.duty(21) == 0.7)
    assert timed_post(panel, 30)[0] == 200
    assert pigpiod.duty(21) == 0.3


def test_a_slow_daemon_answers_everybody(start: Start) -> None:
    with StandIn(delay=0.05) as daemon:
        panel = start(daemon)
        with ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(lambda level: timed_post(panel, level), range(51, 63)))
        assert {status for status, _ in answers} == {200}
        assert max(seconds for _, seconds in answers) < 5
        assert timed_post(panel, 33)[0] == 200
        assert daemon.duty(21) == 0.33


def test_a_daemon_that_died_costs_no_cpu(start: Start, pigpiod: StandIn) -> None:
    panel = start(pigpiod)
    with screen(panel) as page:
        pigpiod.kill()
        page.until(online(False))
    assert panel.process.cpu_percent(interval=0.5) < 30


@pytest.mark.parametrize("trouble", [StandIn.kill, StandIn.hang])
def test_the_panel_stops_in_time_without_its_daemon(
    start: Start, pigpiod: StandIn, trouble: Callable[[StandIn], None]
) -> None:
    panel = start(pigpiod)
    trouble(pigpiod)
    assert panel.stop() < END_SECONDS
    assert panel.returncode == 0
    assert "Traceback" not in panel.log()


def test_a_change_under_way_when_the_panel_stops_is_answered(start: Start) -> None:
    with StandIn(delay=0.04) as daemon:
        panel = start(daemon)
        with ThreadPoolExecutor(4) as clients:
            asked = [clients.submit(timed_post, panel, level) for level in (10, 20, 30, 40)]
            eventually(lambda: daemon.duty(21) != 0.5)  # the first of them is being written
            assert panel.stop(signal.SIGTERM) < END_SECONDS
            answers = [future.result() for future in asked]
    assert {status for status, _ in answers} <= {200, 503}
    assert "Traceback" not in panel.log()


# --- what the pin does over time ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.alone
def test_a_fade_is_shown_on_every_screen_and_on_the_pin(start: Start, pigpiod: StandIn) -> None:
    panel = start(pigpiod)
    assert timed_post(panel, 10)[0] == 200
    with screen(panel) as page:
        light = panel.patch("/lights/led", {"level": 90, "transition": FADE_SECONDS}).json()
        assert (light["target"], light["transition"]["seconds"]) == (90, FADE_SECONDS)
        last = page.until(lambda event: event["event"] == "light_changed" and event["state"]["transition"] is None)
        assert pigpiod.duty(21) == 0.9
    assert (last["state"]["actual"], last["state"]["target"]) == (90, 90)
    first, *moves = page.events[:-1]
    assert (first["event"], first["state"]["actual"]) == ("light_changed", 10)
    assert {event["event"] for event in moves} == {"light_actual"}
    actual = [event["actual"] for event in moves]
    assert actual == sorted(actual)
    assert 8 < len(moves) <= FADE_SECONDS / PUSH + 2
    revs = [event["rev"] for event in page.events]
    assert revs == list(range(revs[0], revs[0] + len(revs)))
    assert panel.light()["actual"] == 90


def test_an_effect_moves_the_pin_until_a_level_is_set(start: Start, pigpiod: StandIn) -> None:
    panel = start(pigpiod)
    assert panel.patch("/lights/led", {"effect": "candle"}).json()["effect"] == "candle"
    with screen(panel) as page:
        for _ in range(3):
            page.until(lambda event: event["event"] == "light_actual" and event["actual"] != 50)
        assert panel.patch("/lights/led", {"level": 40}).json()["effect"] is None
        page.until(set_to(40))
    assert [pigpiod.duty(21) for _ in range(20)] == [0.4] * 20
    assert panel.light()["actual"] == 40


def test_lights_from_the_settings_file(start: Start, pigpiod: StandIn) -> None:
    lights = "[lights.desk]\npin = 12\ngamma = 2.0\n[lights.shelf]\npin = 13\nmin = 20\nmax = 80\nfrequency = 200\n"
    panel = start(pigpiod, lights=lights)
    assert list(panel.get("/lights").json()["lights"]) == ["desk", "shelf"]
    for level in (0, 30, 50, 100):
        for light in ("desk", "shelf"):
            assert panel.patch(f"/lights/{light}", {"level": level}).status_code == 200
        assert pigpiod.duty(12) == pytest.approx((level / 100) ** 2, abs=1e-4)
        assert pigpiod.duty(13) == pytest.approx(0.2 + 0.6 * level / 100 if level else 0.0, abs=1e-4)
    assert (pigpiod.frequency(12), pigpiod.frequency(13)) == (100, 200)
    assert panel.level() == 100  # with no light of this name, /led is the first one


# --- changed by others -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "level"), [("p 21 5000", 50), ("w 21 1", 100)])
def test_what_pigs_did_is_told_to_everybody(start: Start, pigpiod: StandIn, words: str, level: int) -> None:
    if (command := shutil.which("pigs")) is None:
        pytest.skip("the pigs command (Debian package pigpio-tools) is not installed")
    panel = start(pigpiod)
    assert timed_post(panel, 77)[0] == 200
    with screen(panel) as page:
        environment = {**os.environ, "PIGPIO_ADDR": HOST, "PIGPIO_PORT": str(pigpiod.port)}
        subprocess.run([command, *words.split()], env=environment, check=True, timeout=30)
        event = page.until(lambda event: event["by"]["via"] == "pin")
        assert (event["event"], event["state"]["target"], event["state"]["actual"]) == ("light_changed", level, level)
        assert event["state"]["by"]["via"] == "pin"
        assert panel.level() == level
        assert panel.post("/lights/led/undo").json()["level"] == 77
        page.until(set_to(77))
    assert pigpiod.duty(21) == pytest.approx(0.77, abs=1e-4)
    assert [event["state"]["target"] for event in page.events] == [level, 77]
