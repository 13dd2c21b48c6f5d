"""The bound of REST: commands a second from one address."""

from __future__ import annotations

from typing import Any

from quart import Quart, request

from asgi_app.errors import TooFast
from asgi_app.limits import Addresses, Complaints
from asgi_app.proxies import address_of
from asgi_app.routes.cors import SAFE
from asgi_app.tally import Tally


class CommandLimit:
    """What one address may ask for over REST."""

    def __init__(self, addresses: Addresses, tally: Tally, complaints: Complaints) -> None:
        self._addresses = addresses
        self._tally = tally
        self._complaints = complaints

    def spend(self, scope: Any) -> None:
        """One command, by the request with this ASGI scope. Raises `TooFast`."""
        address = address_of(scope)
        try:
            self._addresses.spend(address)
        except TooFast as error:
            self._tally.refused += 1
            self._complaints.tell("rest", address, error)
            raise


def limit_commands(app: Quart, limit: CommandLimit) -> None:
    """Refuse what would change something, from an address that asks too often (429)."""

    @app.before_request
    async def spend() -> None:
        if request.method not in SAFE:
            limit.spend(request.scope)
