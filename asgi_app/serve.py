"""Serving: one process, on uvicorn or on hypercorn, that starts quickly and stops in under two seconds.

The signals are ours, so that the lights reach their exit level first, whatever the server still waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
import uvloop
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from hypercorn.protocol import h11

from asgi_app.app import House
from asgi_app.errors import PanelError, SetupError
from asgi_app.settings import Settings
from asgi_app.ws.endings import HypercornWebSocket, UvicornWebSocket

log = logging.getLogger("pilotlight")

GRACE = 1  # seconds for requests under way, once the lights are down and the sockets closed
BACKLOG = 2048
SEND_BUFFER = 64 * 1024  # bytes a connection; Linux doubles it


def serve(settings: Settings, workers: int = 1, announce: Callable[[str, str], None] = lambda url, pin: None) -> None:
    """Run the panel until SIGTERM or SIGINT; `announce` is told its address and its PIN once it listens.

    Raises `SetupError`.
    """
    refuse_more_workers(workers)
    with contextlib.closing(listen(settings.host, settings.port, settings.slow_reader)) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host

        def ready() -> None:
            settle()
            announce(f"http://{shown}:{port}/", house.access.keys.secrets.pin)

        house = House(settings, ready=ready)
        house.claim()
        server = _uvicorn if settings.server == "uvicorn" else _hypercorn
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server(house, listener))


def settle() -> None:
    """What was loaded to start is never garbage: the collector need not look at it again, nor as often as it does.

    At a thousand connections a full collection goes through some million objects that all live: 190 ms in which no
    screen moves. Most of what comes and goes here is freed by its reference count.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def refuse_more_workers(workers: int) -> None:
    """Raises `SetupError` for more than one worker process."""
    concurrency = os.environ.get("WEB_CONCURRENCY") or "1"
    if not concurrency.isdecimal():
        raise SetupError(f"WEB_CONCURRENCY is {concurrency!r}, which is no number; leave it out")
    wanted = max(workers, int(concurrency))
    if wanted > 1:
        raise SetupError(
            f"{wanted} worker processes were asked for: two processes cannot own one pin, and one serves "
            "thousands of screens; leave --workers and WEB_CONCURRENCY at 1"
        )


def listen(host: str, port: int, slow_reader: float) -> socket.socket:
    """A listening socket. Raises `SetupError` that says what is in the way."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise SetupError(f"there is no address {host} here ({error.strerror or error}); try another --host") from None
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or error
        raise SetupError(f"cannot listen on {host} port {port}: {reason}; try another --port") from None
    # Both are inherited by each connection (tcp(7)). The kernel would grow a send buffer to megabytes, and a
    # screen that stopped reading would be shown minutes of old levels before anybody noticed.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    # What the peer leaves unread for so long ends the connection, also one that was closed with bytes still in
    # it. A little later than we do it ourselves, which says why in the log.
    with contextlib.suppress(OSError, AttributeError):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(slow_reader * 2000) + 1000)
    listener.setblocking(False)
    return listener


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, whose signals we handle."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _uvicorn(house: House, listener: socket.socket) -> None:
    config = uvicorn.Config(
        house.app,
        loop="none",
        http="httptools",
        ws=UvicornWebSocket,
        ws_max_size=house.settings.max_frame,
        ws_per_message_deflate=False,  # doubles a connection's memory, 10 to 15 µs a delivery
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Uvicorn(config)

    def stop() -> None:
        server.should_exit = True

    stopping = _on_signals(house, stop)
    try:
        await server.serve(sockets=[listener])
    except SystemExit:
        raise SetupError(house.failure or "the panel could not start; the log above says why") from None
    finally:
        await stopping()


async def _hypercorn(house: House, listener: socket.socket) -> None:
    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.websocket_max_message_size = house.settings.max_frame
    config.h11_max_incomplete_size = 64 * 1024
    config.include_server_header = False
    config.graceful_timeout = GRACE
    config.shutdown_timeout = GRACE
    config.accesslog = None
    config.errorlog = logging.getLogger("pilotlight.hypercorn")
    h11.WSStream = HypercornWebSocket  # type: ignore[attr-defined]  # the one place where it is looked up
    stopped = asyncio.Event()
    stopping = _on_signals(house, stopped.set)
    try:
        await hypercorn_serve(house.app, config, shutdown_trigger=stopped.wait)
    finally:
        await stopping()


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that the network ended is no error of the panel's: hypercorn leaves it to the loop."""
    error = context.get("exception")
    if isinstance(error, OSError) and not isinstance(error, PanelError):
        log.debug("a connection was lost: %s", context["exception"])
    else:
        loop.default_exception_handler(context)


def _on_signals(house: House, stop_server: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    """Have SIGTERM and SIGINT stop the house, then the server; returns what waits for that to be done."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_on_loop_error)
    tasks: list[asyncio.Task[None]] = []

    async def leave() -> None:
        try:
            await house.stop()
        finally:
            stop_server()

    def on_signal() -> None:
        if not tasks:
            log.info("stopping")
            tasks.append(loop.create_task(leave(), name="stop"))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)

    async def done() -> None:
        await asyncio.gather(*tasks, return_exceptions=True)

    return done
