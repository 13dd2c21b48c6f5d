"""How a test signs in: PIN, token and cookie, and how it reads a refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed

from tests.support.inbox import TIMEOUT
from tests.support.live_client import strict_json
from tests.support.panel_process import RunningPanel, run_pilotlight

Start = Callable[..., RunningPanel]


def pin_of(panel: RunningPanel) -> str:
    """What `pilotlight pin` says; from the file, which is quicker."""
    pin: str = json.loads((panel.data / "access.json").read_text())["pin"]
    return pin


def token_of(panel: RunningPanel, role: str, *more: str) -> str:
    return run_pilotlight("token", "add", f"a {role}", f"--role={role}", f"--data={panel.data}", *more).stdout.strip()


def sign_in(panel: RunningPanel, cookie: str | None = None, **shown: str) -> httpx.Response:
    return panel.post("/access/sign-in", json=shown, headers={"Cookie": cookie} if cookie else {})


def cookie_of(answer: httpx.Response) -> str:
    """What a browser would send from now on."""
    assert answer.status_code == 200, answer.text
    return answer.headers["Set-Cookie"].partition(";")[0]


def slug(answer: httpx.Response | dict[str, Any]) -> str:
    problem = answer.json() if isinstance(answer, httpx.Response) else answer
    return str(problem["type"]).rpartition(":")[2]


async def closed(socket: Any) -> tuple[int, list[dict[str, Any]]]:
    """The code with which the panel closes it, and what came before."""
    frames = []
    try:
        while True:
            frames.append(strict_json(await asyncio.wait_for(socket.recv(), TIMEOUT)))
    except ConnectionClosed as ended:
        return ended.rcvd.code if ended.rcvd else 1006, frames
