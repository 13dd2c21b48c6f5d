"""The end of a panel: a handshake that is under way is answered once, and later ones are told to come back."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from asgi_app.gateway import refuse_while_stopping
from asgi_app.server.run import _Uvicorn
from asgi_app.server.uvicorn_http import UvicornHTTP
from asgi_app.server.uvicorn_websocket import UvicornWebSocket
from tests.support.raw_sockets import upgrade


@pytest.mark.parametrize("said", ["websocket.close", "websocket.accept"])
async def test_a_handshake_that_is_under_way_at_the_end_is_answered_once(
    said: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        await go_on.wait()
        await send({"type": said})

    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, http=UvicornHTTP, ws=UvicornWebSocket, lifespan="off", log_config=None)
        server = _Uvicorn(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(upgrade("/live"))
        await asked.wait()
        with caplog.at_level(logging.ERROR):
            [handshake] = server.server_state.connections
            go_on.set()  # the application goes on in the next turn of the loop, and this is before it
            handshake.shutdown()
            answer = await reader.read()
            server.leave()
            await serving
        writer.close()
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert (caplog.text, failures) == ("", [])


async def test_uvicorn_wakes_for_the_date_and_for_its_end() -> None:
    """Not ten times a second, which is most of what an idle panel would do."""
    server = _Uvicorn(uvicorn.Config("none", log_config=None))
    ticks: list[bool] = []

    async def on_tick(counter: int) -> bool:
        ticks.append(server.should_exit)
        return server.should_exit

    server.on_tick = on_tick  # type: ignore[method-assign]
    running = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0.3)
    assert ticks == [False]
    server.leave()
    await asyncio.wait_for(running, 30)
    assert ticks == [False, True]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"type": "http", "method": "GET", "path": "/led"}, ("http.response.start", 503)),
        # With 403, which a closed handshake gets, clients such as websockets never come back.
        ({"type": "websocket", "path": "/live"}, ("websocket.http.response.start", 503)),
        ({"type": "websocket", "path": "/socket.io/"}, ("websocket.http.response.start", 503)),
        ({"type": "websocket", "path": "/live", "extensions": {}}, ("websocket.close", None)),
    ],
)
async def test_who_comes_while_it_stops_is_told_to_come_back(scope: dict[str, Any], expected: tuple[str, Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("a panel that stops takes nobody in")

    async def send(message: dict[str, Any]) -> None:
        sent.append((message["type"], message.get("status")))

    sent: list[tuple[str, Any]] = []
    health: Any = SimpleNamespace(stopping=True)
    scope = {"headers": [], "query_string": b"", "extensions": {"websocket.http.response": {}}, **scope}
    await refuse_while_stopping(health, app, scope, None, send)
    assert sent[0] == expected
