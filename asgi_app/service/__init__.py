"""The only door: `Panel` has the state and the lights, `Chat` the people, `Runs` the running processes."""

from asgi_app.service.panel import HISTORY, Driver, Panel, Session

__all__ = ["HISTORY", "Driver", "Panel", "Session"]
