"""The end of a panel: a handshake that is under way is answered once."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest
import uvicorn

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
            server.should_exit = True
            await serving
        writer.close()
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert (caplog.text, failures) == ("", [])
