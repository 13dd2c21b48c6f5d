"""Engine.IO's handshake by polling: its answer is the OPEN packet, also while a burst waits to be sent."""

from __future__ import annotations

from pathlib import Path

import httpx

from asgi_app.app import PanelApp
from asgi_app.settings import Settings


async def test_a_polling_client_is_welcomed_while_a_burst_waits(tmp_path: Path) -> None:
    house = PanelApp(Settings(pins="mock", data=tmp_path))
    transport = httpx.ASGITransport(house.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        house.panel.coalescer.defer(lambda: None)
        answer = await http.get("/socket.io/?EIO=4&transport=polling")
        house.panel.coalescer.flush()
    await house.sockets.eio.leave()
    assert answer.text.startswith('0{"sid"')
    assert "\x1e" not in answer.text
