"""The page `/watch` in a browser: runs that come and move, their graph, their log, their signals."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Locator, Page, WebSocketRoute, expect

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
IMAGE_TAG = "<img src=x onerror=alert(1)>"
MOST_ROWS = 400  # of a log, on the page at once
FIRST_LINES = 500  # that the page asks for

expect.set_options(timeout=10_000)  # ms; on an idle machine nothing takes a tenth of it

GRAPH = {
    "nodes": [
        {"id": "a", "type": "circle", "x": -200, "y": 0, "text": "Fetch", "properties": {"r": 40}},
        {"id": "b", "type": "rect", "x": 0, "y": 0, "text": {"value": f"Build {IMAGE_TAG} " + "and more " * 40}},
        {"id": "c", "type": "diamond", "x": 200, "y": -100, "text": "好了吗"},
        {"id": "d", "type": "whatever", "x": 400, "y": 0},
    ],
    "edges": [
        {"id": "a-b", "type": "line", "sourceNodeId": "a", "targetNodeId": "b"},
        {
            "id": "b-c",
            "type": "polyline",
            "sourceNodeId": "b",
            "targetNodeId": "c",
            "text": "then",
            "pointsList": [{"x": 50, "y": 0}, {"x": 110, "y": 0}, {"x": 110, "y": -100}, {"x": 170, "y": -100}],
        },
        {"id": "c-d", "sourceNodeId": "c", "targetNodeId": "d"},
        {"id": "lost", "sourceNodeId": "nowhere", "targetNodeId": "d"},
    ],
}


class Watch:
    """The page, its parts as a person names them, and the producer of a run of its own, which is at the other end."""

    ids = itertools.count(1)

    def __init__(self, page: Page, panel: RunningPanel) -> None:
        self.page = page
        self.panel = panel
        self.run = f"run-{next(self.ids)}"
        self.pill = page.locator(".run-head .pill")
        self.rows = page.locator(".log-lines .row")
        self.lines = page.locator(".log-lines .row:not(.gap) .said")
        self.gap = page.locator(".log-lines .row.gap")
        self.scroller = page.locator(".log-lines")
        self.search = page.get_by_role("searchbox")
        self.notices = page.locator("#notices .notice")
        self.scene = page.locator("svg.graph .scene")
        self.latest = page.locator(".to-latest")

    async def open(self, path: str | None = None) -> None:
        await self.page.goto(self.panel.url + (path if path is not None else f"/watch#run={self.run}"))
        await self.is_live()

    async def is_live(self) -> None:
        await self.page.wait_for_selector("body[data-link=live]")

    def card(self, run: str | None = None) -> Locator:
        return self.page.locator(f"[data-run='{run or self.run}']")

    def button(self, signal: str) -> Locator:
        return self.page.locator(f"[data-signal={signal}]")

    def edge(self, id: str) -> Locator:
        return self.page.locator(f"[data-edge='{id}']")

    def node(self, id: str) -> Locator:
        return self.page.locator(f"[data-node='{id}']")

    async def level(self, name: str) -> None:
        await self.page.locator(".levels .chip", has_text=name).click()

    async def offsets(self) -> list[int]:
        """The offsets of the lines on the page, in their order on it."""
        found: list[int] = await self.rows.evaluate_all("rows => rows.map(row => Number(row.dataset.n))")
        return found

    async def is_at_the_end(self) -> None:
        await self.page.wait_for_function(
            "() => { const log = document.querySelector('.log-lines');"
            " return log.scrollHeight - log.scrollTop - log.clientHeight < 8; }"
        )

    async def scroll_to_the_top(self) -> None:
        await self.scroller.hover()
        await self.page.mouse.wheel(0, -200_000)

    # --- the producer --------------------------------------------------------------------------------------

    def begin(self, **more: Any) -> None:
        answer = self.panel.post("/runs", json={"id": self.run, "name": f"make {self.run}", **more})
        assert answer.status_code == 201, answer.text

    def say(self, *lines: Any) -> None:
        for begin in range(0, len(lines), 1000):
            answer = self.panel.post(f"/runs/{self.run}/log", json={"lines": lines[begin : begin + 1000]})
            assert answer.status_code == 200, answer.text

    def update(self, **change: Any) -> None:
        answer = self.panel.patch(f"/runs/{self.run}", change)
        assert answer.status_code == 200, answer.text

    def end(self, exit_code: int) -> None:
        answer = self.panel.post(f"/runs/{self.run}/end", json={"exit_code": exit_code})
        assert answer.status_code == 200, answer.text


@pytest_asyncio.fixture(loop_scope="session")
async def watch(context: BrowserContext, panel: RunningPanel) -> Watch:
    return Watch(await context.new_page(), panel)


# --- the list ----------------------------------------------------------------------------------------------


async def test_a_panel_without_runs_says_how_to_get_one(
    context: BrowserContext, start_panel: Callable[..., RunningPanel]
):
    watch = Watch(await context.new_page(), start_panel())
    await watch.open("/watch")
    none = watch.page.locator("#no-runs")
    await expect(none).to_contain_text("pilotlight run -- make all")
    await expect(none).to_contain_text(f"{watch.panel.url}/runs")
    watch.begin()
    await expect(watch.card()).to_be_visible()
    await expect(none).to_be_hidden()


async def test_a_run_appears_and_moves_and_ends(watch: Watch):
    await watch.open("/watch")
    watch.begin(kind="command")
    card = watch.card()
    await expect(card.locator(".pill")).to_have_text("Running")
    bar = card.get_by_role("progressbar")
    await expect(bar).not_to_have_attribute("aria-valuenow", re.compile(".*"))
    watch.update(progress=42, step="compiling")
    await expect(bar).to_have_attribute("aria-valuenow", "42")
    await expect(card).to_contain_text("compiling")
    await expect(card).to_contain_text("python-httpx")

    await card.get_by_role("link").click()
    assert watch.page.url.endswith(f"#run={watch.run}")
    await expect(watch.page.get_by_role("heading", level=2, name=f"make {watch.run}")).to_be_visible()
    watch.update(progress=43.9)
    await expect(watch.page.locator(".run-head .percent")).to_have_text("43 %")
    await expect(watch.page).to_have_title(re.compile(r"^43 % · make "))
    watch.end(2)
    await expect(watch.pill).to_have_text("Failed · 2")
    await expect(watch.page.locator(".ended")).to_contain_text("It failed · exit code 2")
    await expect(watch.page.locator("#spoken")).to_have_text(f"make {watch.run}: It failed")


async def test_running_ones_come_first(watch: Watch):
    old, new = watch.run, f"{watch.run}-new"
    for id in (old, new):
        watch.run = id
        watch.begin()
    watch.end(0)
    await watch.open("/watch")
    runs = watch.page.locator(".run-card")
    await expect(watch.card(new)).to_be_visible()
    order: list[str] = await runs.evaluate_all("cards => cards.map(card => card.dataset.run)")
    assert order.index(old) < order.index(new)


async def test_a_run_that_is_not_there(watch: Watch):
    await watch.open("/watch#run=nobody%20has%20this")
    await expect(watch.page.locator(".run-missing")).to_contain_text("There is no such run")


# --- the log -----------------------------------------------------------------------------------------------


async def test_lines_arrive_once_and_are_text(watch: Watch):
    watch.begin()
    watch.say("before anybody looked")
    await watch.open()
    await expect(watch.lines).to_have_text(["before anybody looked"])
    watch.say(IMAGE_TAG, "10 %\r90 %\r\x1b[1;31mred\x1b[0m and plain\x1b[K\r", {"msg": {"ok": True, "n": [1]}})
    await expect(watch.lines).to_have_text(
        ["before anybody looked", IMAGE_TAG, "red and plain", '{"ok":true,"n":[1]}'], use_inner_text=True
    )
    assert await watch.offsets() == [0, 1, 2, 3]
    await expect(watch.page.locator(".ansi-red.bold")).to_have_text("red")
    await expect(watch.page.locator(".log-lines img")).to_have_count(0)
    await expect(watch.rows.first.locator(".at")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))


async def test_the_log_follows_until_somebody_reads(watch: Watch):
    watch.begin()
    watch.say(*(f"line {n}" for n in range(100)))
    await watch.open()
    await expect(watch.lines.last).to_have_text("line 99")
    await watch.is_at_the_end()
    watch.say(*(f"line {n}" for n in range(100, 150)))
    await expect(watch.lines.last).to_have_text("line 149")
    await watch.is_at_the_end()
    await expect(watch.latest).to_be_hidden()

    await watch.scroller.hover()
    await watch.page.mouse.wheel(0, -300)
    await expect(watch.latest).to_be_visible()
    await watch.page.wait_for_timeout(200)  # the end of the wheel's own motion
    top = await watch.scroller.evaluate("log => log.scrollTop")
    watch.say("line 150")
    await expect(watch.lines.last).to_have_text("line 150")
    assert await watch.scroller.evaluate("log => log.scrollTop") == pytest.approx(top, abs=2)

    await watch.latest.click()
    await watch.is_at_the_end()
    await expect(watch.latest).to_be_hidden()


async def test_a_long_log_is_loaded_as_one_reads_up(watch: Watch):
    watch.begin()
    watch.say(*(f"line {n}" for n in range(4000)))
    await watch.open()
    await expect(watch.lines.last).to_have_text("line 3999")
    assert len(await watch.offsets()) == MOST_ROWS
    for _ in range(60):
        await watch.scroll_to_the_top()
        if 0 in await watch.offsets():
            break
        await watch.page.wait_for_timeout(50)
    offsets = await watch.offsets()
    assert offsets == list(range(len(offsets)))
    assert len(offsets) <= MOST_ROWS
    await watch.latest.click()
    await expect(watch.lines.last).to_have_text("line 3999")
    await watch.is_at_the_end()


async def test_search_goes_from_hit_to_hit(watch: Watch):
    watch.begin()
    watch.say(*(f"part {n} of MANY {IMAGE_TAG if n == 30 else ''}" for n in range(200)))
    await watch.open()
    await watch.search.fill("part 3")
    count = watch.page.locator(".hits")
    await expect(count).to_have_text("11")  # 3 and 30..39
    await watch.search.press("Enter")
    await expect(count).to_have_text("11 / 11")
    await expect(watch.page.locator(".row.at-hit .said")).to_have_text("part 39 of MANY")
    await expect(watch.page.locator(".row.at-hit")).to_be_in_viewport()
    await expect(watch.page.locator(".row.at-hit mark")).to_have_text("part 3")
    await watch.page.get_by_role("button", name="Hit before").click()
    await expect(count).to_have_text("10 / 11")
    await watch.search.press("Shift+Enter")
    await expect(count).to_have_text("11 / 11")
    await watch.page.get_by_role("button", name="Only lines with a hit").click()
    await expect(watch.rows).to_have_count(11)
    assert await watch.offsets() == [3, *range(30, 40)]
    await watch.search.fill(IMAGE_TAG)
    await expect(watch.rows).to_have_count(1)
    await expect(watch.page.locator("mark")).to_have_text(IMAGE_TAG)
    await watch.search.press("Escape")
    await expect(watch.rows).to_have_count(200)


async def test_levels_are_filtered(watch: Watch):
    watch.begin()
    levels = ("debug", "info", "warning", "error", "critical", "notice")
    watch.say(*({"msg": f"one of {level}", "level": level} for level in levels))
    await watch.open()
    await expect(watch.rows).to_have_count(6)
    await expect(watch.page.locator(".row[data-level=error]")).to_have_count(2)
    shown = {"Errors": [3, 4], "Warnings": [2, 3, 4], "Info": [1, 2, 3, 4, 5], "All": [0, 1, 2, 3, 4, 5]}
    for name, offsets in shown.items():
        await watch.level(name)
        await expect(watch.rows).to_have_count(len(offsets))
        assert await watch.offsets() == offsets
    await watch.level("Errors")
    watch.say({"msg": "new", "level": "error"}, "not shown")
    await expect(watch.lines.last).to_have_text(re.compile("new$"))


async def test_a_sign_is_a_notice(watch: Watch):
    watch.begin()
    watch.say({"msg": "an old one", "sign": "success"})
    await watch.open()
    await expect(watch.lines).to_have_count(1)
    await expect(watch.notices).to_have_count(0)
    watch.say({"msg": f"all is built {IMAGE_TAG}", "sign": "success"})
    await expect(watch.notices).to_contain_text(f"make {watch.run}: success")
    await expect(watch.notices).to_contain_text(f"all is built {IMAGE_TAG}")
    await watch.notices.get_by_role("button").click()
    await expect(watch.notices).to_have_count(0)


async def test_lines_that_were_skipped_can_be_loaded(watch: Watch):
    """A panel whose viewer is too slow leaves lines out; the proxy here is that slow viewer's connection."""
    watch.begin()
    watch.say("line 0")
    held: list[dict[str, Any]] = []
    epochs: list[str] = []
    sockets: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        panel = socket.connect_to_server()

        def down(frame: str | bytes) -> None:
            heard = json.loads(frame)
            if "events" in heard:
                epochs.append(heard["epoch"])
                held.extend(event for event in heard["events"] if event["event"] == "run_log")
                heard["events"] = [event for event in heard["events"] if event["event"] != "run_log"]
            socket.send(json.dumps(heard))

        panel.on_message(down)
        socket.on_message(panel.send)
        sockets.append(socket)

    await watch.page.route_web_socket(re.compile("/live"), between)
    await watch.open()
    await expect(watch.lines).to_have_text(["line 0"])
    watch.say(*(f"line {n}" for n in range(1, 1300)))
    await expect(watch.page.locator(".run-facts")).to_contain_text("1,300 lines")
    href = f"/runs/{watch.run}/log?from=1"
    gap = {"event": "gap", "of": "run", "run": watch.run, "from": 1, "upto": 1300, "href": href}
    assert held
    sockets[0].send(json.dumps({"epoch": epochs[0], "events": [gap]}))
    await expect(watch.gap).to_contain_text("Lines 1–1,299 were skipped here")
    await expect(watch.gap.get_by_role("link")).to_have_attribute("href", href)
    await watch.gap.get_by_role("button", name="Load").click()
    await expect(watch.gap).to_have_count(0)
    await expect(watch.lines.last).to_have_text("line 1299")
    offsets = await watch.offsets()
    assert offsets == list(range(offsets[0], 1300))


async def test_the_log_goes_on_after_a_restart(context: BrowserContext, start_panel: Callable[..., RunningPanel]):
    watch = Watch(await context.new_page(), start_panel())
    watch.begin()
    watch.say(*(f"line {n}" for n in range(20)))
    await watch.open()
    await expect(watch.lines).to_have_count(20)
    watch.panel.restart()
    watch.say(*(f"line {n}" for n in range(20, 40)))
    await expect(watch.lines).to_have_text([f"line {n}" for n in range(40)], timeout=20_000)
    watch.say("line 40")
    await expect(watch.lines.last).to_have_text("line 40")
    assert await watch.offsets() == list(range(41))


async def test_the_log_can_be_downloaded(watch: Watch):
    watch.begin()
    watch.say("one", "two", "三")
    await watch.open()
    link = watch.page.get_by_role("link", name="Download the log")
    await expect(link).to_have_attribute("href", f"/runs/{watch.run}/log")
    async with watch.page.expect_download() as started:
        await link.click()
    download = await started.value
    assert download.suggested_filename == f"{watch.run}.log"
    assert (await download.path()).read_text() == "one\ntwo\n三\n"


# --- the graph ---------------------------------------------------------------------------------------------


async def test_the_graph_is_drawn_where_it_says(watch: Watch):
    watch.begin(graph=GRAPH)
    watch.update(running_edge=["a-b"])
    await watch.open()
    await expect(watch.page.locator(".node")).to_have_count(4)
    await expect(watch.page.locator(".edge")).to_have_count(3)
    places = await watch.page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('.node')].map((node) => {"
        " const { x, y, width, height } = node.querySelector('.shape').getBBox();"
        " return [node.dataset.node, [x + width / 2, y + height / 2]]; }))"
    )
    assert places == {"a": [-200, 0], "b": [0, 0], "c": [200, -100], "d": [400, 0]}
    shapes = await watch.page.locator(".shape").evaluate_all("all => all.map(shape => shape.tagName)")
    assert shapes == ["ellipse", "rect", "polygon", "rect"]
    path = await watch.edge("b-c").locator(".edge-line").get_attribute("d")
    assert path is not None
    assert path.startswith("M50 0")
    assert path.endswith("L170 -100")
    line = await watch.edge("a-b").locator(".edge-line").get_attribute("d")
    assert line == "M-160 0 L-50 0", "from border to border"
    await expect(watch.edge("b-c").locator("text")).to_have_text("then")
    label = await watch.node("b").locator("text").text_content()
    assert label is not None
    assert label.endswith("…")
    await expect(watch.node("b").locator("title")).to_contain_text(IMAGE_TAG)

    await expect(watch.edge("a-b")).to_have_attribute("data-state", "now")
    await expect(watch.node("b")).to_have_attribute("data-state", "now")
    watch.update(running_edge=["b-c"])
    await expect(watch.edge("b-c")).to_have_attribute("data-state", "now")
    await expect(watch.edge("a-b")).to_have_attribute("data-state", "done")
    await expect(watch.node("b")).to_have_attribute("data-state", "done")
    watch.update(running_edge=["b-c", "c-d"])
    await expect(watch.node("d")).to_have_attribute("data-state", "now")
    await expect(watch.node("c")).to_have_attribute("data-state", "done")
    await expect(watch.page.get_by_role("application")).to_have_attribute(
        "aria-label", re.compile("4 nodes and 3 edges")
    )


async def test_the_graph_can_be_moved(watch: Watch):
    watch.begin(graph=GRAPH)
    await watch.open()
    await expect(watch.scene).to_have_attribute("transform", re.compile("scale"))
    await expect(watch.lines).to_have_count(0)

    async def place() -> list[float]:
        text = await watch.scene.get_attribute("transform")
        assert text is not None
        return [float(number) for number in re.findall(r"-?[\d.]+", text)]

    fitting = await place()
    box = await watch.page.locator("svg.graph").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await watch.page.mouse.move(x, y)
    await watch.page.mouse.down()
    await watch.page.mouse.move(x + 30, y - 20)
    await watch.page.mouse.up()
    assert await place() == pytest.approx([fitting[0] + 30, fitting[1] - 20, fitting[2]], abs=0.5)
    await watch.page.mouse.wheel(0, -200)
    await expect(watch.scene).not_to_have_attribute("transform", re.compile(f"scale\\({fitting[2]}\\)"))
    assert (await place())[2] > fitting[2]
    await watch.page.get_by_role("button", name="Show it whole").click()
    assert await place() == pytest.approx(fitting, abs=0.5)
    await watch.page.get_by_role("button", name="Larger").click()
    assert (await place())[2] == pytest.approx(fitting[2] * 1.3, abs=0.01)
    await watch.page.get_by_role("button", name="Smaller").click()
    await watch.page.get_by_role("application").focus()
    await watch.page.keyboard.press("ArrowLeft")
    assert (await place())[0] == pytest.approx(fitting[0] + 60, abs=0.5)
    await watch.page.keyboard.press("0")
    assert await place() == pytest.approx(fitting, abs=0.5)


async def test_a_graph_of_three_hundred_nodes(watch: Watch):
    nodes = [{"id": f"n{n}", "type": "rect", "x": n % 20 * 150, "y": n // 20 * -120} for n in range(300)]
    edges = [{"id": f"e{n}", "sourceNodeId": f"n{n}", "targetNodeId": f"n{n + 1}"} for n in range(299)]
    watch.begin(graph={"nodes": nodes, "edges": edges})
    await watch.open()
    await expect(watch.page.locator(".node")).to_have_count(300)
    watch.update(running_edge=["e200"])
    await expect(watch.node("n201")).to_have_attribute("data-state", "now")
    await expect(watch.node("n201")).to_be_in_viewport()


# --- signals -----------------------------------------------------------------------------------------------


async def test_a_show_takes_signals(watch: Watch):
    await watch.open("/watch")
    await watch.page.get_by_role("button", name="Go through Sunrise step by step").click()
    await expect(watch.page.locator("#run-name")).to_have_text("Sunrise")
    await expect(watch.pill).to_have_text("Paused")
    await expect(watch.button("pause")).to_be_hidden()
    await expect(watch.page.locator(".edge[data-state=now]")).to_have_count(1)

    await watch.button("step").click()
    await expect(watch.lines.last).to_have_text("The first glow")
    await expect(watch.page.locator(".edge[data-state=done]")).to_have_count(1)
    await expect(watch.pill).to_have_text("Paused")
    await watch.button("step").click()
    await expect(watch.pill).to_have_text("Running")
    await watch.button("pause").click()
    await expect(watch.pill).to_have_text("Paused")
    await watch.button("go_on").click()
    await expect(watch.pill).to_have_text("Running")

    await watch.button("get_uia").click()
    drives = watch.page.locator("#drives")
    await expect(drives).to_contain_text("GPIO 21")
    await expect(drives).to_contain_text("mock")
    await drives.get_by_role("button", name="Close").click()
    await expect(drives).to_be_hidden()

    await watch.page.get_by_role("button", name="Start Sunrise").click()
    await expect(watch.notices).to_contain_text("The show is running already")
    await watch.button("stop").click()
    await expect(watch.pill).to_have_text("Stopped")
    await expect(watch.page.locator(".signals")).to_be_hidden()


@pytest.mark.parametrize(("kind", "go_on"), [("process", "continue"), ("command", "start")])
async def test_a_producer_gets_signals_and_its_answer_is_shown(watch: Watch, kind: str, go_on: str):
    async with live(watch.panel, name="Producer") as producer:

        async def answer(button: str, signal: str, answer: Any) -> None:
            await watch.button(button).click()
            got = await producer.event("run_signal", run=watch.run, signal=signal)
            await producer.ask("answer_run", signal_id=got["signal_id"], answer=answer)

        await producer.ask("start_run", run=watch.run, name="calibrate", kind=kind)
        await watch.open()
        await answer("get_uia", "get_uia", {"window": f"Main {IMAGE_TAG}"})
        drives = watch.page.locator("#drives")
        await expect(drives.locator("pre")).to_have_text(json.dumps({"window": f"Main {IMAGE_TAG}"}, indent=2))
        await watch.page.keyboard.press("Escape")
        await expect(drives).to_be_hidden()
        await answer("pause", "pause", {"ok": False, "detail": "not now"})
        await expect(watch.notices).to_contain_text("not now")
        await expect(watch.button("step")).to_be_visible(visible=kind == "process")
        await producer.ask("update_run", run=watch.run, state="paused")
        await expect(watch.pill).to_have_text("Paused")
        await answer("go_on", go_on, None)
        await answer("stop", "stop", None)
    await expect(watch.page.locator(".no-producer")).to_be_visible()


async def test_a_run_whose_producer_takes_no_signals(watch: Watch):
    watch.begin()
    await watch.open()
    await expect(watch.page.locator(".no-producer")).to_be_visible()
    await expect(watch.page.locator(".signals")).to_be_hidden()


# --- the rest ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chosen", "used"), [("socketio", "Socket.IO"), ("rest", "WebSocket")])
async def test_the_chosen_transport_is_used_where_it_has_a_log(watch: Watch, chosen: str, used: str):
    watch.begin()
    watch.say("one")
    await watch.open(f"/watch?transport={chosen}#run={watch.run}")
    await expect(watch.page.locator("#mark")).to_have_attribute("title", used)
    watch.say("two")
    await expect(watch.lines).to_have_text(["one", "two"])


@pytest.mark.parametrize("context", [{"locale": "zh-CN"}], indirect=True)
async def test_in_chinese(watch: Watch):
    watch.begin()
    await watch.open()
    await expect(watch.page.get_by_role("heading", level=1)).to_have_text("运行")
    await expect(watch.pill).to_have_text("运行中")
    await expect(watch.page.locator(".levels")).to_have_text("全部信息警告错误")
    await expect(watch.page.locator("[data-show=sunrise] .start")).to_have_text("开始")
    await expect(watch.page.locator("[data-show=sunrise] h3")).to_have_text("日出")
    await expect(watch.page.locator("[data-show=sunrise] p")).to_contain_text("30 分钟")
    left = await watch.page.evaluate(
        "() => [...document.querySelectorAll('main [data-word]')].map((e) => e.textContent)"
        ".filter((text) => /[a-z]{3}/.test(text))"
    )
    assert left == []
    await watch.page.locator("[data-show=sunrise] .stepped").click()  # its run is called as the show is
    await expect(watch.page.locator("#run-name")).to_have_text("日出")
    await expect(watch.page.locator("#run-list .run-name").first).to_have_text("日出")
    await watch.button("stop").click()
    await expect(watch.pill).to_have_text("已停止")


@pytest.mark.parametrize("context", [PHONE], indirect=True)
async def test_on_a_phone(watch: Watch):
    watch.begin(graph=GRAPH)
    watch.say(*(f"line {n} " + "x" * 300 for n in range(50)))
    await watch.open("/watch")
    await watch.card().get_by_role("link").click()
    await expect(watch.page.locator("#runs-title")).to_be_hidden()
    await expect(watch.lines.last).to_be_in_viewport()
    await expect(watch.page.locator("svg.graph")).to_be_hidden()
    await watch.page.locator(".run-tabs .chip", has_text="Graph").click()
    await expect(watch.node("b")).to_be_in_viewport()
    sizes = await watch.page.evaluate(
        "() => [...document.querySelectorAll('main :is(a, button, input[type=radio])')]"
        ".filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])"
        ".filter(([, { width, height }]) => width < 43.5 || height < 43.5).map(([html]) => html)"
    )
    assert sizes == []
    assert await watch.page.evaluate("document.documentElement.scrollWidth") == 390
    await watch.page.get_by_role("link", name="All runs").click()
    await expect(watch.page.locator("#runs-title")).to_be_visible()
