"""`/access`: signing in and out, tickets, tokens, names; and `/audit`, what was done by whom."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from quart import Blueprint, Response, request

from asgi_app.access import DEVICE_DAYS, TICKET_SECONDS, Access, Accounts
from asgi_app.errors import NotStored
from asgi_app.models import Identity, Role, RoleName, Strict, actor_name, parse_body
from asgi_app.routes.auth import visitor
from asgi_app.routes.json_io import json_answer, json_body, query
from asgi_app.routes.openapi import Problem, document_querystring, document_request, document_response, tag
from asgi_app.routes.problems import problem_response

ACCESS = ["Access"]


class Sent(BaseModel):
    """What a client sends: nothing that nobody reads."""

    model_config = ConfigDict(strict=True, extra="forbid")


class SignIn(Sent):
    """What somebody signs in with: the PIN, or a token; and a name with its password."""

    pin: str | None = Field(None, max_length=64)
    token: str | None = Field(None, max_length=256)
    name: str | None = Field(None, max_length=256)
    password: str | None = Field(
        None, max_length=128, description="The first one to give a name and a password owns it."
    )


class Me(BaseModel):
    """Who somebody is for the panel, and what that means."""

    role: RoleName
    how: str = Field(description="loopback, network, pin, token <label>, elsewhere.")
    name: str | None = Field(description="The name that is theirs.")
    address: str
    signed_in: bool


class Ticket(BaseModel):
    """For one connection."""

    ticket: str
    expires_in: int = Field(description="Seconds.")


class NewToken(Sent):
    """A token to make."""

    label: str = Field(min_length=1, max_length=64, description="What it is for.")
    role: Literal["viewer", "operator", "admin"]
    name: str | None = Field(None, max_length=256, description="The name it speaks as.")


class TokenShown(BaseModel):
    """A token, without itself."""

    id: str
    label: str
    role: RoleName
    name: str | None
    at: float


class TokenMade(BaseModel):
    """A token, this once."""

    id: str
    token: str


class Tokens(BaseModel):
    """Every token."""

    tokens: list[TokenShown]


class NameShown(BaseModel):
    """A name that belongs to somebody."""

    name: str
    at: float | None = Field(description="When it was claimed; null where the secrets do not know that any more.")
    lost: bool = Field(description="Nobody can sign in as it: its password was lost with the secrets.")


class Names(BaseModel):
    """Every name that belongs to somebody."""

    names: list[NameShown]


class SessionShown(BaseModel):
    """A browser in which somebody is signed in."""

    id: str
    device: str = Field(description="What the browser calls itself.")
    address: str = Field(description="Where it signed in from.")
    role: RoleName
    how: str
    name: str | None = Field(description="The name it is signed in as.")
    at: float
    current: bool = Field(description="It is the one that asks.")


class SessionsShown(BaseModel):
    """The sessions that the asker may see."""

    sessions: list[SessionShown]


class TrailQuery(Strict):
    """Which rows."""

    before: int | None = Field(None, ge=1)
    limit: int = Field(100, ge=1, le=1000)


class Deed(BaseModel):
    """Something that was done, or refused."""

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
    times: int = Field(description="So many times within a second.")
    detail: dict[str, Any]


class Trail(BaseModel):
    """The newest rows first."""

    audit: list[Deed]
    more: bool = Field(description="Whether there are more: ask before the last of these.")


def access_routes(access: Access, accounts: Accounts) -> Blueprint:
    """The routes of `/access`, and `/audit`."""
    routes = Blueprint("access", __name__)

    @routes.get("/access/me")
    @document_response(Me)
    @tag(ACCESS)
    async def get_me() -> Response:
        """Who you are for the panel."""
        return _me(visitor().identity)

    @routes.post("/access/sign-in")
    @document_request(SignIn)
    @document_response(Me)
    @document_response(Problem, 400)
    @document_response(Problem, 409)
    @document_response(Problem, 415)
    @tag(ACCESS)
    async def post_sign_in() -> Response:
        """Sign in; the cookie that is set says so from now on."""
        shown = parse_body(SignIn, await json_body(request))
        device = actor_name(None, request.headers.get("User-Agent"))
        identity, cookie = await accounts.sign_in(_identity(), **shown.model_dump(), device=device)
        response = _me(identity)
        response.set_cookie(
            access.cookie,
            cookie,
            max_age=access.sessions.seconds,
            httponly=True,
            samesite="Strict",
            secure=request.scheme == "https",
        )
        response.set_cookie(
            access.devices.name,
            access.devices.cookie(identity),
            max_age=DEVICE_DAYS * 24 * 3600,
            httponly=True,
            samesite="Strict",
            secure=request.scheme == "https",
        )
        return response

    @routes.post("/access/sign-out")
    @document_response(Me)
    @tag(ACCESS)
    async def post_sign_out() -> Response:
        """Sign out: the cookie is good for nothing any more, and what is connected with it is ended.

        Where that cannot be stored it is taken from this browser only, and the answer says so.
        """
        try:
            response = _me(await accounts.sign_out(visitor().identity))
        except NotStored as error:
            response = problem_response(error.problem())
        response.delete_cookie(access.cookie, httponly=True, samesite="Strict", secure=request.scheme == "https")
        return response

    @routes.post("/access/ticket")
    @document_response(Ticket)
    @document_response(Problem, 409)
    @tag(ACCESS)
    async def post_ticket() -> Response:
        """A ticket for one connection of a socket, as who asks for it."""
        return json_answer(Ticket(ticket=access.ticket(_identity()), expires_in=TICKET_SECONDS))

    @routes.get("/access/tokens")
    @document_response(Tokens)
    @tag(ACCESS)
    async def get_tokens() -> Response:
        """Every token, without itself."""
        known = access.secret_store.secrets.tokens
        return json_answer(Tokens(tokens=[TokenShown(id=id, **token.model_dump()) for id, token in known.items()]))

    @routes.post("/access/tokens")
    @document_request(NewToken)
    @document_response(TokenMade, 201)
    @document_response(Problem, 400)
    @document_response(Problem, 409)
    @document_response(Problem, 415)
    @tag(ACCESS)
    async def post_token() -> Response:
        """Make a token. It is shown this once."""
        new = parse_body(NewToken, await json_body(request))
        id, token = await accounts.add_token(_identity(), new.label, Role.of(new.role), new.name)
        return json_answer(TokenMade(id=id, token=token), 201)

    @routes.delete("/access/tokens/<id>")
    @document_response(Tokens)
    @document_response(Problem, 404)
    @tag(ACCESS)
    async def delete_token(id: str) -> Response:
        """Take a token back; who is connected with it is out. Answers those that are left."""
        await accounts.revoke_token(_identity(), id)
        return await get_tokens()

    @routes.get("/access/sessions")
    @document_response(SessionsShown)
    @tag(ACCESS)
    async def get_sessions() -> Response:
        """Where somebody is signed in: every browser for admins, else your own, and those under your name."""
        identity = _identity()
        shown = [
            SessionShown(
                id=id,
                device=session.device,
                address=session.address,
                role=worth.role.word,
                how=worth.how if worth.credentials.pin or worth.credentials.token else "name",
                name=worth.name,
                at=session.at,
                current=id == identity.credentials.session,
            )
            for id, (session, worth) in accounts.sessions_for(identity).items()
        ]
        response = json_answer(SessionsShown(sessions=sorted(shown, key=lambda one: -one.at)))
        response.headers["Cache-Control"] = "no-store"
        return response

    @routes.delete("/access/sessions/<id>")
    @document_response(SessionsShown)
    @document_response(Problem, 404)
    @tag(ACCESS)
    async def delete_session(id: str) -> Response:
        """End a session: its cookie is good for nothing any more, and what is connected with it is out."""
        identity = _identity()
        await accounts.end_session(identity, id)
        if id == identity.credentials.session and identity.role < Role.ADMIN:
            return json_answer(SessionsShown(sessions=[]))
        return await get_sessions()

    @routes.get("/access/names")
    @document_response(Names)
    @tag(ACCESS)
    async def get_names() -> Response:
        """Every name that belongs to somebody."""
        claims = access.secret_store.secrets.names.values()
        shown = [NameShown(name=claim.name, at=claim.at, lost=False) for claim in claims]
        shown += [NameShown(name=name, at=None, lost=True) for name in access.identities.lost_names()]
        return json_answer(Names(names=shown))

    @routes.post("/access/names/<name>/release")
    @document_response(Me)
    @document_response(Problem, 404)
    @tag(ACCESS)
    async def post_release(name: str) -> Response:
        """Have the name belong to nobody: by its owner, or by an admin. Answers who you are then."""
        identity = _identity()
        await accounts.release(identity, name)
        return _me(access.identities.now(identity))

    @routes.get("/audit")
    @document_querystring(TrailQuery)
    @document_response(Trail)
    @document_response(Problem, 400)
    @tag(ACCESS)
    async def get_audit() -> Response:
        """Who did what, from where, and who was refused what; the newest first."""
        wanted = query(TrailQuery)
        rows, more = await access.audit.page(before=wanted.before, limit=wanted.limit)
        return json_answer(Trail(audit=[Deed(**row) for row in rows], more=more))

    return routes


def _identity() -> Identity:
    """Who sends the current request. Raises what was wrong with its token."""
    who = visitor()
    if who.error is not None:
        raise who.error
    return who.identity


def _me(identity: Identity) -> Response:
    me = Me(
        role=identity.role.word,
        how=identity.how,
        name=identity.name,
        address=identity.address,
        signed_in=identity.signed_in,
    )
    response = json_answer(me)
    response.headers["Cache-Control"] = "no-store"
    return response
