"""The page `/watch`: a run's graph, its signals, and what else a page needs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.live_client import live
from tests.support.runs_tab import IMAGE_TAG, Watch
from tests.support.tabs import first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


expect.set_options(timeout=30_000)  # ms; on an idle machine nothing takes a tenth of it


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


# --- the graph ----------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("size", first_of((390, 844), (1280, 800), (320, 568), (960, 500), (1920, 1080)))
async def test_the_whole_graph_is_in_view_and_nothing_of_it_below_the_buttons(watch: Watch, size: tuple[int, int]):
    width, height = size
    await watch.page.set_viewport_size({"width": width, "height": height})
    nodes = [{"id": f"n{n}", "type": "rect", "x": 0, "y": 120 * n, "text": f"Step {n}"} for n in range(12)]
    edges = [
        {"id": f"e{n}", "type": "polyline", "sourceNodeId": f"n{n}", "targetNodeId": f"n{n + 1}"} for n in range(11)
    ]
    watch.begin(graph={"nodes": nodes, "edges": edges})
    await watch.open()
    if width < 960:
        await watch.page.locator(".run-tabs .chip", has_text="Graph").click()
    await expect(watch.node("n11")).to_be_visible()
    inside = """() => {
        const box = (selector) => document.querySelector(selector).getBoundingClientRect();
        const [scene, graph, zoom] = [box('svg.graph .scene'), box('svg.graph'), box('.zoom')];
        return scene.top >= graph.top - 1 && scene.left >= graph.left - 1 && scene.right <= graph.right + 1
            && scene.bottom <= zoom.top + 1;
    }"""
    await watch.page.wait_for_function(inside)


@pytest.mark.slow
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
    await watch.page.get_by_role("button", name="Show all of it").click()
    assert await place() == pytest.approx(fitting, abs=0.5)
    await watch.page.get_by_role("button", name="Zoom in").click()
    assert (await place())[2] == pytest.approx(fitting[2] * 1.3, abs=0.01)
    await watch.page.get_by_role("button", name="Zoom out").click()
    await watch.page.get_by_role("application").focus()
    await watch.page.keyboard.press("ArrowLeft")
    assert (await place())[0] == pytest.approx(fitting[0] + 60, abs=0.5)
    await watch.page.keyboard.press("0")
    assert await place() == pytest.approx(fitting, abs=0.5)


@pytest.mark.slow
async def test_a_graph_of_three_hundred_nodes(watch: Watch):
    nodes = [{"id": f"n{n}", "type": "rect", "x": n % 20 * 150, "y": n // 20 * -120} for n in range(300)]
    edges = [{"id": f"e{n}", "sourceNodeId": f"n{n}", "targetNodeId": f"n{n + 1}"} for n in range(299)]
    watch.begin(graph={"nodes": nodes, "edges": edges})
    await watch.open()
    await expect(watch.page.locator(".node")).to_have_count(300)
    watch.update(running_edge=["e200"])
    await expect(watch.node("n201")).to_have_attribute("data-state", "now")
    await expect(watch.node("n201")).to_be_in_viewport()


# --- signals ------------------------------------------------------------------------------------------------


async def test_a_show_takes_signals(watch: Watch):
    await watch.open("/watch")
    await watch.page.get_by_role("button", name="Step through Sunrise").click()
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
        await expect(drives.locator("dt")).to_have_text("window")
        await expect(drives.locator("dd")).to_have_text(f"Main {IMAGE_TAG}")
        await watch.page.keyboard.press("Escape")
        await expect(drives).to_be_hidden()
        await answer("pause", "pause", {"ok": False, "detail": "not now"})
        await expect(watch.notices).to_contain_text("Not now")
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


# --- the rest -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chosen", "used"), [("socketio", "Socket.IO"), ("rest", "WebSocket")])
async def test_the_chosen_transport_is_used_where_it_has_a_log(watch: Watch, chosen: str, used: str):
    watch.begin()
    watch.say("one")
    await watch.open(f"/watch?transport={chosen}#run={watch.run}")
    await expect(watch.page.locator("#mark")).to_have_attribute("title", used)
    watch.say("two")
    await expect(watch.lines).to_have_text(["one", "two"])


@pytest.mark.slow
@pytest.mark.parametrize("watch", [{"locale": "zh-CN"}], indirect=True)
async def test_in_chinese(watch: Watch):
    watch.begin()
    await watch.open()
    await expect(watch.page.locator("h1")).to_have_text("任务")
    await expect(watch.pill).to_have_text("运行中")
    await expect(watch.page.locator(".levels")).to_have_text("全部信息警告错误stderr")
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
    await expect(watch.page.locator(".graph .nodes")).to_contain_text("第一缕微光")
    await expect(watch.page.locator(".graph .nodes")).to_contain_text("开始")
    await watch.button("stop").click()
    await expect(watch.pill).to_have_text("已停止")


@pytest.mark.slow
@pytest.mark.parametrize("watch", [PHONE], indirect=True)
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
        "() => [...document.querySelectorAll('main :is(a:not(.offset), button, input[type=radio])')]"
        ".filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])"
        ".filter(([, { width, height }]) => width < 43.5 || height < 43.5).map(([html]) => html)"
    )
    assert sizes == []
    assert await watch.page.evaluate("document.documentElement.scrollWidth") == 390
    await watch.page.get_by_role("link", name="All runs").click()
    await expect(watch.page.locator("#runs-title")).to_be_visible()
