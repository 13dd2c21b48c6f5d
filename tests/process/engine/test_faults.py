"""What ends, hangs or comes back in a home: a node, the engine, a name that two want."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.home import Home, has_keeper
from tests.support.live_client import live
from tests.support.panel_process import RunningPanel, eventually, free_port, run_pilotlight
from tests.support.redis_server import PASSWORD
from tests.support.slow_cases import slow
from tests.support.steady_clock import steady

pytestmark = pytest.mark.slow

PATIENCE = 3.0  # seconds for an answer, whatever has failed
LEASE = (
    6.0 + 2.0 + 1.0
)  # seconds until a node that is silent is known to be away: lease, beat, and some for the machine


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as home:
        yield home


def problem_of(panel: RunningPanel, light: str, level: int = 50) -> tuple[str, str, float]:
    """The slug and the detail with which a level is refused, and the seconds that this took."""
    began = steady()
    answer = panel.patch(f"/lights/{light}", {"level": level})
    problem = answer.json()
    assert answer.status_code >= 500, problem
    return problem["type"].rpartition(":")[2], problem["detail"], steady() - began


def online(panel: RunningPanel, light: str) -> bool:
    answer = panel.get(f"/lights/{light}")
    return answer.status_code == 200 and bool(answer.json()["online"])


def test_a_node_that_is_stopped_says_goodbye(home: Home) -> None:
    hall, front = home.node("hall", "led"), home.front("front")
    hall.stop()
    home.agree("hall.led", {"online": False, "reason": "hall has been stopped."}, front)
    assert 0 <= time.time() - front.light("hall.led")["away_since"] < 60
    assert problem_of(front, "hall.led")[0] == "light-offline"
    hall.start()
    home.agree("hall.led", {"online": True, "reason": None, "away_since": None})
    assert front.patch("/lights/led", {"level": 3}).json()["actual"] == 3


def test_a_light_with_a_fault_of_its_own_goes_away_with_its_panel(home: Home) -> None:
    """The reason is then that of the panel, and who set the light stays as it was."""
    nowhere = free_port()
    hall, front = home.node("hall", "led", pins="pigpio", pigpio_port=nowhere), home.front("front")
    eventually(lambda: "pigpio" in (front.light("hall.led")["reason"] or ""))
    home.agree("hall.led", {"online": False, "away_since": None}, front)
    before = front.light("hall.led")
    hall.stop()
    home.agree("hall.led", {"reason": "hall has been stopped.", "by": before["by"]}, front)
    assert front.light("hall.led")["at"] == pytest.approx(before["at"], abs=0.01)
    away_since = front.light("hall.led")["away_since"]
    assert away_since
    home.redis.kill()
    eventually(lambda: "no connection" in front.light("hall.led")["reason"])
    assert front.light("hall.led")["away_since"] == away_since


def test_a_killed_node_takes_its_name_back_at_once(home: Home) -> None:
    hall, front = home.node("hall", "led"), home.front("front")
    hall.kill()
    slug, detail, took = problem_of(front, "hall.led")
    assert (slug, "hall" in detail) == ("no-answer", True)
    assert took < PATIENCE
    hall.start()  # within the lease of the dead process
    assert front.patch("/lights/led", {"level": 3}).json()["actual"] == 3


@pytest.mark.slow
def test_the_lights_of_a_node_follow_its_settings(home: Home) -> None:
    hall, front = home.node("hall", "led", "shelf"), home.front("front")
    assert set(front.get("/lights").json()["lights"]) == {"hall.led", "hall.shelf"}
    hall.stop()
    hall._lights = "[lights.led]\npin = 5\n\n[lights.lamp]\npin = 6\n"
    hall.start()
    eventually(lambda: set(front.get("/lights").json()["lights"]) == {"hall.led", "hall.lamp"})


async def test_a_hung_node_does_nothing_late(home: Home) -> None:
    hall, front = home.node("hall", "led"), home.front("front")
    front.patch("/lights/hall.led", {"level": 10})
    hall.process.send_signal(signal.SIGSTOP)
    slug, _, took = problem_of(front, "hall.led", 90)
    assert slug == "no-answer"
    assert took < PATIENCE
    hall.process.send_signal(signal.SIGCONT)
    again = eventually(lambda: (it := front.patch("/lights/hall.led", {"step": 1})).status_code == 200 and it.json())
    assert again["level"] == hall.light()["level"] == 11


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_a_silent_node_is_away_after_its_lease(home: Home, sign: signal.Signals) -> None:
    hall, front = home.node("hall", "led", "shelf"), home.front("front")
    hall.process.send_signal(sign)
    eventually(lambda: not online(front, "hall.led") and not online(front, "hall.shelf"))
    assert "hall is away" in front.light("hall.led")["reason"]
    assert problem_of(front, "hall.led")[0] == "light-offline"
    if sign == signal.SIGSTOP:
        hall.process.send_signal(signal.SIGCONT)
        home.agree("hall.led", {"online": True})
        assert front.patch("/lights/led", {"level": 3}).json()["actual"] == 3


def _comes_online(frame: dict[str, Any]) -> bool:
    """Whether this frame of /live shows the light of the hall online, in a snapshot or by an event."""
    lights = frame.get("state", {}).get("lights", {})
    lights |= {event["light"]: event["state"] for event in frame.get("events", []) if event["event"] == "light_changed"}
    return bool(lights.get("hall.led", {}).get("online"))


@pytest.mark.parametrize("how", ["kill", *slow("freeze")])
async def test_without_the_engine_each_panel_works_alone(home: Home, how: str) -> None:
    hall, kitchen, front = home.node("hall", "led"), home.node("kitchen", "led"), home.front("front")
    hall.patch("/lights/hall.led", {"level": 5})
    home.agree("hall.led", {"level": 5})
    async with live(front) as screen:
        (home.redis.kill if how == "kill" else home.redis.freeze)()
        while (frame := await screen.next()).get("state") is None:
            pass
        assert {light["online"] for light in frame["state"]["lights"].values()} == {False}
        assert all(light["away_since"] for light in frame["state"]["lights"].values())
        assert "no connection to the others" in frame["state"]["lights"]["hall.led"]["reason"]
        assert hall.patch("/lights/led", {"level": 66}).json()["actual"] == 66
        assert not online(hall, "kitchen.led")
        assert problem_of(hall, "kitchen.led")[0] == "light-offline"
        assert "no connection to the other panels" in front.get("/health/ready").text
        (home.redis.start if how == "kill" else home.redis.thaw)()
        while not _comes_online(await screen.next()):
            pass
    home.agree("hall.led", {"level": 66, "online": True})
    home.agree("kitchen.led", {"online": True})
    assert front.patch("/lights/kitchen.led", {"level": 12}).json()["actual"] == 12
    for panel in (hall, kitchen, front):
        assert panel.complaints() == []


def test_an_engine_that_was_emptied_is_filled_again(home: Home) -> None:
    home.node("hall", "led", "shelf")
    front = home.front("front")
    front.patch("/lights/hall.led", {"level": 21})
    epoch = front.get("/lights").json()["epoch"]
    home.redis.do("FLUSHALL")
    eventually(lambda: front.get("/lights").json()["epoch"] != epoch and online(front, "hall.led"))
    home.agree("hall.led", {"level": 21, "online": True})
    assert front.patch("/lights/hall.shelf", {"level": 22}).json()["actual"] == 22


@pytest.mark.slow
def test_a_front_behind_the_trim_reads_the_whole_state(home: Home) -> None:
    hall, front = home.node("hall", "led"), home.front("front")
    front.process.send_signal(signal.SIGSTOP)
    for level in (1, 2, 3, 4):
        hall.patch("/lights/led", {"level": level})
    home.redis.do("XTRIM", "pilotlight:{home}:events", "MAXLEN", "1")
    front.process.send_signal(signal.SIGCONT)
    home.agree("hall.led", {"level": 4})
    assert front.patch("/lights/hall.led", {"level": 5}).json()["actual"] == 5
    home.agree("hall.led", {"level": 5})


@pytest.mark.slow
def test_the_lights_of_a_panel_that_is_gone_for_good_are_forgotten(home: Home) -> None:
    hall, _ = home.node("hall", "led"), home.keeper()
    attic = home.node("attic", "led")
    has_keeper(home)
    assert hall.post("/groups", json={"name": "Kept", "lights": ["hall.led"]}).status_code == 201
    home.panels.pop("attic").stop()
    home.agree("attic.led", {"online": False})
    home.redis.do("DEL", "pilotlight:{home}:meta")  # as the how-to says
    for panel in home.panels.values():
        eventually(lambda panel=panel: list(panel.get("/lights").json()["lights"]) == ["hall.led"])
    home.agree("hall.led", {"online": True})
    has_keeper(home)
    assert [group["id"] for group in hall.get("/groups").json()["groups"]] == ["all", "kept"]
    attic.start()
    home.agree("attic.led", {"online": True})
    attic.stop()


@pytest.mark.slow
def test_two_owners_of_one_name(home: Home) -> None:
    first, front = home.node("hall", "led", data="first"), home.front("front")
    home.agree("hall.led", {"online": True}, front)  # it has the name
    second = home.node("hall", "led", data="second")
    eventually(lambda: "belongs to the panel at" in second.log())
    assert second.patch("/lights/led", {"level": 77}).json()["actual"] == 77  # its own pages work
    assert front.patch("/lights/hall.led", {"level": 33}).json()["actual"] == 33
    assert (first.level(), second.level()) == (33, 77)
    first.stop()
    home.agree("hall.led", {"level": 77, "online": True}, front)


@pytest.mark.slow
def test_one_pin_of_another_machine_has_one_owner(home: Home) -> None:
    remote = {"pins": "pigpio", "pigpio_host": "127.0.0.2"}
    hall, kitchen = home.node("hall", "led", **remote), home.node("kitchen", "led", **remote)
    eventually(lambda: "drives the pin 127.0.0.2/10" in hall.log() + kitchen.log())  # whichever came second


def test_a_password_in_a_file_is_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    with Home(tmp_path, password=PASSWORD) as home:
        hall = home.node("hall", "led", engine_password_file=secret)
        front = home.front("front", engine_password_file=secret)
        assert front.patch("/lights/hall.led", {"level": 5}).json()["actual"] == 5
        stranger = home.front("stranger")
        eventually(lambda: "refuses the user or the password" in stranger.log())
        said = json.dumps([panel.log() for panel in (hall, front, stranger)] + [front.get("/lights").text])
        assert PASSWORD not in said


@pytest.mark.slow
def test_redis_has_no_address_of_a_person(home: Home) -> None:
    hall, front = home.node("hall", "led"), home.front("front")
    front.patch("/lights/hall.led", {"level": 5})
    with redis.Redis(port=home.redis.port) as client:
        kept = b"".join(
            [*client.hvals("pilotlight:{home}:state"), str(client.xrange("pilotlight:{home}:events")).encode()]
        )
    assert b"light_changed" in kept
    assert b"127.0.0.1" not in kept
    assert hall.address == "127.0.0.1"


@pytest.mark.slow
def test_two_homes_on_one_redis(home: Home) -> None:
    home.node("hall", "led", data="ours")
    theirs = home.node("hall", "led", data="theirs", engine=home.redis.url[:-1] + "1")
    front = home.front("front")
    for level in (31, 32, 33):
        assert front.patch("/lights/hall.led", {"level": level}).json()["level"] == level
    assert theirs.level() == 0


NONSENSE = [
    b"", b"[]", b"null", b"[" * 100_000, b'{"id": []}', b'{"id": "1", "rev": 1e999, "epoch": "", "light": {}}', b"\xff",
    b'{"id": "1", "process": "p", "epoch": "e", "expires": 1e999, "actor": {"role": 5}, "do": {}}',
]  # fmt: skip


@pytest.mark.slow
def test_nonsense_in_redis_ends_nothing(home: Home) -> None:
    hall, front = home.node("hall", "led"), home.front("front")
    with redis.Redis(port=home.redis.port) as client:
        for text in NONSENSE:
            for channel in client.pubsub_channels("pilotlight:*"):
                client.publish(channel, text)
        for text in (b"{", b"7", b"{}", b'{"token": 1}'):
            client.hset("pilotlight:{home}:owners", b"x" + text, text)
            client.hset("pilotlight:{home}:state", b"x.led" + text, text)
        client.xadd("pilotlight:{home}:events", {"e": "nonsense"})
        client.xadd("pilotlight:{home}:events", {"else": "nonsense"})
    eventually(lambda: front.patch("/lights/hall.led", {"level": 44}).status_code == 200)
    home.agree("hall.led", {"level": 44, "online": True})
    assert hall.patch("/lights/led", {"level": 45}).json()["actual"] == 45
    assert hall.returncode is front.returncode is None


@pytest.mark.parametrize("how", ["TERM", *slow("engine first")])
def test_a_panel_that_stops_answers_what_it_has_done(home: Home, how: str) -> None:
    hall = home.node("hall", "led")
    if how == "engine first":
        home.redis.kill()
    hall.patch("/lights/led", {"level": 80, "transition": 5})
    assert hall.stop() < 5
    assert hall.returncode == 0
    assert hall.complaints() == []


def test_doctor_and_metrics_know_the_engine(home: Home) -> None:
    hall = home.node("hall", "led")
    hall.patch("/lights/led", {"level": 5})
    metrics = hall.metrics()
    assert metrics["pilotlight_engine_linked", ""] == metrics["pilotlight_engine_joins_total", ""] == 1
    assert metrics["pilotlight_engine_expired_total", ""] == 0
    known = ["--engine", home.redis.url, "--lights", "none", "--data", str(home.folder / "doctor"), "--port", "0"]
    said = run_pilotlight("doctor", *known).stdout
    assert re.search(r"Redis \S+ at 127\.0\.0\.1:\d+ answers in [\d.]+ ms; nodes: hall \(", said)
    home.redis.kill()
    eventually(lambda: hall.metrics()["pilotlight_engine_linked", ""] == 0)
    failed = run_pilotlight("doctor", *known)
    assert failed.returncode == 1
    assert "Redis cannot be reached" in failed.stdout


@pytest.mark.slow
def test_a_node_is_not_refused_by_its_own_lease(home: Home) -> None:
    hall, front = home.node("hall", "led"), home.front("front")
    home.redis.freeze()
    eventually(lambda: not online(front, "hall.led"))
    time.sleep(4)  # a beat waits in the socket of Redis, which is carried out before the next connection is
    home.redis.thaw()
    began = steady()
    eventually(lambda: online(front, "hall.led"))
    assert steady() - began < 4  # less than a lease
    assert "belongs to" not in hall.log()


@pytest.mark.slow
def test_an_own_light_does_not_wait_for_a_slow_engine(home: Home) -> None:
    hall = home.node("hall", "led")
    home.redis.freeze()
    began = steady()
    answers = [hall.patch("/lights/led", {"level": level}) for level in range(1, 11)]
    assert steady() - began < 2
    assert [answer.json()["level"] for answer in answers] == list(range(1, 11))
    home.redis.thaw()
    home.agree("hall.led", {"level": 10, "online": True})


@pytest.mark.slow
def test_a_front_that_stops_answers_what_waits(home: Home) -> None:
    hall, front = home.node("hall", "led"), home.front("front")
    hall.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(front.patch, "/lights/hall.led", {"level": 5})
        time.sleep(0.5)
        front.stop()
        assert (answer.result().status_code, answer.result().json()["type"]) == (
            504,
            "urn:pilotlight:problem:no-answer",
        )
    hall.process.send_signal(signal.SIGCONT)
    assert front.complaints() == []


@pytest.mark.slow
def test_lights_that_redis_has_lost_are_told_again(home: Home) -> None:
    home.node("hall", "led", "shelf")
    home.redis.do("DEL", "pilotlight:{home}:state")
    front = home.front("front")
    eventually(lambda: online(front, "hall.led") and online(front, "hall.shelf"))
