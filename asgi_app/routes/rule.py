"""`RouteRule`: a route without the two functions that werkzeug compiles to build its URL, until one is called.

The panel builds no URLs, and compiling two functions for each route takes a fifth of its start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quart.routing import QuartRule

from asgi_app.seams import Seam

SEAMS = (Seam(QuartRule, "_compile_builder"),)


class RouteRule(QuartRule):
    """A rule that compiles the functions which build its URL when one is needed."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_now = super()._compile_builder

        def build(rule: RouteRule, **values: Any) -> tuple[str, str]:
            return compile_now(append_unknown)(rule, **values)

        return build
