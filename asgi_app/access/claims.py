"""Claimed names in the database: they stay closed after the secrets are lost.

Without the file of secrets nobody can prove to own a name, and the next one to take it would read its private messages.
So the database, which has the messages, keeps the names too.
"""

from __future__ import annotations

from functools import partial

from asgi_app.access.secret_store import Secrets, name_key
from asgi_app.store import Store, claims
from asgi_app.unicode.lookalikes import looks_like


class Claims:
    """The names in the database. `known` are the secrets of now."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: dict[str, str] = {name_key(name): name for name in store.read(claims.all_names)}

    def lost(self, known: Secrets) -> dict[str, str]:
        """Return the names that only the database knows, by key."""
        return {key: name for key, name in self._names.items() if key not in known.names}

    def owner_lost(self, name: str, known: Secrets) -> str | None:
        """Return the lost name that this name is, or looks like, as its owner wrote it."""
        lost = self.lost(known) if self._names else {}
        return (lost.get(name_key(name)) or looks_like(name, lost.values())) if lost else None

    def follow(self, known: Secrets) -> None:
        """Store the names that are claimed now. Never blocks. Each call tries again until they are stored."""
        new = {key: claim.name for key, claim in known.names.items() if self._names.get(key) != claim.name}
        if new:
            before = [name for key in new if (name := self._names.get(key)) is not None]
            self._names |= new
            self._store.try_to(partial(claims.remove, names=before))
            self._store.try_to(partial(claims.add, names=list(new.values())))

    async def read_again(self) -> None:
        """Read the names of a database opened late or replaced, and store those that it lacks. Raises `NotStored`."""
        found = await self._store.do(claims.all_names)
        lacking = [name for name in self._names.values() if name not in set(found)]
        self._names = {name_key(name): name for name in found} | self._names
        if lacking:
            self._store.try_to(partial(claims.add, names=lacking))

    async def release(self, name: str) -> bool:
        """Have the database forget the name. Return whether it knew it. Raises `NotStored`."""
        found = self._names.get(name_key(name))
        if found is None:
            return False
        await self._store.do(partial(claims.remove, names=[found]), durable=True)
        self._names.pop(name_key(name), None)
        return True
