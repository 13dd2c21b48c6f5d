"""Rate limits of REST: commands and reads a second from each address."""

from __future__ import annotations

from typing import Any

from quart import Quart, request

from asgi_app.errors import TooFast
from asgi_app.net.admission import HEALTH
from asgi_app.net.limits import AddressRateLimit, RefusalLog
from asgi_app.net.proxies import address_of
from asgi_app.routes.cors import SAFE
from asgi_app.telemetry.counters import Counters


class RestRateLimit:
    """The rates of commands and of reads."""

    def __init__(
        self, commands: AddressRateLimit, reads: AddressRateLimit, counters: Counters, refusal_log: RefusalLog
    ) -> None:
        self._commands = commands
        self._reads = reads
        self._counters = counters
        self._refusal_log = refusal_log

    def spend(self, scope: Any) -> None:
        """Count the request with this ASGI scope. Raises `TooFast`."""
        address = address_of(scope)
        addresses = self._reads if scope["method"] in SAFE else self._commands
        try:
            addresses.spend(address)
        except TooFast as error:
            self._counters.refused += 1
            self._refusal_log.log("rest", address, error)
            raise


def limit_commands(app: Quart, limit: RestRateLimit) -> None:
    """Refuse requests over the limit (429)."""

    @app.before_request
    async def spend() -> None:
        if not request.path.startswith(HEALTH):  # service managers ask often
            limit.spend(request.scope)
