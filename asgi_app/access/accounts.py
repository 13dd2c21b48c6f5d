"""Accounts: signing in and out, and the names, tokens and sessions that people own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from asgi_app.access import permissions
from asgi_app.access.access import Access
from asgi_app.access.codes import CODE_SECONDS
from asgi_app.access.login_throttle import SignInSource
from asgi_app.access.passwords import hash_password, verify_password
from asgi_app.access.secret_store import Secrets, Session, name_key
from asgi_app.errors import (
    BadCommand,
    NameTaken,
    NotAllowed,
    SignInFailed,
    SignInNeeded,
    UnclaimedName,
    UnknownSession,
    UnknownToken,
)
from asgi_app.models.access import Credentials, Identity, Role
from asgi_app.models.base import as_json

PASSWORD = range(8, 129)  # characters


class Accounts:
    """Changes the secrets for people, records each change in the audit trail, and closes what it makes invalid."""

    def __init__(self, access: Access, check_name: Callable[[str], str]) -> None:
        self._access = access
        self._identities = access.identities
        self._secret_store = access.secret_store
        self._sessions = access.sessions
        self._throttle = access.throttle
        self._audit = access.audit
        self._check_name = check_name
        self._hashing = asyncio.Lock()  # one at a time: each takes 64 MiB

    async def sign_in(
        self,
        identity: Identity,
        *,
        pin: str | None = None,
        token: str | None = None,
        code: str | None = None,
        name: str | None = None,
        password: str | None = None,
        device: str = "",
    ) -> tuple[Identity, str]:
        """Add these credentials to those of before. Return the identity and the cookie that stands for it.

        `device` is what the browser calls itself. Raises `BadCommand`, `SignInFailed`, `TooManyTries`,
        `SecretsUnreadable`, and the errors of `check_name`.
        """
        if (name is None) is not (password is None) or (pin or token or code or name) is None:
            raise BadCommand("Credentials are missing. Send pin, or token, or code, or name and password.")
        address, credentials = identity.address, identity.credentials
        source = self._access.devices.source_of(identity)
        if pin is not None or name is not None:
            self._throttle.check(source)
        self._access.check_secrets()
        if pin is not None:
            if not self._secret_store.is_pin(pin):
                self._throttle.wrong(source, "pin")
                self._audit.note(identity, "sign_in", outcome="refused", detail={"wrong": "pin"})
                raise SignInFailed(
                    "Wrong PIN. On the panel's machine, `pilotlight pin` shows the right one.", field="pin"
                )
            self._throttle.right(source, "pin")
            credentials = credentials._replace(pin=self._secret_store.secrets.pin_generation, token=None)
        if token is not None:
            verified = self._access.verify(source, token=token)
            credentials = verified._replace(name=credentials.name, session=credentials.session)
        if code is not None:
            credentials = self._use_code(identity, credentials, source, code)
        if name is not None and password is not None:
            now = self._identities.resolve(address, identity.place, credentials)
            credentials = credentials._replace(name=await self._sign_in_as(now, name, password))
        credentials, cookie = await asyncio.to_thread(self._sessions.begin, credentials, address, device)
        signed_in = self._identities.resolve(address, identity.place, credentials)
        signed_in.device = identity.device
        self._audit.note(signed_in, "sign_in", subject=signed_in.name, detail={"role": signed_in.role.word})
        return signed_in, cookie

    def make_code(self, identity: Identity, role: Role | None = None) -> tuple[str, Role]:
        """Return a one-time code that signs another browser in, and its role: at most that of its maker.

        Without a `role` it is the smallest that its maker can give. Raises `SignInNeeded`, `NotAllowed`, `TooMany`.
        """
        self._access.check_secrets()
        identity = self._identities.now(identity)
        gifts = self._gifts(identity)
        if not gifts:
            raise SignInNeeded("Only signed-in people can let another device in. Sign in with the PIN or a token.")
        role = min(gifts) if role is None else role
        if role not in gifts:
            can = " or ".join(one.word for one in sorted(gifts))
            raise NotAllowed(f"You cannot give the role {role.word}. You can give: {can}.", field="role")
        code = self._access.codes.make(gifts[role], identity.credentials)
        self._audit.note(identity, "make_code", subject=identity.name, detail={"role": role.word})
        return code, role

    def code_of_terminal(self) -> str | None:
        """Return a code that gives what the PIN gives, for whoever reads the terminal; None if it would not count."""
        if self._secret_store.trouble is not None:
            return None
        return self._access.codes.make(Credentials(pin=self._secret_store.secrets.pin_generation))

    def _gifts(self, identity: Identity) -> dict[Role, Credentials]:
        """What somebody can let another device in with, by the role that it gives: their own token, or the PIN."""
        own, secrets = identity.credentials, self._secret_store.secrets
        gifts = {}
        if identity.role is Role.ADMIN or own.pin is not None:
            gifts[self._identities.role_of_pin] = Credentials(pin=secrets.pin_generation)
        if own.token is not None:
            gifts[Role.of(secrets.tokens[own.token].role)] = Credentials(token=own.token)
        return {role: gift for role, gift in gifts.items() if role <= identity.role}

    def _use_code(self, identity: Identity, now: Credentials, source: SignInSource, code: str) -> Credentials:
        """Return the credentials with those of a one-time code; they stay as they are if they give as much.

        A right code counts even while its source must wait, like a token. Raises `SignInFailed`, `TooManyTries`.
        """
        given = self._access.codes.use(code)
        new = self._identities.resolve(identity.address, identity.place, given or Credentials())
        if not new.signed_in:
            self._throttle.check(source, "code")
            self._throttle.wrong(source, "code")
            self._audit.note(identity, "sign_in", outcome="refused", detail={"wrong": "code"})
            why = f"was used, was replaced by a newer one, is older than {CODE_SECONDS // 60} minutes"
            why += ", or its maker is signed out"
            raise SignInFailed(f"This code {why}. Get another one, or type the PIN.", field="code")
        self._throttle.right(source, "code")
        if identity.signed_in and new.role <= identity.role:
            return now
        return new.credentials._replace(name=now.name, session=now.session)

    async def sign_out(self, identity: Identity) -> Identity:
        """End the session of this identity, and return the identity without it. Raises `NotStored`."""
        if (session := identity.credentials.session) is not None:
            with contextlib.suppress(UnknownSession):
                await asyncio.to_thread(self._sessions.end, session)
            self._record(identity, "sign_out", subject=identity.name)
        return self._identities.resolve(identity.address, identity.place, Credentials())

    async def _sign_in_as(self, identity: Identity, name: str, password: str) -> tuple[str, int]:
        """Return the claim on this name, by its password. The first one to sign in with a free name claims it."""
        claim = self._secret_store.secrets.names.get(name_key(name))
        if claim is None and (lost := self._identities.lost_owner(name)) is not None:
            raise NameTaken(
                f"{lost} belongs to somebody, and its password was lost with the panel's secrets. "
                "An admin can release the name at /access.",
                field="name",
            )
        if claim is None:
            return await self._claim(identity, self._check_name(name), password)
        subject, source = f"name {claim.name}", self._access.devices.source_of(identity)
        self._throttle.wrong(source, subject)  # before the wait: somebody else could try meanwhile
        async with self._hashing:
            is_right = await asyncio.to_thread(verify_password, claim.password, password)
        if not is_right:
            self._audit.note(identity, "sign_in", subject=claim.name, outcome="refused", detail={"wrong": "password"})
            raise SignInFailed(f"That is not the password of {claim.name}.", field="password")
        self._throttle.right(source, subject)
        return claim.name, claim.generation

    async def _claim(self, identity: Identity, name: str, password: str) -> tuple[str, int]:
        if identity.role < Role.OPERATOR:
            raise self._access.refused(identity, Role.OPERATOR, f"claiming the name {name}")
        if (owner := self._identities.owner(name)) is not None:
            raise NameTaken(f"{name} looks like {owner}, which belongs to somebody. Choose another name.", field="name")
        if len(password) not in PASSWORD:
            needed = f"{PASSWORD[0]} to {PASSWORD[-1]}"
            raise BadCommand(f"The password has {len(password)} characters. Send {needed}.", field="password")
        async with self._hashing:
            hash = await asyncio.to_thread(hash_password, password)
        generation = await asyncio.to_thread(self._secret_store.change, lambda known: known.claim(name, hash))
        self._record(identity, "claim_name", subject=name)
        return name, generation

    async def release(self, identity: Identity, name: str) -> None:
        """Make the name free again, for its owner or an admin. Raises `UnclaimedName`, `NotAllowed`."""
        self._access.live.refresh()
        owner = self._identities.owner(name)
        if owner != identity.name or owner is None:
            permissions.check(identity, Role.ADMIN, f"releasing the name {as_json(name)} of somebody else")

        def release(known: Secrets) -> bool:
            return known.names.pop(name_key(name), None) is not None

        released = owner is not None and await asyncio.to_thread(self._secret_store.change, release)
        released = await self._identities.release_claim(name) or released
        if not released:
            raise UnclaimedName(f"The name {as_json(name)} is not claimed, so it cannot be released.", field="name")
        self._record(identity, "release_name", subject=owner)

    async def release_owned(self, identity: Identity, name: str) -> None:
        """Make the name free again if somebody owns exactly this one. Raises as `release`."""
        self._access.live.refresh()
        if self._identities.owner(name) == name:
            await self.release(identity, name)

    async def add_token(self, identity: Identity, label: str, role: Role, name: str | None) -> tuple[str, str]:
        """Make a token. Return its id and the token. Its name may be a free one, or one of your own."""
        if name is not None:
            name = self._check_name(name)
            if self._identities.owner(name) not in (None, identity.name):
                raise NameTaken(f"{name} belongs to somebody. Only its owner can make a token for it.", field="name")
        made = await asyncio.to_thread(self._secret_store.add_token, label, role, name)
        self._record(identity, "add_token", subject=label, detail={"role": role.word})
        return made

    async def revoke_token(self, identity: Identity, id: str) -> None:
        """Revoke the token and close the connections that use it. Raises `UnknownToken`."""
        if id not in self._secret_store.secrets.tokens:
            raise UnknownToken(f"There is no token {as_json(id)}. GET /access/tokens lists all.", field="id")
        token = await asyncio.to_thread(self._secret_store.revoke_token, id)
        self._record(identity, "revoke_token", subject=token.label)

    def sessions_for(self, identity: Identity) -> dict[str, tuple[Session, Identity]]:
        """Return the sessions that somebody may end: an admin all, others their own. Raises `SignInNeeded`."""
        if identity.role < Role.ADMIN and not identity.signed_in:
            raise SignInNeeded("Only signed-in people have sessions. Sign in at /access.")
        self._access.live.refresh()
        found = {}
        for id, session in self._sessions.all().items():
            credentials = Credentials(session.pin, session.token, session.name, id)
            now = self._identities.resolve(session.address, "elsewhere", credentials)
            own = id == identity.credentials.session or (now.name is not None and now.name == identity.name)
            if now.signed_in and (own or identity.role is Role.ADMIN):
                found[id] = session, now
        return found

    async def end_session(self, identity: Identity, id: str) -> None:
        """End the session and close its connections. Raises `UnknownSession`, `SignInNeeded`, `NotStored`."""
        found = self.sessions_for(identity).get(id)
        if found is None:
            raise UnknownSession(f"There is no session {as_json(id)}. GET /access/sessions lists yours.", field="id")
        await asyncio.to_thread(self._sessions.end, id)
        self._record(identity, "end_session", subject=found[0].device, detail={"address": found[0].address})

    def _record(
        self, identity: Identity, what: str, *, subject: str | None, detail: dict[str, str] | None = None
    ) -> None:
        """Record a change in the audit trail, and close the connections that it makes invalid."""
        self._audit.note(identity, what, subject=subject, detail=detail)
        self._access.live.review()
