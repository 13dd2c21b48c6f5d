"""`/chat/rooms`: the rooms, what was said in them, and saying something. Private messages are for sockets only."""

from __future__ import annotations

from pydantic import BaseModel, Field
from quart import Blueprint, Response, request

from asgi_app.models import ChatMessage, GetMessages, PageQuery, Person, Room, Say, Saying, Thread, parse_body
from asgi_app.routes.auth import asker
from asgi_app.routes.json_io import json_answer, json_body, query
from asgi_app.routes.openapi import Problem, document_querystring, document_request, document_response, tag
from asgi_app.service import Panel
from asgi_app.service.chat import Chat

CHAT = ["Chat"]


class Rooms(BaseModel):
    """Every room, and who is present."""

    rooms: list[Room]
    people: list[Person]


class Page(BaseModel):
    """Messages in their order."""

    messages: list[ChatMessage]
    more: bool = Field(description="Whether there are more in the direction that was asked.")


def chat_routes(panel: Panel, chat: Chat) -> Blueprint:
    """The routes of `/chat/rooms`."""
    routes = Blueprint("chat", __name__)

    @routes.get("/chat/rooms")
    @document_response(Rooms)
    @tag(CHAT)
    async def get_rooms() -> Response:
        """Every room, and who is present."""
        state = panel.state
        return json_answer(Rooms(rooms=list(state.rooms.values()), people=list(state.people.values())))

    @routes.get("/chat/rooms/<room>/messages")
    @document_querystring(PageQuery)
    @document_response(Page)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @tag(CHAT)
    async def get_messages(room: str) -> Response:
        """What was said in a room: the newest, or with `before` and `after` the pages around a number."""
        wanted = query(GetMessages, room=chat.room(room).name)
        messages, more = await chat.messages(
            Thread(room=wanted.room), before=wanted.before, after=wanted.after, limit=wanted.limit
        )
        return json_answer(Page(messages=messages, more=more))

    @routes.post("/chat/rooms/<room>/messages")
    @document_request(Saying)
    @document_response(ChatMessage)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @document_response(Problem, 415)
    @tag(CHAT)
    async def post_message(room: str) -> Response:
        """Say something in a room, under the name in `X-Client-Name`; answered once it is stored."""
        command = parse_body(Say, await json_body(request), room=chat.room(room).name)
        said = (await panel.perform(asker(), command)).message
        assert said is not None
        return json_answer(said)

    return routes
