"""The only way in: `Panel` has the state, and components (`Lights`, `Chat`, `Arrangement`, …) have the commands."""

from asgi_app.service.panel import Panel
from asgi_app.service.session import Session

__all__ = ["Panel", "Session"]
