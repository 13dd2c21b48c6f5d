"""Errors of who asks: origins, hosts, roles, names and secrets."""

from __future__ import annotations

from asgi_app.errors.base import PanelError


class ForeignOrigin(PanelError, PermissionError):
    """The page is of another origin, and the setting `cors_origins` does not list it."""

    slug, title, status = "foreign-origin", "This origin is not allowed", 403


class SignInNeeded(PanelError, PermissionError):
    """The role is too low, and signing in would help. `detail` says how."""

    slug, title, status = "sign-in-needed", "Sign in first", 401


class SignInFailed(PanelError, PermissionError):
    """The PIN, password, token, ticket or code is wrong or was revoked."""

    slug, title, status = "sign-in-failed", "Signing in failed", 401


class NotAllowed(PanelError, PermissionError):
    """The role of the client is too low."""

    slug, title, status = "not-allowed", "Your role does not allow this", 403


class NameTaken(PanelError, PermissionError):
    """Somebody else has claimed the name with a password."""

    slug, title, status = "name-taken", "This name belongs to somebody else", 403


class WrongHost(PanelError, PermissionError):
    """The Host header is not an accepted value. DNS rebinding looks like this."""

    slug, title, status = "wrong-host", "The panel does not accept this host name", 421

    def __init__(self, detail: str, *, host: str, line: str | None = None, flag: str | None = None) -> None:
        """`line` (of the settings file) or `flag` would allow the host. None if nothing would."""
        super().__init__(detail)
        self.host, self.line, self.flag = host, line, flag


class UnknownToken(PanelError, LookupError):
    """No token has this id."""

    slug, title, status = "unknown-token", "There is no such token", 404


class UnknownSession(PanelError, LookupError):
    """No session that the client may see has this id."""

    slug, title, status = "unknown-session", "There is no such session", 404


class SecretsUnreadable(PanelError, OSError):
    """The panel cannot read its file of secrets. Until it can, nobody is signed in or can sign in."""

    slug, title, status = "secrets-unreadable", "Signing in is not possible now", 503
    retry_after = 1  # the panel tries again each second


class UnclaimedName(PanelError, LookupError):
    """Nobody has claimed the name."""

    slug, title, status = "unclaimed-name", "This name belongs to nobody", 404


class NameNeeded(PanelError, PermissionError):
    """Chat needs a name, and this connection has none."""

    slug, title, status = "name-needed", "Choose a name first", 403


class BadName(PanelError, ValueError):
    """This cannot be the name of a person or a room."""

    slug, title = "bad-name", "The name is not valid"
