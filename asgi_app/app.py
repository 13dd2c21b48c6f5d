"""The composition root: builds the rooms of one panel and joins them into one ASGI application."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import socketio
from quart import Quart

from asgi_app.access import SCOPE, Access, Accounts, Audit, Claims, Hosts, SecretStore
from asgi_app.core import chat as chat_rules
from asgi_app.core import lights as light_rules
from asgi_app.errors import (
    BadRequest,
    Full,
    PanelError,
    RequestTimeout,
    Restarting,
    SetupError,
    TooLarge,
    TooManyConnections,
    TooMuchUnread,
    WrongHost,
)
from asgi_app.gateway import (
    ENGINE,
    in_pieces,
    in_time,
    refuse,
    with_headers,
    with_length,
)
from asgi_app.hub import SERVICE_RESTART
from asgi_app.hw.driver import LightDriver
from asgi_app.hw.lock import Alone
from asgi_app.hw.pins import Address, choose
from asgi_app.hw.power import throttling
from asgi_app.models import LightSettings, Storage
from asgi_app.net.admission import AdmissionControl
from asgi_app.net.limits import AddressRateLimit, ConnectionQuota, RefusalLog
from asgi_app.net.origins import Origins
from asgi_app.net.proxies import FORWARDED, PROXIED, Proxies, address_of
from asgi_app.net.request_head import check_host
from asgi_app.net.send_budget import SendBudget
from asgi_app.routes.access import access_routes
from asgi_app.routes.auth import admit
from asgi_app.routes.chat import chat_routes
from asgi_app.routes.cors import share_with
from asgi_app.routes.health import health_routes
from asgi_app.routes.led_fast_path import QuickLed
from asgi_app.routes.legacy_api import api
from asgi_app.routes.legacy_led import led
from asgi_app.routes.lights import lights
from asgi_app.routes.metrics import Measured, Meters, metric_routes
from asgi_app.routes.openapi import document_api
from asgi_app.routes.pages import pages
from asgi_app.routes.problems import handle_problems
from asgi_app.routes.rate_limit import RestRateLimit, limit_commands
from asgi_app.routes.runs import run_routes
from asgi_app.routes.shows import show_routes
from asgi_app.routes.unknown_host import send_page, wants_page
from asgi_app.seams import Seam
from asgi_app.service import Panel
from asgi_app.service.chat import Chat, ChatLimits
from asgi_app.service.lights import Lights
from asgi_app.service.runs import RunLimits, Runs
from asgi_app.service.shows import Shows
from asgi_app.service.storage import StorageWatch
from asgi_app.settings import Settings, read_settings
from asgi_app.shows.show import find_shows
from asgi_app.store import Retention, Store
from asgi_app.telemetry.clock import PanelClock
from asgi_app.telemetry.counters import CounterRegistry
from asgi_app.telemetry.logs import event
from asgi_app.telemetry.loop_lag import LoopLagMonitor
from asgi_app.ws.legacy.chat import chat_wire
from asgi_app.ws.legacy.echo import echo
from asgi_app.ws.native.live import live
from asgi_app.ws.native.protocol import reply_may_be_large, waits_for_producer
from asgi_app.ws.socketio.led import LedEvents
from asgi_app.ws.socketio.namespace import Namespace
from asgi_app.ws.socketio.panel import PanelEvents
from asgi_app.ws.socketio.producers import ProducerRegistry
from asgi_app.ws.socketio.recovery import Recovery
from asgi_app.ws.socketio.rooms import RoomEvents
from asgi_app.ws.socketio.running_logger import LoggerEvents
from asgi_app.ws.socketio.server import PanelServer
from asgi_app.ws.socketio.uia import UiaEvents
from asgi_app.ws.transport.direct import direct_transport
from asgi_app.ws.transport.quart_websocket import QuartConnection, SocketRules

log = logging.getLogger("pilotlight")

PINGS = 1.25  # times the setting, between Engine.IO's pings: 25 s, its default, where the setting has its own
SEAMS = (Seam(Quart, "asgi_websocket_class"),)
HEALTH = "/health/"  # is answered to the very end
LARGE_ANSWERS = ("/chat/rooms", "/runs", "/audit", "/openapi.json")  # that wait until there is room for them
LAST_SECONDS = 5  # for a panel that ends by a fault; then the kernel ends it


def web_files() -> Path:
    """Where `templates/` and `static/` are: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    return package / "web" if (package / "web").is_dir() else package.parent


class House:
    """One panel with all its rooms. `app` is the ASGI application; `start` and `stop` are its lifespan.

    `ready` is called once the lights are up and requests are answered, `alive` twice a second from then on.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ready: Callable[[], None] = lambda: None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.failure: str | None = None
        self.clock = PanelClock()
        self._retention = Retention(
            settings.keep_messages, settings.keep_runs, settings.keep_lines, settings.keep_audit
        )
        self.store = Store(settings.data, self._retention)
        self.counter_registry = CounterRegistry()
        self.proxies = Proxies(settings.trusted_proxies)
        self.refusal_log = RefusalLog()
        self.admission = AdmissionControl(
            ConnectionQuota(settings.max_connections, settings.connections_per_address),
            self.proxies,
            settings.request_timeout,
            self.counter_registry.of("connection"),
            self.refusal_log,
        )
        stored, storage = self._open_store()
        self.origins = Origins(settings.cors_origins)
        self.hosts = Hosts(settings.hosts)
        claims = Claims(self.store)
        self.access = Access(
            settings,
            self._open_keys(),
            self.origins,
            Audit(self.store, self.clock.now),
            self.counter_registry.of("sign-in"),
            self.refusal_log,
            claims,
        )
        self.accounts = Accounts(self.access, partial(chat_rules.person_name, longest=settings.chat_name))
        pins, hardware = choose(settings.pins, Address(settings.pigpio_host, settings.pigpio_port))
        self.hardware = hardware
        self.panel = Panel(
            hardware,
            outbox_limit=settings.outbox,
            storage=storage,
            counter_registry=self.counter_registry,
            gate=self.access,
            unread=SendBudget(settings.unread, settings.unread_per_address),
        )
        now = self.clock.now()
        first = {id: light_rules.first_light(id, spec, stored.get(id), now) for id, spec in settings.lights.items()}
        drives = {id: light_rules.drive_of(light) for id, light in first.items()}
        self.driver = LightDriver(pins, settings.lights, drives)
        self.lights = Lights(
            self.panel, self.driver, settings.lights, first, save=self.store.save, clock=self.clock.now
        )
        self.chat = Chat(
            self.panel,
            self.store,
            ChatLimits(
                settings.chat_name,
                settings.chat_message,
                settings.chat_rate,
                settings.chat_rooms,
                settings.chat_people,
            ),
            clock=self.clock.now,
        )
        limits = RunLimits(settings.max_runs, settings.run_silence, settings.run_rate)
        self.runs = Runs(self.panel, self.store, limits, clock=self.clock.now)
        self.storage_watch = StorageWatch(self.panel, self.store, claims, self.lights, self.chat, self.runs)
        own_shows = settings.shows or settings.data / "shows"
        self.shows = Shows(self.panel, self.runs, find_shows(own_shows), settings.lights)
        self.sockets = PanelServer(
            self.origins,
            max_frame=settings.max_frame,
            slow_reader=settings.slow_reader,
            outbox=settings.outbox,
            coalescer=self.panel.coalescer,
            counters=self.counter_registry.of("socketio"),
            sessions=ConnectionQuota(settings.max_connections, settings.connections_per_address),
            command_rate=settings.command_rate,
            line_rate=settings.run_rate,
            refusal_log=self.refusal_log,
            ping_interval=PINGS * settings.ping_interval,
            ping_timeout=settings.ping_interval,
            connect_timeout=(PINGS + 1) * settings.ping_interval,
            unread=self.panel.unread,
        )
        self.default_namespace = Namespace("/", via="socketio", recovery=self._recovery("/"))
        self.room_events = RoomEvents(self.default_namespace, settings.socket_rooms)
        self._alone = Alone()
        self._ready = ready
        self.stopped = False
        self.fault: str | None = None  # why the panel ends, where nobody told it to
        self._alive = alive
        self.loop_lag = LoopLagMonitor(self._beat)
        self.app = self._join()

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
        pins, why = self.hardware.pins, self.hardware.why
        log.info("pins: %s (%s)", pins, why, extra=event("pins", pins=pins, why=why))
        if self.hardware.fix:
            log.info("for more: %s", self.hardware.fix)
        await self.driver.start(self.lights)
        if self.store.path is not None:
            self.storage_watch.start()
        self.runs.start()
        self.loop_lag.start()
        self.access.start()

    async def stop(self) -> None:
        """Lights to their exit level first, then every socket closed, then the store. Stopping twice is no error."""
        if self.stopped:
            return
        self.stopped = True
        self.shows.stop()
        self.panel.refuse_commands()
        try:
            await self.driver.close()
            await self.shows.close()
            self.loop_lag.stop()
            self.panel.end_sessions()
            self.room_events.close()
            self.runs.close()
            await self.sockets.eio.leave()
            self.access.close()
        finally:  # whatever failed there: what was said and set is written
            await asyncio.to_thread(self.store.close)
            self._alone.release()

    def ended(self) -> str | None:
        """What has ended by a fault though the panel needs it, and why."""
        if self.fault is not None or self.stopped:
            return self.fault
        parts = (self.store, self.driver, self.runs, self.access, self.room_events, self.sockets.eio)
        return next((fault for part in parts if (fault := part.ended()) is not None), None)

    def _beat(self) -> None:
        """Tell the service manager that the loop is alive; end the panel where that is not enough."""
        if step := self.clock.look():
            log.warning("the clock stepped by %.1f s", step, extra=event("clock_stepped", seconds=round(step, 1)))
            self.panel.clock_stepped(step, self.clock.now())
        if (fault := self.ended()) is None:
            self._alive()
        elif self.fault is None:
            self.fault = fault
            log.critical("%s; the panel ends", fault, extra=event("panel_ended", reason=fault))
            # The way every end goes, by the lights' exit levels; and where even that has become impossible, at once.
            signal.alarm(LAST_SECONDS)
            signal.raise_signal(signal.SIGTERM)

    async def not_ready(self) -> dict[str, str]:
        """What is not ready, and why: `lights`, `store`, `access`, `panel`. Empty where everything works."""
        missing = {}
        if (fault := self.ended()) is not None:
            missing["panel"] = fault
        offline = [light for light in self.panel.state.lights.values() if not light.online]
        if offline:
            missing["lights"] = "; ".join(f"{light.id} is offline: {light.reason}" for light in offline)
        kept = self.panel.state.storage
        if trouble := (await self.store.trouble() if kept.kept else kept.reason):
            missing["store"] = trouble
        if self.access.secret_store.trouble is not None:
            missing["access"] = f"the secrets cannot be read: {self.access.secret_store.trouble}"
        if self.stopped:
            missing.setdefault("panel", "the panel is stopping")
        return missing

    def _measured(self) -> Measured:
        return Measured(
            panel=self.panel,
            store=self.store,
            lag=self.loop_lag.lag,
            connections=lambda: self.admission.quota.taken,
            socketio_clients=self.sockets.eio.by_transport,
            hardware_faults=lambda: self.driver.faults,
            throttling=throttling,
        )

    def _open_store(self) -> tuple[dict[str, LightSettings], Storage]:
        try:
            return self.store.open(), self.store.storage
        except SetupError as error:
            log.error(
                "%s; levels, messages and logs are forgotten when the panel stops",
                error.detail,
                extra=event("store_unusable", reason=error.detail),
            )
            self.store = Store(None, self._retention)
            return self.store.open(), Storage(kept=False, reason=error.detail)

    def _open_keys(self) -> SecretStore:
        keys = SecretStore(self.settings.data)
        try:
            keys.open()
        except SetupError as error:
            if keys.may_be_there:  # it may say whose names are whose, and which tokens were revoked
                keys.close(error)
                return keys
            log.warning("%s; this start has a PIN of its own, and forgets tokens and names at its end", error.detail)
            keys = SecretStore(None)
        return keys

    def _join(self) -> Door:
        web = web_files()
        quart = self.quart = Quart(
            "asgi_app",
            static_folder=str(web / "static"),
            template_folder=str(web / "templates"),
        )
        quart.config["MAX_CONTENT_LENGTH"] = self.settings.max_body
        quart.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0  # ask again each time (304): no page of half an upgrade
        quart.asgi_websocket_class = QuartConnection
        light = "led" if "led" in self.settings.lights else next(iter(self.settings.lights))
        rules = SocketRules(
            self.origins,
            self.settings.slow_reader,
            self.settings.command_rate,
            self.counter_registry,
            self.refusal_log,
            self.panel.unread,
        )
        document_api(quart)
        handle_problems(quart)
        for blueprint in (
            pages(),
            access_routes(self.access, self.accounts),
            api(),
            led(self.panel, light),
            lights(self.panel),
            live(self.panel, rules),
            echo(rules),
            chat_routes(self.panel, self.chat),
            run_routes(self.panel, self.runs),
            show_routes(self.panel, self.shows),
            chat_wire(self.panel, self.chat, rules),
            health_routes(self.ended, self.not_ready),
            metric_routes(Meters(self._measured())),
        ):
            quart.register_blueprint(blueprint)
        share_with(quart, self.origins)
        commands, reads = (
            AddressRateLimit(self.settings.rest_rate),
            AddressRateLimit(self.settings.read_rate, "read_rate", "reads"),
        )
        limit = RestRateLimit(commands, reads, self.counter_registry.of("rest"), self.refusal_log)
        limit_commands(quart, limit)
        admit(quart)

        @quart.while_serving
        async def lifespan() -> AsyncGenerator[None, None]:
            await self.start()
            yield
            await self.stop()

        self._register_namespaces(light)
        # No startup or shutdown hook: then the lifespan goes to Quart, and there is one.
        return Door(self, QuickLed(self.panel, light, limit, socketio.ASGIApp(self.sockets, quart)))

    def _recovery(self, namespace: str) -> Recovery:
        return Recovery(namespace, self.settings.recovery, self.panel.coalescer)

    def _register_namespaces(self, light: str) -> None:
        default = self.default_namespace
        default.add(LedEvents(default, self.panel, light))
        default.add(self.room_events)
        panel = Namespace("/panel", via="panel", in_background=waits_for_producer, may_be_large=reply_may_be_large)
        panel.add(PanelEvents(panel, self.panel))
        producers = ProducerRegistry()
        logger = Namespace("/running_logger", via="running_logger", slow_down=True)
        logger.add(LoggerEvents(logger, self.panel, self.runs, self.shows, producers))
        uia = Namespace("/uia", via="uia", recovery=self._recovery("/uia"), slow_down=True)
        uia.add(UiaEvents(uia, self.runs, producers))
        for namespace in (default, panel, logger, uia):
            self.sockets.register_namespace(namespace)


class Door:
    """The ASGI application: everything to its room, and nobody in any more once the panel is going down.

    A client that comes back within milliseconds would else be let in by the process that has just sent it away.
    """

    def __init__(self, house: House, rooms: QuickLed) -> None:
        self.house = house
        self.rooms = rooms
        self._rest = house.counter_registry.of("rest")
        self._proxies = house.proxies
        self._forwarded = ConnectionQuota(house.settings.max_connections, house.settings.connections_per_address)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.rooms(scope, receive, send)
            return
        if scope["type"] == "http":  # a WebSocket would pay for it with every message
            send = with_headers(send)
            if scope["http_version"] == "1.0" and scope["method"] != "HEAD":
                send = with_length(in_pieces(send, None))
        try:
            host = check_host(scope)
            if (seen := self._proxies.seen_through(scope)) is not scope:
                scope, host = seen, check_host(seen)
        except BadRequest as error:
            await refuse(scope, send, error)
            return
        engine = scope["path"].startswith(ENGINE)
        if scope["type"] == "http" and not engine:
            self._rest.received += 1
            self._rest.sent += 1
        if self.house.stopped and not scope["path"].startswith(HEALTH):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": SERVICE_RESTART})
                return
            # Nothing to read for Engine.IO: a body cut off by the end ends python-socketio's coming back for good.
            restarting = Restarting("the panel is restarting; ask again in a moment")
            await refuse(scope, send, restarting, silent=engine)
            return
        try:
            self._check_host(host)
            leave = self._enter(scope)
        except WrongHost as error:
            await (send_page if wants_page(scope) else refuse)(scope, send, error)
            return
        except (Full, TooManyConnections) as error:
            await refuse(scope, send, error)
            return
        scope[SCOPE] = self.house.access
        try:
            if scope["type"] == "http":
                receive = in_time(receive, self.house.settings.request_timeout)
                async with self._room_for_answer(scope, send) as send_counted:
                    await self.rooms(scope, receive, send_counted)
            else:
                await self.rooms(scope, receive, send)
        except (RequestTimeout, TooLarge, TooMuchUnread) as error:
            await refuse(scope, send, error)
        finally:
            if leave is not None:
                wire = direct_transport(scope)
                if wire is not None and wire.life is not None:  # it lives on
                    wire.at_end(leave)
                else:
                    leave()

    @asynccontextmanager
    async def _room_for_answer(self, scope: Any, send: Any) -> AsyncIterator[Any]:
        """What sends the answer, which counts until it is read; once there is room for it. Raises `TooMuchUnread`."""
        path = scope["path"]
        if path == "/led":
            yield send
            return
        account = self.house.panel.unread.account(address_of(scope))
        try:
            if scope["method"] in ("GET", "HEAD") and path.startswith(LARGE_ANSWERS):
                async with account.reserved():
                    yield in_pieces(send, None)
            else:
                yield in_pieces(send, account)
        finally:
            account.close()

    def _check_host(self, sent: bytes | None) -> None:
        """Raises `WrongHost`."""
        host = None if sent is None else sent.decode("latin-1")
        if not self.house.hosts.allows(host):
            raise self.house.hosts.refusal(host)

    def _enter(self, scope: Any) -> Callable[[], None] | None:
        """A place for whoever comes by way of a proxy: of them the server sees the proxy's connections only."""
        if (FORWARDED not in scope and PROXIED not in scope) or scope["path"].startswith(HEALTH):
            return None
        address = address_of(scope)
        try:
            self._forwarded.enter(address)
        except PanelError as error:
            self._rest.refused += 1
            self.house.refusal_log.log("proxy", address, error)
            raise
        return partial(self._forwarded.leave, address)


def create_app(settings: Settings | None = None) -> Door:
    """The panel as an ASGI application, for any ASGI server: `uvicorn --factory asgi_app.app:create_app`.

    Raises `SetupError` where the settings are wrong.
    """
    return House(settings or read_settings()).app
