"""The file of secrets, `access.json`: the PIN, tokens, names, and who is signed in.

It is the owner's alone (mode 0600) and small, so it is read whole and replaced whole. The command line changes it while
the panel runs: whoever writes holds the lock, and the panel looks at the file's time stamp before it accepts one.
What it cannot read it does not believe: then nobody is signed in until it can, and names stay whose they were.
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

from asgi_app.errors import NameTaken, NotStored, SetupError, TooMany, UnknownToken
from asgi_app.models import Role, RoleName
from asgi_app.telemetry.logs import event
from asgi_app.unicode.lookalikes import looks_like

log = logging.getLogger("pilotlight.access")

T = TypeVar("T")

PIN_DIGITS = 8
DASHES = "_.\N{MINUS SIGN}\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}"  # the last is what Japanese keyboards make of -
TOKEN_PREFIX = "plt_"  # so that a leaked one is recognised
TOKENS = 1000
CLAIMS = 1000  # names that belong to somebody
LARGEST = 16 * 1024 * 1024  # bytes of the file
REQUIRED = ("pin", "pin_generation", "secret", "tokens", "names", "generation")  # what every version of it has


def typed_pin(text: str) -> str:
    """A PIN as somebody typed or copied it, of any script, with dashes, spaces and what is not seen: its digits."""
    digits = []
    for one in text:
        digit = unicodedata.digit(one, None)
        if digit is not None:
            digits.append(str(digit))
        elif not (one.isspace() or one in DASHES or unicodedata.category(one) in ("Pd", "Cf", "Zs")):
            digits.append(one)
    return "".join(digits)


def new_pin() -> str:
    """A PIN at random."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"


class Token(BaseModel):
    """A program's way in. Only its hash is kept."""

    label: str
    role: RoleName
    name: str | None = Field(None, description="The chat name it speaks as.")
    generation: int | None = Field(None, description="The claim on that name which it belongs to.")
    at: float = Field(description="When it was made.")
    digest: str


class Claim(BaseModel):
    """A name that belongs to somebody."""

    name: str = Field(description="As its owner writes it.")
    password: str = Field(description="Its hash: argon2id or scrypt.")
    generation: int
    at: float


class Session(BaseModel):
    """Somebody who is signed in in a browser: what they have shown. Of the cookie only its hash is kept."""

    digest: str
    at: float = Field(description="When it was signed in to last.")
    pin: int | None = Field(None, description="The generation of the PIN that was shown.")
    token: str | None = Field(None, description="The id of the token that was shown.")
    name: tuple[str, int] | None = Field(None, description="The name that was signed in as, and which claim on it.")
    address: str
    device: str


class Secrets(BaseModel):
    """What is in the file."""

    pin: str = Field(default_factory=new_pin, pattern="^[0-9]{4,64}$")
    pin_generation: int = 1
    secret: str = Field(default_factory=lambda: secrets.token_hex(32), pattern="^[0-9a-f]{64}$")
    tokens: dict[str, Token] = {}
    names: dict[str, Claim] = {}
    generation: int = Field(1, description="Counts claims of names: a name that is claimed anew is another claim.")
    sessions: dict[str, Session] = {}

    def claim(self, name: str, password: str) -> int:
        """Have the name belong to who knows the password; the claim's generation. Raises `NameTaken`, `TooMany`."""
        if (owner := self.owner(name)) is not None:
            like = "" if owner == name else f": it looks like {owner}"
            raise NameTaken(f"{name} belongs to somebody{like}. Choose another name.", field="name")
        if len(self.names) >= CLAIMS:
            raise TooMany(f"{CLAIMS} names belong to somebody, and no more fit in", field="name")
        self.generation += 1
        claim = Claim(name=name, password=password, generation=self.generation, at=round(time.time(), 3))
        self.names[name_key(name)] = claim
        return claim.generation

    def owner(self, name: str) -> str | None:
        """The claimed name that this is, or looks like, as its owner writes it.

        Two names that look alike can both belong to somebody: they could once be claimed.
        """
        if not self.names:
            return None
        claim = self.names.get(name_key(name))
        if claim is not None:
            return claim.name
        return looks_like(name, (claim.name for claim in self.names.values()))

    def claim_for_programs(self, name: str) -> int:
        """The claim on the name; one that nobody's password opens where it is free."""
        known = self.names.get(name_key(name))
        return known.generation if known is not None else self.claim(name, "")


def name_key(name: str) -> str:
    """One key for all spellings of a name: compatibility forms, case, white space, format characters.

    The file has claims by it, so it stays as it is. `Secrets.owner` knows what looks alike beside that.
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    return " ".join("".join(one for one in text if unicodedata.category(one) != "Cf").split())


class SecretStore:
    """The secrets, as the file has them. `SecretStore(None)` forgets them at its end."""

    def __init__(self, directory: Path | None) -> None:
        self.path = directory / "access.json" if directory else None
        self._stamp: tuple[int, int, int] | None = None
        self._tokens: dict[str, str] = {}  # ids by digest, of these and of sessions
        self._sessions: dict[str, str] = {}
        self._damaged: tuple[int, int, int] | None = None  # the stamp of a file that makes no sense: read once
        self.trouble: str | None = None  # why the file cannot be read now: nothing that is in it lets anybody in
        self.secrets = Secrets()

    def open(self) -> None:
        """Read the file, or make it. Raises `SetupError` where that cannot be."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._new.exists() or not self.path.exists():
                with self._locked():
                    self._new.unlink(missing_ok=True)  # of a crash in the middle of a write
                    if not self.path.exists():
                        self._write(self.secrets)
            self._read()
        except OSError as error:
            raise SetupError(f"cannot use {self.path}: {error.strerror or error}") from error

    @property
    def may_be_there(self) -> bool:
        """Whether there is a file, as far as one can tell: what cannot be looked at may be one."""
        try:
            return self.path is not None and bool(os.stat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True

    def refresh(self) -> bool:
        """Read the file again where somebody has changed it, or it could not be read; whether anything is new.

        A file that is gone, cannot be read or makes no sense is `trouble`: somebody may have revoked something in it.
        """
        if self.path is None:
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
        """Believe nothing that is shown until the file can be read; whether that is new."""
        known, self._stamp = self.trouble, None
        self.trouble = error.detail if isinstance(error, SetupError) else f"{self.path}: {error.strerror or error}"
        if self.trouble == known:
            return False
        log.error(
            "the secrets cannot be read, and nobody is signed in until they can: %s",
            self.trouble,
            extra=event("secrets_unreadable", reason=self.trouble),
        )
        return known is None

    def change(self, change: Callable[[Secrets], T]) -> T:
        """Change the secrets, in the file too, which others may be changing. Raises `NotStored`."""
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
                f"{self.path} cannot be written ({error.strerror or error}); nothing was changed"
            ) from error
        except SetupError as error:
            raise NotStored(f"{error.detail}; nothing was changed") from error
        return result

    # --- the PIN -------------------------------------------------------------------------------------------

    def is_pin(self, text: str) -> bool:
        """Whether this is the PIN as people type it, in constant time."""
        return hmac.compare_digest(typed_pin(text).encode(errors="replace"), self.secrets.pin.encode())

    def renew_pin(self) -> str:
        """Another PIN; sign-ins made with the old one end."""

        def renew(secrets: Secrets) -> str:
            before = secrets.pin
            while secrets.pin == before:
                secrets.pin = new_pin()
            secrets.pin_generation += 1
            return secrets.pin

        return self.change(renew)

    # --- tokens --------------------------------------------------------------------------------------------

    def add_token(self, label: str, role: Role, name: str | None = None) -> tuple[str, str]:
        """Make a token: its id, and the token itself, which is nowhere kept."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        id = secrets.token_hex(4)

        def add(kept: Secrets) -> None:
            if len(kept.tokens) >= TOKENS:
                raise TooMany(f"there are {TOKENS} tokens; revoke one first")
            made = Token(label=label, role=role.word, at=round(time.time(), 3), digest=self.digest(token))
            if name is not None:
                made.name, made.generation = name, kept.claim_for_programs(name)
            kept.tokens[id] = made

        self.change(add)
        return id, token

    def revoke_token(self, id: str) -> Token:
        """Take a token back. Raises `UnknownToken`."""

        def revoke(kept: Secrets) -> Token:
            if id not in kept.tokens:
                raise UnknownToken(f"no token {id!r}", field="id")
            return kept.tokens.pop(id)

        return self.change(revoke)

    def token_of(self, token: str) -> str | None:
        """The id of the token, where it is one."""
        return self._tokens.get(self.digest(token))

    def session_with(self, digest: str) -> str | None:
        """The id of the session whose cookie has this digest."""
        return self._sessions.get(digest)

    def digest(self, token: str) -> str:
        """A keyed hash (BLAKE2b, RFC 7693). A token is 256 random bits: a slow hash would slow no guessing down."""
        key = bytes.fromhex(self.secrets.secret)
        return hashlib.blake2b(token.encode(errors="replace"), key=key, digest_size=32).hexdigest()

    # --- the file ------------------------------------------------------------------------------------------

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
            log.warning("the secrets can be read again", extra=event("secrets_again"))

    def _fault(self, why: str) -> str:
        return (
            f"{self.path} makes no sense ({why}); put a copy of before in its place, or move it away and start the "
            "panel again: it then makes a new one, and names that were claimed stay closed until an admin releases them"
        )

    def _bytes(self) -> bytes:
        """What is in the file. Raises `OSError`, `SetupError` for what is no file: a pipe would be waited for."""
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
        """Whole or not at all, and never readable by others, not even for a moment."""
        assert self.path is not None
        self._new.unlink(missing_ok=True)
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._give_to_owner(descriptor)
        with open(descriptor, "w") as file:
            json.dump(secrets.model_dump(), file, indent=1)
            file.flush()
            os.fsync(descriptor)
        os.replace(self._new, self.path)
        with contextlib.suppress(OSError):  # it holds from now on; some file systems cannot do more
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)  # its new name too is on the disk before anybody is told
            finally:
                os.close(directory)

    @property
    def _new(self) -> Path:
        """What is being written; only who holds the lock does."""
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
        """What root makes is for whoever has the directory: the panel still reads it after `sudo pilotlight pin`."""
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
