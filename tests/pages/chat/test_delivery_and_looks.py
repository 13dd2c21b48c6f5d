"""The chat page: nothing gets lost, who one is, and how it looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.support.chat_tabs import OpenChat, said_in
from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")


# --- nothing gets lost --------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_what_is_said_without_a_connection_arrives_once(
    start_panel: Callable[..., RunningPanel], open_chat: OpenChat
) -> None:
    # given a talk, and a panel that goes away
    panel = start_panel()
    ada = await open_chat("Ada", at=panel, watch=False)
    bob = await open_chat("Bob", at=panel, watch=False)
    await ada.say("before")
    await bob.heard("before")
    panel.stop()
    await ada.tab.is_lost()

    # when Ada goes on, then it waits in sight
    await ada.say("first")
    await ada.say("second")
    await ada.delivered("first", "Waiting for the connection")
    await expect(ada.page.locator("#lost")).to_be_visible()

    # then it is said once, in order, as soon as the panel is back
    panel.start()
    for tab in (ada, bob):
        await tab.tab.is_live()
        await tab.heard("before", "first", "second")
    await ada.delivered("second", "Read by 1")
    await expect(ada.page.locator("#lost")).to_be_hidden()
    said = panel.get("/chat/rooms/lobby/messages").json()["messages"]
    assert [message["msg"] for message in said] == ["before", "first", "second"]


async def test_a_message_whose_answer_is_lost_is_not_said_twice(
    panel: RunningPanel, open_chat: OpenChat, room: str
) -> None:
    """The panel stores it, and the connection breaks before it says so: the page asks again, with the same id."""
    ada = await open_chat("Ada", f"#room={room}", watch=False)
    lost: list[str | bytes] = []

    async def break_once(page: WebSocketRoute) -> None:
        wire = page.connect_to_server()

        async def hear(frame: str | bytes) -> None:
            if not lost and "said once" in str(frame):
                lost.append(frame)
                await wire.close()
                await page.close()
            else:
                page.send(frame)

        wire.on_message(hear)

    await ada.page.route_web_socket(re.compile("/live"), break_once)
    await ada.page.reload()
    await ada.tab.is_live()
    await ada.say("said once")
    await ada.delivered("said once", "Sent")
    await ada.heard("said once")
    assert lost
    said = panel.get(f"/chat/rooms/{room}/messages").json()["messages"]
    assert [message["msg"] for message in said] == ["said once"]


async def test_what_was_missed_meanwhile_is_filled_in(panel: RunningPanel, open_chat: OpenChat, room: str) -> None:
    ada = await open_chat("Ada", f"#room={room}", watch=False)
    await said_in(panel, room, 1)
    await ada.heard("line 1")
    await ada.page.context.set_offline(True)
    await ada.tab.is_lost()
    await said_in(panel, room, 3, by="Bob")
    await ada.page.context.set_offline(False)
    await ada.heard("line 1", "line 1", "line 2", "line 3")


# --- who one is ---------------------------------------------------------------------------------------------


async def test_a_name_is_asked_for_and_a_refusal_is_explained(open_chat: OpenChat) -> None:
    nobody = await open_chat("")
    name, start = nobody.page.get_by_label("Your name"), nobody.page.get_by_role("button", name="Start chatting")
    await expect(nobody.ask_name).to_be_visible()
    await expect(name).to_be_focused()

    await name.fill("server")
    await start.click()
    await expect(nobody.page.locator("#name-problem")).to_contain_text("server")
    await expect(nobody.ask_name).to_be_visible()

    await name.fill("  Grace   H. ")
    await start.click()
    await expect(nobody.ask_name).to_be_hidden()
    await expect(nobody.person("Grace H.")).to_contain_text("(you)")
    await nobody.say("here I am")
    await nobody.delivered("here I am", "Sent")


# --- how it looks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", first_of(PHONE, DESKTOP), ids=["390 px", "1280 px"])
async def test_it_fits_and_can_be_pressed(
    panel: RunningPanel, open_chat: OpenChat, room: str, device: dict[str, Any]
) -> None:
    async with live(panel, name="A person with a name that is rather long for a phone") as long:
        await long.ask("join_room", room=room)
        await long.ask("say", room=room, msg="Donaudampfschifffahrtsgesellschaftskapitän" * 9)
        ada = await open_chat("Ada", device=device)
        await fits(ada.page)
        if device is PHONE:
            assert await ada.page.evaluate(TOO_SMALL) == []
        await ada.open(f"room:{room}")
        await expect(ada.messages).to_have_count(1)
        await fits(ada.page)
        await expect(ada.say_box).to_be_in_viewport(ratio=1)
        if device is PHONE:
            assert await ada.page.evaluate(TOO_SMALL) == []
            composer, tabs = [await ada.page.locator(part).bounding_box() for part in ("#composer", ".tabs")]
            assert composer is not None
            assert tabs is not None
            assert abs(composer["y"] + composer["height"] - tabs["y"]) < 2


@pytest.mark.slow
async def test_a_chinese_browser_gets_chinese_words(open_chat: OpenChat) -> None:
    bob = await open_chat("阿明")
    ada = await open_chat("小红", "#to=阿明", device=PHONE, locale="zh-CN")
    await expect(ada.page.locator("html")).to_have_attribute("lang", "zh")
    await expect(ada.say_box).to_have_attribute("placeholder", "发给阿明")
    await ada.say("你好")
    await ada.delivered("你好", "已送达")
    await bob.talk_to("小红")
    await bob.heard("你好")
    await ada.delivered("你好", "已读")
    words = await ada.page.evaluate("[...document.querySelectorAll('[data-word]')].map((element) => element.innerText)")
    assert [word for word in words if word and not re.search("[\u4e00-\u9fff]", word)] == []
    await fits(ada.page)

    nobody = await open_chat("", device=PHONE, locale="zh-CN")
    await nobody.page.locator("#name-form input").fill("server")
    await nobody.page.locator("#name-form button").click()
    await expect(nobody.page.locator("#name-problem")).to_contain_text("这不能用作名字")
    await expect(nobody.page.locator("#name-problem")).to_contain_text("也不能与已有的名字相似")
