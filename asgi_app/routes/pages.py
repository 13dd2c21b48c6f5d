"""The pages and the files they need, and the policy that keeps other people's code out of them."""

from __future__ import annotations

from quart import Blueprint, Response, render_template

from asgi_app import __version__
from asgi_app.routes.openapi import hide

# No inline script or style, nothing from another host, in no other site's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The API viewer styles its elements from its script, which a browser counts as inline style.
VIEWER_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


def pages() -> Blueprint:
    """The pages: lights, chat, runs, the comparison of the transports, the lab, who gets in, and the API viewer."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    @hide
    async def panel_page() -> Response:
        return await _page("panel.html")

    @routes.get("/compare")
    @hide
    async def compare_page() -> Response:
        return await _page("compare.html")

    @routes.get("/lab")
    @hide
    async def lab_page() -> Response:
        return await _page("lab.html")

    @routes.get("/chat")
    @routes.get("/ws")
    @hide
    async def chat_page() -> Response:
        """`/ws` is the address that the old chat page had."""
        return await _page("chat.html")

    @routes.get("/watch")
    @hide
    async def runs_page() -> Response:
        return await _page("watch.html")

    @routes.get("/access")
    @hide
    async def access_page() -> Response:
        return await _page("access.html")

    @routes.get("/docs")
    @hide
    async def docs_page() -> Response:
        return await _page("docs.html", VIEWER_POLICY)

    return routes


async def _page(template: str, policy: str = POLICY) -> Response:
    response = Response(await render_template(template, version=__version__), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-cache"
    return response
