"""`pilotlight` with a fault in every room: whatever is asked of it fails with an error that no client may see."""

from __future__ import annotations

from typing import Any

from asgi_app.cli.main import main
from asgi_app.service import Panel
from asgi_app.service.chat import Chat

SECRET = "the password is swordfish"


async def fail(*arguments: Any, **options: Any) -> Any:
    """What every handler comes to."""
    raise RuntimeError(SECRET)


if __name__ == "__main__":
    for owner, name in ((Panel, "perform"), (Chat, "messages"), (Chat, "say")):
        setattr(owner, name, fail)
    main()
