"""The chat page in a real browser, over the real server: people talk, alone and in rooms, and nothing gets lost."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, OpenTab, Tab, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = "<img src=x onerror=\"document.title='taken over'\"><b>bold</b> & <script>document.title='taken over'</script>"
OLD = 130  # messages; a page of the history has 50


class ChatTab:
    """A tab with the chat, and its parts as a person names them."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page: Page = tab.page
        self.say_box = self.page.locator("#say")
        self.log = self.page.get_by_role("log").first
        self.messages = self.page.locator("#log .message")
        self.texts = self.page.locator("#log .text")
        self.scroller = self.page.locator("#scroller")
        self.typing = self.page.locator("#typing")
        self.title = self.page.locator("#talk-name")
        self.ask_name = self.page.locator("#ask-name")
        self.tab_badge = self.page.locator("#chat-tab .badge")

    def thread(self, key: str) -> Any:
        """A row of the lists: `room:lobby`, `to:Bob`."""
        return self.page.locator(f"[data-thread='{key}']")

    def badge(self, key: str) -> Any:
        return self.thread(key).locator(".badge")

    def person(self, name: str) -> Any:
        return self.page.locator(f"[data-person='{name}']")

    async def say(self, text: str) -> None:
        await self.say_box.fill(text)
        await self.say_box.press("Enter")

    async def open(self, key: str) -> None:
        await self.thread(key).get_by_role("link").click()
        await expect(self.title).to_have_text(key.split(":", 1)[1])

    async def talk_to(self, name: str) -> None:
        await self.person(name).get_by_role("link").click()
        await expect(self.title).to_have_text(name)

    async def heard(self, *texts: str) -> None:
        """Wait until the open thread is these messages, in this order."""
        await expect(self.texts).to_have_text(list(texts))

    async def delivered(self, text: str, how: str) -> None:
        """Wait until the sign of an own message says this."""
        message = self.page.locator("#log .message.own").filter(has_text=text)
        await expect(message.locator(".delivery")).to_have_text(how)


OpenChat = Callable[..., Awaitable[ChatTab]]


async def become(tab: Tab, name: str, address: str) -> None:
    """Give the browser a name, as the settings would, and open this page under it."""
    await tab.page.evaluate("name => { localStorage['pilotlight.name'] = JSON.stringify(name); }", name)
    await tab.page.evaluate("address => history.replaceState(null, '', address)", address)
    await tab.page.reload()
    tab.troubles.clear()  # what the page was doing when it was left


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("chat") / "data") as running:
        yield running


@pytest.fixture
def open_chat(open_tab: OpenTab, panel: RunningPanel) -> OpenChat:
    """Open the chat as a person: `open_chat("Ada", "#to=Bob", device=PHONE)`."""

    async def open(
        name: str, path: str = "", device: dict[str, Any] = DESKTOP, *, at: RunningPanel = panel, **more: Any
    ) -> ChatTab:
        tab = await open_tab("/chat", device, at=at, **more)
        await tab.is_live()
        if name:
            await become(tab, name, f"/chat{path}")
        await tab.is_live()
        return ChatTab(tab)

    return open


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room of this test alone."""
    return re.sub(r"\W+", " ", request.node.name)[:40].strip()


async def said_in(panel: RunningPanel, room: str, count: int, by: str = "Script") -> None:
    """Messages `line 1`, `line 2`, … in a room."""
    async with live(panel, name=by) as client:
        await client.ask("join_room", room=room)
        for number in range(1, count + 1):
            assert (await client.ask("say", room=room, msg=f"line {number}"))["ok"]


# --- rooms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["websocket", "socketio"])
async def test_two_people_talk_in_a_room(open_chat: OpenChat, room: str, transport: str) -> None:
    # given two people, of whom one makes a room
    ada, bob = await open_chat("Ada", f"?transport={transport}"), await open_chat("Bob", f"?transport={transport}")
    await expect(ada.title).to_have_text("lobby")
    await ada.page.get_by_role("button", name="New room").click()
    await ada.page.keyboard.type(room)
    await ada.page.keyboard.press("Enter")
    await expect(ada.title).to_have_text(room)

    # when the other goes there, then each hears the other
    await bob.open(f"room:{room}")
    await ada.say("Is anybody here?")
    await bob.heard("Is anybody here?")
    await bob.say("I am")
    await ada.heard("Is anybody here?", "I am")
    await ada.say("two\nlines")
    await bob.heard("Is anybody here?", "I am", "two\nlines")

    # each sees who says what, what is one's own, and how many have read it
    await expect(ada.messages.nth(1).locator(".author strong")).to_have_text("Bob")
    assert await ada.page.locator("#log .message.own").count() == 2
    await ada.delivered("Is anybody", "Read by 1")
    await expect(ada.page.locator("#log .day")).to_have_text("Today")


async def test_who_is_here_and_on_how_many_devices(open_chat: OpenChat) -> None:
    ada, bob = await open_chat("Ada"), await open_chat("Bob")
    await expect(ada.person("Ada")).to_contain_text("(you)")
    await expect(ada.person("Bob").locator(".person-devices")).to_have_text(re.compile("on Linux$"))
    again = await open_chat("Bob")
    await expect(ada.person("Bob").locator(".person-devices")).to_have_text("2 devices")
    for tab in (again, bob):
        await tab.page.goto("about:blank")
        tab.tab.troubles.clear()  # what the page was doing when it was left
    await expect(ada.person("Bob")).to_have_count(0)


async def test_what_is_said_is_shown_as_it_is_and_never_as_markup(
    panel: RunningPanel, open_chat: OpenChat, room: str
) -> None:
    async with live(panel, name="<b>Mallory</b>") as mallory:
        await mallory.ask("join_room", room=room)
        await mallory.ask("say", room=room, msg=MARKUP)
        await mallory.ask("say", room=room, msg={"light": "desk", "level": [1, None]})
        ada = await open_chat("Ada", f"#room={room}")
        await ada.heard(MARKUP)
        await expect(ada.page.locator("#log pre")).to_have_text(
            '{\n  "light": "desk",\n  "level": [\n    1,\n    null\n  ]\n}'
        )
        await expect(ada.messages.first.locator(".author strong")).to_have_text("<b>Mallory</b>")
        await expect(ada.thread(f"room:{room}").locator(".thread-last")).to_contain_text('{"light":"desk"')
        assert await ada.page.locator("#log img, #log b, #people b").count() == 0
        assert "taken over" not in await ada.page.title()


async def test_older_messages_come_when_one_scrolls_up(panel: RunningPanel, open_chat: OpenChat, room: str) -> None:
    await said_in(panel, room, OLD)
    ada = await open_chat("Ada", f"#room={room}")
    await expect(ada.messages).to_have_count(50)
    await expect(ada.texts.last).to_be_in_viewport()

    # scrolling up loads a page, and what was read stays where it was
    marker = ada.texts.filter(has_text="line 81").first
    await ada.scroller.evaluate("box => { box.scrollTop = 100; }")
    before = await marker.bounding_box()
    await expect(ada.messages).to_have_count(100)
    after = await marker.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 3

    await ada.scroller.evaluate("box => { box.scrollTop = 0; }")
    await expect(ada.messages).to_have_count(OLD)
    assert await ada.texts.all_text_contents() == [f"line {number}" for number in range(1, OLD + 1)]
    await expect(ada.page.locator("#log .note")).to_have_text("This is the beginning.")

    # and there is a way back to the newest
    await ada.page.locator("#to-latest").click()
    await expect(ada.texts.last).to_be_in_viewport()


async def test_what_comes_while_one_reads_old_ones_does_not_move_the_page(
    panel: RunningPanel, open_chat: OpenChat, room: str
) -> None:
    await said_in(panel, room, 40)
    ada = await open_chat("Ada", f"#room={room}")
    await expect(ada.messages).to_have_count(40)
    await ada.scroller.evaluate("box => { box.scrollTop = 0; }")
    await said_in(panel, room, 2, by="Bob")
    await expect(ada.page.get_by_role("button", name="2 new messages")).to_be_visible()
    assert await ada.scroller.evaluate("box => box.scrollTop") == 0
    await expect(ada.badge(f"room:{room}")).to_contain_text("2")
    await ada.page.get_by_role("button", name="2 new messages").click()
    await expect(ada.badge(f"room:{room}")).to_be_hidden()


# --- between two -------------------------------------------------------------------------------------------


async def test_a_private_talk_and_how_far_each_message_came(open_chat: OpenChat) -> None:
    # given two people, of whom one looks at something else
    ada, bob, eve = await open_chat("Ada 1"), await open_chat("Bob 1", device=PHONE), await open_chat("Eve 1")
    await ada.talk_to("Bob 1")
    await ada.say("Psst")

    # then it has arrived there, the badges say so, and nobody else hears it
    await ada.delivered("Psst", "Delivered")
    await expect(bob.badge("to:Ada 1")).to_contain_text("1")
    await expect(bob.tab_badge).to_have_text("1")
    await expect(bob.thread("to:Ada 1").locator(".thread-last")).to_have_text("Psst")
    await expect(eve.thread("to:Ada 1")).to_have_count(0)

    # when it is opened, it is read
    await bob.open("to:Ada 1")
    await bob.heard("Psst")
    await ada.delivered("Psst", "Read")
    await bob.say("What is it?")
    await ada.heard("Psst", "What is it?")
    await bob.delivered("What is it?", "Read")

    # on the phone one goes back to the list
    await bob.page.get_by_role("button", name="Back to the list").click()
    await expect(bob.page.locator("#rooms")).to_be_visible()
    await expect(bob.badge("to:Ada 1")).to_be_hidden()
    await expect(bob.tab_badge).to_be_hidden()


async def test_typing_is_seen_and_ends(open_chat: OpenChat) -> None:
    ada, bob = await open_chat("Ada"), await open_chat("Bob", "#to=Ada")
    await bob.say_box.press_sequentially("I wa")
    await ada.talk_to("Bob")
    await bob.say_box.press_sequentially("s")
    await bob.say_box.fill("")
    await bob.say_box.press_sequentially("Wait")
    await expect(ada.typing).to_have_text("Bob is typing")
    await bob.say_box.press("Enter")
    await ada.heard("Wait")
    await expect(ada.typing).to_have_text("")


async def test_an_unread_message_shows_on_the_page_of_the_lights(panel: RunningPanel, open_tab: OpenTab) -> None:
    tab = await open_tab()
    await become(tab, "Lena", "/")
    await tab.is_live()
    chat = tab.page.locator("#chat-tab")
    async with live(panel, name="Bob") as bob:
        assert (await bob.ask("say", to="Lena", msg="Dinner!"))["ok"]
        await expect(chat.locator(".badge")).to_be_visible()
        await expect(chat).to_have_attribute("aria-label", re.compile(r"^Chat, \d+ unread$"))
    await chat.click()
    await ChatTab(tab).open("to:Bob")
    await ChatTab(tab).heard("Dinner!")


async def test_a_draft_is_kept_for_each_thread(open_chat: OpenChat, room: str) -> None:
    ada = await open_chat("Ada", f"#room={room}")
    await ada.say_box.fill("half a thought")
    await ada.open("room:lobby")
    await expect(ada.say_box).to_have_value("")
    await ada.open(f"room:{room}")
    await expect(ada.say_box).to_have_value("half a thought")
    await become(ada.tab, "Ada", f"/chat#room={room}")
    await expect(ada.say_box).to_have_value("half a thought")


# --- nothing gets lost -------------------------------------------------------------------------------------


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
        await tab.tab.is_live(timeout=20)
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
    await ada.delivered("said once", "Stored")
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


# --- who one is --------------------------------------------------------------------------------------------


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
    await nobody.delivered("here I am", "Stored")


@pytest.mark.parametrize("page", ["/", "/chat", "/compare", "/lab", "/docs"])
async def test_the_settings_are_on_every_page(panel: RunningPanel, open_tab: OpenTab, page: str) -> None:
    tab = await open_tab(page, PHONE, watch=False)  # going away in the middle of a request is no fault
    await tab.page.locator(".top .mark").click()
    await tab.page.get_by_label("Name of this device").fill(" Ada  L. ")
    await tab.page.get_by_role("radio", name="简体中文").check()
    await tab.page.get_by_role("button", name="Save").click()
    await expect(tab.page.locator("html")).to_have_attribute("lang", "zh")
    await expect(tab.page.locator("#chat-tab")).to_contain_text("聊天")
    assert await tab.page.evaluate("localStorage['pilotlight.name']") == '"Ada L."'


# --- how it looks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["390 px", "1280 px"])
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


async def test_a_chinese_browser_gets_chinese_words(open_chat: OpenChat) -> None:
    bob = await open_chat("阿明")
    ada = await open_chat("小红", "#to=阿明", device=PHONE, locale="zh-CN")
    await expect(ada.page.locator("html")).to_have_attribute("lang", "zh")
    await expect(ada.say_box).to_have_attribute("placeholder", "发给 阿明")
    await ada.say("你好")
    await ada.delivered("你好", "已送达")
    await bob.talk_to("小红")
    await bob.heard("你好")
    await ada.delivered("你好", "已读")
    words = await ada.page.evaluate("[...document.querySelectorAll('[data-word]')].map((element) => element.innerText)")
    assert [word for word in words if word and not re.search("[\u4e00-\u9fff]", word)] == ["API"]
    await fits(ada.page)

    nobody = await open_chat("", device=PHONE, locale="zh-CN")
    await nobody.page.locator("#name-form input").fill("server")
    await nobody.page.locator("#name-form button").click()
    await expect(nobody.page.locator("#name-problem")).to_contain_text("这不能用作名字")
    await expect(nobody.page.locator("#name-problem small[lang=en]")).to_contain_text("server")
