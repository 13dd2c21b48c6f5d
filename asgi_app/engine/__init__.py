"""One panel of several processes: each light has one owner, Redis carries the events, and every process mirrors them.

Nothing in Redis is an only copy. Without an engine, nothing of this package is imported.
"""

from __future__ import annotations

from asgi_app.engine.connection import SEAMS
from asgi_app.engine.engine import Engine
from asgi_app.engine.look import look
from asgi_app.engine.owner import Owner, address_here, file_of

__all__ = ["SEAMS", "Engine", "Owner", "address_here", "file_of", "look"]
