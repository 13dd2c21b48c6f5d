"""The pages, and the Content-Security-Policy that keeps foreign code out of them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from quart import Blueprint, Response, render_template, request

from asgi_app import __version__
from asgi_app.routes.assets import EACH_TIME, Assets, respond

# No inline scripts or styles, nothing from other hosts. Who may embed the page, the gateway adds.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
# The script of the API viewer sets styles, which browsers count as inline.
VIEWER_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


PAGES = {
    "/": "lights",
    "/compare": "compare",
    "/lab": "lab",
    "/chat": "chat",
    "/ws": "chat",  # the address of the old chat page
    "/plan": "plan",
    "/watch": "watch",
    "/settings": "settings",  # the list of its sections, beside the lights where there is space
    "/settings/lights": "settings",
    "/settings/device": "device",
    "/settings/system": "system",
    "/access": "access",
    "/docs": "docs",
    "/docs/sockets": "sockets",
}


def pages(assets: Assets, chat_message: int) -> Blueprint:
    """Return the routes of the pages. They know the largest chat message, in bytes."""
    routes = Blueprint("pages", __name__)
    for path, name in PAGES.items():
        policy = VIEWER_POLICY if name == "docs" else POLICY
        page = partial(_page, assets, f"{name}.html", path, policy, chat_message)
        routes.add_url_rule(path, f"{path.strip('/')}_page", page)
    return routes


def panel_url(root: str) -> str:
    """Return the address of the panel as the current request named it. `root` is its path at a proxy, or empty."""
    return f"{request.host_url.removesuffix('/')}{root}/"


async def problem_page(assets: Assets, problem: dict[str, Any]) -> Response:
    """Return the page of a refusal, with its status."""
    html = await render_template("problem.html", path="", version=__version__, problem=problem)
    return await _respond(assets, html, POLICY, "no-store", problem["status"])


async def make_bundles(assets: Assets) -> None:
    """Make the bundles of every page, that of a refusal too."""
    for name in sorted({*PAGES.values(), "problem"}):
        html = await render_template(f"{name}.html", path="", version=__version__, chat_message=0, problem={})
        await asyncio.to_thread(assets.page, html)


async def _page(assets: Assets, template: str, path: str, policy: str, chat_message: int) -> Response:
    known: dict[str, Any] = {"path": path, "url": panel_url(assets.root), "version": __version__}
    html = await render_template(template, **known, chat_message=chat_message)
    return await _respond(assets, html, policy, EACH_TIME)


async def _respond(assets: Assets, html: str, policy: str, cache: str, status: int = 200) -> Response:
    response = await respond(await asyncio.to_thread(assets.page, html), cache, status)
    response.headers["Content-Security-Policy"] = policy
    return response
