"""The chat page: messages are edited and deleted, links can be followed, and what is too long is said."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.support.chat_tabs import OpenChat, said_in
from tests.support.live_client import live
from tests.support.panel_process import RunningPanel

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_was_said_is_edited_and_deleted(open_chat: OpenChat, room: str) -> None:
    ada, bob = await open_chat("Ada", f"#room={room}"), await open_chat("Bob", f"#room={room}")
    await ada.say("Teh kettle")
    await ada.say("is on")
    await bob.heard("Teh kettle", "is on")

    # when she edits, a draft waits, and each sees the new text in its place
    await ada.say_box.fill("a draft")
    await ada.menu_of("Teh kettle", "Edit")
    await expect(ada.say_box).to_have_value("Teh kettle")
    await expect(ada.page.locator("#editing")).to_be_visible()
    await expect(ada.page.get_by_role("button", name="Send")).to_be_enabled()
    await ada.say("The kettle")
    for tab in (ada, bob):
        await tab.heard("The kettle", "is on")
        await expect(tab.messages.first.locator(".edited")).to_be_visible()
        await expect(tab.messages.last.locator(".edited")).to_be_hidden()
    await expect(ada.say_box).to_have_value("a draft")
    await expect(ada.page.locator("#editing")).to_be_hidden()

    # the arrow up begins with the last one, Escape leaves it as it is
    await ada.say_box.fill("")
    await ada.say_box.press("ArrowUp")
    await expect(ada.say_box).to_have_value("is on")
    await ada.say_box.press("Escape")
    await expect(ada.say_box).to_have_value("")

    # and a deleted one leaves its place
    await ada.menu_of("is on", "Delete")
    await ada.page.get_by_role("button", name="Keep").click()
    await ada.heard("The kettle", "is on")
    await ada.menu_of("is on", "Delete")
    await ada.page.locator("#sure").get_by_role("button", name="Delete").click()
    for tab in (ada, bob):
        await tab.heard("The kettle", "This message was deleted.")
    await expect(ada.messages.last.locator(".message-more")).to_have_count(0)


async def test_what_was_changed_meanwhile_is_seen_when_the_page_is_back(
    panel: RunningPanel, open_chat: OpenChat, room: str
) -> None:
    ada = await open_chat("Ada", f"#room={room}", watch=False)
    await said_in(panel, room, 3, by="Bob")
    await ada.heard("line 1", "line 2", "line 3")
    await ada.page.context.set_offline(True)
    await ada.tab.is_lost()
    async with live(panel, name="Bob") as bob:
        await bob.ask("edit_message", room=room, n=1, msg="changed")
        await bob.ask("delete_message", room=room, n=2)
        await bob.ask("say", room=room, msg="new")
    await ada.page.context.set_offline(False)
    await ada.heard("changed", "This message was deleted.", "line 3", "new")


async def test_links_are_opened_apart_and_others_stay_text(panel: RunningPanel, open_chat: OpenChat, room: str) -> None:
    text = "Look: https://example.org/a(b). Not javascript:alert(1) or https://user@evil.example/"
    async with live(panel, name="Bob") as bob:
        await bob.ask("join_room", room=room)
        await bob.ask("say", room=room, msg=text)
    ada = await open_chat("Ada", f"#room={room}")
    await ada.heard(text)
    link = ada.texts.get_by_role("link")
    await expect(link).to_have_count(1)
    await expect(link).to_have_attribute("href", "https://example.org/a(b)")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(link).to_have_attribute("target", "_blank")


async def test_a_text_that_is_too_long_is_said_and_not_cut(open_chat: OpenChat, room: str) -> None:
    ada = await open_chat("Ada", f"#room={room}")
    await ada.say_box.focus()
    await ada.page.evaluate("document.execCommand('insertText', false, '界'.repeat(90000))")
    problem = ada.page.locator("#too-long")
    await expect(problem).to_have_text(re.compile(r"^This text has 270,002 bytes\. A message has up to 262,144\."))
    await expect(ada.page.get_by_role("button", name="Send")).to_be_disabled()
    await ada.say_box.press("Enter")
    assert len(await ada.say_box.input_value()) == 90_000
    await ada.say_box.fill("short")
    await expect(problem).to_be_empty()
    await ada.say_box.press("Enter")
    await ada.heard("short")


async def test_a_search_leads_to_the_message(panel: RunningPanel, open_chat: OpenChat, room: str) -> None:
    await said_in(panel, room, 120)
    dora = await open_chat("Dora")
    async with live(panel, name="Bob") as bob:
        await bob.ask("say", to="Dora", msg="Line 7 is here")
        await bob.ask("say", room="lobby", msg="Where is line 7?")
    await dora.page.get_by_role("button", name="Search messages").click()
    await dora.page.keyboard.type("LINE 7")
    found = dora.page.locator(".found li")
    await expect(dora.page.locator(".found-count")).to_have_text("13 messages")
    await expect(found.nth(1).locator(".found-head")).to_contain_text("BobPrivate")
    await expect(found.first).to_contain_text("Where is line 7?")
    await expect(found.first.locator("mark")).to_have_text("line 7")
    await found.last.get_by_role("button").click()
    await expect(dora.title).to_have_text(room)
    await expect(dora.texts.filter(has_text="line 7").first).to_be_in_viewport()
    await expect(dora.messages.filter(has_text="line 7").first).to_contain_text(re.compile("^.*line 7[^0-9]", re.S))


async def test_a_muted_room_has_no_badge_and_no_notification(
    panel: RunningPanel, open_chat: OpenChat, room: str
) -> None:
    ada = await open_chat("Ada", f"#room={room}")
    await ada.page.evaluate(
        """() => {
          window.shown = [];
          window.Notification = class extends EventTarget {
            static permission = 'default';
            static async requestPermission() { Notification.permission = 'granted'; }
            constructor(title, options) { super(); window.shown.push([title, options.body, this]); }
            close() {}
          };
          Object.defineProperty(document, 'hasFocus', { value: () => false });
        }"""
    )
    await ada.page.locator("#notify").click()
    await expect(ada.page.locator("#notify")).to_have_attribute("aria-pressed", "true")
    await ada.open("room:lobby")
    await said_in(panel, room, 1, by="Bob")
    await expect(ada.badge(f"room:{room}")).to_contain_text("1")
    shown = "shown.map(([title, body]) => `${title}: ${body}`)"
    assert await ada.page.evaluate(shown) == [f"Bob in {room}: line 1"]
    # a click opens the talk, where it can be muted
    await ada.page.evaluate("shown[0][2].dispatchEvent(new Event('click'))")
    await expect(ada.title).to_have_text(room)
    await ada.page.locator("#talk-more").click()
    await ada.page.get_by_role("menuitem", name="Mute on this device").click()
    await expect(ada.thread(f"room:{room}").locator(".muted")).to_be_visible()
    await ada.open("room:lobby")
    await said_in(panel, room, 1, by="Bob")
    await expect(ada.thread(f"room:{room}").locator(".thread-last")).to_contain_text("line 1")
    await expect(ada.badge(f"room:{room}")).to_be_hidden()
    assert await ada.page.evaluate("shown.length") == 1
    await expect(ada.tab_badge).to_be_hidden()


async def test_an_admin_deletes_a_room_and_a_person(panel: RunningPanel, open_chat: OpenChat, room: str) -> None:
    bob_name = f"Bob of {room}"[:60]
    async with live(panel, name=bob_name) as bob:
        await bob.ask("join_room", room=room)
        ada = await open_chat("Ada", f"#room={room}")
        other = await open_chat("Cleo", f"#room={room}")
        await bob.ask("say", room=room, msg="hello")
        for tab in (ada, other):  # they have joined it and read it: who comes to a deleted room makes it anew
            await tab.heard("hello")
        await bob.ask("say", to="Ada", msg="psst")
    await ada.page.locator("#talk-more").click()
    await ada.page.get_by_role("menuitem", name="Delete room").click()
    await ada.page.locator("#sure").get_by_role("button", name="Delete").click()
    await expect(ada.title).to_have_text("lobby")
    for tab in (ada, other):
        await expect(tab.page.locator(f"#rooms [data-thread='room:{room}']:not(:has([aria-current]))")).to_have_count(0)
    await expect(other.page.locator("#log-empty")).to_contain_text("No room has the name")

    await ada.open(f"to:{bob_name}")
    await ada.page.locator("#talk-more").click()
    await ada.page.get_by_role("menuitem", name="Delete person").click()
    await ada.page.locator("#sure").get_by_role("button", name="Delete").click()
    await expect(ada.title).to_have_text("lobby")
    await expect(ada.thread(f"to:{bob_name}")).to_have_count(0)
