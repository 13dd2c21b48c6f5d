"""`/access`: signing in and out, tickets, tokens, sessions, names. `/audit`: the audit trail."""

from __future__ import annotations

import asyncio
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field
from quart import Blueprint, Response, request

from asgi_app.access import CODE_SECONDS, DEVICE_DAYS, TICKET_SECONDS, Access, Accounts
from asgi_app.access.qr_code import qr_rows, sign_in_link
from asgi_app.errors import NotStored
from asgi_app.models.access import Identity, Role, RoleName
from asgi_app.models.base import Frozen, Strict, actor_name
from asgi_app.models.wire import parse_body
from asgi_app.net.address import place_of
from asgi_app.routes.auth import current_visitor
from asgi_app.routes.json_io import json_answer, json_body, query
from asgi_app.routes.openapi import documented
from asgi_app.routes.pages import panel_url
from asgi_app.routes.problems import refusal_response
from asgi_app.web_settings import WebSettings

ACCESS = "Access"


class SignIn(Strict):
    """Credentials: the PIN, a token or a one-time code, and a name with its password."""

    pin: str | None = Field(None, max_length=64)
    token: str | None = Field(None, max_length=256)
    code: str | None = Field(None, max_length=64, description="A one-time code, from the QR code of the panel.")
    name: str | None = Field(None, max_length=256)
    password: str | None = Field(None, max_length=128, description="The first sign-in with a free name claims it.")
    embedded: bool = Field(False, description="Whether this is for a page of the panel in the frame of another page.")


class Me(Frozen):
    """Your identity."""

    role: RoleName
    how: str = Field(description="What gives you your role: loopback, network, pin, token <label>, elsewhere.")
    name: str | None = Field(description="The name that you own.")
    address: str
    signed_in: bool


class Ticket(Frozen):
    """A ticket for one connection."""

    ticket: str
    expires_in: int = Field(description="Seconds.")


class NewCode(Strict):
    """A one-time code to make."""

    role: Literal["viewer", "operator", "admin"] | None = Field(
        None, description="What it gives: the role of the PIN, or that of your token. By default the smaller one."
    )


class CodeMade(Frozen):
    """A one-time code, in the address that another device opens. Only this response has it."""

    url: str = Field(description="The panel's address, with the code after #.")
    role: RoleName
    expires_in: int = Field(description="Seconds.")
    qr: list[str] = Field(description="The address as a QR code: a text for each row, 1 for a dark module.")


class NewToken(Strict):
    """A token to create."""

    label: str = Field(min_length=1, max_length=64, description="Purpose of the token.")
    role: Literal["viewer", "operator", "admin"]
    name: str | None = Field(None, max_length=256, description="The chat name of the token.")


class TokenShown(Frozen):
    """A token, without its secret."""

    id: str
    label: str
    role: RoleName
    name: str | None
    at: float


class TokenMade(Frozen):
    """A new token. Only this response has its secret."""

    id: str
    token: str


class Tokens(Frozen):
    """All tokens."""

    tokens: list[TokenShown]


class NameShown(Frozen):
    """A claimed name."""

    name: str
    at: float | None = Field(description="When it was claimed, or null if the secrets are lost.")
    lost: bool = Field(description="Whether its password was lost. Then nobody can sign in as it.")


class Names(Frozen):
    """All claimed names."""

    names: list[NameShown]


class SessionShown(Frozen):
    """A browser that is signed in."""

    id: str
    device: str = Field(description="Browser and system, from the User-Agent.")
    address: str = Field(description="Address of its last sign-in.")
    role: RoleName
    how: str
    name: str | None = Field(description="The name that it has signed in as.")
    at: float
    current: bool = Field(description="Whether it is your session.")


class SessionsShown(Frozen):
    """The sessions that you may see."""

    sessions: list[SessionShown]


class TrailQuery(Strict):
    """Which rows to return."""

    before: int | None = Field(None, ge=1)
    limit: int = Field(100, ge=1, le=1000)
    who: str | None = Field(None, max_length=256, description="Only what this person did. The case does not matter.")
    subject: str | None = Field(
        None,
        max_length=256,
        description="Only what was done to the light, group, scene, schedule, run or show with this id.",
    )


class Deed(Frozen):
    """An action or a refusal."""

    id: int
    at: float
    who: str | None
    via: str
    role: RoleName
    how: str
    address: str
    what: str
    subject: str | None
    outcome: str
    times: int = Field(description="How often this happened within a second.")
    detail: dict[str, Any]


class Trail(Frozen):
    """Rows of the audit trail, newest first."""

    audit: list[Deed]
    more: bool = Field(description="Whether there are more, before the last of these.")


def access_routes(access: Access, accounts: Accounts, settings: WebSettings) -> Blueprint:
    """Return the routes of `/access` and `/audit`."""
    routes = Blueprint("access", __name__)
    attributes: Any = {"path": settings.root_path or "/", "httponly": True, "samesite": "Strict"}
    # A frame in a page of another site keeps only this one, and for that page alone (draft-cutler-httpbis-partitioned).
    in_a_frame: Any = {**attributes, "samesite": "None", "partitioned": True}
    has_frames = bool(set(settings.frame_ancestors) - {"'self'"})

    @routes.get("/access/me")
    @documented(ACCESS, Me)
    async def get_me() -> Response:
        """Get your identity."""
        return _me(current_visitor().identity)

    @routes.post("/access/sign-in")
    @documented(ACCESS, Me, body=SignIn, refusals=(409,))
    async def post_sign_in() -> Response:
        """Sign in. The response sets a cookie for it."""
        shown = parse_body(SignIn, await json_body()).model_dump()
        embedded = shown.pop("embedded") and has_frames and request.scheme == "https"
        device = actor_name(None, request.headers.get("User-Agent"))
        identity, cookie = await accounts.sign_in(_identity(), **shown, device=device)
        response = _me(identity)
        kept = {**(in_a_frame if embedded else attributes), "secure": request.scheme == "https"}
        for name, value, seconds in (
            (access.cookie, cookie, access.sessions.seconds),
            (access.devices.name, access.devices.cookie(identity), DEVICE_DAYS * 24 * 3600),
        ):
            response.set_cookie(name, value, max_age=seconds, **kept)
        return response

    @routes.post("/access/sign-out")
    @documented(ACCESS, Me)
    async def post_sign_out() -> Response:
        """Sign out: invalidate the cookie and close its connections.

        If that cannot be stored, only this browser loses the cookie, and the response is a problem.
        """
        try:
            response = _me(await accounts.sign_out(current_visitor().identity))
        except NotStored as error:
            response = refusal_response(error)
        secure = request.scheme == "https"
        for kept in [attributes, in_a_frame] if secure and has_frames else [attributes]:
            response.delete_cookie(access.cookie, secure=secure, **kept)
        return response

    @routes.post("/access/ticket")
    @documented(ACCESS, Ticket, refusals=(409,))
    async def post_ticket() -> Response:
        """Get a ticket for one socket connection with your identity."""
        return json_answer(Ticket(ticket=access.ticket(_identity()), expires_in=TICKET_SECONDS))

    @routes.post("/access/codes")
    @documented(ACCESS, CodeMade, 201, body=NewCode, refusals=(409,))
    async def post_code() -> Response:
        """Make a one-time code with which another device signs in. It ends your last one."""
        new = parse_body(NewCode, await json_body())
        code, role = accounts.make_code(_identity(), None if new.role is None else Role.of(new.role))
        here = panel_url(settings.root_path)
        if _is_loopback(here):  # no other device can open that
            here = next(iter(await asyncio.to_thread(access.addresses)), here)
        url = sign_in_link(here, code)
        rows = await asyncio.to_thread(qr_rows, url)
        return json_answer(CodeMade(url=url, role=role.word, expires_in=CODE_SECONDS, qr=rows), 201, fresh=True)

    @routes.get("/access/tokens")
    @documented(ACCESS, Tokens)
    async def get_tokens() -> Response:
        """List all tokens, without their secrets."""
        known = access.secret_store.secrets.tokens
        return json_answer(Tokens(tokens=[TokenShown(id=id, **token.model_dump()) for id, token in known.items()]))

    @routes.post("/access/tokens")
    @documented(ACCESS, TokenMade, 201, body=NewToken, refusals=(409,))
    async def post_token() -> Response:
        """Create a token. It is shown only once."""
        new = parse_body(NewToken, await json_body())
        id, token = await accounts.add_token(_identity(), new.label, Role.of(new.role), new.name)
        return json_answer(TokenMade(id=id, token=token), 201)

    @routes.delete("/access/tokens/<id>")
    @documented(ACCESS, Tokens, refusals=(404,))
    async def delete_token(id: str) -> Response:
        """Revoke a token and close its connections. Returns the other tokens."""
        await accounts.revoke_token(_identity(), id)
        return await get_tokens()

    @routes.get("/access/sessions")
    @documented(ACCESS, SessionsShown)
    async def get_sessions() -> Response:
        """List the sessions: all for admins, else your own and those under your name."""
        identity = _identity()
        shown = [
            SessionShown(
                id=id,
                device=session.device,
                address=session.address,
                role=now.role.word,
                how=now.how if now.credentials.pin or now.credentials.token else "name",
                name=now.name,
                at=session.at,
                current=id == identity.credentials.session,
            )
            for id, (session, now) in accounts.sessions_for(identity).items()
        ]
        return json_answer(SessionsShown(sessions=sorted(shown, key=lambda one: -one.at)), fresh=True)

    @routes.delete("/access/sessions/<id>")
    @documented(ACCESS, SessionsShown, refusals=(404,))
    async def delete_session(id: str) -> Response:
        """End a session: invalidate its cookie and close its connections."""
        identity = _identity()
        await accounts.end_session(identity, id)
        if id == identity.credentials.session and identity.role < Role.ADMIN:
            return json_answer(SessionsShown(sessions=[]))
        return await get_sessions()

    @routes.get("/access/names")
    @documented(ACCESS, Names)
    async def get_names() -> Response:
        """List all claimed names."""
        claims = access.secret_store.secrets.names.values()
        shown = [NameShown(name=claim.name, at=claim.at, lost=False) for claim in claims]
        shown += [NameShown(name=name, at=None, lost=True) for name in access.identities.lost_names()]
        return json_answer(Names(names=shown))

    @routes.post("/access/names/<name>/release")
    @documented(ACCESS, Me, refusals=(404,))
    async def post_release(name: str) -> Response:
        """Make a name free again, as its owner or as an admin. Returns your identity."""
        identity = _identity()
        await accounts.release(identity, name)
        return _me(access.identities.now(identity))

    @routes.get("/audit")
    @documented(ACCESS, Trail, query=TrailQuery)
    async def get_audit() -> Response:
        """List actions and refusals, newest first."""
        wanted = query(TrailQuery)
        rows, more = await access.audit.page(**wanted.model_dump())
        return json_answer(Trail(audit=[Deed(**row) for row in rows], more=more))

    return routes


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or place_of(host) == "loopback"


def _identity() -> Identity:
    """The identity of the current request. Raises the error of an invalid token."""
    who = current_visitor()
    if who.error is not None:
        raise who.error
    return who.identity


def _me(identity: Identity) -> Response:
    shown = {field: getattr(identity, field) for field in ("how", "name", "address", "signed_in")}
    return json_answer(Me(role=identity.role.word, **shown), fresh=True)
