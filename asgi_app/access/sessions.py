"""Who is signed in in which browser: kept by the panel, so that one session can be seen and ended by itself.

The cookie is 256 random bits and says nothing. What it stands for is in the file of secrets, under a hash of it; a
session that is not there is none, so nothing has to be remembered of those that ended.
"""

from __future__ import annotations

import secrets as random
import time
from collections import Counter
from collections.abc import Callable

from asgi_app.access.secret_store import Keys, Secrets, Session, name_key
from asgi_app.errors import NotStored, UnknownSession
from asgi_app.models import Proof, as_json, shown

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
        keys: Keys,
        days: int,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._seconds = days * DAY
        self._clock = clock
        self._uptime = uptime
        self._begun: dict[str, float] = {}  # by uptime, of those that began in this process
        self._unsaved: dict[str, Session] = {}
        self._ended: set[str] = set()  # that the file still has, since it could not be written

    def all(self) -> dict[str, Session]:
        """Those that are good, by id."""
        known = {**self._keys.secrets.sessions, **self._unsaved}
        return {id: session for id, session in known.items() if self.get(id) is session}

    def get(self, id: str) -> Session | None:
        """The session with this id, where it is good."""
        session = self._unsaved.get(id) or self._keys.secrets.sessions.get(id)
        if session is None or id in self._ended or self._age(id, session) >= self._seconds:
            return None
        return session

    def of_cookie(self, cookie: str) -> Proof:
        """What the cookie stands for; an empty proof where that is nothing."""
        digest = self._keys.digest(cookie)
        id = self._keys.session_with(digest)
        if id is None:
            id = next((id for id, session in list(self._unsaved.items()) if session.digest == digest), None)
        session = self.get(id) if id is not None else None
        if session is None or session.digest != digest:
            return Proof()
        return Proof(session.pin, session.token, session.name, id)

    def begin(self, proof: Proof, address: str, device: str) -> tuple[Proof, str]:
        """Keep what somebody has shown, in the session they have or in a new one: the proof with it, and its cookie.

        Blocks. A file that cannot be written does not keep anybody out: the session is then forgotten at the end.
        """
        cookie, id = random.token_urlsafe(32), proof.session or random.token_hex(8)
        before = self.get(id)
        session = Session(
            digest=self._keys.digest(cookie),
            at=round(self._clock(), 3),
            pin=proof.pin,
            token=proof.token,
            name=proof.name,
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
            self._keys.change(keep)
            self._unsaved.pop(id, None)
        except NotStored:
            self._unsaved.pop(id, None)
            while len(self._unsaved) >= UNSAVED:
                del self._unsaved[_oldest_of_most(self._unsaved)]
            self._unsaved[id] = session
        return proof._replace(session=id), cookie

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
        if id in self._keys.secrets.sessions:
            self._ended.add(id)
            self._keys.change(forget)
        return session

    def are_stale(self) -> bool:
        """Whether some are worth nothing any more, which must not come back, or have a wrong date."""
        known = self._keys.secrets
        return len(self._begun) > 2 * SESSIONS or any(
            not self._is_worth_keeping(id, session, known) or abs(self._off(id, session)) > OFF
            for id, session in known.sessions.items()
        )

    def tidy(self) -> None:
        """Forget and date those. Blocks. Raises `NotStored`."""
        self._keys.change(self._prune)
        kept = {*self._keys.secrets.sessions, *self._unsaved}
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
