"""The pages, and the Content-Security-Policy that keeps foreign code out of them."""

from __future__ import annotations

from functools import partial

from quart import Blueprint, Response, render_template

from asgi_app import __version__

# No inline scripts or styles, nothing from other hosts, no frames in other sites.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
    "/settings": "settings",
    "/access": "access",
    "/docs": "docs",
}


def pages() -> Blueprint:
    """Return the routes of the pages: lights, schedules, chat, runs, transports, lab, settings, access, API viewer."""
    routes = Blueprint("pages", __name__)
    for path, name in PAGES.items():
        policy = VIEWER_POLICY if name == "docs" else POLICY
        routes.add_url_rule(path, f"{path.strip('/')}_page", partial(_page, f"{name}.html", policy))
    return routes


async def _page(template: str, policy: str) -> Response:
    response = Response(await render_template(template, version=__version__), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-cache"
    return response
