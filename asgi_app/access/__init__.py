"""Who may do what: the table of roles, who somebody is, what they signed in with, and the trail of what they did."""

from asgi_app.access.audit import Audit
from asgi_app.access.claims import Claims
from asgi_app.access.devices import DEVICE_DAYS
from asgi_app.access.identity import SCOPE, TICKET_SECONDS, Access, Visitor, visitor_of
from asgi_app.access.secret_store import SecretStore
from asgi_app.net.hosts import Hosts

__all__ = [
    "DEVICE_DAYS",
    "SCOPE",
    "TICKET_SECONDS",
    "Access",
    "Audit",
    "Claims",
    "Hosts",
    "SecretStore",
    "Visitor",
    "visitor_of",
]
