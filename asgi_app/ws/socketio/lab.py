"""Socket.IO, default namespace: echo, broadcast, rooms, acks and latency (contract, section B).

The page `/lab` shows it. Each event of a connection is counted, also a refused one. A refusal changes nothing, and only
its sender gets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from asgi_app.errors import BadCommand, PanelError
from asgi_app.models.base import Frozen, as_json
from asgi_app.models.json_text import without_long_integers
from asgi_app.models.wire import refusal
from asgi_app.telemetry.tasks import ended
from asgi_app.ws.socketio.namespace import Namespace, RecoverableHandlers

SERVER_EVENT_SECONDS = 10.0
Act = Callable[[str, int, Any], Awaitable[None]]
Data = Annotated[Any, AfterValidator(without_long_integers)]


class AnyData(Frozen):
    """Any JSON."""

    data: Data


class RoomName(Frozen):
    """The name of a room. Joining a room creates it."""

    model_config = ConfigDict(strict=True)
    room: str = Field(min_length=1, max_length=100)


class RoomData(Frozen):
    """Any JSON for a room. An empty or null room is the sender only."""

    model_config = ConfigDict(strict=True)
    room: str | None
    data: Data


class LabEvents(RecoverableHandlers):
    """The events of the page `/lab`."""

    def __init__(self, namespace: Namespace, most_rooms: int) -> None:
        self._namespace = namespace
        self._most_rooms = most_rooms
        self._counts: dict[str, int] = {}
        self._disconnecting: set[str] = set()
        self._server_task: asyncio.Task[None] | None = None
        self.handlers = {
            "my_event": self._counted(lambda sid, count, sent: self._answer(sid, sent.data, count), AnyData),
            "my_broadcast_event": self._counted(lambda sid, count, sent: self._respond(sent.data, count), AnyData),
            "join": self._counted(self._join, RoomName),
            "leave": self._counted(self._leave, RoomName),
            "close_room": self._counted(self._close_room, RoomName),
            "my_room_event": self._counted(self._room_event, RoomData),
            "disconnect_request": self._counted(self._disconnect, None),
            "my_ping": self._ping,
        }

    def connected(self, sid: str, auth: Any) -> None:
        """Greet the new client. The first one starts the server's own events."""
        self._counts[sid] = 0
        self._namespace.enqueue(sid, "my_response", {"data": "Connected", "count": 0})
        self._start_server_events()

    def disconnected(self, sid: str) -> int:
        """Return the client's count."""
        self._disconnecting.discard(sid)
        return self._counts.pop(sid, 0)

    def recovered(self, sid: str, kept: int) -> None:
        """Continue its count."""
        self._counts[sid] = kept

    def arrived(self, sid: str, kept: Any) -> None:
        """Continue its count, as far as the other process has told it."""
        self._counts[sid] = kept if type(kept) is int else 0
        self._start_server_events()

    def kept(self, sid: str) -> int:
        """Return the client's count."""
        return self._counts.get(sid, 0)

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """Count the event, and answer its sender."""
        count = self._counts[sid] = self._counts.get(sid, 0) + 1
        self._namespace.enqueue(sid, "my_response", {"data": error.detail, "count": count})

    def ended(self) -> str | None:
        """Return why the server's own events have stopped; None if they have not."""
        return ended((self._server_task,))

    def close(self) -> None:
        """Stop the server's own events; idempotent."""
        if self._server_task is not None:
            self._server_task.cancel()

    def _counted(self, act: Act, model: type[Frozen] | None) -> Callable[..., Awaitable[None]]:
        """Return a handler that counts the event, validates its argument, and answers a refusal."""

        async def handle(sid: str, *arguments: Any) -> None:
            count = self._counts[sid] = self._counts.get(sid, 0) + 1
            try:
                await act(sid, count, _checked(model, arguments))
            except BadCommand as error:
                await self._answer(sid, error.detail, count)
                raise

        return handle

    async def _join(self, sid: str, count: int, name: RoomName) -> None:
        if name.room != sid and self._is_own_room(name.room):
            raise BadCommand(
                f"{name.room} is another client's own room. Send to it instead of joining it.", field="room"
            )
        if len(self._namespace.rooms(sid)) > self._most_rooms:
            raise BadCommand(
                f"You are in {self._most_rooms} rooms, which is the limit (setting socket_rooms). Leave one first.",
                field="room",
            )
        await self._namespace.enter_room(sid, name.room)
        await self._answer_rooms(sid, count)

    async def _leave(self, sid: str, count: int, name: RoomName) -> None:
        if name.room == sid:
            raise BadCommand("You cannot leave your own room: events for you alone arrive there.", field="room")
        await self._namespace.leave_room(sid, name.room)
        await self._answer_rooms(sid, count)

    async def _close_room(self, sid: str, count: int, name: RoomName) -> None:
        if self._is_own_room(name.room):
            raise BadCommand(
                f"{name.room} is a client's own room, which cannot be closed. Close another room.", field="room"
            )
        await self._respond(f"Room {name.room} is closing.", count, to=name.room)
        await self._namespace.close_room(name.room)

    async def _room_event(self, sid: str, count: int, sent: RoomData) -> None:
        if sent.room in (None, "", sid):
            await self._answer(sid, sent.data, count)
        else:
            await self._respond(sent.data, count, to=sent.room)

    async def _disconnect(self, sid: str, count: int, nothing: None) -> None:
        if sid in self._disconnecting:  # its ack is awaited already
            await self._answer(sid, "Disconnected!", count)
            return
        self._disconnecting.add(sid)

        async def acknowledged(*arguments: Any) -> None:
            await self._namespace.disconnect(sid)

        response = {"data": "Disconnected!", "count": count}
        await self._namespace.emit("my_response", response, to=sid, callback=acknowledged)

    async def _ping(self, sid: str, *arguments: Any) -> None:
        await self._namespace.answer(sid, "my_pong")

    def _answer(self, sid: str, data: Any, count: int) -> Awaitable[None]:
        return self._namespace.answer(sid, "my_response", {"data": data, "count": count})

    def _respond(self, data: Any, count: int, to: str | None = None) -> Awaitable[None]:
        return self._namespace.broadcast("my_response", {"data": data, "count": count}, to)

    async def _answer_rooms(self, sid: str, count: int) -> None:
        await self._answer(sid, "In rooms: " + ", ".join(self._namespace.rooms(sid)), count)

    def _is_own_room(self, room: str) -> bool:
        namespace = self._namespace
        return room in self._counts or room in namespace.recovery.suspended or namespace.is_id_elsewhere(room)

    def _start_server_events(self) -> None:
        if self._server_task is None:
            self._server_task = asyncio.create_task(self._server_events(), name="server events")

    async def _server_events(self) -> None:
        count = 0
        while True:
            await asyncio.sleep(SERVER_EVENT_SECONDS)
            count += 1
            self._namespace.emit_here("my_response", {"data": "Server generated event", "count": count})


def _checked(model: type[Frozen] | None, arguments: tuple[Any, ...]) -> Any:
    """Return the argument as the model. Raises `BadCommand`."""
    if model is None:
        return None
    value = arguments[0] if arguments else None
    if not isinstance(value, dict):
        raise BadCommand(f"Send an object with {', '.join(model.model_fields)}, not {as_json(value)}.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refusal(error) from None
