"""Access control of one panel: who sends a request, and whether their role is enough.

All wires share it. A request's `Visitor` is made when somebody first asks for it. `permissions` has the roles.
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
import secrets as random
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from asgi_app.access import permissions
from asgi_app.access.audit import Audit
from asgi_app.access.claims import Claims
from asgi_app.access.codes import Codes
from asgi_app.access.devices import Devices
from asgi_app.access.identity import Identities
from asgi_app.access.live_sessions import LiveSessions
from asgi_app.access.login_throttle import LoginThrottle, SignInSource
from asgi_app.access.secret_store import SecretStore
from asgi_app.access.sessions import Sessions
from asgi_app.errors import PanelError, SecretsUnreadable, SignInFailed, SignInNeeded, TooMany
from asgi_app.models.access import STRANGER, Credentials, Identity, Role
from asgi_app.models.base import Actor, shown
from asgi_app.net.limits import RefusalLog
from asgi_app.net.machine_key import MachineKey
from asgi_app.net.origins import Origins
from asgi_app.net.proxies import PROXIED, address_of
from asgi_app.settings import Settings
from asgi_app.telemetry.counters import Counters

TICKET_SECONDS = 5
TICKETS = 1000  # unused tickets at once
SCOPE, VISITOR = "pilotlight.access", "pilotlight.visitor"  # entries of an ASGI scope
GUEST = "pilotlight.guest"  # the same: whose session it is, if another process shows it the lights
LOOPBACK = "127.0.0.1"  # the address of a program that shows the machine's key


class Access:
    """Authentication of requests, and authorisation of commands and events."""

    def __init__(
        self,
        settings: Settings,
        secret_store: SecretStore,
        origins: Origins,
        audit: Audit,
        counters: Counters | None = None,
        refusal_log: RefusalLog | None = None,
        claims: Claims | None = None,
    ) -> None:
        self.secret_store = secret_store
        self.audit = audit
        self.sessions = Sessions(secret_store, settings.sign_in_days)
        self.identities = Identities(settings, secret_store, self.sessions, claims)
        self.live = LiveSessions(self.identities, secret_store, self.sessions)
        self.throttle = LoginThrottle(counters=counters, refusal_log=refusal_log)
        self.machine_key = MachineKey()
        self.codes = Codes(secret_store, self.identities.are_valid)
        self.addresses: Callable[[], list[str]] = list  # at which other devices open the panel, as the server knows
        place = settings.port if settings.engine is None else "home"
        self.cookie = f"pilotlight-{place}"  # browsers keep cookies by host, whatever the port
        self.devices = Devices(secret_store, f"{self.cookie}-device")
        self._origins = origins
        self._tickets: dict[str, tuple[Credentials, float]] = {}
        self.share_ticket: Callable[[str, Credentials], None] = lambda ticket, credentials: None  # with a home

    def close(self) -> None:
        """Stop watching the secrets, and write the audit trail. Closing twice is no error."""
        self.live.close()
        self.machine_key.close()
        self.audit.flush()

    def identify(self, scope: Mapping[str, Any]) -> Identity:
        """Return who sends this request. Raises `SignInFailed`, `TooManyTries` for an invalid token or ticket."""
        address = address_of(scope)
        place = permissions.place_of(address, proxied=bool(scope.get(PROXIED)))
        headers = _headers(scope)
        credentials = Credentials()
        device = _cookie(headers.get("cookie", ""), self.devices.name)
        if (token := _token_in(headers.get("authorization"))) is not None:
            if self.machine_key.is_key(token):
                return self.identities.resolve(LOOPBACK, "loopback", credentials)
            credentials = self.verify(self.devices.source(address, place, device), token=token)
        elif scope["type"] == "websocket" and (ticket := _ticket_in(scope)) is not None:
            credentials = self.verify(self.devices.source(address, place, device), ticket=ticket)
        elif (cookie := _cookie(headers.get("cookie", ""), self.cookie)) and self._is_own_page(scope, headers):
            self.live.refresh()
            credentials = self.sessions.of_cookie(cookie)
        identity = self.identities.resolve(address, place, credentials)
        identity.device = device
        return identity

    def identify_by(self, identity: Identity, *, token: Any, ticket: Any) -> Identity:
        """Return the same client with a token or a ticket. Raises as `identify`."""
        credentials = self.verify(self.devices.source_of(identity), token, ticket)
        return self.identities.resolve(identity.address, identity.place, credentials, identity.most)

    def verify(self, source: SignInSource, token: Any = None, ticket: Any = None) -> Credentials:
        """Return the credentials of a token or a ticket. Raises `SignInFailed`, `TooManyTries`, `SecretsUnreadable`.

        A valid one is accepted even while its source must wait. Nobody can guess it, and somebody else behind the same
        address may have made the wrong tries.
        """
        self.check_secrets()
        subject = "token" if token else "ticket"
        if isinstance(token, str) and (id := self.secret_store.token_of(token)) is not None:
            self.throttle.right(source, subject)
            return Credentials(token=id)
        if not token and isinstance(ticket, str):
            credentials, until = self._tickets.pop(ticket, (None, 0.0))
            if credentials is not None and time.monotonic() < until:
                return credentials
        self.throttle.check(source, subject)
        self.throttle.wrong(source, subject)
        self.audit.note(Identity(address=source.address), "sign_in", outcome="refused", detail={"wrong": subject})
        if token:
            raise SignInFailed("Unknown or revoked token. Create another with `pilotlight token add`.")
        raise SignInFailed("Unknown or expired ticket. Get another with POST /access/ticket.")

    def ticket(self, identity: Identity) -> str:
        """Return a ticket for one connection, valid for `TICKET_SECONDS`. Raises `SignInNeeded`, `TooMany`."""
        if not identity.signed_in:
            raise SignInNeeded("A ticket needs a sign-in. Use a cookie (POST /access/sign-in) or a token.")
        now = time.monotonic()
        self._tickets = {ticket: kept for ticket, kept in self._tickets.items() if kept[1] > now}
        if len(self._tickets) >= TICKETS:
            raise TooMany(f"{TICKETS} tickets are unused. Wait {TICKET_SECONDS} s.")
        ticket = random.token_urlsafe(24)
        self.add_ticket(ticket, identity.credentials)
        self.share_ticket(ticket, identity.credentials)
        return ticket

    def add_ticket(self, ticket: str, credentials: Credentials) -> None:
        """Accept this ticket from now on, once."""
        self._tickets[ticket] = credentials, time.monotonic() + TICKET_SECONDS

    def check_secrets(self) -> None:
        """Read the secrets as they are now. Raises `SecretsUnreadable`."""
        self.live.refresh()
        if self.secret_store.trouble is not None:  # the log and /health/ready name the file; strangers need not know it
            raise SecretsUnreadable("The panel cannot read its secrets, so nobody can sign in. Its log says why.")

    def _is_own_page(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
        """Whether the cookie counts. It does not for a page of another origin, even if `cors_origins` allows it."""
        return self._origins.is_own(headers.get("origin"), scheme=scope["scheme"], host=headers.get("host"))

    def authorize_command(self, actor: Actor, command: Any) -> None:
        """Raise `SignInNeeded` or `NotAllowed` where the actor's role is too small for the command."""
        rule = permissions.of_command(type(command))
        if actor.identity.role < rule.role:
            raise self.refused(actor.identity, rule.role, str(command.do), actor)

    def check_event(self, actor: Actor, namespace: str, event: str) -> None:
        """Authorize a Socket.IO event that is not a command, like `authorize_command`."""
        rule = permissions.of_event(namespace, event)
        if actor.identity.role < rule.role:
            raise self.refused(actor.identity, rule.role, f"{namespace} {event}", actor)

    def refused(self, identity: Identity, needed: Role, what: str, actor: Actor | None = None) -> PanelError:
        """Record the refusal in the audit trail and return it."""
        error = permissions.refusal(identity, needed, what)
        self.audit.note(identity, what, actor=actor, outcome="refused", detail={"needed": needed.word})
        return error

    def record_command(self, actor: Actor, command: Any) -> None:
        """Record the command in the audit trail if the table says so."""
        if permissions.of_command(type(command)).kept:
            self.audit.note_command(actor, command)

    def event_done(self, actor: Actor, namespace: str, event: str, arguments: tuple[Any, ...]) -> None:
        """Record an event of a page, like `record_command`. What a producer publishes (`message`) has its own log."""
        if not permissions.of_event(namespace, event).kept:
            return
        sent = arguments[0] if arguments and isinstance(arguments[0], dict) else {"message": None}
        if "message" not in sent:
            subject, detail = str(sent.get("process_instance_id")), {"msg": shown(str(sent.get("msg")))}
            self.audit.note(actor.identity, event, actor=actor, subject=subject, detail=detail)


class Visitor:
    """The sender of one request, or of one connection."""

    def __init__(self, access: Access, scope: Mapping[str, Any]) -> None:
        self.access = access
        self.error: PanelError | None = None
        try:
            self.identity = access.identify(scope)
        except PanelError as error:
            self.error = error
            self.identity = STRANGER

    @classmethod
    def known(cls, access: Access, identity: Identity) -> Visitor:
        """Return the visitor whom another process has identified."""
        visitor = cls.__new__(cls)
        visitor.access, visitor.identity, visitor.error = access, identity, None
        return visitor

    def again(self) -> Visitor:
        """Return the visitor with the identity of now: credentials may be revoked while a request or session lasts."""
        self.access.live.refresh()
        now = copy.copy(self)
        now.identity = self.access.identities.now(self.identity)
        return now

    def shows(self, auth: Any) -> Visitor:
        """Return the visitor with the `{token}` or `{ticket}` of Socket.IO's `auth`. Raises as `Access.identify`."""
        if self.error is not None or not isinstance(auth, dict) or not (auth.get("token") or auth.get("ticket")):
            return self
        shown = copy.copy(self)
        shown.identity = self.access.identify_by(self.identity, token=auth.get("token"), ticket=auth.get("ticket"))
        return shown

    def require(self, needed: Role, what: str) -> None:
        """Raise the error of an invalid token, or `SignInNeeded` or `NotAllowed` where the role is too small."""
        if needed is Role.NOBODY:
            return
        if self.error is not None:
            raise self.error
        if self.identity.role < needed:
            raise self.access.refused(self.identity, needed, what)

    def actor(self, given: object, user_agent: str | None, via: str) -> Actor:
        """Return the actor with its name. Raises `NameTaken`, and the error of an invalid token."""
        if self.error is not None:
            raise self.error
        return self.access.identities.actor(self.identity, given, user_agent, via)


def visitor_of(scope: Any) -> Visitor:
    """Return the visitor of an ASGI scope, made at the first call."""
    visitor: Visitor | None = scope.get(VISITOR)
    if visitor is None:
        visitor = scope[VISITOR] = Visitor(scope[SCOPE], scope)
    return visitor


def kept_of(scope: Any) -> dict[str, Any]:
    """Return a scope with what `visitor_of` needs once the request has ended, and nothing else."""
    return {VISITOR: visitor_of(scope)}


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers that authenticate a request."""
    wanted = (b"authorization", b"cookie", b"origin", b"host")
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}


def _token_in(authorization: str | None) -> str | None:
    """The token of `Authorization: Bearer`, or the password of `Basic`, as clients send it for `http://me:<token>@pi`."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return None


def _ticket_in(scope: Mapping[str, Any]) -> str | None:
    """The ticket in the query string."""
    tickets = parse_qs(scope["query_string"].decode("latin-1")).get("ticket")
    return tickets[0] if tickets else None


def _cookie(header: str, name: str) -> str | None:
    found = re.search(rf"(?:^|;\s*){re.escape(name)}=([^;\s]+)", header) if name in header else None
    return found[1] if found else None
