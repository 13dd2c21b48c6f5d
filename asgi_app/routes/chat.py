"""`/chat/rooms`, `/chat/people`, `/chat/search`: rooms, messages and names. Private messages are for sockets only."""

from __future__ import annotations

from quart import Blueprint, Response

from asgi_app.errors import UnknownMessage
from asgi_app.models.base import Frozen, Result, shown
from asgi_app.models.chat import (
    ChatMessage,
    DeleteMessage,
    DeletePerson,
    DeleteRoom,
    EditMessage,
    GetMessages,
    MessagesResult,
    NewText,
    PageQuery,
    Person,
    Room,
    Say,
    Saying,
    Thread,
)
from asgi_app.models.chat_search import FoundMessages, MessageSearch, SearchMessages
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_answer, json_body, query
from asgi_app.routes.openapi import documented
from asgi_app.service import Panel
from asgi_app.service.chat import Chat

CHAT = "Chat"
DIGITS = 15  # of a number that every client reads exactly


def number(text: str) -> int:
    """Return the number of a message in a path. Raises `UnknownMessage`."""
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= DIGITS and int(text) > 0):
        raise UnknownMessage(f"{shown(text)!r} is no number of a message. Use its n: 1, 2, 3.", field="n")
    return int(text)


class Rooms(Frozen):
    """All rooms, and the people who are present."""

    rooms: list[Room]
    people: list[Person]


def chat_routes(panel: Panel, chat: Chat) -> Blueprint:
    """Return the routes of `/chat/rooms`."""
    routes = Blueprint("chat", __name__)

    @routes.get("/chat/rooms")
    @documented(CHAT, Rooms)
    async def get_rooms() -> Response:
        """List the rooms and the people who are present."""
        state = panel.state
        return json_answer(Rooms(rooms=list(state.rooms.values()), people=list(state.people.values())))

    @routes.get("/chat/rooms/<room>/messages")
    @documented(CHAT, MessagesResult, query=PageQuery, refusals=(404,))
    async def get_messages(room: str) -> Response:
        """Get messages of a room: the newest, or those `before` or `after` a number."""
        wanted = query(GetMessages, room=chat.room(room).name)
        thread = Thread(room=wanted.room)
        return json_answer(await chat.page(thread, wanted))

    @routes.post("/chat/rooms/<room>/messages")
    @documented(CHAT, ChatMessage, body=Saying, refusals=(404,))
    async def post_message(room: str) -> Response:
        """Send a message to a room, under the name in `X-Client-Name`. Returns once it is stored."""
        command = parse_body(Say, await json_body(), room=chat.room(room).name)
        return json_answer((await panel.perform(current_actor(), command)).message)

    @routes.patch("/chat/rooms/<room>/messages/<n>")
    @documented(CHAT, ChatMessage, body=NewText, refusals=(403, 404))
    async def patch_message(room: str, n: str) -> Response:
        """Change what one of your messages says. It keeps its number, and has `edited_at`."""
        command = parse_body(EditMessage, await json_body(), room=chat.room(room).name, n=number(n))
        return json_answer((await panel.perform(current_actor(), command)).message)

    @routes.delete("/chat/rooms/<room>/messages/<n>")
    @documented(CHAT, ChatMessage, refusals=(403, 404))
    async def delete_message(room: str, n: str) -> Response:
        """Delete one of your messages; admins may delete any. Its number stays, with `deleted_at`, without the text."""
        command = DeleteMessage(room=chat.room(room).name, n=number(n))
        return json_answer((await panel.perform(current_actor(), command)).message)

    @routes.get("/chat/search")
    @documented(CHAT, FoundMessages, query=MessageSearch, refusals=(404,))
    async def get_search() -> Response:
        """Search the messages of all rooms, or of one: the newest first, and how many there are."""
        wanted = query(MessageSearch)
        return json_answer(await chat.search.search(None, SearchMessages(**wanted.model_dump())))

    @routes.delete("/chat/rooms/<room>")
    @documented(CHAT, Result, refusals=(400, 404))
    async def delete_room(room: str) -> Response:
        """Delete a room with all its messages. The lobby stays."""
        return json_answer(await panel.perform(current_actor(), DeleteRoom(room=room)))

    @routes.delete("/chat/people/<person>")
    @documented(CHAT, Result, refusals=(404,))
    async def delete_person(person: str) -> Response:
        """Delete what the panel knows of a person. Their messages in rooms stay; a name that they own becomes free."""
        return json_answer(await panel.perform(current_actor(), DeletePerson(person=person)))

    return routes
