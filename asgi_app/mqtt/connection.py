"""A connection to the broker: aiomqtt, with a way there that can be given up, and bounds on what the broker sends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import paho.mqtt.client as paho
from aiomqtt.exceptions import MqttConnectError

from asgi_app.errors import SetupError
from asgi_app.seams import Seam
from asgi_app.settings import Settings
from asgi_app.settings_file import read_secret

ANSWER = 10.0  # seconds that the broker may take for an answer
GREETING = 20.0  # seconds that it may take for its first one: a broker that is frozen answers as soon as it goes on
KEEPALIVE = 5  # seconds between pings: a broker that is frozen is noticed after twice as many
LARGEST = 1024 * 1024  # bytes of one message: the discovery of other devices is read too
WAITING = 1024  # messages that are not read yet; those after them are dropped
WAITING_BYTES = 2 * LARGEST
NOT_AUTHORIZED = (4, 5, 134, 135)  # of MQTT 3.1.1, 3.2.2.3, and as paho translates them

T = TypeVar("T")

SEAMS = (
    Seam(aiomqtt.Client, "_client _connected _disconnected _wait_for timeout"),
    Seam(paho.Client, "_check_keepalive _create_socket_connection _in_packet _sock_close _sock_recv"),
)

_library = logging.getLogger("pilotlight.mqtt.library")
# A lost connection is an error to it, and each message that is dropped has a line. The panel says what matters itself.
_library.addFilter(lambda record: _library.isEnabledFor(logging.DEBUG))


@dataclass(frozen=True, slots=True)
class Broker:
    """The address of a broker, and how to sign in there."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, settings: Settings) -> Broker:
        """Return the broker of the settings. Raises `SetupError` for a file that cannot be read."""
        password = read_secret(settings.mqtt_password_file, "mqtt_password_file")
        tls = None if settings.mqtt_ca is None else _trusting(settings.mqtt_ca)
        return cls(settings.mqtt_host, settings.mqtt_port, settings.mqtt_username or None, password, tls)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        reason = error.strerror if not isinstance(error, ssl.SSLError) else "it is no certificate in PEM"
        raise SetupError(f"Setting mqtt_ca: {ca} cannot be used: {reason}") from None


class _Incoming(asyncio.Queue[aiomqtt.Message]):
    """The messages that are not read yet, with a bound on their bytes beside that of their number."""

    _bytes = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        size = _size(item)
        if self._bytes + size > WAITING_BYTES:
            raise asyncio.QueueFull
        super().put_nowait(item)
        self._bytes += size

    def get_nowait(self) -> aiomqtt.Message:
        item = super().get_nowait()
        self._bytes -= _size(item)
        return item


def _size(message: aiomqtt.Message) -> int:
    return len(message.payload) if isinstance(message.payload, bytes) else 0


class Client(aiomqtt.Client):
    """One connection, over a socket that is connected already. Its thread does TLS only."""

    def __init__(self, broker: Broker, there: socket.socket, identifier: str, will: aiomqtt.Will | None) -> None:
        super().__init__(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            tls_context=broker.tls,
            identifier=identifier,
            will=will,
            logger=_library,
            keepalive=KEEPALIVE,
            queue_type=_Incoming,
            max_queued_incoming_messages=WAITING,
        )
        self._there = there
        link: Any = self._client
        receive, keep_alive = link._sock_recv, link._check_keepalive

        def bounded(size: int) -> bytes:
            if link._in_packet["remaining_length"] > LARGEST:
                raise aiomqtt.MqttError(f"it sends a message of more than {LARGEST // 1024} KiB")
            received: bytes = receive(size)
            return received

        link._sock_recv = bounded
        link._check_keepalive = lambda: keep_alive() if self._connected.done() else None  # no pings before the greeting
        link._create_socket_connection = lambda: there

    def leave(self) -> None:
        """Say goodbye, so that the broker does not publish the will."""
        self._client.disconnect()

    def cut(self) -> None:
        """Close the connection, whatever state it is in. A second call does nothing."""
        with contextlib.suppress(OSError):  # the thread may be in the handshake of TLS
            self._there.shutdown(socket.SHUT_RDWR)
        self._client._sock_close()
        self._there.close()
        self._disconnected.cancel()  # also if it has failed: asyncio would log an error that nobody has looked at

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:
        """Wait for an answer of the broker, and no longer than the connection lasts. Raises `aiomqtt.MqttError`."""
        limit, answer = self.timeout if timeout is None else timeout, asyncio.ensure_future(fut)
        try:
            await asyncio.wait((answer, self._disconnected), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                answer.result()  # a refusal says more than that the connection ended
            if self._disconnected.done():
                raise aiomqtt.MqttError("it ended the connection") from self._disconnected.exception()
            if not answer.done():
                raise aiomqtt.MqttError("it does not answer")
            return answer.result()
        finally:
            answer.cancel()


@contextlib.asynccontextmanager
async def connected(broker: Broker, identifier: str, will: aiomqtt.Will | None = None) -> AsyncIterator[Client]:
    """Connect to the broker while the context lasts. Raises `aiomqtt.MqttError`, `OSError`, `TimeoutError`."""
    async with asyncio.timeout(ANSWER):
        there = await _way_to(broker)
    client = Client(broker, there, identifier, will)
    try:
        client.timeout = GREETING
        await client.__aenter__()
        client.timeout = ANSWER
        yield client
    finally:
        client.cut()


async def _way_to(broker: Broker) -> socket.socket:
    """Return a socket that is connected to the broker: at the first of its addresses that answers."""
    loop = asyncio.get_running_loop()
    fault: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM):
        there = socket.socket(family, kind, protocol)
        try:
            there.setblocking(False)
            await loop.sock_connect(there, address)
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            there.setblocking(True)  # for the thread; paho sets it back
            return there
        except OSError as error:
            fault = error
            there.close()
        except BaseException:
            there.close()
            raise
    raise fault or OSError("it has no address")


def reason_of(error: BaseException) -> str:
    """Return why there is no connection, in words."""
    if isinstance(error, aiomqtt.MqttError) and error.__cause__ is not None:  # that it ended is no reason
        return reason_of(error.__cause__)
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, socket.gaierror):
        return "its name is unknown"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, MqttConnectError) and error.rc in NOT_AUTHORIZED:
        return "it refuses the user name or the password"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error).partition("] ")[2] or str(error)  # without the number of a code
    return "it does not answer" if said in ("Keep alive timeout", "Operation timed out") else said
