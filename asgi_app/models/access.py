"""Roles, credentials and identities."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

RoleName = Literal["nobody", "viewer", "operator", "admin"]


class Role(IntEnum):
    """Each role includes those above it."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> RoleName:
        """The name that settings and wires use."""
        words: tuple[RoleName, ...] = ("nobody", "viewer", "operator", "admin")
        return words[self]

    @classmethod
    def of(cls, word: RoleName) -> Role:
        """Return the role of this name."""
        return cls[word.upper()]


class Credentials(NamedTuple):
    """How somebody signed in. They are validated at each use, so they can be revoked."""

    pin: int | None = None  # generation of the PIN
    token: str | None = None  # id of the token
    name: tuple[str, int] | None = None  # a claimed name, and the generation of the claim
    session: str | None = None  # id of the session of the cookie; if it ends, the rest is invalid

    @property
    def is_empty(self) -> bool:
        """Whether there are none. A session alone is none."""
        return self.pin is None and self.token is None and self.name is None


NOTHING = Credentials()


@dataclass(eq=False, slots=True)
class Identity:
    """Who sends a request, or has a connection. The role drops when the credentials are revoked."""

    role: Role = Role.NOBODY
    how: str = "nobody"  # loopback, network, pin, token <label>, elsewhere, panel
    address: str = ""
    place: str = "elsewhere"  # loopback, network, elsewhere
    name: str | None = None  # the claimed name, if its owner has signed in
    credentials: Credentials = NOTHING
    device: str | None = None  # the cookie of a known device, as it was sent

    @property
    def signed_in(self) -> bool:
        """Whether there are credentials."""
        return not self.credentials.is_empty


STRANGER = Identity()
PANEL = Identity(role=Role.ADMIN, how="panel")  # for actions of the panel itself
