"""The pages, and the Content-Security-Policy that keeps foreign code out of them."""

from __future__ import annotations

from quart import Blueprint, Response, render_template

from asgi_app import __version__

# No inline scripts or styles, nothing from other hosts, no frames in other sites.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The script of the API viewer sets styles, which browsers count as inline.
VIEWER_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


def pages() -> Blueprint:
    """Return the routes of the pages: lights, chat, runs, comparison of transports, lab, access, API viewer."""
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    async def panel_page() -> Response:
        return await _page("panel.html")

    @routes.get("/compare")
    async def compare_page() -> Response:
        return await _page("compare.html")

    @routes.get("/lab")
    async def lab_page() -> Response:
        return await _page("lab.html")

    @routes.get("/chat")
    @routes.get("/ws")
    async def chat_page() -> Response:
        """Old chat pages link to `/ws`."""
        return await _page("chat.html")

    @routes.get("/watch")
    async def runs_page() -> Response:
        return await _page("watch.html")

    @routes.get("/access")
    async def access_page() -> Response:
        return await _page("access.html")

    @routes.get("/docs")
    async def docs_page() -> Response:
        return await _page("docs.html", VIEWER_POLICY)

    return routes


async def _page(template: str, policy: str = POLICY) -> Response:
    response = Response(await render_template(template, version=__version__), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-cache"
    return response
