"""Access control: roles, identities, secrets, sign-in, and the audit trail."""

from asgi_app.access.access import GUEST, SCOPE, TICKET_SECONDS, VISITOR, Access, Visitor, kept_of, visitor_of
from asgi_app.access.accounts import Accounts
from asgi_app.access.audit import Audit
from asgi_app.access.claims import Claims
from asgi_app.access.codes import CODE_SECONDS
from asgi_app.access.devices import DEVICE_DAYS
from asgi_app.access.live_sessions import Staying
from asgi_app.access.opening import open_secrets
from asgi_app.access.secret_store import SecretStore

__all__ = [
    "CODE_SECONDS",
    "DEVICE_DAYS",
    "GUEST",
    "SCOPE",
    "TICKET_SECONDS",
    "VISITOR",
    "Access",
    "Accounts",
    "Audit",
    "Claims",
    "SecretStore",
    "Staying",
    "Visitor",
    "kept_of",
    "open_secrets",
    "visitor_of",
]
