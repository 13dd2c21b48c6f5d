"""Who somebody is: by where they are, what they show, and the name they have claimed.

One place for all wires. A request's `Visitor` is made from its ASGI scope when somebody asks for it; what it may is
looked up in `rules`. Connections that stay are remembered: they end when what they signed in with is taken back.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import copy
import logging
import re
import secrets as random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from asgi_app.access import permissions
from asgi_app.access.audit import Audit
from asgi_app.access.claims import Claims
from asgi_app.access.devices import Devices
from asgi_app.access.login_throttle import LoginThrottle, SignInSource
from asgi_app.access.passwords import Passwords
from asgi_app.access.secret_store import Secrets, SecretStore, Session, Token, name_key
from asgi_app.access.sessions import Sessions
from asgi_app.errors import (
    BadCommand,
    NameTaken,
    NotStored,
    PanelError,
    SecretsUnreadable,
    SignInFailed,
    SignInNeeded,
    TooMany,
    UnclaimedName,
    UnknownSession,
    UnknownToken,
)
from asgi_app.models import STRANGER, Actor, AnyCommand, Credentials, Identity, Role, actor, as_json, shown
from asgi_app.net.address import written
from asgi_app.net.limits import RefusalLog
from asgi_app.net.machine_key import MachineKey
from asgi_app.net.origins import Origins
from asgi_app.net.proxies import PROXIED, address_of
from asgi_app.settings import Settings
from asgi_app.telemetry.counters import Counters
from asgi_app.telemetry.loop_lag import ended

log = logging.getLogger("pilotlight.access")

TICKET_SECONDS = 5
TICKETS = 1000  # that are waiting to be used
PASSWORD = range(8, 129)  # characters
WATCH_SECONDS = 1.0  # between two looks whether the command line has changed the secrets
SCOPE = "pilotlight.access"
LOOPBACK = "127.0.0.1"  # the address of who has the machine's key

End = Callable[[PanelError], None]


class _Connection(NamedTuple):
    actor: Actor
    end: End


class Access:
    """Who is who, and who may what. It is the panel's `Gate`.

    `check_name` says what a chat name looks like, and raises for one that nobody can have.
    """

    def __init__(
        self,
        settings: Settings,
        secret_store: SecretStore,
        origins: Origins,
        audit: Audit,
        counters: Counters | None = None,
        refusal_log: RefusalLog | None = None,
        claims: Claims | None = None,
        check_name: Callable[[str], str] = lambda name: name,
    ) -> None:
        self.secret_store = secret_store
        self.sessions = Sessions(secret_store, settings.sign_in_days)
        self._claims = claims
        self.machine_key = MachineKey()
        self.audit = audit
        self.cookie = f"pilotlight-{settings.port}"  # browsers keep cookies by host, whatever the port
        self.devices = Devices(secret_store, f"{self.cookie}-device")
        self.days = settings.sign_in_days
        self._check_name = check_name
        self._origins = origins
        self._roles: Mapping[str, Role] = {
            "loopback": Role.of(settings.role_loopback),
            "network": Role.of(settings.role_network),
            "elsewhere": Role.NOBODY,
            "pin": Role.of(settings.role_pin),
        }
        self._throttle = LoginThrottle(counters=counters, refusal_log=refusal_log)
        self._passwords = Passwords()
        self._hashing = asyncio.Lock()  # one at a time: each takes 64 MiB
        self._tickets: dict[str, tuple[Credentials, float]] = {}
        self._connections: dict[object, _Connection] = {}
        self._watching: asyncio.Task[None] | None = None

    # --- who it is -----------------------------------------------------------------------------------------

    def identify(self, scope: Mapping[str, Any]) -> Identity:
        """Who sends this request. Raises `SignInFailed`, `TooManyTries` for a token or ticket that is none."""
        address = written(address_of(scope))
        place = permissions.place_of(address, proxied=bool(scope.get(PROXIED)))
        headers = _headers(scope)
        credentials = Credentials()
        device = _cookie(headers.get("cookie", ""), self.devices.name)
        if (token := _token_in(headers.get("authorization"))) is not None:
            if self.machine_key.is_key(token):
                return self._identity(LOOPBACK, "loopback", credentials)
            credentials = self._shown(self.devices.guesser(address, place, device), token=token)
        elif scope["type"] == "websocket" and (ticket := _ticket_in(scope)) is not None:
            credentials = self._shown(self.devices.guesser(address, place, device), ticket=ticket)
        elif (cookie := _cookie(headers.get("cookie", ""), self.cookie)) and self._is_own_page(scope, headers):
            credentials = self._of_cookie(cookie)
        identity = self._identity(address, place, credentials)
        identity.device = device
        return identity

    def identify_by(self, identity: Identity, *, token: Any, ticket: Any) -> Identity:
        """The same address with a token or a ticket. Raises as `identify`."""
        guesser = self.devices.guesser_of(identity)
        return self._identity(identity.address, identity.place, self._shown(guesser, token, ticket))

    def now(self, identity: Identity) -> Identity:
        """Who it is by now, with what it has shown."""
        return self._identity(identity.address, identity.place, identity.credentials)

    async def sign_out(self, identity: Identity) -> Identity:
        """End what it has signed in with, wherever that cookie is: who it is without. Raises `NotStored`."""
        if (session := identity.credentials.session) is not None:
            with contextlib.suppress(UnknownSession):
                await asyncio.to_thread(self.sessions.end, session)
            self.audit.note(identity, "sign_out", subject=identity.name)
            self._review()
        return self._identity(identity.address, identity.place, Credentials())

    def _identity(self, address: str, place: str, credentials: Credentials) -> Identity:
        """What the credentials is worth now; of it is left what is worth anything."""
        known = self.secret_store.secrets
        role, how, name = self._roles[place], place, None
        if self.secret_store.trouble is not None or (
            credentials.session is not None and self.sessions.get(credentials.session) is None
        ):
            credentials = Credentials()
        if credentials.name is not None:
            claim = known.names.get(name_key(credentials.name[0]))
            if claim is not None and claim.generation == credentials.name[1]:
                name = claim.name
            else:
                credentials = credentials._replace(name=None)
        if credentials.token is not None and (token := known.tokens.get(credentials.token)) is not None:
            role, how = Role.of(token.role), f"token {token.label}"
            name = name or _name_of_token(token, known)
        elif credentials.pin == known.pin_generation:
            role, how, credentials = max(role, self._roles["pin"]), "pin", credentials._replace(token=None)
        else:
            credentials = credentials._replace(token=None, pin=None)
        if credentials.is_empty:
            credentials = Credentials()
        return Identity(role, how, address, place, name, credentials)

    def _shown(self, who: SignInSource, token: Any = None, ticket: Any = None) -> Credentials:
        """Return the credentials of a token or a ticket. A right one is accepted even while its host must wait: nobody
        guesses it, and others behind the address may be the ones who guess."""
        self._refresh()
        self._check_secrets()
        subject = "token" if token else "ticket"
        if isinstance(token, str) and (id := self.secret_store.token_of(token)) is not None:
            self._throttle.right(who, subject)
            return Credentials(token=id)
        if not token and isinstance(ticket, str):
            credentials, until = self._tickets.pop(ticket, (None, 0.0))
            if credentials is not None and time.monotonic() < until:
                return credentials
        self._throttle.check(who, subject)
        self._throttle.wrong(who, subject)
        self.audit.note(Identity(address=who.address), "sign_in", outcome="refused", detail={"wrong": subject})
        raise SignInFailed(f"this {subject} is none of the panel's, or no longer; make another")

    def _of_cookie(self, cookie: str) -> Credentials:
        self._refresh()
        return self.sessions.of_cookie(cookie)

    def _is_own_page(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
        """A page that only `cors_origins` lets in does not act in the name of who is signed in."""
        return self._origins.is_own(headers.get("origin"), scheme=scope["scheme"], host=headers.get("host"))

    # --- what it may ---------------------------------------------------------------------------------------

    def authorize_command(self, actor: Actor, command: AnyCommand) -> None:
        """Raises `SignInNeeded` or `NotAllowed` where the actor's role is too small for the command."""
        rule = permissions.of_command(type(command))
        if actor.identity.role < rule.role:
            raise self.refused(actor.identity, rule.role, str(command.do), actor)

    def check_event(self, actor: Actor, namespace: str, event: str) -> None:
        """As `authorize_command`, for an event of Socket.IO that is no command."""
        rule = permissions.of_event(namespace, event)
        if actor.identity.role < rule.role:
            raise self.refused(actor.identity, rule.role, f"{namespace} {event}", actor)

    def event_done(self, actor: Actor, namespace: str, event: str, arguments: tuple[Any, ...]) -> None:
        """As `record_command`, for an event of a page. What a producer publishes (`message`) has its own log."""
        sent = arguments[0] if arguments and isinstance(arguments[0], dict) else {"message": None}
        if permissions.of_event(namespace, event).kept and "message" not in sent:
            subject, detail = str(sent.get("process_instance_id")), {"msg": shown(str(sent.get("msg")))}
            self.audit.note(actor.identity, event, actor=actor, subject=subject, detail=detail)

    def refused(self, identity: Identity, needed: Role, what: str, actor: Actor | None = None) -> PanelError:
        """The refusal, which is in the trail."""
        error = permissions.refusal(identity, needed, what)
        self.audit.note(identity, what, actor=actor, outcome="refused", detail={"needed": needed.word})
        return error

    def record_command(self, actor: Actor, command: AnyCommand) -> None:
        """The command was done: it is in the trail where the table says so."""
        if permissions.of_command(type(command)).kept:
            self.audit.note_command(actor, command)

    # --- names ---------------------------------------------------------------------------------------------

    def actor(self, identity: Identity, given: object, user_agent: str | None, via: str) -> Actor:
        """Who asks, under which name. Raises `NameTaken` for a name that belongs to somebody else.

        A name counts in the chat from the role operator on: who may only look speaks under none, and has no letters.
        """
        text = given if isinstance(given, str) and given.strip() else identity.name
        who = actor(text, user_agent, via, identity)
        for name in {who.name, who.given} - {None}:
            owner = self._owner(str(name))
            if owner is None:
                continue
            if owner == identity.name:
                return who.model_copy(update={"name": owner, "given": owner})
            if text is None:  # what the User-Agent says is no claim to be somebody
                return who.model_copy(update={"name": "someone"})
            raise NameTaken(
                f"{owner} belongs to who signed in with it first; sign in as {owner} at /access, use a token of that "
                "name, or choose another name",
                field="name",
            )
        if identity.role < Role.OPERATOR and identity.name is None:
            return who.model_copy(update={"given": None})
        return who

    def _owner(self, name: str) -> str | None:
        """The name as its owner writes it, where it or one that looks like it belongs to somebody."""
        known = self.secret_store.secrets
        owner = known.owner(name)
        return owner or (self._claims.owner_lost(name, known) if self._claims is not None else None)

    def lost_names(self) -> list[str]:
        """The names that were claimed, and whose owners the secrets do not know any more."""
        return sorted(self._claims.lost(self.secret_store.secrets).values()) if self._claims is not None else []

    # --- signing in ----------------------------------------------------------------------------------------

    async def sign_in(
        self,
        identity: Identity,
        *,
        pin: str | None = None,
        token: str | None = None,
        name: str | None = None,
        password: str | None = None,
        device: str = "",
    ) -> tuple[Identity, str]:
        """Who somebody is with what they show, besides what they have shown before; and the cookie that says so.

        `device` is what the browser calls itself. Raises `SignInFailed`, `TooManyTries`, `SecretsUnreadable`, and what
        is wrong with a name.
        """
        if (name is None) is not (password is None) or (pin or token or name) is None:
            raise BadCommand("give pin, or token, or name and password")
        address, credentials = identity.address, identity.credentials
        if pin is not None or name is not None:
            self._throttle.check(self.devices.guesser_of(identity))
        self._refresh()
        self._check_secrets()
        if pin is not None:
            self._check_pin(identity, pin)
            credentials = credentials._replace(pin=self.secret_store.secrets.pin_generation, token=None)
        if token is not None:
            shown = self._shown(self.devices.guesser_of(identity), token=token)
            credentials = shown._replace(name=credentials.name, session=credentials.session)
        if name is not None and password is not None:
            now = self._identity(address, identity.place, credentials)
            credentials = credentials._replace(name=await self._own(now, name, password))
        credentials, cookie = await asyncio.to_thread(self.sessions.begin, credentials, address, device)
        signed_in = self._identity(address, identity.place, credentials)
        signed_in.device = identity.device
        self.audit.note(signed_in, "sign_in", subject=signed_in.name, detail={"role": signed_in.role.word})
        return signed_in, cookie

    def _check_pin(self, identity: Identity, pin: str) -> None:
        if self.secret_store.is_pin(pin):
            self._throttle.right(self.devices.guesser_of(identity), "pin")
            return
        self._throttle.wrong(self.devices.guesser_of(identity), "pin")
        self.audit.note(identity, "sign_in", outcome="refused", detail={"wrong": "pin"})
        raise SignInFailed("that is not the PIN; pilotlight pin shows it on the panel's own machine", field="pin")

    async def _own(self, identity: Identity, name: str, password: str) -> tuple[str, int]:
        """The claim on this name, by its password; a name that is nobody's is claimed with it."""
        claim = self.secret_store.secrets.names.get(name_key(name))
        lost = self._claims.owner_lost(name, self.secret_store.secrets) if self._claims is not None else None
        if claim is None and lost is not None:
            raise NameTaken(
                f"{lost} belongs to somebody, and the password was lost with the panel's secrets; an admin can release "
                "the name at /access",
                field="name",
            )
        if claim is None:
            return await self._claim(identity, self._check_name(name), password)
        subject, who = f"name {claim.name}", self.devices.guesser_of(identity)
        self._throttle.wrong(who, subject)  # before the wait, in which others could try too
        if not await self._is_password(claim.password, password):
            self.audit.note(identity, "sign_in", subject=claim.name, outcome="refused", detail={"wrong": "password"})
            raise SignInFailed(f"that is not the password of {claim.name}", field="password")
        self._throttle.right(who, subject)
        return claim.name, claim.generation

    async def _is_password(self, hash: str, password: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(self._passwords.verify, hash, password)

    async def _claim(self, identity: Identity, name: str, password: str) -> tuple[str, int]:
        if identity.role < Role.OPERATOR:
            raise self.refused(identity, Role.OPERATOR, f"claiming the name {name}")
        if (owner := self._owner(name)) is not None:
            raise NameTaken(f"{name} looks like {owner}, which belongs to somebody. Choose another name.", field="name")
        if len(password) not in PASSWORD:
            raise BadCommand(f"a password has {PASSWORD[0]} to {PASSWORD[-1]} characters", field="password")
        async with self._hashing:
            hash = await asyncio.to_thread(self._passwords.hash, password)
        generation = await asyncio.to_thread(self.secret_store.change, lambda known: known.claim(name, hash))
        self.audit.note(identity, "claim_name", subject=name)
        self._review()
        return name, generation

    async def release(self, identity: Identity, name: str) -> None:
        """The name is nobody's again; by its owner or an admin. Raises `UnclaimedName`, `NotAllowed`."""
        self._refresh()
        owner = self._owner(name)
        if owner != identity.name or owner is None:
            permissions.check(identity, Role.ADMIN, f"releasing the name {as_json(name)} of somebody else")

        def release(known: Secrets) -> bool:
            return known.names.pop(name_key(name), None) is not None

        released = owner is not None and await asyncio.to_thread(self.secret_store.change, release)
        if self._claims is not None:
            released = await self._claims.release(name) or released
        if not released:
            raise UnclaimedName(f"{as_json(name)} belongs to nobody", field="name")
        self.audit.note(identity, "release_name", subject=owner)
        self._review()

    # --- tokens and tickets --------------------------------------------------------------------------------

    async def add_token(self, identity: Identity, label: str, role: Role, name: str | None) -> tuple[str, str]:
        """Make a token: its id, and the token. Bound to a name it speaks as that one: a free one, or one's own."""
        if name is not None:
            name = self._check_name(name)
            if self._owner(name) not in (None, identity.name):
                raise NameTaken(f"{name} belongs to somebody else: only they can have a token for it", field="name")
        made = await asyncio.to_thread(self.secret_store.add_token, label, role, name)
        self.audit.note(identity, "add_token", subject=label, detail={"role": role.word})
        self._review()
        return made

    async def revoke_token(self, identity: Identity, id: str) -> None:
        """Take it back; whoever is connected with it is out. Raises `UnknownToken`."""
        if id not in self.secret_store.secrets.tokens:
            raise UnknownToken(f"no token {as_json(id)}", field="id")
        token = await asyncio.to_thread(self.secret_store.revoke_token, id)
        self.audit.note(identity, "revoke_token", subject=token.label)
        self._review()

    # --- sessions ------------------------------------------------------------------------------------------

    def sessions_for(self, identity: Identity) -> dict[str, tuple[Session, Identity]]:
        """The sessions that somebody may see and end, with what each is worth: admins all, others their own and those
        under their name. Raises `SignInNeeded`."""
        if identity.role < Role.ADMIN and not identity.signed_in:
            raise SignInNeeded("your sessions are for who is signed in; sign in at /access")
        self._refresh()
        found = {}
        for id, session in self.sessions.all().items():
            worth = self._identity(
                session.address, "elsewhere", Credentials(session.pin, session.token, session.name, id)
            )
            own = id == identity.credentials.session or (worth.name is not None and worth.name == identity.name)
            if worth.signed_in and (own or identity.role is Role.ADMIN):
                found[id] = session, worth
        return found

    async def end_session(self, identity: Identity, id: str) -> None:
        """End it; whoever is connected with it is out. Raises `UnknownSession`, `SignInNeeded`, `NotStored`."""
        found = self.sessions_for(identity).get(id)
        if found is None:
            raise UnknownSession(f"no session {as_json(id)}", field="id")
        await asyncio.to_thread(self.sessions.end, id)
        self.audit.note(identity, "end_session", subject=found[0].device, detail={"address": found[0].address})
        self._review()

    def ticket(self, identity: Identity) -> str:
        """A ticket for one connection, for `TICKET_SECONDS`. Raises `SignInNeeded`, `TooMany`."""
        if not identity.signed_in:
            raise SignInNeeded("a ticket is for who is signed in: with a cookie (POST /access/sign-in) or a token")
        now = time.monotonic()
        self._tickets = {ticket: kept for ticket, kept in self._tickets.items() if kept[1] > now}
        if len(self._tickets) >= TICKETS:
            raise TooMany(f"{TICKETS} tickets wait to be used; wait {TICKET_SECONDS} s")
        ticket = random.token_urlsafe(24)
        self._tickets[ticket] = identity.credentials, now + TICKET_SECONDS
        return ticket

    # --- connections that stay -----------------------------------------------------------------------------

    def connected(self, actor: Actor, end: End) -> Callable[[], None]:
        """Remember a connection; `end` is called when its actor is not any more who it was. Call the result when it
        is gone."""
        key = object()
        self._connections[key] = _Connection(actor, end)
        if self.now(actor.identity).credentials != actor.identity.credentials:  # taken back since it began to connect
            asyncio.get_running_loop().call_soon(self._review)

        def gone() -> None:
            self._connections.pop(key, None)

        return gone

    def start(self) -> None:
        """Begin to look whether the command line changes the secrets."""
        self._note_claims()
        self._watching = asyncio.create_task(self._watch(), name="access")

    def ended(self) -> str | None:
        """What of it has ended by a fault, and why: then what is revoked would stay valid."""
        return ended((self._watching,))

    def close(self) -> None:
        """What is in the trail is written; closing twice is no error."""
        if self._watching is not None:
            self._watching.cancel()
        self.machine_key.close()
        self.audit.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._refresh()
            if self.secret_store.trouble is None and self.sessions.are_stale():
                with contextlib.suppress(NotStored):  # a full disk; they are worth nothing all the same
                    await asyncio.to_thread(self.sessions.tidy)
                self._review()

    def _refresh(self) -> None:
        if self.secret_store.refresh():
            self._review()

    def _check_secrets(self) -> None:
        if (
            self.secret_store.trouble is not None
        ):  # the log and /health/ready say which file, and strangers need not know
            raise SecretsUnreadable("the panel cannot read its secrets, so nobody can sign in; its log says why")

    def _note_claims(self) -> None:
        if self._claims is not None:
            self._claims.follow(self.secret_store.secrets)

    def _review(self) -> None:
        """End the connections whose credentials is worth another role now, or whose name is somebody else's."""
        self._note_claims()
        for key, (who, end) in list(self._connections.items()):
            was = who.identity
            now = self.now(was)
            error: PanelError | None = None
            if (now.role, now.name, now.credentials) != (was.role, was.name, was.credentials):
                error = SignInNeeded("what you signed in with has changed or was taken back; sign in again at /access")
            elif who.given is not None and self._owner(who.given) not in (None, now.name):
                error = NameTaken(
                    f"{who.given} belongs to somebody now; sign in as {who.given}, or choose another name"
                )
            if error is not None:
                self._connections.pop(key, None)
                was.role = min(was.role, now.role)
                with contextlib.suppress(KeyError):  # it has gone meanwhile
                    end(error)


class Visitor:
    """Who sends one request, or begins one connection."""

    def __init__(self, access: Access, scope: Mapping[str, Any]) -> None:
        self.access = access
        self.error: PanelError | None = None
        try:
            self.identity = access.identify(scope)
        except PanelError as error:
            self.error = error
            self.identity = STRANGER

    def again(self) -> Visitor:
        """The same one as it is by now: a connection of Engine.IO outlives what it was opened with."""
        now = copy.copy(self)
        now.identity = self.access.now(self.identity)
        return now

    def shows(self, auth: Any) -> Visitor:
        """The same one with what Socket.IO's `auth` shows, `{token}` or `{ticket}`. Raises as `Access.identify`."""
        if self.error is not None or not isinstance(auth, dict) or not (auth.get("token") or auth.get("ticket")):
            return self
        shown = copy.copy(self)
        shown.identity = self.access.identify_by(self.identity, token=auth.get("token"), ticket=auth.get("ticket"))
        return shown

    def require(self, needed: Role, what: str) -> None:
        """Raises what was wrong with its token, or `SignInNeeded` or `NotAllowed` where its role is too small."""
        if needed is Role.NOBODY:
            return
        if self.error is not None:
            raise self.error
        if self.identity.role < needed:
            raise self.access.refused(self.identity, needed, what)

    @contextlib.contextmanager
    def staying(self, actor: Actor, end: End) -> Iterator[None]:
        """As `Access.connected`, for as long as this lasts."""
        gone = self.access.connected(actor, end)
        try:
            yield
        finally:
            gone()

    def actor(self, given: object, user_agent: str | None, via: str) -> Actor:
        """Who it is by name. Raises `NameTaken`, and what was wrong with its token."""
        if self.error is not None:
            raise self.error
        return self.access.actor(self.identity, given, user_agent, via)


def visitor_of(scope: Any) -> Visitor:
    """The visitor of an ASGI scope: made once, when somebody asks."""
    found = scope[SCOPE]
    if isinstance(found, Access):
        found = scope[SCOPE] = Visitor(found, scope)
    visitor: Visitor = found
    return visitor


def _name_of_token(token: Token, known: Secrets) -> str | None:
    claim = known.names.get(name_key(token.name)) if token.name is not None else None
    return claim.name if claim is not None and claim.generation == token.generation else None


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers that say who somebody is."""
    wanted = (b"authorization", b"cookie", b"origin", b"host")
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}


def _token_in(authorization: str | None) -> str | None:
    """The token in `Authorization: Bearer`; also as the password of `Basic`, which is what a client makes of an address
    like `http://me:<token>@pi:5000`: so programs that can be told nothing but an address can sign in too."""
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
    """The ticket in a socket's address."""
    tickets = parse_qs(scope["query_string"].decode("latin-1")).get("ticket")
    return tickets[0] if tickets else None


def _cookie(header: str, name: str) -> str | None:
    found = re.search(rf"(?:^|;\s*){re.escape(name)}=([^;\s]+)", header) if name in header else None
    return found[1] if found else None
