"""The only door: `Panel` has the state, `Lights` the lights, `Chat` the people, `Runs` the running processes."""

from asgi_app.service.lights import Driver
from asgi_app.service.panel import HISTORY, Panel, Session

__all__ = ["HISTORY", "Driver", "Panel", "Session"]
