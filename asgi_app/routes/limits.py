"""The bound of REST: commands a second from one address."""

from __future__ import annotations

from quart import Quart, request

from asgi_app.errors import TooFast
from asgi_app.limits import Addresses, Complaints
from asgi_app.proxies import address_of
from asgi_app.routes.cors import SAFE
from asgi_app.tally import Tally


def limit_commands(app: Quart, addresses: Addresses, tally: Tally, complaints: Complaints) -> None:
    """Refuse what would change something, from an address that asks too often (429)."""

    @app.before_request
    async def spend() -> None:
        if request.method in SAFE:
            return
        address = address_of(request.scope)
        try:
            addresses.spend(address)
        except TooFast as error:
            tally.refused += 1
            complaints.tell("rest", address, error)
            raise
