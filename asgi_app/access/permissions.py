"""Permissions: the role that each command, route, event and socket needs, and which of them the audit trail keeps.

Pure. Everything else needs the role admin, so a new route is closed until it is listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from asgi_app.errors import NotAllowed, PanelError, SignInNeeded
from asgi_app.models.access import Identity, Role
from asgi_app.models.chat import (
    DeleteMessage,
    DeletePerson,
    DeleteRoom,
    EditMessage,
    GetMessages,
    GetThreads,
    JoinRoom,
    LeaveRoom,
    Mark,
    Say,
    Typing,
)
from asgi_app.models.chat_search import SearchMessages
from asgi_app.models.groups import (
    DeleteGroup,
    DeleteScene,
    OrderGroups,
    OrderLights,
    RecallScene,
    RenameGroup,
    RenameScene,
    SaveGroup,
    SaveScene,
    SetLights,
    UndoLights,
)
from asgi_app.models.history import GetHistory
from asgi_app.models.light_setup import AddLight, ChangeLight, RemoveLight
from asgi_app.models.lights import SetLight, UndoLight
from asgi_app.models.run_commands import (
    AnswerRun,
    DeleteRun,
    EndRun,
    GetLog,
    GetRuns,
    LogRun,
    PinRun,
    SearchLog,
    SignalRun,
    StartRun,
    UnwatchRun,
    UpdateRun,
    WatchRun,
)
from asgi_app.models.schedules import ChangeSchedule, DeleteSchedule, SaveSchedule, SkipSchedule
from asgi_app.models.shows import DeleteShow, SaveShow, StartShow, TryShow
from asgi_app.models.wire import GetState, Ping
from asgi_app.net import address as addresses


class Rule(NamedTuple):
    """The role, and whether the audit trail keeps it. Messages and logs have records of their own."""

    role: Role
    kept: bool = False


NOBODY, VIEWER, OPERATOR, ADMIN = Role

COMMANDS: Mapping[type[Any], Rule] = {
    SetLight: Rule(OPERATOR, kept=True),
    UndoLight: Rule(OPERATOR, kept=True),
    AddLight: Rule(ADMIN, kept=True),
    ChangeLight: Rule(ADMIN, kept=True),
    RemoveLight: Rule(ADMIN, kept=True),
    SetLights: Rule(OPERATOR, kept=True),
    UndoLights: Rule(OPERATOR, kept=True),
    RecallScene: Rule(OPERATOR, kept=True),
    SaveGroup: Rule(OPERATOR, kept=True),
    RenameGroup: Rule(OPERATOR, kept=True),
    DeleteGroup: Rule(OPERATOR, kept=True),
    OrderGroups: Rule(OPERATOR, kept=True),
    OrderLights: Rule(OPERATOR, kept=True),
    SaveScene: Rule(OPERATOR, kept=True),
    RenameScene: Rule(OPERATOR, kept=True),
    DeleteScene: Rule(OPERATOR, kept=True),
    SaveSchedule: Rule(OPERATOR, kept=True),
    ChangeSchedule: Rule(OPERATOR, kept=True),
    SkipSchedule: Rule(OPERATOR, kept=True),
    DeleteSchedule: Rule(OPERATOR, kept=True),
    GetHistory: Rule(VIEWER),
    GetState: Rule(VIEWER),
    Ping: Rule(VIEWER),
    Say: Rule(OPERATOR),
    EditMessage: Rule(OPERATOR),
    DeleteMessage: Rule(OPERATOR),
    SearchMessages: Rule(VIEWER),
    DeleteRoom: Rule(ADMIN, kept=True),
    DeletePerson: Rule(ADMIN, kept=True),
    Typing: Rule(OPERATOR),
    Mark: Rule(OPERATOR),
    JoinRoom: Rule(OPERATOR),
    LeaveRoom: Rule(OPERATOR),
    GetMessages: Rule(VIEWER),
    GetThreads: Rule(OPERATOR),
    StartRun: Rule(OPERATOR, kept=True),
    UpdateRun: Rule(OPERATOR),
    LogRun: Rule(OPERATOR),
    EndRun: Rule(OPERATOR, kept=True),
    PinRun: Rule(OPERATOR, kept=True),
    DeleteRun: Rule(OPERATOR, kept=True),
    AnswerRun: Rule(OPERATOR),
    WatchRun: Rule(VIEWER),
    UnwatchRun: Rule(VIEWER),
    GetLog: Rule(VIEWER),
    SearchLog: Rule(VIEWER),
    GetRuns: Rule(VIEWER),
    SignalRun: Rule(OPERATOR, kept=True),
    StartShow: Rule(OPERATOR, kept=True),
    SaveShow: Rule(OPERATOR, kept=True),
    DeleteShow: Rule(OPERATOR, kept=True),
    TryShow: Rule(OPERATOR, kept=True),
}

# Pages have no data in them: that comes over the wires. A stranger needs the pages to sign in.
ROUTES: Mapping[str, Role] = {
    "GET /": NOBODY,
    "GET /plan": NOBODY,
    "GET /chat": NOBODY,
    "GET /ws": NOBODY,
    "GET /watch": NOBODY,
    "GET /compare": NOBODY,
    "GET /lab": NOBODY,
    "GET /settings": NOBODY,
    "GET /settings/device": NOBODY,
    "GET /settings/lights": NOBODY,
    "GET /settings/system": NOBODY,
    "GET /docs": NOBODY,
    "GET /docs/sockets": NOBODY,
    "GET /static/<path:filename>": NOBODY,
    "GET /access": NOBODY,
    "GET /access/me": NOBODY,
    "POST /access/sign-in": NOBODY,
    "POST /access/sign-out": NOBODY,
    "POST /access/ticket": NOBODY,  # needs a cookie or a token, of any role
    "POST /access/codes": NOBODY,  # the same, or an admin
    "POST /access/names/<name>/release": NOBODY,  # for its owner and admins
    "GET /access/sessions": NOBODY,  # one's own; needs a cookie or a token, or an admin
    "DELETE /access/sessions/<id>": NOBODY,
    "GET /access/names": ADMIN,
    "GET /access/tokens": ADMIN,
    "POST /access/tokens": ADMIN,
    "DELETE /access/tokens/<id>": ADMIN,
    "GET /audit": ADMIN,
    "GET /openapi.json": VIEWER,
    "GET /asyncapi.json": VIEWER,
    "GET /metrics": VIEWER,
    "POST /api": VIEWER,  # changes nothing
    "GET /led": VIEWER,
    "POST /led": OPERATOR,
    "GET /lights": VIEWER,
    "POST /lights": ADMIN,
    "POST /lights/order": OPERATOR,
    "GET /setup": VIEWER,
    "PATCH /lights/<light>/setup": ADMIN,
    "DELETE /lights/<light>": ADMIN,
    "GET /lights/<light>": VIEWER,
    "GET /lights/<light>/history": VIEWER,
    "PATCH /lights/<light>": OPERATOR,
    "POST /lights/<light>/undo": OPERATOR,
    "GET /export": VIEWER,
    "POST /import": ADMIN,
    "GET /groups": VIEWER,
    "POST /groups": OPERATOR,
    "POST /groups/order": OPERATOR,
    "GET /groups/<group>": VIEWER,
    "PATCH /groups/<group>": OPERATOR,
    "DELETE /groups/<group>": OPERATOR,
    "POST /groups/<group>/undo": OPERATOR,
    "GET /scenes": VIEWER,
    "POST /scenes": OPERATOR,
    "GET /scenes/<scene>": VIEWER,
    "PATCH /scenes/<scene>": OPERATOR,
    "DELETE /scenes/<scene>": OPERATOR,
    "POST /scenes/<scene>/recall": OPERATOR,
    "POST /scenes/<scene>/undo": OPERATOR,
    "GET /schedules": VIEWER,
    "POST /schedules": OPERATOR,
    "GET /schedules/<schedule>": VIEWER,
    "PATCH /schedules/<schedule>": OPERATOR,
    "DELETE /schedules/<schedule>": OPERATOR,
    "POST /schedules/<schedule>/skip": OPERATOR,
    "GET /chat/rooms": VIEWER,
    "DELETE /chat/rooms/<room>": ADMIN,
    "DELETE /chat/people/<person>": ADMIN,
    "GET /chat/search": VIEWER,
    "GET /chat/rooms/<room>/messages": VIEWER,
    "POST /chat/rooms/<room>/messages": OPERATOR,
    "PATCH /chat/rooms/<room>/messages/<n>": OPERATOR,
    "DELETE /chat/rooms/<room>/messages/<n>": OPERATOR,
    "GET /runs": VIEWER,
    "POST /runs": OPERATOR,
    "GET /runs/<run>": VIEWER,
    "PATCH /runs/<run>": OPERATOR,
    "DELETE /runs/<run>": OPERATOR,
    "POST /runs/<run>/pin": OPERATOR,
    "GET /runs/<run>/log": VIEWER,
    "POST /runs/<run>/log": OPERATOR,
    "GET /runs/<run>/log/search": VIEWER,
    "POST /runs/<run>/end": OPERATOR,
    "POST /runs/<run>/signal": OPERATOR,
    "GET /shows": VIEWER,
    "POST /shows": OPERATOR,
    "POST /shows/try": OPERATOR,
    "GET /shows/<show>": VIEWER,
    "PATCH /shows/<show>": OPERATOR,
    "DELETE /shows/<show>": OPERATOR,
    "POST /shows/<show>/start": OPERATOR,
}
OPEN_FOLDERS = ("/health/",)  # for service managers and load balancers

# On the old chat wire everybody may talk, under the name in the path.
SOCKETS: Mapping[str, Role] = {"/live": VIEWER, "/echo": VIEWER, "/<username>": OPERATOR}

# Viewers may connect to a namespace. Some of its events need more.
EVENTS: Mapping[tuple[str, str], Rule] = {
    ("/", "led"): Rule(OPERATOR),  # a command, which the audit trail keeps
    ("/", "my_event"): Rule(VIEWER),
    ("/", "my_broadcast_event"): Rule(OPERATOR),
    ("/", "join"): Rule(VIEWER),
    ("/", "leave"): Rule(VIEWER),
    ("/", "close_room"): Rule(OPERATOR),
    ("/", "my_room_event"): Rule(OPERATOR),
    ("/", "disconnect_request"): Rule(VIEWER),
    ("/", "my_ping"): Rule(VIEWER),
    ("/panel", "ask"): Rule(VIEWER),  # its content is a command
    ("/running_logger", "running_logger"): Rule(OPERATOR, kept=True),
    ("/running_logger", "subscribe"): Rule(OPERATOR),
    ("/uia", "uia"): Rule(OPERATOR),
    ("/uia", "subscribe"): Rule(OPERATOR),
}

CLOSED = Rule(ADMIN)


def of_route(method: str, rule: str) -> Role:
    """Return the role that a REST route or a page needs."""
    if rule.startswith(OPEN_FOLDERS) or method == "OPTIONS":  # OPTIONS only lists methods
        return NOBODY
    return ROUTES.get(f"{'GET' if method == 'HEAD' else method} {rule}", ADMIN)


def of_command(kind: type[Any]) -> Rule:
    """Return the rule for a command."""
    return COMMANDS.get(kind, CLOSED)


def of_event(namespace: str, event: str) -> Rule:
    """Return the rule for a Socket.IO event."""
    return EVENTS.get((namespace, event), CLOSED)


def check(identity: Identity, needed: Role, what: str) -> None:
    """Raise `SignInNeeded` or `NotAllowed` if the role is too small."""
    if identity.role < needed:
        raise refusal(identity, needed, what)


def refusal(identity: Identity, needed: Role, what: str) -> PanelError:
    """Return the error for a role that is too small, with what to do."""
    text = f"{what} needs the role {needed.word}. Yours is {identity.role.word} ({identity.how}). "
    if needed is Role.ADMIN:
        text += "Sign in at /access with a token of that role (pilotlight token add --role admin)."
    else:
        text += f"Sign in at /access with the panel's PIN, or use a token of the role {needed.word}."
    signed_in = identity.credentials.pin is not None or identity.credentials.token is not None
    return (NotAllowed if signed_in else SignInNeeded)(text)


def place_of(address: str, *, proxied: bool) -> str:
    """Return `loopback`, `network` (the local one) or `elsewhere`: what an untrusted proxy sends is from anywhere."""
    return "elsewhere" if proxied else addresses.place_of(address)
