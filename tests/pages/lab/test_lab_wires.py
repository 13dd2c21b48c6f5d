"""The page `/lab`: connecting, events, rooms, the raw WebSocket and `POST /api`."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Browser, BrowserContext, expect

from tests.support.lab_tab import Lab
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DEFAULTS, first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


# --- connection ---------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_it_connects_by_polling_and_shows_the_upgrade(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)

    await expect(lab.transport("websocket")).to_have_attribute("aria-current", "step")
    await expect(lab.transport("polling")).to_have_attribute("data-state", "was")
    await expect(lab.transport("polling")).to_contain_text("connected: ")
    await expect(lab.transport("websocket")).to_contain_text("upgraded: ")
    assert len(await lab.sid.inner_text()) == 20
    await expect(lab.entries("connect", direction="none")).to_contain_text(await lab.sid.inner_text())
    await expect(lab.entries("upgrade", "now websocket", direction="none")).to_have_count(1)
    await expect(lab.entries("my_response", '{"data": "Connected", "count": 0}')).to_have_count(1)


@pytest.mark.slow
@pytest.mark.parametrize("transport", first_of("polling", "websocket"))
async def test_a_transport_is_chosen_and_kept_in_the_address(
    context: BrowserContext, panel: RunningPanel, transport: str
) -> None:
    lab = await Lab.open(context, panel)
    before = await lab.sid.inner_text()
    await lab.choose("choices", transport)
    await expect(lab.sid).not_to_have_text(before)
    await expect(lab.transport(transport)).to_have_attribute("aria-current", "step")

    await lab.page.reload()

    assert lab.page.url.endswith(f"/lab?transport={transport}")
    await expect(lab.transport(transport)).to_have_attribute("aria-current", "step")
    await expect(lab.page.locator(f'#choices input[value="{transport}"]')).to_be_checked()
    await lab.press("my_event")
    await expect(lab.entries("my_response", "hello")).to_contain_text(f"Socket.IO · {transport}")
    assert await lab.page.locator('#steps [data-state="was"]').count() == 0


@pytest.mark.slow
async def test_it_disconnects_and_connects_again(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    await lab.press("my_event")
    await expect(lab.entries("my_response", '{"data": "hello", "count": 1}')).to_have_count(1)
    connect = lab.page.locator("#connect")

    await connect.click()
    await expect(lab.status).to_have_text("Disconnected")
    await expect(lab.sid).to_have_text("–")
    await expect(lab.page.locator('[data-act="my_event"]')).to_be_disabled()

    await connect.click()
    await expect(lab.status).to_have_text("Connected")
    await lab.press("my_event")
    await expect(lab.entries("my_response", '{"data": "hello", "count": 1}')).to_have_count(2)  # counted anew


@pytest.mark.slow
async def test_the_panel_disconnects_it_when_asked_and_answered(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)

    await lab.press("disconnect_request")

    await expect(lab.status).to_have_text("Disconnected")
    await expect(lab.page.locator("#status-why")).to_have_text("by the panel")
    await expect(lab.entries("my_response", "Disconnected!")).to_have_count(1)
    await expect(lab.entries("ack my_response", direction="out")).to_have_count(1)
    await expect(lab.entries("disconnect", "io server disconnect", direction="none")).to_have_count(1)


@pytest.mark.slow
async def test_it_comes_back_by_itself_after_the_panel_restarts(
    browser: Browser, start_panel: Callable[..., RunningPanel]
) -> None:
    panel = start_panel()
    context = await browser.new_context(**{**DEFAULTS, "locale": "en-US"})
    lab = await Lab.open(context, panel)
    before = await lab.sid.inner_text()

    panel.stop()
    await expect(lab.status).to_have_text("Reconnecting")
    panel.start()

    await expect(lab.status).to_have_text("Connected")
    assert await lab.sid.inner_text() != before
    await expect(lab.transport("websocket")).to_have_attribute("aria-current", "step")
    await context.close()


@pytest.mark.slow
async def test_the_latency_is_measured_every_second(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)

    await expect(lab.page.locator("#average-caption")).to_have_text(re.compile(r"^average of the last ([3-9]|\d\d)$"))

    figures = "['average', 'latency-best', 'latency-worst'].map((id) => document.getElementById(id).innerText)"
    average, best, worst = map(float, await lab.page.evaluate(figures))  # of one moment
    assert 0 < best <= worst
    assert best - 0.5 <= average <= worst + 0.5  # each is rounded by itself
    await expect(lab.page.locator("#plot canvas")).to_be_visible()
    assert await lab.entries("my_pong").count() == 0  # not shown until asked for
    await lab.page.locator('[data-show="pings"]').click()
    for entries in (lab.entries("my_pong"), lab.entries("my_ping", direction="out")):
        await expect(entries.nth(2)).to_be_visible()


# --- events and rooms ---------------------------------------------------------------------------------------


TYPED = {
    "hello": '"hello"',
    "5": "5",
    '{"a":[1,null]}': '{"a": [1, null]}',
    "": '""',
    "灯 💡": '"灯 💡"',
    "{bad": '"{bad"',
}


@pytest.mark.slow
async def test_what_is_typed_is_echoed(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    for count, (typed, sent) in enumerate(TYPED.items(), 1):
        await lab.fill("events", "data", typed)
        await lab.page.locator("#events [name=data]").press("Enter")

        await expect(lab.entries("my_response", f'{{"data": {sent}, "count": {count}}}')).to_have_count(1)
        await expect(lab.entries("my_event", f'{{"data": {sent}}}', direction="out")).to_have_count(1)
        await expect(lab.entries("ack my_event").last).to_contain_text(" ms")
        await expect(lab.page.locator("#events-outcome")).to_contain_text("my_event acknowledged in")


@pytest.mark.slow
async def test_bytes_are_echoed(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    await lab.press("bytes")

    sent = await lab.entries("my_event", direction="out").locator(".payload").inner_text()
    assert sent.startswith('{"data": "<16 bytes: ')
    await expect(lab.entries("my_response", sent.removeprefix('{"data": ').removesuffix("}"))).to_have_count(1)


async def test_two_tabs_in_one_room_hear_each_other(context: BrowserContext, panel: RunningPanel) -> None:
    one, two = await Lab.open(context, panel), await Lab.open(context, panel)
    for lab in (one, two):
        await lab.fill("rooms-form", "room", "the attic")
        await lab.press("join")
        await expect(lab.rooms).to_have_text(["the attic"])
        await expect(lab.entries("my_response", "In rooms: ")).to_contain_text("the attic")

    await one.fill("rooms-form", "data", '{"from": "one"}')
    await one.press("my_room_event")
    for lab in (one, two):
        await expect(lab.entries("my_response", '{"data": {"from": "one"}, "count": 2}')).to_have_count(1)

    await two.page.get_by_role("button", name="Leave the attic").click()
    await expect(two.rooms).to_have_count(0)
    await one.fill("rooms-form", "data", "who is left?")
    await one.press("my_room_event")
    await expect(one.entries("my_response", "who is left?")).to_have_count(1)

    await two.press("my_broadcast_event")  # after which all that came before is there
    for lab in (one, two):
        await expect(lab.entries("my_response", '"hello"')).to_have_count(1)
    await expect(two.entries("my_response", "who is left?")).to_have_count(0)

    await two.press("close_room")
    await expect(one.rooms).to_have_count(0)
    await expect(one.entries("my_response", "Room the attic is closing.")).to_have_count(1)


@pytest.mark.slow
async def test_a_tab_sends_to_another_s_sid_and_may_not_join_it(context: BrowserContext, panel: RunningPanel) -> None:
    one, two = await Lab.open(context, panel), await Lab.open(context, panel)
    await one.fill("rooms-form", "room", await two.sid.inner_text())

    await one.press("my_room_event")
    await expect(two.entries("my_response", "hello, room")).to_have_count(1)

    await one.press("join")
    await expect(one.page.locator("#rooms-outcome[data-bad]")).to_contain_text("join refused: ")
    await expect(one.entries("ack join", "urn:pilotlight:problem:bad-command")).to_have_count(1)
    await expect(one.rooms).to_have_count(0)


@pytest.mark.slow
async def test_what_others_send_is_never_html(context: BrowserContext, panel: RunningPanel) -> None:
    one, two = await Lab.open(context, panel), await Lab.open(context, panel)
    markup = "<img src=x onerror=\"document.title='taken over'\"><script>document.title='taken over'</script>"
    await one.fill("events", "data", markup)
    await one.fill("rooms-form", "room", markup)

    await one.press("join")
    await one.press("my_broadcast_event")
    await one.press("close_room")

    await expect(two.entries("my_response", "<img src=x")).to_have_count(1)
    await expect(one.entries("my_response", "is closing.")).to_have_count(1)
    for lab in (one, two):
        assert await lab.page.locator("#log img, #log script, #rooms img, #rooms script").count() == 0
        assert await lab.page.title() == "Lab · Pilot Light"


# --- raw WebSocket and POST /api ----------------------------------------------------------------------------


@pytest.mark.slow
async def test_raw_frames_come_back(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    outcome, status = lab.page.locator("#raw-outcome"), lab.page.locator("#raw-status")
    await expect(status).to_contain_text("Closed")

    await lab.fill("raw-text", "text", "close")
    await lab.page.locator("#raw-text button").click()
    await expect(outcome).to_contain_text("Text frame, 5 B, came back the same in")
    await expect(status).to_have_text("Open")
    await expect(lab.entries("text", '"close"')).to_contain_text("WebSocket · /echo")

    for size, shown in ((0, "0 B"), (1024, "1 KiB"), (65536, "64 KiB"), (1024 * 1024, "1 MiB")):
        await lab.choose("sizes", str(size))
        await lab.page.locator("#raw-bytes button").click()
        await expect(outcome).to_contain_text(f"Binary frame, {shown}, came back the same in")
        await expect(lab.entries("binary", f"<{size} bytes")).to_have_count(1)


@pytest.mark.slow
async def test_a_raw_frame_that_is_too_large_shows_the_closing_code(
    context: BrowserContext, panel: RunningPanel
) -> None:
    lab = await Lab.open(context, panel)
    await lab.choose("sizes", str(1024 * 1024 + 1))
    await lab.page.locator("#raw-bytes button").click()

    await expect(lab.page.locator("#raw-status")).to_contain_text("1009 · message too big")
    await expect(lab.entries("close", '"code": 1009', direction="none")).to_have_count(1)
    await expect(lab.status).to_have_text("Connected")


@pytest.mark.slow
async def test_a_raw_socket_is_opened_and_closed_with_a_code(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    toggle, status = lab.page.locator("#raw-toggle"), lab.page.locator("#raw-status")
    await toggle.click()
    await expect(status).to_have_text("Open")

    await lab.fill("raw-close", "code", "1234")
    await toggle.click()
    await expect(lab.page.locator("#raw-outcome[data-bad]")).to_contain_text("3000 to 4999")
    await expect(status).to_have_text("Open")

    await lab.fill("raw-close", "code", "4321")
    await toggle.click()
    await expect(status).to_contain_text("Closed 4321")


@pytest.mark.slow
async def test_json_is_posted(context: BrowserContext, panel: RunningPanel) -> None:
    lab = await Lab.open(context, panel)
    send, outcome = lab.page.locator("#api button"), lab.page.locator("#api-outcome")
    await send.click()
    await expect(outcome).to_contain_text("200 · Received data")
    await expect(lab.entries("POST /api", '{"hello": "panel"}', direction="out")).to_have_count(1)
    await expect(lab.entries("200", '{"response": "Received data"}')).to_have_count(1)


@pytest.mark.slow
async def test_a_refused_post_shows_the_problem(browser: Browser, panel: RunningPanel) -> None:
    """In a profile of its own: the browser puts every 4xx on the console."""
    context = await browser.new_context(**{**DEFAULTS, "locale": "en-US"})
    lab = await Lab.open(context, panel)
    send, outcome = lab.page.locator("#api button"), lab.page.locator("#api-outcome[data-bad]")

    await lab.fill("api", "body", "{bad")
    await send.click()
    await expect(outcome).to_contain_text("400 · Failed to decode JSON")

    await lab.choose("types", "text/plain")
    await send.click()
    await expect(outcome).to_contain_text("415 · ")
    await expect(lab.entries("415")).to_contain_text("application/problem+json")
    await context.close()
