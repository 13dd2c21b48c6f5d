"""The frames of the old chat pages."""

from __future__ import annotations

from typing import Any

from tests.support.chat_people import OldClient


def group(sender: OldClient, msg: Any) -> dict[str, Any]:
    """What the others get of `sender.say(msg)`."""
    return {"username": sender.name, "msg": msg}


def private(sender: OldClient, msg: Any) -> dict[str, Any]:
    """Return the frame that the recipient of `sender.tell(…, msg)` gets."""
    return {"msg": msg, "from_user": sender.name}
