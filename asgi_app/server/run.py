"""Serve the panel: one process, on uvicorn or hypercorn, that starts quickly and stops in under two seconds.

The panel handles the signals itself. So the lights reach their exit level first, whatever the server still waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import gc
import logging
import math
import os
import resource
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import uvicorn

from asgi_app import __version__, app
from asgi_app.app import PanelApp
from asgi_app.errors import NotYet, PanelError, SetupError
from asgi_app.net.admission import AdmissionControl
from asgi_app.routes import rule
from asgi_app.seams import Seam, check
from asgi_app.server import uvicorn_http
from asgi_app.server.accept import Acceptor, TLSListener
from asgi_app.server.fallbacks import event_loop_class, missing, server_here
from asgi_app.server.interfaces import addresses_for_others
from asgi_app.server.listen import BACKLOG, GRACE, ListenError, listen, local_address, url_of
from asgi_app.server.signals import let_go_of_closed_output, on_signals
from asgi_app.server.tls import read_certificate, server_context
from asgi_app.server.uvicorn_connection import UvicornConnection
from asgi_app.server.uvicorn_websocket import PlainUvicornWebSocket, UvicornWebSocket
from asgi_app.settings import Settings
from asgi_app.systemd.notify import ServiceManager, is_service
from asgi_app.telemetry.logs import event
from asgi_app.ws.engineio import connection as engine_connection
from asgi_app.ws.engineio import server as engine
from asgi_app.ws.socketio import manager as socketio_manager
from asgi_app.ws.socketio import namespace, packets
from asgi_app.ws.socketio import server as socketio_server
from asgi_app.ws.transport import quart_websocket

log = logging.getLogger("pilotlight")

PATIENCE = 30  # seconds; within the TimeoutStartSec of the unit
FAULT = 1  # exit status after a fault of the panel: its service manager starts it again
GOODBYE = 1.0  # seconds for a client's TLS close_notify: the connection counts until then
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
LARGE = 256 * 1024  # bytes of a block of memory
SEND_BUFFER = 64 * 1024  # bytes for each connection; Linux doubles it

T = TypeVar("T")
Announce = Callable[[socket.socket, str, Callable[[], str | None]], None]

# All but those of hypercorn, which are in `server/hypercorn.py`.
SEAMS = (
    Seam(uvicorn.Server, "capture_signals main_loop on_tick should_exit"),
    *(
        seam
        for module in (app, rule, uvicorn_http, engine, engine_connection, quart_websocket)
        for seam in module.SEAMS
    ),
    *(seam for module in (socketio_manager, namespace, packets, socketio_server) for seam in module.SEAMS),
)


def serve(settings: Settings, workers: int = 1, announce: Announce = lambda listener, pin, code: None) -> None:
    """Run the panel until a signal ends it. Raises `SetupError`.

    `announce` gets its listener, its PIN, and what makes a one-time code, once it is ready.
    """
    refuse_more_workers(workers)
    check(SEAMS)
    kind = server_here(settings.server)
    if kind == "hypercorn":  # its import takes long
        from asgi_app.server import hypercorn

        check(hypercorn.SEAMS)
    tls = server_context(settings.cert, settings.key) if settings.cert else None
    with contextlib.closing(
        in_time(partial(listener_for, settings.host, settings.port, settings.slow_reader))
    ) as listener:
        manager = ServiceManager()

        def ready() -> None:
            settle()
            port = listener.getsockname()[1]
            address = url_of(local_address(listener), port, tls=tls is not None, root=settings.root_path)
            if panel_app.proxies.on_loopback:
                panel_app.access.machine_key.hand_out(port)
            keys = panel_app.access.secret_store
            pin = keys.secrets.pin if keys.trouble is None else "none, since the secrets cannot be read"
            try:
                announce(listener, pin, (lambda: None) if settings.is_guest else panel_app.accounts.code_of_terminal)
            except Exception as error:  # the panel works without
                log.warning("cannot show the address: %r", error)
            manager.notify("READY=1", f"STATUS=serves {address}")
            started = event("started", version=__version__, address=address, server=kind, pid=os.getpid())
            log.info("Pilot Light %s serves %s", __version__, address, extra=started)

        panel_app = PanelApp(settings, ready=ready, alive=manager.alive)
        panel_app.access.addresses = partial(
            addresses_for_others, listener, tls=tls is not None, root=settings.root_path
        )
        in_time(panel_app.claim)
        more_files(settings.max_connections)
        if absent := missing():
            names = " and ".join(one.library for one in absent)
            log.info("there is no %s here, so %s", names, ", ".join(one.instead for one in absent))
        server = _uvicorn if kind == "uvicorn" else _hypercorn
        with asyncio.Runner(loop_factory=partial(_Loop, settings.request_timeout, panel_app.admission)) as runner:
            runner.run(server(panel_app, listener, tls))
        if panel_app.health.fault is not None:
            log.critical("ended: %s", panel_app.health.fault, extra=event("stopped"))
            raise SystemExit(FAULT)
        log.info("stopped", extra=event("stopped"))
        let_go_of_closed_output()


def in_time(start: Callable[[], T]) -> T:
    """Do this part of the start. Under systemd, try again for a while: after a power cut the network comes later."""
    end = time.monotonic() + (PATIENCE if is_service() else 0.0)
    said = False
    while True:
        try:
            return start()
        except NotYet as error:
            if time.monotonic() >= end:
                raise
            if not said:
                log.warning("%s Trying again for %d s.", error.detail, PATIENCE)
            said = True
            time.sleep(1)


def settle() -> None:
    """Exempt what the start has loaded from garbage collection, and collect more seldom.

    With a thousand connections, a full collection visits a million live objects: for 190 ms no screen moves. Reference
    counts free most objects here. The exception are the cycles that werkzeug's router leaves after each request. The
    youngest generation holds less than a megabyte of them. The start itself leaves about a thousand objects of garbage.
    The middle generation is looked at with 50,000 objects: with 200,000, as of a crowd that connects, it took 100 ms.
    """
    gc.freeze()
    gc.set_threshold(10_000, 5, 2_000)
    gc.enable()
    return_large_blocks()


def return_large_blocks() -> None:
    """Have glibc return each large block to the system when it is freed (mallopt(3)).

    Otherwise the first one that is freed raises the limit of what counts as large, to at most 32 MiB. Later blocks are
    then cut from the heap, which grows by some 2 MB each time that one does not fit: four times an hour under load.
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(parameter, LARGE)


def more_files(connections: int) -> None:
    """Raise the limit of open files, if the system allows it: one for each connection, and some more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 256
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a sandbox that forbids it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def refuse_more_workers(workers: int) -> None:
    """Raise `SetupError` for more than one worker process."""
    concurrency = os.environ.get("WEB_CONCURRENCY") or "1"
    if not concurrency.isdecimal():
        raise SetupError(f"WEB_CONCURRENCY is {concurrency!r}, which is not a number. Leave it out.")
    wanted = max(workers, int(concurrency))
    if wanted > 1:
        raise SetupError(
            f"{wanted} worker processes were requested, but two processes cannot own one pin. "
            "Leave --workers and WEB_CONCURRENCY at 1: one process serves thousands of screens."
        )


def listener_for(host: str, port: int, slow_reader: float) -> socket.socket:
    """Return a listening socket. Raises `SetupError` that says why it cannot listen: `NotYet`, if it may later."""
    try:
        listener = listen(host, port)
    except ListenError as error:
        if error.unknown:
            raise NotYet(f"This machine has no address {host} ({error.strerror}). Choose another --host.") from None
        kind = NotYet if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL) else SetupError
        raise kind(f"Cannot listen on {host} port {port}: {error.strerror}. Choose another --port.") from None
    # Connections inherit both options (tcp(7)). The kernel would grow a send buffer to megabytes, and a screen that
    # stopped reading would later show minutes of old levels.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    # The kernel ends a connection whose peer reads nothing for so long, even after it was closed with unsent bytes.
    # This is a little later than the panel ends it itself and logs why.
    with contextlib.suppress(OSError, AttributeError):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(slow_reader * 2000) + 1000)
    listener.setblocking(False)
    return listener


class _Loop(event_loop_class()):  # type: ignore[misc]  # it depends on the machine
    """An event loop that accepts crowds, and waits for a TLS handshake only as long as for a request."""

    def __init__(self, handshake_seconds: float, admission: AdmissionControl) -> None:
        super().__init__()
        self._handshake_seconds = handshake_seconds
        self._admission = admission

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        if options.get("ssl"):
            options.setdefault("ssl_handshake_timeout", self._handshake_seconds)
            options.setdefault("ssl_shutdown_timeout", GOODBYE)
        if (listener := options.get("sock")) is not None:
            if tls := {name: value for name, value in options.items() if name.startswith("ssl") and value}:
                return TLSListener(self, listener, protocol_factory, tls, self._admission)
            protocol_factory = Acceptor(self, listener, protocol_factory).make_protocol
        return await super().create_server(protocol_factory, *args, **options)


class _Uvicorn(uvicorn.Server):
    """uvicorn's server without its own signal handlers. It wakes once a second, for the date, and not ten times."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def leave(self) -> None:
        """Have `serve` end."""
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._leaving.wait()


async def _uvicorn(panel_app: PanelApp, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    config = uvicorn.Config(
        panel_app.app,
        loop="none",
        http=partial(UvicornConnection, admission=panel_app.admission),  # type: ignore[arg-type]  # it is only called
        ws=UvicornWebSocket if panel_app.settings.fast_path else PlainUvicornWebSocket,
        backlog=BACKLOG,
        ws_max_size=panel_app.settings.max_frame,
        ws_ping_interval=panel_app.settings.ping_interval,
        ws_ping_timeout=panel_app.settings.ping_interval,
        timeout_keep_alive=math.ceil(panel_app.settings.request_timeout),
        ws_per_message_deflate=False,  # it doubles a connection's memory, and costs 10 to 15 µs for each message
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        ssl_context_factory=(lambda config, default: tls) if tls else None,
    )
    server = _Uvicorn(config)
    async with _stopped_by_signals(panel_app, server.leave, tls):
        try:
            await server.serve(sockets=[listener])
        except SystemExit:
            raise SetupError(panel_app.failure or "the panel could not start; the log above says why") from None


async def _hypercorn(panel_app: PanelApp, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    from asgi_app.server import hypercorn

    stopped = asyncio.Event()
    async with _stopped_by_signals(panel_app, stopped.set, tls):
        await hypercorn.serve(panel_app, listener, tls, stopped.wait)


def _reload_certificate(tls: ssl.SSLContext, settings: Settings) -> None:
    """Load the renewed certificate for new connections. An unusable one changes nothing."""
    assert settings.cert is not None
    try:
        read_certificate(tls, settings.cert, settings.key)
    except SetupError as error:
        refused = event("certificate_refused", reason=error.detail)
        log.error("The panel keeps its certificate. %s", error.detail, extra=refused)
    else:
        log.info("the certificate was read again", extra=event("certificate", file=settings.cert))


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log a lost connection only for debugging: hypercorn leaves it to the loop."""
    error = context.get("exception")
    if isinstance(error, OSError) and not isinstance(error, PanelError):
        log.debug("a connection was lost: %s", context["exception"])
    else:
        loop.default_exception_handler(context)


@contextlib.asynccontextmanager
async def _stopped_by_signals(
    panel_app: PanelApp, stop_server: Callable[[], None], tls: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Have signals stop the panel, then the server; wait for that at the end. SIGHUP renews the certificate."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_on_loop_error)
    tasks: list[asyncio.Task[None]] = []

    async def leave() -> None:
        try:
            await panel_app.stop()
        finally:
            stop_server()

    def on_signal() -> None:
        if not tasks:
            let_go_of_closed_output()
            log.info("stopping", extra=event("stopping"))
            ServiceManager().notify("STOPPING=1")
            tasks.append(loop.create_task(leave(), name="stop"))

    on_signals(loop, on_signal, partial(_reload_certificate, tls, panel_app.settings) if tls is not None else None)
    try:
        yield
    finally:
        await asyncio.gather(*tasks, return_exceptions=True)
