"""Engine.IO's server: which requests it takes, which it refuses, and when its connections end.

It is python-engineio's server as far as python-socketio sees it. Stock python-engineio keeps an unbounded queue for
each client, waits without limit for a reader that takes nothing, and has states that never end. So the connections
(`connection.py`) and their queues (`outbox.py`) are ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import engineio

from asgi_app.errors import BadEngineRequest, ForeignOrigin, PanelError, UnknownEngineSession
from asgi_app.hub import SERVICE_RESTART, Coalescer
from asgi_app.net.limits import ConnectionQuota, RefusalLog
from asgi_app.net.problem_response import Written, as_response, send_response
from asgi_app.net.proxies import address_of
from asgi_app.net.send_budget import SendBudget
from asgi_app.seams import Seam
from asgi_app.settings import Settings
from asgi_app.telemetry.counters import Counters
from asgi_app.telemetry.tasks import ended
from asgi_app.ws.engineio.connection import EngineConnection
from asgi_app.ws.engineio.old_connection import OldEngineConnection
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.engineio.pinger import Pinger
from asgi_app.ws.engineio.poll import settled
from asgi_app.ws.engineio.requests import (
    BODY,
    OLD_VERSION,
    UNKNOWN_VERSION,
    Query,
    asks_for_base64,
    is_old,
    is_socket,
    read_query,
    translate_request,
)
from asgi_app.ws.transport.frames import POLICY_VIOLATION

log = logging.getLogger("pilotlight.engineio")

LEAVE_SECONDS = 0.4  # for all connections to end when the server stops

SEAMS = (
    Seam(
        engineio.AsyncServer,
        "_cors_allowed_origins _cors_headers _service_task _trigger_event allow_upgrades cors_allowed_origins "
        "create_queue generate_id handle_request max_http_buffer_size ping_interval ping_timeout reason "
        "service_task_event service_task_handle shutdown sockets start_background_task start_service_task",
    ),
)


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # python-engineio has no type hints
    """python-engineio's server with our requests, queues and connections."""

    start_service_task: bool

    def __init__(
        self,
        *args: Any,
        settings: Settings,
        coalescer: Coalescer,
        counters: Counters,
        refusal_log: RefusalLog,
        unread: SendBudget,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings
        self._before_ids = f"{settings.process_name}-" if settings.process_name else ""
        self.coalescer = coalescer
        self.counters = counters
        self.refusal_log = refusal_log
        self.unread = unread
        self.sessions = ConnectionQuota(settings.max_connections, settings.connections_per_address)
        self.pinger = Pinger(self.ping_interval, self.ping_timeout, self.ping_interval + self.ping_timeout)
        self.leaving = False

    async def handle_request(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer an HTTP request, or take a WebSocket."""
        environ = await translate_request(scope, receive, send, self.max_http_buffer_size)
        if not environ:
            return
        try:
            answer = await self._answer(environ)
        except PanelError as error:
            log.debug("refused a request: %s", error.detail)
            if isinstance(error, BadEngineRequest) and error.code == UNKNOWN_VERSION:  # clients show only the 400
                self.refusal_log.log("socketio", address_of(scope), error)
            answer = as_response(error.problem())
        if answer is not None:
            answer.headers.extend(self._cors_headers(environ))
            await send_response(environ["asgi.scope"], environ["asgi.send"], answer)

    async def _answer(self, environ: dict[str, Any]) -> Written | None:
        """Return the answer; None if the request has been answered. Raises a `PanelError`."""
        self._check_origin(environ)
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return Written(200, [("Content-Type", "text/plain")], b"OK")
        query = read_query(environ, old_clients=self.settings.old_clients)
        if query.sid is None:
            return await self._open(query, environ)
        connection: EngineConnection | None = self.sockets.get(query.sid)
        if connection is not None and self.pinger.is_overdue(connection):
            await connection.close(abort=True, reason=self.reason.PING_TIMEOUT)
        if connection is None or not connection.connected or connection.closing:
            raise UnknownEngineSession(
                f"Invalid session {query.sid!r}: it has ended, or never was. Connect again without sid."
            )
        if query.version not in (None, connection.version):
            raise BadEngineRequest(
                f"Session {query.sid!r} has version {connection.version} of the protocol, "
                f"and EIO={query.version} is another. Connect again without sid."
            )
        if is_socket(environ):
            await self._take_over(connection, environ)
            return None
        if connection.upgraded:
            raise BadEngineRequest(f"Session {query.sid!r} uses its WebSocket now. Do not poll it any more.")
        if query.method == "POST":
            await connection.post(environ[BODY])
            return Written(200, [("Content-Type", "text/plain")], b"ok")
        return connection.answer(await connection.poll(environ["asgi.receive"]), environ)

    def _check_origin(self, environ: dict[str, Any]) -> None:
        """Raise `ForeignOrigin` for a WebSocket, and `BadEngineRequest` for a request."""
        origin = environ.get("HTTP_ORIGIN")
        if origin and self.cors_allowed_origins != []:
            allowed = self._cors_allowed_origins(environ)
            if allowed is not None and origin not in allowed:
                why = f"{origin} is not an accepted origin. The setting cors_origins can allow it."
                raise ForeignOrigin(why) if is_socket(environ) else BadEngineRequest(why)

    async def _open(self, query: Query, environ: dict[str, Any]) -> Written | None:
        """Open a session within the quota: a polling one has no connection that would count. Raises a `PanelError`."""
        address = address_of(environ["asgi.scope"])
        try:
            self.sessions.check(address)
        except PanelError as error:
            self.counters.refused += 1
            self.refusal_log.log("socketio", address, error)
            raise
        if self.start_service_task:  # the pings begin with the first connection
            self.start_service_task = False
            self.service_task_handle = self.start_background_task(self._service_task)
        sid = self.generate_id()
        connection = self.sockets[sid] = (
            OldEngineConnection(self, sid, address, as_text=asks_for_base64(environ))
            if query.version == OLD_VERSION
            else EngineConnection(self, sid, address)
        )
        self.sessions.enter(address)
        taken_in = await self._trigger_event("connect", sid, environ, run_async=False)
        if taken_in is not None and taken_in is not True:
            self.sockets.pop(sid, None)
            self.sessions.leave(address)
            raise BadEngineRequest("The server refused this connection.")
        connection.schedule_ping()
        welcome = connection.welcome(query.transport)
        if query.transport == "websocket":
            connection.queue.put_nowait(welcome)
            await connection.opened()
            await connection.open_socket(environ)
            return None
        connection.connected = True
        self.counters.sent += 1
        await connection.opened()
        return connection.opening(welcome, environ)  # in the queue, it could wait for a burst

    async def _take_over(self, connection: EngineConnection, environ: dict[str, Any]) -> None:
        """Take a WebSocket for a session that polls. Close it at once if another one upgrades the session."""
        await settled()
        if connection.is_settled:
            await environ["asgi.send"]({"type": "websocket.accept"})
            await environ["asgi.send"]({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        await connection.open_socket(environ)

    def _cors_headers(self, environ: dict[str, Any]) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = super()._cors_headers(environ)
        if headers and is_old(environ):  # in browsers, these clients demand it; cookies of other origins do not count
            headers.append(("Access-Control-Allow-Credentials", "true"))
        return [*headers, ("Vary", "Origin")]

    def ended(self) -> str | None:
        """Return why the service task failed, if it did: then no client is pinged, and no silent one is cut."""
        return None if self.leaving else ended((self.service_task_handle,))

    async def _service_task(self) -> None:
        """Ping clients and end silent ones. `shutdown` sets the event and waits for the end of this task."""
        self.service_task_event = asyncio.Event()
        stopped = asyncio.ensure_future(self.service_task_event.wait())
        try:
            while not (await asyncio.wait([stopped], timeout=self.pinger.rest()))[0]:
                for connection in self.pinger.beat():
                    try:
                        await connection.close(abort=True, reason=self.reason.PING_TIMEOUT)
                    except Exception:
                        log.exception("a connection could not be ended")
        finally:
            stopped.cancel()

    def generate_id(self) -> str:
        """Return a new id of 20 characters. With an engine, it begins with the name of the process, for balancers."""
        return f"{self._before_ids}{super().generate_id()}"

    def create_queue(self, *args: Any, **kwargs: Any) -> EngineOutbox:
        return EngineOutbox(self.settings.outbox, self.coalescer, self.counters)

    def by_transport(self) -> dict[str, int]:
        """Return the number of connected clients by their current transport."""
        upgraded = sum(bool(connection.upgraded) for connection in self.sockets.values())
        return {"polling": len(self.sockets) - upgraded, "websocket": upgraded}

    async def leave(self) -> None:
        """End every connection so that its client reconnects: WebSockets with 1012, polls with an error.

        Engine.IO's CLOSE would not do: a Python client does not reconnect after it.
        """
        self.leaving = True
        for connection in list(self.sockets.values()):
            connection.queue.close(SERVICE_RESTART)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                while any(not connection.closed for connection in self.sockets.values()):
                    await asyncio.sleep(0.01)
        if ended((self.service_task_handle,)) is not None:  # `shutdown` would raise its error
            self.service_task_event = None  # type: ignore[assignment]
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.shutdown(), LEAVE_SECONDS)
