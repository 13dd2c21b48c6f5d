"""Identities: the role and the name of credentials, and the owner of a name."""

from __future__ import annotations

from collections.abc import Mapping

from asgi_app.access.claims import Claims
from asgi_app.access.secret_store import Secrets, SecretStore, Token, name_key
from asgi_app.access.sessions import Sessions
from asgi_app.errors import NameTaken
from asgi_app.models.access import Credentials, Identity, Role
from asgi_app.models.base import Actor, actor
from asgi_app.settings import Settings


class Identities:
    """Look-up of identities and owners of names. Each look-up reads the secrets as they are now."""

    def __init__(
        self, settings: Settings, secret_store: SecretStore, sessions: Sessions, claims: Claims | None = None
    ) -> None:
        self._secret_store = secret_store
        self._sessions = sessions
        self._claims = claims
        self._roles: Mapping[str, Role] = {
            "loopback": Role.of(settings.role_loopback),
            "network": Role.of(settings.role_network),
            "elsewhere": Role.NOBODY,
            "pin": Role.of(settings.role_pin),
        }

    @property
    def role_of_pin(self) -> Role:
        """The role that the PIN gives, whatever the address."""
        return self._roles["pin"]

    def resolve(self, address: str, place: str, credentials: Credentials, most: Role = Role.ADMIN) -> Identity:
        """Re-validate the credentials and drop what was revoked."""
        known = self._secret_store.secrets
        role, how, name = self._roles[place], place, None
        session = credentials.session
        if self._secret_store.trouble is not None or (session is not None and self._sessions.get(session) is None):
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
        return Identity(min(role, most), how, address, place, name, credentials, most)

    def now(self, identity: Identity) -> Identity:
        """Return the identity that its credentials give now."""
        now = self.resolve(identity.address, identity.place, identity.credentials, identity.most)
        now.device = identity.device
        return now

    def are_valid(self, credentials: Credentials) -> bool:
        """Return whether nothing of these credentials was revoked."""
        return self.resolve("", "elsewhere", credentials).credentials == credentials

    def actor(self, identity: Identity, given: object, user_agent: str | None, via: str) -> Actor:
        """Return the actor of a request with this name. Raises `NameTaken` for a name that belongs to somebody else.

        Chat uses a given name from the role operator on. A viewer talks under no name and has no private messages.
        """
        text = given if isinstance(given, str) and given.strip() else identity.name
        who = actor(text, user_agent, via, identity)
        for name in {who.name, who.given} - {None}:
            owner = self.owner(str(name))
            if owner is None:
                continue
            if owner == identity.name:
                return who.model_copy(update={"name": owner, "given": owner})
            if text is None:  # the name comes from the User-Agent, so nobody has claimed to be the owner
                return who.model_copy(update={"name": "someone"})
            raise NameTaken(
                f"{owner} belongs to somebody else. Sign in as {owner} at /access, use a token of that name, "
                "or choose another name.",
                field="name",
            )
        if identity.role < Role.OPERATOR and identity.name is None:
            return who.model_copy(update={"given": None})
        return who

    def owner(self, name: str) -> str | None:
        """Return the claimed name that this name is, or looks like, as its owner writes it. None for a free name."""
        known = self._secret_store.secrets
        return known.owner(name) or (self._claims.owner_lost(name, known) if self._claims is not None else None)

    def lost_owner(self, name: str) -> str | None:
        """Return the same as `owner`, for claims whose password was lost with the secrets."""
        return self._claims.owner_lost(name, self._secret_store.secrets) if self._claims is not None else None

    def lost_names(self) -> list[str]:
        """Return the claimed names whose passwords were lost with the secrets."""
        return sorted(self._claims.lost(self._secret_store.secrets).values()) if self._claims is not None else []

    def store_claims(self) -> None:
        """Have the database know every claimed name."""
        if self._claims is not None:
            self._claims.follow(self._secret_store.secrets)

    async def release_claim(self, name: str) -> bool:
        """Have the database forget the claim. Return whether it knew it. Raises `NotStored`."""
        return self._claims is not None and await self._claims.release(name)


def _name_of_token(token: Token, known: Secrets) -> str | None:
    claim = known.names.get(name_key(token.name)) if token.name is not None else None
    return claim.name if claim is not None and claim.generation == token.generation else None
