"""Access: roles, credentials and identities."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, NamedTuple

RoleName = Literal["nobody", "viewer", "operator", "admin"]


class Role(IntEnum):
    """The rights of somebody. Each role includes those above it in this list."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> RoleName:
        """The name of the role in settings and JSON."""
        words: tuple[RoleName, ...] = ("nobody", "viewer", "operator", "admin")
        return words[self]

    @classmethod
    def of(cls, word: RoleName) -> Role:
        """Return the role of this name."""
        return cls[word.upper()]


class Credentials(NamedTuple):
    """Credentials that somebody showed. They are validated at each use, so that they can be revoked."""

    pin: int | None = None  # generation of the PIN
    token: str | None = None  # id of the token
    name: tuple[str, int] | None = None  # a claimed name, and the generation of the claim
    session: str | None = None  # of the cookie: the rest counts only while this session exists

    @classmethod
    def of(cls, fields: list[Any]) -> Credentials:
        """Return the credentials of these fields, as JSON has them. Raises `TypeError`, `ValueError`."""
        pin, token, name, session = fields
        return cls(pin, token, None if name is None else (str(name[0]), int(name[1])), session)

    @property
    def is_empty(self) -> bool:
        """Whether it has no credential. A session alone is none."""
        return self.pin is None and self.token is None and self.name is None


NOTHING = Credentials()


@dataclass(eq=False, slots=True)
class Identity:
    """The sender of a request or connection. A connection gets another one when its credentials are revoked."""

    role: Role = Role.NOBODY
    how: str = "nobody"  # loopback, network, pin, token <label>, elsewhere, panel
    address: str = ""
    place: str = "elsewhere"  # loopback, network, elsewhere
    name: str | None = None  # the claimed name, if it signed in as its owner
    credentials: Credentials = NOTHING
    most: Role = Role.ADMIN  # which it may have here at most, as another process says
    device: str | None = None  # raw cookie of a device that has signed in before

    @property
    def signed_in(self) -> bool:
        """Whether it has shown a credential."""
        return not self.credentials.is_empty


STRANGER = Identity()
PANEL = Identity(role=Role.ADMIN, how="panel")  # for what the panel does on its own
