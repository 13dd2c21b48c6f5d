"""`/chat/rooms`: the rooms and their messages. Private messages are for sockets only."""

from __future__ import annotations

from quart import Blueprint, Response, request

from asgi_app.models.base import Frozen
from asgi_app.models.chat import ChatMessage, GetMessages, MessagesResult, PageQuery, Person, Room, Say, Saying, Thread
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_answer, json_body, query
from asgi_app.routes.openapi import documented
from asgi_app.service import Panel
from asgi_app.service.chat import Chat

CHAT = "Chat"


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
        page = await chat.messages(thread, before=wanted.before, after=wanted.after, limit=wanted.limit)
        return json_answer(page)

    @routes.post("/chat/rooms/<room>/messages")
    @documented(CHAT, ChatMessage, body=Saying, refusals=(404,))
    async def post_message(room: str) -> Response:
        """Send a message to a room, under the name in `X-Client-Name`. Returns once it is stored."""
        command = parse_body(Say, await json_body(request), room=chat.room(room).name)
        return json_answer((await panel.perform(current_actor(), command)).message)

    return routes
