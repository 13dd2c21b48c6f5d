"""The chat page: people talk in rooms and in private."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.support.chat_tabs import ChatTab, OpenChat, become, said_in
from tests.support.live_client import live
from tests.support.page_reducer import OF_EVERY_OBJECT
from tests.support.panel_process import RunningPanel
from tests.support.tabs import PHONE, OpenTab, first_of, scroll

pytestmark = pytest.mark.asyncio(loop_scope="session")


MARKUP = "<img src=x onerror=\"document.title='taken over'\"><b>bold</b> & <script>document.title='taken over'</script>"


OLD = 130  # messages; a page of the history has 50


# --- rooms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", first_of("websocket", "socketio"))
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    await expect(ada.page.locator("#log .note")).to_have_text("There are no older messages.")

    # and there is a way back to the newest
    await ada.page.locator("#to-latest").click()
    await expect(ada.texts.last).to_be_in_viewport()


async def test_what_comes_while_one_reads_old_ones_does_not_move_the_page(
    panel: RunningPanel, open_chat: OpenChat, room: str
) -> None:
    await said_in(panel, room, 40)
    ada = await open_chat("Ada", f"#room={room}")
    await expect(ada.messages).to_have_count(40)
    await scroll(ada.scroller, 0)
    await said_in(panel, room, 2, by="Bob")
    await expect(ada.page.get_by_role("button", name="2 new messages")).to_be_visible()
    assert await ada.scroller.evaluate("box => box.scrollTop") == 0
    await expect(ada.badge(f"room:{room}")).to_contain_text("2")
    await ada.page.get_by_role("button", name="2 new messages").click()
    await expect(ada.badge(f"room:{room}")).to_be_hidden()


async def test_a_message_in_the_moment_after_somebody_scrolled_up_does_not_move_the_page(
    panel: RunningPanel, open_chat: OpenChat, room: str
) -> None:
    await said_in(panel, room, 40)
    ada = await open_chat("Ada", f"#room={room}")
    await expect(ada.texts.last).to_be_in_viewport()
    # the event of scrolling comes a frame later; here it does not come at all
    await ada.page.evaluate("addEventListener('scroll', (event) => event.stopImmediatePropagation(), true)")
    await ada.scroller.evaluate("box => { box.scrollTop = 0; }")
    await said_in(panel, room, 1, by="Bob")
    await expect(ada.messages).to_have_count(41)
    assert await ada.scroller.evaluate("box => box.scrollTop") == 0


# --- between two --------------------------------------------------------------------------------------------


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


@pytest.mark.slow
async def test_typing_is_seen_and_ends(open_chat: OpenChat) -> None:
    ada, bob = await open_chat("Ada"), await open_chat("Bob", "#to=Ada")
    await bob.say_box.press_sequentially("I wa")
    await ada.talk_to("Bob")
    await bob.say_box.press_sequentially("s")
    await bob.say_box.fill("")
    seen = asyncio.Event()

    async def go_on() -> None:  # what is seen ends by itself soon after the last letter
        while not seen.is_set():
            await bob.say_box.press_sequentially("Wait", delay=100)

    typing = asyncio.create_task(go_on())
    await expect(ada.typing).to_have_text("Bob is typing")
    seen.set()
    await typing
    await bob.say("Wait")
    await ada.heard("Wait")
    await expect(ada.typing).to_have_text("")


@pytest.mark.slow
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


@pytest.mark.slow
async def test_a_draft_is_kept_for_each_thread(open_chat: OpenChat, room: str) -> None:
    ada = await open_chat("Ada", f"#room={room}")
    await ada.say_box.fill("half a thought")
    await ada.open("room:lobby")
    await expect(ada.say_box).to_have_value("")
    await ada.open(f"room:{room}")
    await expect(ada.say_box).to_have_value("half a thought")
    await become(ada.tab, "Ada", f"/chat#room={room}")
    await expect(ada.say_box).to_have_value("half a thought")


@pytest.mark.parametrize("name", OF_EVERY_OBJECT[:1])
async def test_somebody_may_have_the_name_of_what_every_object_has(open_chat: OpenChat, name: str) -> None:
    ada = await open_chat("Ada", f"#to={name}")
    await expect(ada.title).to_have_text(name)
    await expect(ada.page.locator("#talk-what")).to_have_text("away")
    other = await open_chat(name)
    await other.talk_to("Ada")
    await other.say("hello")
    await ada.heard("hello")


async def test_a_name_that_another_page_has_changed_counts_from_the_next_connection(open_chat: OpenChat) -> None:
    tab = await open_chat("Ada before", "#room=lobby", watch=False)
    await tab.page.evaluate("localStorage['pilotlight.name'] = JSON.stringify('Ada after')")
    await tab.page.context.set_offline(True)
    await tab.tab.is_lost()
    await tab.page.context.set_offline(False)
    await tab.tab.is_live()
    await tab.say("It is me")
    await expect(tab.messages.filter(has_text="It is me")).to_have_class(re.compile("own"))
    await tab.delivered("It is me", "Sent")
