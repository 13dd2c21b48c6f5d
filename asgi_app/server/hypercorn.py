"""Serve the panel on hypercorn: its configuration, and our protocols in place of its own."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn import protocol as hypercorn_protocol
from hypercorn.asyncio import run as hypercorn_run
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from hypercorn.protocol import h11

from asgi_app.app import PanelApp
from asgi_app.net.admission import AdmissionControl
from asgi_app.net.request_head import HEAD_BYTES
from asgi_app.seams import Seam
from asgi_app.server import hypercorn_connection, hypercorn_http, hypercorn_websocket
from asgi_app.server.hypercorn_connection import HypercornConnection
from asgi_app.server.hypercorn_http import HypercornHTTP
from asgi_app.server.hypercorn_websocket import HypercornWebSocket
from asgi_app.server.listen import BACKLOG, GRACE

SEAMS = (
    Seam(Config, "create_ssl_context ssl_enabled"),
    Seam(hypercorn_run, "TCPServer"),
    Seam(hypercorn_protocol, "H11Protocol"),
    Seam(h11, "WSStream"),
    *hypercorn_connection.SEAMS,
    *hypercorn_http.SEAMS,
    *hypercorn_websocket.SEAMS,
)

# hypercorn looks its protocols up in these modules and has no setting for them. The classes keep nothing of a panel:
# each connection has its panel's configuration.
hypercorn_run.TCPServer = HypercornConnection  # type: ignore[assignment,attr-defined]
hypercorn_protocol.H11Protocol = HypercornHTTP  # type: ignore[assignment,attr-defined]
h11.WSStream = HypercornWebSocket  # type: ignore[assignment,attr-defined]


class _Config(Config):
    """hypercorn's configuration with a given TLS context, and with what our protocols need of the panel."""

    def __init__(self, tls: ssl.SSLContext | None, admission: AdmissionControl, ping_seconds: float) -> None:
        super().__init__()
        self.admission = admission
        self.ping_seconds = ping_seconds
        self._tls = tls

    @property
    def ssl_enabled(self) -> bool:
        return self._tls is not None

    def create_ssl_context(self) -> ssl.SSLContext | None:
        return self._tls


async def serve(
    panel_app: PanelApp, listener: socket.socket, tls: ssl.SSLContext | None, stopped: Callable[[], Awaitable[Any]]
) -> None:
    """Serve the panel on hypercorn until `stopped` returns."""
    config = _Config(tls, panel_app.admission, panel_app.settings.ping_interval)
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.backlog = BACKLOG
    config.websocket_max_message_size = panel_app.settings.max_frame
    config.h11_max_incomplete_size = HEAD_BYTES
    config.max_app_queue_size = 2  # messages that are read ahead; each may have `max_frame` bytes
    config.include_server_header = False
    config.graceful_timeout = GRACE
    config.shutdown_timeout = GRACE
    config.keep_alive_timeout = panel_app.settings.request_timeout
    config.ssl_handshake_timeout = panel_app.settings.request_timeout
    config.accesslog = None
    config.errorlog = logging.getLogger("pilotlight.hypercorn")
    await hypercorn_serve(panel_app.app, config, shutdown_trigger=stopped)
