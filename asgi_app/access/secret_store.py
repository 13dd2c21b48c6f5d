"""The file of secrets, `access.json`: the PIN, tokens, claimed names, and sessions.

Only its owner can read it (mode 0600). It is small, so it is read and replaced as a whole. The command line changes it
while the panel runs: writers hold a lock, and the panel compares the file's time stamp before it accepts credentials.
While the file cannot be read, nobody is signed in, and claimed names stay claimed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from asgi_app.access.pin import new_pin, typed_pin
from asgi_app.errors import NameTaken, NotStored, SetupError, TooMany, UnknownToken
from asgi_app.models.access import Role, RoleName
from asgi_app.store.file import sync_directory
from asgi_app.telemetry.logs import event
from asgi_app.unicode.lookalikes import looks_like

log = logging.getLogger("pilotlight.access")

T = TypeVar("T")

TOKEN_PREFIX = "plt_"  # so that a leaked token is recognised
TOKENS = 1000
CLAIMS = 1000  # of names
LARGEST = 16 * 1024 * 1024  # bytes of the file
REQUIRED = ("pin", "pin_generation", "secret", "tokens", "names", "generation")  # fields of every version of the file


class Token(BaseModel):
    """A token of a program. Only its hash is kept."""

    label: str
    role: RoleName
    name: str | None = Field(None, description="The chat name it speaks as.")
    generation: int | None = Field(None, description="The generation of the claim on that name.")
    at: float = Field(description="When it was made.")
    digest: str


class Claim(BaseModel):
    """A name that belongs to somebody."""

    name: str = Field(description="As its owner writes it.")
    password: str = Field(description="Its hash: argon2id or scrypt.")
    generation: int
    at: float


class Session(BaseModel):
    """The sign-in of a browser: its credentials. Only a hash of the cookie is kept."""

    digest: str
    at: float = Field(description="When it last signed in.")
    pin: int | None = Field(None, description="The generation of the PIN.")
    token: str | None = Field(None, description="The id of the token.")
    name: tuple[str, int] | None = Field(None, description="The claimed name, and the generation of the claim.")
    address: str
    device: str


class Secrets(BaseModel):
    """The content of the file."""

    pin: str = Field(default_factory=new_pin, pattern="^[0-9]{4,64}$")
    pin_generation: int = 1
    secret: str = Field(default_factory=lambda: secrets.token_hex(32), pattern="^[0-9a-f]{64}$")
    tokens: dict[str, Token] = {}
    names: dict[str, Claim] = {}
    generation: int = Field(1, description="Counts claims. A name that is claimed again has another generation.")
    sessions: dict[str, Session] = {}
    keeper: str | None = Field(None, description="In a copy: the address of the panel that has the original.")

    def claim(self, name: str, password: str) -> int:
        """Claim the name with a password hash. Return the claim's generation. Raises `NameTaken`, `TooMany`."""
        if (owner := self.owner(name)) is not None:
            like = "" if owner == name else f": it looks like {owner}"
            raise NameTaken(f"{name} belongs to somebody{like}. Choose another name.", field="name")
        if len(self.names) >= CLAIMS:
            raise TooMany(f"{CLAIMS} names are claimed, which is the limit. Release one first.", field="name")
        self.generation += 1
        claim = Claim(name=name, password=password, generation=self.generation, at=round(time.time(), 3))
        self.names[name_key(name)] = claim
        return claim.generation

    def owner(self, name: str) -> str | None:
        """Return the claimed name that this name is, or looks like, as its owner writes it.

        Two claimed names may look alike: older versions allowed it.
        """
        if not self.names:
            return None
        claim = self.names.get(name_key(name))
        if claim is not None:
            return claim.name
        return looks_like(name, (claim.name for claim in self.names.values()))

    def claim_for_programs(self, name: str) -> int:
        """Return the claim on the name. A free name is claimed without a password."""
        known = self.names.get(name_key(name))
        return known.generation if known is not None else self.claim(name, "")


def name_key(name: str) -> str:
    """Return one key for all spellings of a name: compatibility forms, case, white space, format characters.

    The file stores claims under this key, so the key must not change. `Secrets.owner` also finds names that look alike.
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    return " ".join("".join(one for one in text if unicodedata.category(one) != "Cf").split())


class SecretStore:
    """The secrets of the file. `SecretStore(None)` keeps them in memory only."""

    def __init__(self, directory: Path | None) -> None:
        self.path = directory / "access.json" if directory else None
        self._stamp: tuple[int, int, int] | None = None
        self._tokens: dict[str, str] = {}  # ids by digest
        self._sessions: dict[str, str] = {}
        self._damaged: tuple[int, int, int] | None = None  # the stamp of an invalid file, which is read only once
        self._adopted = False  # the keeper says what is new, and not the file
        self.trouble: str | None = None  # why the file cannot be read now: until then no credentials count
        self.secrets = Secrets()

    def open(self) -> None:
        """Read the file, or create it. Raises `SetupError`."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._new.exists() or not self.path.exists():
                with self._locked():
                    self._new.unlink(missing_ok=True)  # left by a crash during a write
                    if not self.path.exists():
                        self._write(self.secrets)
            self._read()
        except OSError as error:
            raise SetupError(f"Cannot use {self.path}: {error.strerror or error}") from error

    @property
    def may_be_there(self) -> bool:
        """Whether there may be a file: True also if that cannot be checked."""
        try:
            return self.path is not None and bool(os.stat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True

    def refresh(self) -> bool:
        """Read the file again if it has changed or could not be read. Return whether anything is new.

        A missing, unreadable or invalid file sets `trouble`: it may have revoked something.
        """
        if self.path is None or self._adopted:
            return False
        stamp = self._stamp_of_file()
        if stamp is not None and stamp == (self._stamp if self.trouble is None else self._damaged):
            return False
        try:
            self._read()
        except (OSError, SetupError) as error:
            return self.close(error)
        return True

    def close(self, error: OSError | SetupError) -> bool:
        """Accept no credentials until the file can be read. Return whether that is new."""
        known, self._stamp = self.trouble, None
        self.trouble = error.detail if isinstance(error, SetupError) else f"{self.path}: {error.strerror or error}"
        if self.trouble == known:
            return False
        log.error(
            "The secrets cannot be read, so nobody is signed in until they can: %s",
            self.trouble,
            extra=event("secrets_unreadable", reason=self.trouble),
        )
        return known is None

    def change(self, change: Callable[[Secrets], T]) -> T:
        """Change the secrets and the file, while other processes may change it too. Raises `NotStored`."""
        if self.secrets.keeper is not None:
            raise NotStored(f"The keeper of this home has the secrets. Change them there: {self.secrets.keeper}.")
        return self._change(change)

    def take_over(self) -> None:
        """Make a copy the original: this panel is alone, or the keeper, from now on."""

        def take_over(secrets: Secrets) -> None:
            secrets.keeper = None

        if self.secrets.keeper is not None:
            self._change(take_over)

    def adopt(self, text: bytes) -> None:
        """Use the secrets that the keeper has, until `keep_copy` in memory only. Raises `ValueError`."""
        try:
            self._take(Secrets.model_validate_json(text))
        except ValidationError as error:  # its text has parts of the secrets
            raise ValueError(f"{error.error_count()} of the secrets of the home make no sense") from None
        self._adopted, self.trouble = True, None

    def keep_copy(self) -> None:
        """Write what was adopted, for the next start. Blocks. Raises `OSError`.

        The secrets from before the panel joined the home stay in a file beside it.
        """
        if self.path is None:
            return
        with self._locked():
            with contextlib.suppress(ValidationError, SetupError):
                if Secrets.model_validate_json(self._bytes()).keeper is None:
                    alone = self.path.with_name(f"{self.path.name}.alone")
                    alone.unlink(missing_ok=True)
                    os.link(self.path, alone)
            self._write(self.secrets)

    def _change(self, change: Callable[[Secrets], T]) -> T:
        if self.path is None:
            changed = self.secrets.model_copy(deep=True)
            result = change(changed)
            self._take(changed)
            return result
        try:
            with self._locked():
                self._read()
                changed = self.secrets.model_copy(deep=True)
                result = change(changed)
                self._write(changed)
                self._read()
        except OSError as error:
            raise NotStored(
                f"{self.path} cannot be written ({error.strerror or error}). Nothing was changed."
            ) from error
        except SetupError as error:
            raise NotStored(f"{error.detail}. Nothing was changed.") from error
        return result

    def is_pin(self, text: str) -> bool:
        """Whether this is the PIN as people type it, in constant time."""
        return hmac.compare_digest(typed_pin(text).encode(errors="replace"), self.secrets.pin.encode())

    def renew_pin(self) -> str:
        """Make a new PIN and return it. Sign-ins with the old one end."""

        def renew(secrets: Secrets) -> str:
            before = secrets.pin
            while secrets.pin == before:
                secrets.pin = new_pin()
            secrets.pin_generation += 1
            return secrets.pin

        return self.change(renew)

    def add_token(self, label: str, role: Role, name: str | None = None) -> tuple[str, str]:
        """Make a token. Return its id and the token, which is not kept."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        id = secrets.token_hex(4)

        def add(kept: Secrets) -> None:
            if len(kept.tokens) >= TOKENS:
                raise TooMany(f"There are {TOKENS} tokens. Revoke one first.")
            made = Token(label=label, role=role.word, at=round(time.time(), 3), digest=self.digest(token))
            if name is not None:
                made.name, made.generation = name, kept.claim_for_programs(name)
            kept.tokens[id] = made

        self.change(add)
        return id, token

    def revoke_token(self, id: str) -> Token:
        """Revoke a token. Raises `UnknownToken`."""

        def revoke(kept: Secrets) -> Token:
            if id not in kept.tokens:
                raise UnknownToken(f"There is no token {id!r}.", field="id")
            return kept.tokens.pop(id)

        return self.change(revoke)

    def token_of(self, token: str) -> str | None:
        """Return the id of a valid token."""
        return self._tokens.get(self.digest(token))

    def session_with(self, digest: str) -> str | None:
        """Return the id of the session whose cookie has this digest."""
        return self._sessions.get(digest)

    def digest(self, token: str) -> str:
        """Return a keyed hash (BLAKE2b, RFC 7693). Nobody guesses 256 random bits, so it need not be slow."""
        key = bytes.fromhex(self.secrets.secret)
        return hashlib.blake2b(token.encode(errors="replace"), key=key, digest_size=32).hexdigest()

    def _take(self, secrets: Secrets) -> None:
        self.secrets = secrets
        self._tokens = {token.digest: id for id, token in secrets.tokens.items()}
        self._sessions = {session.digest: id for id, session in secrets.sessions.items()}

    def _read(self) -> None:
        assert self.path is not None
        stamp = self._stamp_of_file()
        if stamp == self._stamp and stamp is not None:
            return
        try:
            found = Secrets.model_validate_json(self._bytes())
            if missing := [name for name in REQUIRED if name not in found.model_fields_set]:
                raise SetupError(self._fault(f"it has no {missing[0]}"))
        except ValidationError as error:
            self._damaged = stamp
            raise SetupError(self._fault(error.errors()[0]["msg"])) from None
        except SetupError:
            self._damaged = stamp
            raise
        self._take(found)
        self._stamp = stamp
        if self.trouble is not None:
            self.trouble = None
            log.warning("The secrets can be read again", extra=event("secrets_again"))

    def _fault(self, why: str) -> str:
        return (
            f"{self.path} makes no sense ({why}). Restore a copy, or move the file away and start the panel again. "
            "It then makes a new file, and claimed names stay closed until an admin releases them"
        )

    def _bytes(self) -> bytes:
        """Return the bytes of the file. Raises `OSError`, and `SetupError` for a pipe, which would block."""
        assert self.path is not None
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
                raise SetupError(self._fault("it is no file of secrets"))
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(LARGEST)
        finally:
            os.close(descriptor)

    def _write(self, secrets: Secrets) -> None:
        """Replace the file atomically. Others cannot read it at any time."""
        assert self.path is not None
        self._new.unlink(missing_ok=True)
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._give_to_owner(descriptor)
        with open(descriptor, "w") as file:
            json.dump(secrets.model_dump(), file, indent=1)
            file.flush()
            os.fsync(descriptor)
        os.replace(self._new, self.path)
        sync_directory(self.path.parent)  # stores the new name too

    @property
    def _new(self) -> Path:
        """The file that is being written, under the lock."""
        assert self.path is not None
        return self.path.with_name(f"{self.path.name}.new")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        assert self.path is not None
        lock = os.open(self.path.with_name("access.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._give_to_owner(lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _give_to_owner(self, descriptor: int) -> None:
        """Give root's files to the owner of the directory, so that the panel reads them after `sudo pilotlight pin`."""
        assert self.path is not None
        if os.geteuid() == 0:
            directory = os.stat(self.path.parent)
            os.fchown(descriptor, directory.st_uid, directory.st_gid)

    def _stamp_of_file(self) -> tuple[int, int, int] | None:
        assert self.path is not None
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
