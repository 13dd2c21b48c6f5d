"""The composition root: builds the rooms of one panel and joins them into one ASGI application."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import socketio
from quart import Quart

from asgi_app import core
from asgi_app.alone import Alone
from asgi_app.errors import Restarting, SetupError
from asgi_app.hub import GOING_AWAY
from asgi_app.hw.driver import LightDriver
from asgi_app.hw.pins import Address, choose
from asgi_app.models import Look, Storage
from asgi_app.origins import Origins
from asgi_app.routes.api import api
from asgi_app.routes.chat import chat_routes
from asgi_app.routes.cors import share_with
from asgi_app.routes.documents import document_api
from asgi_app.routes.led import led
from asgi_app.routes.lights import lights
from asgi_app.routes.pages import pages
from asgi_app.routes.problems import handle_problems
from asgi_app.routes.quick import QuickLed
from asgi_app.routes.runs import run_routes
from asgi_app.routes.shows import show_routes
from asgi_app.service import Panel
from asgi_app.service.chat import Chat, ChatLimits
from asgi_app.service.runs import RunLimits, Runs
from asgi_app.service.shows import Shows
from asgi_app.settings import Settings, read_settings
from asgi_app.shows.score import find_shows
from asgi_app.store import Retention, Store
from asgi_app.ws.chat import chat_wire
from asgi_app.ws.echo import echo
from asgi_app.ws.live import live
from asgi_app.ws.quartsocket import Connection
from asgi_app.ws.recovery import Recovery
from asgi_app.ws.sio import Namespace, PanelServer
from asgi_app.ws.sio_led import LedEvents
from asgi_app.ws.sio_logger import LoggerEvents
from asgi_app.ws.sio_panel import PanelWords
from asgi_app.ws.sio_producers import Workers
from asgi_app.ws.sio_rooms import RoomEvents
from asgi_app.ws.sio_uia import UiaEvents

log = logging.getLogger("pilotlight")


def web_files() -> Path:
    """Where `templates/` and `static/` are: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    return package / "web" if (package / "web").is_dir() else package.parent


class House:
    """One panel with all its rooms. `app` is the ASGI application; `start` and `stop` are its lifespan.

    `ready` is called once the lights are up and requests are answered.
    """

    def __init__(self, settings: Settings, *, ready: Callable[[], None] = lambda: None) -> None:
        self.settings = settings
        self.failure: str | None = None
        self._retention = Retention(settings.keep_messages, settings.keep_runs, settings.keep_lines)
        self.store = Store(settings.data, self._retention)
        stored, storage = self._open_store()
        pins, hardware = choose(settings.pins, Address(settings.pigpio_host, settings.pigpio_port))
        self.hardware = hardware
        self.panel = Panel(
            settings.lights,
            hardware,
            stored=stored,
            save=self.store.save,
            outbox_limit=settings.outbox,
            storage=storage,
        )
        self.chat = Chat(
            self.panel,
            self.store,
            ChatLimits(settings.chat_name, settings.chat_message, settings.chat_rate, settings.chat_rooms),
        )
        self.runs = Runs(self.panel, self.store, RunLimits(settings.max_runs, settings.run_silence))
        own_shows = settings.shows or settings.data / "shows"
        self.shows = Shows(self.panel, self.runs, find_shows(own_shows), settings.lights)
        first = {id: core.drive_of(light) for id, light in self.panel.state.lights.items()}
        self.driver = LightDriver(pins, settings.lights, first)
        self.panel.attach(self.driver)
        self.origins = Origins(settings.cors_origins)
        self.sockets = PanelServer(
            self.origins,
            max_frame=settings.max_frame,
            slow_reader=settings.slow_reader,
            outbox=settings.outbox,
            coalescer=self.panel.coalescer,
        )
        self.default_namespace = Namespace("/", via="socketio", recovery=self._recovery("/"))
        self.room_events = RoomEvents(self.default_namespace)
        self.app = self._join()
        self._alone = Alone()
        self._ready = ready
        self.stopped = False

    async def start(self) -> None:
        """Take the pins and show the first levels. Raises `SetupError`, and keeps it in `failure`."""
        try:
            await self._start()
        except SetupError as error:
            self.failure = error.detail
            raise
        if not self.stopped:
            self._ready()

    def claim(self) -> None:
        """Hold the pins for this process; claiming twice is no error. Raises `SetupError`."""
        self._alone.claim(self.settings.data, simulated=self.hardware.pins == "mock")

    async def _start(self) -> None:
        self.claim()
        log.info("pins: %s (%s)", self.hardware.pins, self.hardware.why)
        if self.hardware.fix:
            log.info("for more: %s", self.hardware.fix)
        await self.driver.start(self.panel)
        self.runs.start()

    async def stop(self) -> None:
        """Lights to their exit level first, then every socket closed, then the store. Stopping twice is no error."""
        if self.stopped:
            return
        self.stopped = True
        self.shows.stop()
        self.panel.stop_asking()
        await self.driver.close()
        await self.shows.close()
        self.panel.end_sessions()
        self.room_events.close()
        self.runs.close()
        await self.sockets.eio.leave()
        await asyncio.to_thread(self.store.close)
        self._alone.release()

    def _open_store(self) -> tuple[dict[str, Look], Storage]:
        try:
            return self.store.open(), Storage(kept=True)
        except SetupError as error:
            log.error("%s; levels, messages and logs are forgotten when the panel stops", error.detail)
            self.store = Store(None, self._retention)
            return self.store.open(), Storage(kept=False, reason=error.detail)

    def _join(self) -> Door:
        web = web_files()
        quart = self.quart = Quart(
            "asgi_app",
            static_folder=str(web / "static"),
            template_folder=str(web / "templates"),
        )
        quart.config["MAX_CONTENT_LENGTH"] = self.settings.max_body
        quart.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0  # ask again each time (304): no page of half an upgrade
        quart.asgi_websocket_class = Connection
        light = "led" if "led" in self.settings.lights else next(iter(self.settings.lights))
        origins = self.origins
        document_api(quart)
        handle_problems(quart)
        for blueprint in (
            pages(),
            api(),
            led(self.panel, light),
            lights(self.panel),
            live(self.panel, origins, self.settings.slow_reader),
            echo(origins, self.settings.slow_reader),
            chat_routes(self.panel, self.chat),
            run_routes(self.panel, self.runs),
            show_routes(self.panel, self.shows),
            chat_wire(self.panel, self.chat, origins, self.settings.slow_reader),
        ):
            quart.register_blueprint(blueprint)
        first_words = {rule.rule.split("/")[1].lower() for rule in quart.url_map.iter_rules()}
        self.chat.reserved = frozenset(first_words - {"", "<username>"} | {"server", "socket.io"})
        share_with(quart, origins)

        @quart.while_serving
        async def lifespan() -> AsyncGenerator[None, None]:
            await self.start()
            yield
            await self.stop()

        self._register_namespaces(light)
        # No startup or shutdown hook: then the lifespan goes to Quart, and there is one.
        return Door(self, QuickLed(self.panel, light, socketio.ASGIApp(self.sockets, quart)))

    def _recovery(self, namespace: str) -> Recovery:
        return Recovery(namespace, self.settings.recovery, self.panel.coalescer)

    def _register_namespaces(self, light: str) -> None:
        default = self.default_namespace
        default.add(LedEvents(default, self.panel, light))
        default.add(self.room_events)
        panel = Namespace("/panel", via="panel")
        panel.add(PanelWords(panel, self.panel))
        workers = Workers()
        logger = Namespace("/running_logger", via="running_logger")
        logger.add(LoggerEvents(logger, self.panel, self.runs, self.shows, workers))
        uia = Namespace("/uia", via="uia", recovery=self._recovery("/uia"))
        uia.add(UiaEvents(uia, self.runs, workers))
        for namespace in (default, panel, logger, uia):
            self.sockets.register_namespace(namespace)


class Door:
    """The ASGI application: everything to its room, and nobody in any more once the panel is going down.

    A client that comes back within milliseconds would else be let in by the process that has just sent it away.
    """

    def __init__(self, house: House, rooms: QuickLed) -> None:
        self.house = house
        self.rooms = rooms

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self.house.stopped or scope["type"] == "lifespan":
            await self.rooms(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": GOING_AWAY})
        else:
            # Nothing to read for Engine.IO: a body cut off by the end ends python-socketio's coming back for good.
            problem = Restarting("the panel is restarting; ask again in a moment").problem()
            body = b"" if scope["path"].startswith("/socket.io") else json.dumps(problem).encode()
            headers = [
                (b"content-type", b"application/problem+json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
                (b"retry-after", b"1"),
            ]
            await send({"type": "http.response.start", "status": Restarting.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})


def create_app(settings: Settings | None = None) -> Door:
    """The panel as an ASGI application, for any ASGI server: `uvicorn --factory asgi_app.app:create_app`.

    Raises `SetupError` where the settings are wrong.
    """
    return House(settings or read_settings()).app
