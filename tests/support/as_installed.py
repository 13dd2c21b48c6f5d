"""`pilotlight` as its users have it: what only the tests installed is not there, and takes no half second to import."""

from __future__ import annotations

import sys

# The libraries under the panel's take these for their clients and brokers where they find them.
sys.modules.update(dict.fromkeys(("aiohttp", "redis", "requests")))  # None: importing it says that there is none

from asgi_app.cli.main import main  # noqa: E402 - only now

main()
