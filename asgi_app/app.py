"""The composition root: builds the parts of one panel and wires them into one ASGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import socketio
from quart import Blueprint, Quart

from asgi_app import gateway
from asgi_app.access import Access, Accounts, Audit, Claims, open_secrets
from asgi_app.core import chat as chat_rules
from asgi_app.core import lights as light_rules
from asgi_app.errors import SetupError
from asgi_app.extras import engine_of, mqtt_of
from asgi_app.gateway import Gateway
from asgi_app.hw.driver import LightDriver
from asgi_app.hw.lock import PinLock
from asgi_app.hw.pins import Address, Pins, choose
from asgi_app.models.history import RememberedLight
from asgi_app.models.lights import Hardware
from asgi_app.net.admission import AdmissionControl
from asgi_app.net.hosts import Hosts
from asgi_app.net.limits import AddressRateLimit, ConnectionQuota, RefusalLog
from asgi_app.net.origins import Origins
from asgi_app.net.proxies import Proxies
from asgi_app.net.send_budget import SendBudget
from asgi_app.routes.access import access_routes
from asgi_app.routes.assets import Assets, asset_routes
from asgi_app.routes.asyncapi import document_sockets
from asgi_app.routes.auth import admit
from asgi_app.routes.chat import chat_routes
from asgi_app.routes.cors import share_with
from asgi_app.routes.health import health_routes
from asgi_app.routes.household import household_routes
from asgi_app.routes.legacy_api import api
from asgi_app.routes.legacy_led import led
from asgi_app.routes.lights import lights
from asgi_app.routes.metrics import Meters, metric_routes
from asgi_app.routes.openapi import document_api
from asgi_app.routes.pages import make_bundles, pages, problem_page
from asgi_app.routes.plain import PlainRequests
from asgi_app.routes.problems import handle_problems
from asgi_app.routes.rate_limit import RestRateLimit, limit_commands
from asgi_app.routes.rule import RouteRule
from asgi_app.routes.runs import run_routes
from asgi_app.routes.shows import show_routes
from asgi_app.seams import Seam
from asgi_app.service import Panel
from asgi_app.service.deeds import DeedWriter
from asgi_app.service.health import Health
from asgi_app.service.history import History
from asgi_app.service.kept import Kept
from asgi_app.service.light_setup import LightSetups
from asgi_app.service.lights import Lights
from asgi_app.service.many_lights import ManyLights
from asgi_app.service.storage import StorageWatch, open_store
from asgi_app.settings import Settings, read_settings
from asgi_app.telemetry.clock import PanelClock
from asgi_app.telemetry.counters import CounterRegistry
from asgi_app.telemetry.logs import event
from asgi_app.telemetry.loop_lag import LoopLagMonitor
from asgi_app.ws.legacy.chat import chat_wire, taken_elsewhere
from asgi_app.ws.legacy.echo import echo
from asgi_app.ws.native.live import live
from asgi_app.ws.native.protocol import reply_may_be_large, waits_for_producer
from asgi_app.ws.socketio.lab import LabEvents
from asgi_app.ws.socketio.led import LedEvents
from asgi_app.ws.socketio.namespace import Namespace
from asgi_app.ws.socketio.panel import PanelEvents
from asgi_app.ws.socketio.producers import ProducerRegistry
from asgi_app.ws.socketio.recovery import UNNOTICED_SECONDS, Recovery
from asgi_app.ws.socketio.relay import Relay
from asgi_app.ws.socketio.running_logger import LoggerEvents
from asgi_app.ws.socketio.server import PanelServer
from asgi_app.ws.socketio.shared_recovery import recovery_of
from asgi_app.ws.socketio.uia import UiaEvents
from asgi_app.ws.transport.quart_websocket import QuartConnection, SocketRules

log = logging.getLogger("pilotlight")

SEAMS = (Seam(Quart, "asgi_websocket_class"),)


def web_files() -> Path:
    """Return the directory of `templates/` and `static/`: in the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    return package / "web" if (package / "web").is_dir() else package.parent


class PanelApp:
    """One panel with all its parts. `app` is the ASGI application; `start` and `stop` are its lifespan.

    `ready` is called once the lights are on and requests are answered; from then on `alive`, twice a second.
    `failure` is why the panel could not start, or None.
    """

    def __init__(
        self, settings: Settings, *, ready: Callable[[], None] = lambda: None, alive: Callable[[], None] = lambda: None
    ) -> None:
        self.settings = settings
        self.failure: str | None = None
        self.clock = PanelClock()
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
        self.store, stored, storage = open_store(settings)
        self.origins = Origins(settings.cors_origins)
        self.hosts = Hosts(settings.hosts)
        claims = Claims(self.store)
        self.access = Access(
            settings,
            open_secrets(settings.data, is_copy=settings.is_guest),
            self.origins,
            Audit(self.store, self.clock.now),
            self.counter_registry.of("sign-in"),
            self.refusal_log,
            claims,
        )
        self.accounts = Accounts(self.access, partial(chat_rules.person_name, longest=settings.chat_name))
        pins, hardware = choose(settings.pins, Address(settings.pigpio_host, settings.pigpio_port))
        if not settings.lights:
            hardware = Hardware(pins="none", why="this panel has no lights of its own")
        self.hardware = hardware
        self.panel = Panel(
            hardware,
            outbox_limit=settings.outbox,
            storage=storage,
            counter_registry=self.counter_registry,
            access=self.access,
            unread=SendBudget(settings.unread, settings.unread_per_address),
            node=settings.node_name,
        )
        prefix = f"{settings.node_name}." if settings.node_name else ""  # of the ids of lights
        self.driver, self.lights, self.light_setups = _lights_of(self, prefix, pins, stored)
        self.deeds = DeedWriter(self.store)
        ManyLights(self.panel, self.lights, self.deeds.known, self.deeds.save)
        self.engine = engine_of(settings, self.panel, self.lights, self.light_setups.by_name, self.access, hardware)
        self.mqtt = mqtt_of(settings, self.panel, self.lights, prefix)
        self.wires = {} if self.engine is None else self.engine.rooms(settings.recovery + UNNOTICED_SECONDS)
        self.kept = (
            None
            if settings.is_guest
            else Kept(self.panel, self.store, settings, self.clock.now, self.light_setups.by_name)
        )
        if self.kept is not None:
            self.kept.chat.release = self.accounts.release_owned
        self.storage_watch = StorageWatch(self.panel, self.store, claims, self.lights, self.kept)
        self.sockets = PanelServer(
            settings,
            self.origins,
            coalescer=self.panel.coalescer,
            counters=self.counter_registry.of("socketio"),
            refusal_log=self.refusal_log,
            unread=self.panel.unread,
            wires=self.wires,
        )
        self.default_namespace = Namespace("/", via="socketio", recovery=self._recovery("/"))
        self.lab_events = LabEvents(self.default_namespace, settings.socket_rooms)
        self._pin_lock = PinLock()
        self._ready = ready
        parts = [self.store, self.driver, self.access.live, self.lab_events, self.sockets.eio, self.kept]
        parts += [self.engine, self.mqtt, *self.wires.values()]
        self.health = Health(
            self.panel,
            self.lights,
            self.store,
            self.access,
            [part.ended for part in parts if part is not None],
            self.clock,
            self._engine_trouble,
            settings.is_guest,
        )
        self.loop_lag = LoopLagMonitor(partial(self.health.check, alive))
        self.panel.old_light = light_rules.old_light([prefix + id for id in settings.lights], prefix)
        rest_limit = self._rest_limit()
        self.quart = self._build_quart(rest_limit)
        self._register_namespaces()
        # Without a startup or shutdown hook, `ASGIApp` gives the lifespan to Quart, so there is one.
        inner: gateway.App = PlainRequests(self.quart, rest_limit, socketio.ASGIApp(self.sockets, self.quart))
        if self.engine is not None:
            inner = self.engine.home.wrap(inner, self.panel, settings.slow_reader)
        self.app = self._gateway(inner)

    def claim(self) -> None:
        """Lock the pins for this process; a second call does nothing. Raises: `SetupError`."""
        self._pin_lock.claim(self.settings.data, simulated=self.hardware.pins in ("mock", "none"))

    async def start(self) -> None:
        """Take the pins and show the first levels. Raises: `SetupError`, and keeps it in `failure`."""
        try:
            self.claim()
        except SetupError as error:
            self.failure = error.detail
            raise
        pins, why = self.hardware.pins, self.hardware.why
        log.info("pins: %s (%s)", pins, why, extra=event("pins", pins=pins, why=why))
        for id, spec in self.settings.left_out_lights.items():
            if id not in self.settings.lights:
                log.warning("light %s is left out: the settings have given its pin %d to another light", id, spec.pin)
        if self.hardware.fix:
            log.info("to fix this: %s", self.hardware.fix)
        await self.driver.start(self.lights)
        if self.engine is not None:
            await asyncio.gather(self.engine.start(), *(wire.start() for wire in self.wires.values()))
        if self.store.path is not None:
            self.storage_watch.start()
        if self.kept is not None:
            self.kept.start()
        if self.mqtt is not None:
            self.mqtt.start()
        self.loop_lag.start()
        self.access.live.start()
        if not self.health.stopping:
            self._ready()

    async def stop(self) -> None:
        """Bring the lights to their exit level, close every socket, then the store; a second call does nothing."""
        if self.health.stopping:
            return
        self.health.stopping = True
        if self.kept is not None:
            self.kept.stop()
        self.panel.refuse_commands()
        if self.engine is not None:
            await self.engine.close()
        try:
            await asyncio.gather(self.driver.close(), *([] if self.mqtt is None else [self.mqtt.close()]))
            if self.kept is not None:
                await self.kept.shows.close()
            self.loop_lag.stop()
            self.panel.end_sessions()
            self.lab_events.close()
            if self.kept is not None:
                self.kept.runs.close()
            await self.sockets.eio.leave()
            await asyncio.gather(*(wire.close() for wire in self.wires.values()))
            self.access.close()
            self.lights.memory.flush()
            self.deeds.flush()
        finally:  # whatever failed: the messages and levels are written
            await asyncio.to_thread(self.store.close)
            self._pin_lock.release()

    def _engine_trouble(self) -> str | None:
        return self.engine.trouble if self.engine is not None else None

    def _meters(self) -> Meters:
        return Meters(
            panel=self.panel,
            store=self.store,
            lag=self.loop_lag.lag,
            connections=lambda: self.admission.quota.taken,
            socketio_clients=self.sockets.eio.by_transport,
            hardware_faults=lambda: self.driver.faults,
            engine=self.engine,
            mqtt=self.mqtt,
        )

    def _rest_limit(self) -> RestRateLimit:
        commands = AddressRateLimit(self.settings.rest_rate)
        reads = AddressRateLimit(self.settings.read_rate, "read_rate", "reads")
        return RestRateLimit(commands, reads, self.counter_registry.of("rest"), self.refusal_log)

    def _build_quart(self, rest_limit: RestRateLimit) -> Quart:
        web = web_files()
        assets = Assets(web / "static", self.settings.root_path)
        quart = Quart("asgi_app", static_folder=None, template_folder=str(web / "templates"))
        quart.config["MAX_CONTENT_LENGTH"] = self.settings.max_body
        quart.asgi_websocket_class = QuartConnection
        quart.url_rule_class = RouteRule
        rules = SocketRules(self.settings, self.origins, self.counter_registry, self.refusal_log, self.panel.unread)
        document_api(quart, self.settings.root_path)
        document_sockets(quart, partial(describe_sockets, self.settings.root_path))
        handle_problems(quart, partial(problem_page, assets))
        for blueprint in (
            pages(assets, self.settings.chat_message),
            asset_routes(assets, partial(make_bundles, assets)),
            access_routes(self.access, self.accounts, self.settings),
            api(),
            led(self.panel),
            lights(self.panel, self.light_setups),
            *household_routes(self.panel, self.light_setups, self.kept),
            live(self.panel, rules),
            echo(rules),
            *self._kept_routes(rules),
            health_routes(self.health.ended, self.health.not_ready),
            metric_routes(self._meters()),
        ):
            quart.register_blueprint(blueprint)
        share_with(quart, self.origins)
        limit_commands(quart, rest_limit)
        admit(quart)

        @quart.while_serving
        async def lifespan() -> AsyncGenerator[None, None]:
            await self.start()
            yield
            await self.stop()

        return quart

    def _kept_routes(self, rules: SocketRules) -> Iterator[Blueprint]:
        if (kept := self.kept) is None:
            yield taken_elsewhere()
        else:
            yield chat_routes(self.panel, kept.chat)
            yield run_routes(self.panel, kept.runs)
            yield show_routes(self.panel, kept.shows)
            yield chat_wire(self.panel, kept.chat, rules)

    def _gateway(self, inner: gateway.App) -> Gateway:
        rest = self.counter_registry.of("rest")
        quota = ConnectionQuota(self.settings.max_connections, self.settings.connections_per_address)
        both: list[gateway.Middleware] = [
            partial(gateway.see_through_proxies, self.proxies),
            partial(gateway.refuse_while_stopping, self.health),
            partial(gateway.check_host_name, self.hosts),
            partial(gateway.limit_forwarded, quota, rest, self.refusal_log),
            partial(gateway.give_access, self.access),
        ]
        root = self.settings.root_path
        first: list[gateway.Middleware] = [partial(gateway.take_off_root, root)] if root else []
        http: list[gateway.Middleware] = [
            partial(gateway.add_security_headers, self.settings.frame_ancestors),
            partial(gateway.share_with, self.origins),
            *first,
            gateway.set_length_for_http10,
            partial(gateway.count_rest, rest),
            *both,
            gateway.answer_refusals,
            partial(gateway.limit_time, self.settings.request_timeout),
            partial(gateway.limit_unread, self.panel.unread),
        ]
        return Gateway(inner, http, [*first, *both])

    def _recovery(self, namespace: str) -> Recovery:
        return recovery_of(namespace, self.settings.recovery, self.panel.coalescer, self.wires.get(namespace))

    def _register_namespaces(self) -> None:
        default = self.default_namespace
        default.add(LedEvents(default, self.panel))
        default.add(self.lab_events)
        panel = Namespace("/panel", via="panel", in_background=waits_for_producer, may_be_large=reply_may_be_large)
        panel.add(PanelEvents(panel, self.panel))
        namespaces = [default, panel]
        if (kept := self.kept) is not None:
            producers = ProducerRegistry()
            logger = Namespace("/running_logger", via="running_logger", slow_down=True)
            logger.add(LoggerEvents(logger, self.panel, kept.runs, kept.shows, producers))
            uia = Namespace("/uia", via="uia", recovery=self._recovery("/uia"), slow_down=True)
            uia.add(UiaEvents(uia, kept.runs, producers))
            namespaces += [logger, uia]
        if self.engine is not None and (keeper := self.engine.home.elsewhere) is not None:
            self.sockets.relay = Relay(keeper, ("/running_logger", "/uia"))
        for namespace in namespaces:
            self.sockets.register_namespace(namespace)


def describe_sockets(root_path: str, host: str, secure: bool) -> dict[str, Any]:
    """Return the AsyncAPI document of a panel at this path of a host and port."""
    from asgi_app.ws.asyncapi import document  # few panels need it

    return document(host, root_path, secure=secure)


def create_app(settings: Settings | None = None) -> Gateway:
    """Build the panel for any ASGI server: `uvicorn --factory asgi_app.app:create_app`. Raises `SetupError`."""
    return PanelApp(settings or read_settings()).app


def _lights_of(
    panel_app: PanelApp, prefix: str, pins: Pins, stored: Mapping[str, RememberedLight]
) -> tuple[LightDriver, Lights, LightSetups]:
    """Build the lights and what drives them. The store knows them without the prefix of their ids."""
    clock, store = panel_app.clock, panel_app.store
    specs = {prefix + id: spec for id, spec in panel_app.settings.lights.items()}
    first = {
        id: light_rules.first_light(id, spec, stored.get(id.removeprefix(prefix)), clock.now())
        for id, spec in specs.items()
    }
    driver = LightDriver(pins, specs, {id: light_rules.drive_of(light) for id, light in first.items()})
    lights = Lights(panel_app.panel, driver, specs, first, save=store.save, clock=clock.now)
    History(panel_app.panel, lights, store, clock.now)
    return driver, lights, LightSetups(panel_app.panel, lights, driver, specs, panel_app.settings, clock.now)
