"""The words for who may do what: roles, and who somebody is for the panel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

RoleName = Literal["nobody", "viewer", "operator", "admin"]


class Role(IntEnum):
    """What somebody may do; each may do all that those below may."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> RoleName:
        """As settings and wires write it."""
        words: tuple[RoleName, ...] = ("nobody", "viewer", "operator", "admin")
        return words[self]

    @classmethod
    def of(cls, word: RoleName) -> Role:
        """The role of this word."""
        return cls[word.upper()]


class Credentials(NamedTuple):
    """How somebody signed in. What that is worth is looked up each time, so it can be taken back."""

    pin: int | None = None  # generation of the PIN
    token: str | None = None  # id of the token
    name: tuple[str, int] | None = None  # a claimed name, and the generation of the claim
    session: str | None = None  # of the cookie: without it the rest is worth nothing

    @property
    def is_empty(self) -> bool:
        """Whether nothing was shown; a session alone is nothing."""
        return self.pin is None and self.token is None and self.name is None


NOTHING = Credentials()


@dataclass(eq=False, slots=True)
class Identity:
    """Who a request or a connection is for the panel. A connection's changes when its credentials is taken back."""

    role: Role = Role.NOBODY
    how: str = "nobody"  # loopback, network, pin, token <label>, elsewhere, panel
    address: str = ""
    place: str = "elsewhere"  # loopback, network, elsewhere
    name: str | None = None  # the claimed name, where it signed in as its owner
    credentials: Credentials = NOTHING
    device: str | None = None  # the cookie of a device that has signed in before, as it came

    @property
    def signed_in(self) -> bool:
        """Whether it has shown anything."""
        return not self.credentials.is_empty


STRANGER = Identity()
PANEL = Identity(role=Role.ADMIN, how="panel")  # what the panel does by itself
