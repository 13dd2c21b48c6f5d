"""Who is signed in in which browser: kept by the panel, so that one session can be seen and ended by itself.

The cookie is 256 random bits and says nothing. What it stands for is in the file of secrets, under a hash of it; a
session that is not there is none, so nothing has to be remembered of those that ended.
"""

from __future__ import annotations

import secrets as random
import time
from collections import Counter
from collections.abc import Callable

from asgi_app.access.secret_store import Secrets, SecretStore, Session, name_key
from asgi_app.errors import NotStored, UnknownSession
from asgi_app.models import Credentials, as_json, shown

DAY = 24 * 3600
SESSIONS = 1000  # that are kept; each is some 250 bytes of a file that is written whole
OFF = 60.0  # seconds by which a date may be wrong
UNSAVED = 100  # that are kept in memory alone, while the file cannot be written


class Sessions:
    """The sessions of a panel, each good for so many `days` from when it began, by the clock of the wall.

    Where that clock starts in the past, as a Raspberry Pi's does, the sessions of before are good, and those that begin
    before it is set right are then dated anew.
    """

    def __init__(
        self,
        secret_store: SecretStore,
        days: int,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret_store = secret_store
        self._seconds = days * DAY
        self._clock = clock
        self._uptime = uptime
        self._begun: dict[str, float] = {}  # by uptime, of those that began in this process
        self._unsaved: dict[str, Session] = {}
        self._ended: set[str] = set()  # that the file still has, since it could not be written

    def all(self) -> dict[str, Session]:
        """Those that are good, by id."""
        known = {**self._secret_store.secrets.sessions, **self._unsaved}
        return {id: session for id, session in known.items() if self.get(id) is session}

    def get(self, id: str) -> Session | None:
        """The session with this id, where it is good."""
        session = self._unsaved.get(id) or self._secret_store.secrets.sessions.get(id)
        if session is None or id in self._ended or self._age(id, session) >= self._seconds:
            return None
        return session

    def of_cookie(self, cookie: str) -> Credentials:
        """What the cookie stands for; an empty credentials where that is nothing."""
        digest = self._secret_store.digest(cookie)
        id = self._secret_store.session_with(digest)
        if id is None:
            id = next((id for id, session in list(self._unsaved.items()) if session.digest == digest), None)
        session = self.get(id) if id is not None else None
        if session is None or session.digest != digest:
            return Credentials()
        return Credentials(session.pin, session.token, session.name, id)

    def begin(self, credentials: Credentials, address: str, device: str) -> tuple[Credentials, str]:
        """Keep the credentials in the session they have or in a new one. Return them with the session, and its cookie.

        Blocks. A file that cannot be written does not keep anybody out: the session is then forgotten at the end.
        """
        cookie, id = random.token_urlsafe(32), credentials.session or random.token_hex(8)
        before = self.get(id)
        session = Session(
            digest=self._secret_store.digest(cookie),
            at=round(self._clock(), 3),
            pin=credentials.pin,
            token=credentials.token,
            name=credentials.name,
            address=before.address if before else shown(address),
            device=before.device if before else shown(device),
        )

        self._begun[id] = self._uptime()

        def keep(known: Secrets) -> None:
            self._prune(known)
            known.sessions.pop(id, None)
            while len(known.sessions) >= SESSIONS:
                del known.sessions[_oldest_of_most(known.sessions)]
            known.sessions[id] = session

        try:
            self._secret_store.change(keep)
            self._unsaved.pop(id, None)
        except NotStored:
            self._unsaved.pop(id, None)
            while len(self._unsaved) >= UNSAVED:
                del self._unsaved[_oldest_of_most(self._unsaved)]
            self._unsaved[id] = session
        return credentials._replace(session=id), cookie

    def end(self, id: str) -> Session:
        """Have the session be none. Blocks. Raises `UnknownSession`.

        Raises `NotStored` where the file still has it until `tidy` can write it: after a crash it would be good again.
        """

        def forget(known: Secrets) -> Session | None:
            self._prune(known)
            return known.sessions.pop(id, None)

        session = self.get(id)
        if session is None:
            raise UnknownSession(f"no session {as_json(id)}", field="id")
        self._unsaved.pop(id, None)
        if id in self._secret_store.secrets.sessions:
            self._ended.add(id)
            self._secret_store.change(forget)
        return session

    def are_stale(self) -> bool:
        """Whether some are worth nothing any more, which must not come back, or have a wrong date."""
        known = self._secret_store.secrets
        return len(self._begun) > 2 * SESSIONS or any(
            not self._is_worth_keeping(id, session, known) or abs(self._off(id, session)) > OFF
            for id, session in known.sessions.items()
        )

    def tidy(self) -> None:
        """Forget and date those. Blocks. Raises `NotStored`."""
        self._secret_store.change(self._prune)
        kept = {*self._secret_store.secrets.sessions, *self._unsaved}
        self._ended &= kept
        self._begun = {id: begun for id, begun in self._begun.items() if id in kept}

    def _prune(self, known: Secrets) -> None:
        for id, session in list(known.sessions.items()):
            if not self._is_worth_keeping(id, session, known):
                del known.sessions[id]
            elif abs(off := self._off(id, session)) > OFF:
                session.at = round(session.at + off, 3)

    def _age(self, id: str, session: Session) -> float:
        """Seconds since it began; of one of this process whatever the clock was set to meanwhile."""
        begun = self._begun.get(id)
        return self._clock() - session.at if begun is None else self._uptime() - begun

    def _off(self, id: str, session: Session) -> float:
        """By how many seconds the date of one of this process is wrong."""
        return self._clock() - self._age(id, session) - session.at if id in self._begun else 0.0

    def _is_worth_keeping(self, id: str, session: Session, known: Secrets) -> bool:
        claim = known.names.get(name_key(session.name[0])) if session.name is not None else None
        return (
            id not in self._ended
            and self._age(id, session) < self._seconds
            and (
                session.pin == known.pin_generation
                or session.token in known.tokens
                or (claim is not None and session.name is not None and claim.generation == session.name[1])
            )
        )


def _oldest_of_most(sessions: dict[str, Session]) -> str:
    """Which one gives way: the first of whoever has the most, so that one who signs in a lot ends nobody else's."""
    owners = {id: (session.name, session.token, session.pin) for id, session in sessions.items()}
    ((most, _),) = Counter(owners.values()).most_common(1)
    return next(id for id, owner in owners.items() if owner == most)
