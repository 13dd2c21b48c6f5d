"""What is refused before a route can be read by pages of allowed origins, as every answer (contract, section A)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from asgi_app.app import PanelApp
from asgi_app.settings import Settings

PAGE = "http://page.example"


@pytest_asyncio.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    house = PanelApp(Settings(pins="mock", data=tmp_path, cors_origins=[PAGE]))
    transport = httpx.ASGITransport(house.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
    house.store.close()


@pytest.mark.parametrize(("origin", "allowed"), [(PAGE, [PAGE]), ("http://other.example", [])])
@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", "/socket.io/?EIO=4&transport=polling&sid=x", {"content": bytes(1_100_000)}, 413),
        ("POST", "/api", {"content": bytes(1_100_000), "headers": {"Content-Type": "application/json"}}, 413),
        ("GET", "/lights", {"headers": {"Host": "rebound.example"}}, 421),
        ("GET", "/lights", {}, 200),
        ("GET", "/socket.io/?EIO=4&transport=nonsense", {}, 400),
    ],
)
async def test_it_is_shared(
    http: httpx.AsyncClient, method: str, path: str, sent: dict[str, Any], status: int, origin: str, allowed: list[str]
) -> None:
    headers = {"Origin": origin, **sent.get("headers", {})}
    answer = await http.request(method, path, content=sent.get("content"), headers=headers)
    assert answer.headers.get_list("access-control-allow-origin") == allowed
    assert not allowed or "Origin" in answer.headers["vary"]
    assert not allowed or answer.status_code == status
