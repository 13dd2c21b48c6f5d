"""Serving: one process, on uvicorn or on hypercorn, that starts quickly and stops in under two seconds.

The signals are ours, so that the lights reach their exit level first, whatever the server still waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import os
import resource
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import uvicorn
from hypercorn import protocol as hypercorn_protocol
from hypercorn.asyncio import run as hypercorn_run
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from hypercorn.protocol import h11

from asgi_app import __version__, app
from asgi_app.app import House
from asgi_app.errors import PanelError, SetupError
from asgi_app.net.admission import Doorkeeper
from asgi_app.net.request_head import HEAD_BYTES
from asgi_app.seams import Seam, check
from asgi_app.server import hypercorn_connection, hypercorn_http, uvicorn_http
from asgi_app.server import hypercorn_websocket as on_hypercorn
from asgi_app.server import uvicorn_websocket as on_uvicorn
from asgi_app.server.accept import Acceptor, TLSListener
from asgi_app.server.fallbacks import Part, event_loop_class, missing, server_here
from asgi_app.server.hypercorn_connection import HypercornConnection
from asgi_app.server.hypercorn_http import HypercornHTTP
from asgi_app.server.hypercorn_websocket import HypercornWebSocket
from asgi_app.server.listen import BACKLOG, ListenError, listen, local_address, url_of
from asgi_app.server.signals import let_go_of_closed_output, on_signals
from asgi_app.server.tls import read_certificate, server_context
from asgi_app.server.uvicorn_connection import UvicornConnection
from asgi_app.server.uvicorn_websocket import PlainUvicornWebSocket, UvicornWebSocket
from asgi_app.settings import Settings
from asgi_app.systemd.notify import ServiceManager
from asgi_app.telemetry.logs import event
from asgi_app.ws.engineio import connection as engine_connection
from asgi_app.ws.engineio import server as engine
from asgi_app.ws.socketio import manager as sio_manager
from asgi_app.ws.socketio import packets as sio_packets
from asgi_app.ws.socketio import server as sio
from asgi_app.ws.transport import quart_websocket as quartsocket

log = logging.getLogger("pilotlight")

FAULT = 1  # exit status of a panel that ended by a fault of its own: its service manager starts it again
GRACE = 1  # seconds for requests under way, once the lights are down and the sockets closed
GOODBYE = 1.0  # seconds for a client's close_notify of TLS: it keeps its place until then
SEND_BUFFER = 64 * 1024  # bytes a connection; Linux doubles it


Announce = Callable[[socket.socket, str], None]


SEAMS = (
    Seam(uvicorn.Server, "capture_signals"),
    Seam(Config, "create_ssl_context ssl_enabled"),
    Seam(hypercorn_run, "TCPServer"),
    Seam(hypercorn_protocol, "H11Protocol"),
    Seam(h11, "WSStream"),
)
ALL_SEAMS = (
    *SEAMS,
    *app.SEAMS,
    *hypercorn_connection.SEAMS,
    *hypercorn_http.SEAMS,
    *uvicorn_http.SEAMS,
    *engine.SEAMS,
    *engine_connection.SEAMS,
    *on_hypercorn.SEAMS,
    *on_uvicorn.SEAMS,
    *quartsocket.SEAMS,
    *sio.SEAMS,
    *sio_manager.SEAMS,
    *sio_packets.SEAMS,
)


def serve(settings: Settings, workers: int = 1, announce: Announce = lambda listener, pin: None) -> None:
    """Run the panel until a signal ends it; `announce` is called with its listener and its PIN once it listens.

    Raises `SetupError`.
    """
    refuse_more_workers(workers)
    check(ALL_SEAMS)
    tls = server_context(settings.cert, settings.key) if settings.cert else None
    with contextlib.closing(listener_for(settings.host, settings.port, settings.slow_reader)) as listener:
        manager = ServiceManager()

        def ready() -> None:
            settle()
            port = listener.getsockname()[1]
            address = url_of(local_address(listener), port, tls=tls is not None)
            if house.proxies.on_loopback:
                house.access.machine_key.hand_out(port)
            keys = house.access.keys
            pin = keys.secrets.pin if keys.trouble is None else "none, since the secrets cannot be read"
            try:
                announce(listener, pin)
            except Exception as error:  # a panel needs nobody who reads its address
                log.warning("the address could not be shown: %r", error)
            manager.tell("READY=1", f"STATUS=serves {address}")
            log.info(
                "Pilot Light %s serves %s",
                __version__,
                address,
                extra=event(
                    "started",
                    version=__version__,
                    address=address,
                    server=server_here(settings.server),
                    pid=os.getpid(),
                ),
            )

        house = House(settings, ready=ready, alive=manager.alive)
        house.claim()
        more_files(settings.max_connections)
        if absent := missing():
            log.info("%s here, so %s", *_instead(absent))
        server = _uvicorn if server_here(settings.server) == "uvicorn" else _hypercorn
        with asyncio.Runner(loop_factory=partial(_Loop, settings.request_timeout, house.keeper)) as runner:
            runner.run(server(house, listener, tls))
        if house.fault is not None:
            log.critical("ended: %s", house.fault, extra=event("stopped"))
            raise SystemExit(FAULT)
        log.info("stopped", extra=event("stopped"))
        let_go_of_closed_output()


def _instead(absent: list[Part]) -> tuple[str, str]:
    """What is missing, and what takes its place."""
    names = " and ".join(part.library for part in absent)
    return f"there is no {names}", ", ".join(part.instead for part in absent)


def settle() -> None:
    """What was loaded to start is never garbage: the collector need not look at it again, nor as often as it does.

    At a thousand connections a full collection goes through some million objects that all live: 190 ms in which no
    screen moves. Most of what comes and goes here is freed by its reference count; what is not are the circles that
    werkzeug's router leaves of each request. The youngest generation has less than a megabyte of them at its end.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 500)


def more_files(connections: int) -> None:
    """Let the process have a file for each connection, and some for itself, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 256
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a sandbox that allows no change of it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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


def listener_for(host: str, port: int, slow_reader: float) -> socket.socket:
    """A listening socket. Raises `SetupError` that says what is in the way."""
    try:
        listener = listen(host, port)
    except ListenError as error:
        if error.unknown:
            raise SetupError(f"there is no address {host} here ({error.strerror}); try another --host") from None
        raise SetupError(f"cannot listen on {host} port {port}: {error.strerror}; try another --port") from None
    # Both are inherited by each connection (tcp(7)). The kernel would grow a send buffer to megabytes, and a
    # screen that stopped reading would be shown minutes of old levels before anybody noticed.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    # What the peer leaves unread for so long ends the connection, also one that was closed with bytes still in
    # it. A little later than we do it ourselves, which says why in the log.
    with contextlib.suppress(OSError, AttributeError):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(slow_reader * 2000) + 1000)
    listener.setblocking(False)
    return listener


class _Loop(event_loop_class()):  # type: ignore[misc]  # which it is depends on the machine
    """Waits no longer for a TLS handshake than for a request (uvicorn: a minute), and accepts a crowd."""

    def __init__(self, handshake_seconds: float, keeper: Doorkeeper) -> None:
        super().__init__()
        self._handshake_seconds = handshake_seconds
        self._keeper = keeper

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        if options.get("ssl"):
            options.setdefault("ssl_handshake_timeout", self._handshake_seconds)
            options.setdefault("ssl_shutdown_timeout", GOODBYE)
        if (listener := options.get("sock")) is not None:
            if tls := {name: value for name, value in options.items() if name.startswith("ssl") and value}:
                return TLSListener(self, listener, protocol_factory, tls, self._keeper)
            protocol_factory = Acceptor(self, listener, protocol_factory).make_protocol
        return await super().create_server(protocol_factory, *args, **options)


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, whose signals we handle."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _uvicorn(house: House, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    config = uvicorn.Config(
        house.app,
        loop="none",
        http=partial(UvicornConnection, keeper=house.keeper),  # type: ignore[arg-type]  # it is only ever called
        ws=UvicornWebSocket if house.settings.fast_path else PlainUvicornWebSocket,
        backlog=BACKLOG,
        ws_max_size=house.settings.max_frame,
        ws_ping_interval=house.settings.ping_interval,
        ws_ping_timeout=house.settings.ping_interval,
        timeout_keep_alive=math.ceil(house.settings.request_timeout),
        ws_per_message_deflate=False,  # doubles a connection's memory, 10 to 15 µs a delivery
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        ssl_context_factory=(lambda config, default: tls) if tls else None,
    )
    server = _Uvicorn(config)

    def stop() -> None:
        server.should_exit = True

    stopping = _on_signals(house, stop, tls)
    try:
        await server.serve(sockets=[listener])
    except SystemExit:
        raise SetupError(house.failure or "the panel could not start; the log above says why") from None
    finally:
        await stopping()


class _Hypercorn(Config):
    """hypercorn's configuration with a TLS context that is there already."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__()
        self._tls = tls

    @property
    def ssl_enabled(self) -> bool:
        return self._tls is not None

    def create_ssl_context(self) -> ssl.SSLContext | None:
        return self._tls


async def _hypercorn(house: House, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    config = _Hypercorn(tls)
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.backlog = BACKLOG
    config.websocket_max_message_size = house.settings.max_frame
    config.h11_max_incomplete_size = HEAD_BYTES
    config.max_app_queue_size = 2  # messages that are read ahead; each may be `max_frame`
    config.include_server_header = False
    config.graceful_timeout = GRACE
    config.shutdown_timeout = GRACE
    config.keep_alive_timeout = house.settings.request_timeout
    config.ssl_handshake_timeout = house.settings.request_timeout
    config.accesslog = None
    config.errorlog = logging.getLogger("pilotlight.hypercorn")
    # The one place where each is looked up.
    hypercorn_run.TCPServer = partial(HypercornConnection, house.keeper)  # type: ignore[assignment,attr-defined]
    sockets = partial(HypercornWebSocket, ping_seconds=house.settings.ping_interval)
    hypercorn_protocol.H11Protocol = HypercornHTTP  # type: ignore[assignment,attr-defined]
    h11.WSStream = sockets  # type: ignore[assignment,attr-defined]
    stopped = asyncio.Event()
    stopping = _on_signals(house, stopped.set, tls)
    try:
        await hypercorn_serve(house.app, config, shutdown_trigger=stopped.wait)
    finally:
        await stopping()


def _read_again(tls: ssl.SSLContext, settings: Settings) -> None:
    """Take the renewed certificate; one that is no good changes nothing."""
    assert settings.cert is not None
    try:
        read_certificate(tls, settings.cert, settings.key)
    except SetupError as error:
        log.error("%s; the certificate stays", error.detail, extra=event("certificate_refused", reason=error.detail))
    else:
        log.info("the certificate was read again", extra=event("certificate", file=settings.cert))


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that the network ended is no error of the panel's: hypercorn leaves it to the loop."""
    error = context.get("exception")
    if isinstance(error, OSError) and not isinstance(error, PanelError):
        log.debug("a connection was lost: %s", context["exception"])
    else:
        loop.default_exception_handler(context)


def _on_signals(
    house: House, stop_server: Callable[[], None], tls: ssl.SSLContext | None
) -> Callable[[], Awaitable[None]]:
    """Have the signals stop the house, then the server; returns what waits for that to be done.

    With TLS, SIGHUP has the certificate read again, for new connections.
    """
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
            let_go_of_closed_output()
            log.info("stopping", extra=event("stopping"))
            ServiceManager().tell("STOPPING=1")
            tasks.append(loop.create_task(leave(), name="stop"))

    on_signals(loop, on_signal, partial(_read_again, tls, house.settings) if tls is not None else None)

    async def done() -> None:
        await asyncio.gather(*tasks, return_exceptions=True)

    return done
