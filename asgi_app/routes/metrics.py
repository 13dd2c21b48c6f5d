"""`/metrics`: the counters of the panel in Prometheus' text format, collected at each request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from quart import Blueprint, Response

from asgi_app import __version__
from asgi_app.hw.power import throttling
from asgi_app.service import Panel
from asgi_app.store import Store
from asgi_app.telemetry.counters import BOUNDS, Histogram

if TYPE_CHECKING:  # prometheus_client is imported when somebody asks: most panels are never asked
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BY_WIRE = (
    ("received", "messages_received", "Messages from clients."),
    ("sent", "messages_sent", "Messages to clients, once for each recipient."),
    ("conflated", "events_conflated", "Unsent events that a newer event replaced."),
    ("resyncs", "resyncs", "Clients that were too far behind and got a snapshot."),
    ("cut", "connections_cut", "Connections that the panel closed: they read too slowly, or sent too much."),
    ("refused", "refused", "Commands and connections over a limit."),
)


class EngineState(Protocol):
    """The link to the other panels, as it is measured."""

    @property
    def linked(self) -> bool: ...
    @property
    def reaches_keeper(self) -> bool: ...
    @property
    def joins(self) -> int: ...
    @property
    def trip(self) -> float: ...
    @property
    def expired(self) -> int: ...


class BrokerState(Protocol):
    """The link to the MQTT broker, as it is measured."""

    @property
    def connected(self) -> bool: ...


@dataclass(eq=False)
class Meters:
    """Converter of the panel's counters to Prometheus metrics, at each scrape."""

    panel: Panel
    store: Store
    lag: Histogram
    connections: Callable[[], int]
    socketio_clients: Callable[[], Mapping[str, int]]
    hardware_faults: Callable[[], int]
    engine: EngineState | None
    mqtt: BrokerState | None

    @cached_property
    def registry(self) -> CollectorRegistry:
        """Return a registry with these metrics and those of the process."""
        from prometheus_client import CollectorRegistry, ProcessCollector

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)  # `collect` is all that it calls
        ProcessCollector(registry=registry)
        return registry

    def collect(self) -> Iterable[Metric]:
        """Return all metrics."""
        yield _gauge("info", "The panel's version.", ["version"], {(__version__,): 1})
        yield from self._clients()
        yield _gauge("connections", "TCP connections that are open.", [], self.connections())
        unread = self.panel.unread
        yield _gauge("unread_bytes", "Bytes of answers that clients have not read.", [], unread.total)
        yield _counter("unread_refused", "Answers that had no room in the send budget.", [], unread.refused)
        yield _gauge("tasks", "Running asyncio tasks.", [], len(asyncio.all_tasks()))
        for field, name, text in BY_WIRE:
            counts = {(wire,): getattr(counters, field) for wire, counters in self.panel.counter_registry}
            yield _counter(name, text, ["wire"], counts)
        coalescer = self.panel.coalescer
        yield _counter("messages_coalesced", "Messages that were joined into one write.", [], coalescer.joined)
        yield _histogram("fanout_seconds", "Time to hand one event to all its subscribers.", coalescer.fanouts)
        yield _histogram("loop_lag_seconds", "Lag of the event loop.", self.lag)
        yield from self._hardware()
        if (engine := self.engine) is not None:
            yield _gauge("engine_linked", "Whether this panel and the others are one.", [], engine.linked)
            yield _gauge("engine_keeper_reached", "Whether the keeper is reached.", [], engine.reaches_keeper)
            yield _counter("engine_joins", "How often this panel has joined the others.", [], engine.joins)
            yield _gauge("engine_trip_seconds", "Last round trip to the engine.", [], engine.trip)
            yield _counter("engine_expired", "Commands of other panels that came too late.", [], engine.expired)
        if self.mqtt is not None:
            yield _gauge("mqtt_connected", "Whether the MQTT broker is reached.", [], self.mqtt.connected)
        yield _counter("store_commits", "Transactions that changed the database.", [], self.store.commits)
        yield _counter("store_failures", "Writes that failed.", [], self.store.failures)

    def _clients(self) -> Iterable[Metric]:
        sessions = self.panel.sessions_by_via()
        clients = {(wire,): sessions[wire] for wire in ("live", "panel", "chat")}
        clients |= {(f"socketio_{transport}",): count for transport, count in self.socketio_clients().items()}
        yield _gauge("clients", "Connected clients.", ["transport"], clients)

    def _hardware(self) -> Iterable[Metric]:
        online = {(id,): light.online for id, light in self.panel.state.lights.items()}
        yield _gauge("light_online", "Whether the pin can be driven.", ["light"], online)
        yield _counter("hardware_faults", "How often a light went offline.", [], self.hardware_faults())
        if (conditions := throttling()) is not None:
            yield _gauge("throttled", "What slows this Raspberry Pi down.", ["condition", "when"], conditions)


def metric_routes(meters: Meters) -> Blueprint:
    """Return the route of `/metrics`."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    async def get_metrics() -> Response:
        from prometheus_client import generate_latest

        text = generate_latest(meters.registry)
        return Response(text, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})

    return routes


def _family(kind: str, name: str, text: str, labels: list[str], values: Mapping[Any, float] | float) -> Metric:
    from prometheus_client import metrics_core

    family: Any = getattr(metrics_core, kind)(f"pilotlight_{name}", text, labels=labels)
    for of, value in (values if isinstance(values, Mapping) else {(): values}).items():
        family.add_metric(of, value)
    return family  # type: ignore[no-any-return]


_gauge = partial(_family, "GaugeMetricFamily")
_counter = partial(_family, "CounterMetricFamily")


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    from prometheus_client.metrics_core import HistogramMetricFamily

    family = HistogramMetricFamily(f"pilotlight_{name}", text)
    buckets: list[tuple[str, float]] = []
    below = 0
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], histogram.counts, strict=True):
        below += count
        buckets.append((bound, below))
    family.add_metric([], buckets, histogram.total)
    return family
