"""What the panel cannot do now, or not as often."""

from __future__ import annotations

from asgi_app.errors.base import PanelError


class TooMany(PanelError):
    """The panel or the connection has as many of something as the limit allows."""

    slug, title, status = "too-many", "A limit of the panel is reached", 409


class TooFast(PanelError):
    """The client sent more in a short time than the limit in `detail`."""

    slug, title, status = "too-fast", "This was sent too fast", 429


class TooMuchUnread(PanelError):
    """Too many bytes of answers are unread, so the panel makes no more large ones. Read them first."""

    slug, title, status = "too-much-unread", "Too many answers are still unread", 429


class TooManyConnections(PanelError, ConnectionError):
    """The address has as many connections as the limit allows."""

    slug, title, status = "too-many-connections", "Too many connections from your address", 429


class TooManyTries(PanelError):
    """Too many wrong secrets came from this address, or from all addresses together."""

    slug, title, status = "too-many-tries", "Too many wrong attempts", 429

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class LightOffline(PanelError, ConnectionError):
    """The panel cannot drive the pin now, and changed nothing. `detail` says why."""

    slug, title, status = "light-offline", "The light is offline", 503
    retry_after = 2  # the driver tries the pin again within this time: hw.driver.RETRY_LAST


class Full(PanelError, ConnectionError):
    """The panel has as many connections as the limit allows."""

    slug, title, status = "full", "The panel has no free connection", 503


class Restarting(PanelError, ConnectionError):
    """The panel is shutting down. Connect again in a moment."""

    slug, title, status = "restarting", "The panel is restarting", 503


class NoAnswer(PanelError, TimeoutError):
    """The producer of a run, or the process that has the light, did not answer in time. `detail` says which."""

    slug, title, status = "no-answer", "There was no answer in time", 504


class NotStored(PanelError, OSError):
    """The panel cannot write its file. The message was not sent; log lines wait in memory."""

    slug, title, status = "not-stored", "The panel cannot store data now", 507
