"""The users' file: a text file with a name and an argon2 hash on each line, `name:hash`.

A program signs in with a token instead, of which the file holds the SHA-256: a token is long and random, a password is
not. The file is read again whenever it has changed, so that who is taken out of it is out at once.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from endoscribe.errors import EntryError

#: Also what signs a report, so it may be a full name; a colon would end it in the file.
NAME = re.compile(r"[^\W_](?:[\w .@'-]{0,78}[\w.])?")
LEAST_PASSWORD_CHARS, MOST_PASSWORD_CHARS = 12, 1024
TOKEN_PREFIX = "sha256$"  # noqa: S105  (a form, not a secret)
TOKEN_BYTES = 32


@dataclass(frozen=True)
class User:
    """A name with the hash of its password, None where only programs sign in, and those of its tokens."""

    name: str
    password: str | None = None
    tokens: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        return [f"{self.name}:{secret}" for secret in (*([self.password] if self.password else []), *self.tokens)]


class UsersFile:
    """The users of one file; a missing file holds nobody."""

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        self._path = path
        self._hasher = hasher or PasswordHasher()
        self._lock = Lock()
        self._seen: tuple[int, int, int] | None = None
        self._users: dict[str, User] = {}

    @property
    def names(self) -> list[str]:
        """Raises EntryError, as everything here does, when the file cannot be read."""
        return sorted(self._read())

    def add(self, name: str, password: str) -> None:
        """Add a user, or change their password; raises EntryError for an unusable name or password."""
        if not NAME.fullmatch(name):
            raise EntryError("A name has letters, digits, spaces and . @ _ ' -, at most 80, and begins with a letter.")
        if not LEAST_PASSWORD_CHARS <= len(password) <= MOST_PASSWORD_CHARS:
            raise EntryError(f"A password has at least {LEAST_PASSWORD_CHARS} characters.")
        users = self._read()
        tokens = users[name].tokens if name in users else ()
        self._write({**users, name: User(name, self._hasher.hash(password), tokens)}.values())

    def remove(self, name: str) -> None:
        """Remove a user with all tokens."""
        users = self._read()
        if name not in users:
            raise EntryError(f"There is no user {name} in {self._path}.")
        self._write(user for user in users.values() if user.name != name)

    def issue_token(self, name: str) -> str:
        """A token for a user's programs, which is told only now."""
        users = self._read()
        if name not in users:
            raise EntryError(f"There is no user {name} in {self._path}.")
        token = secrets.token_urlsafe(TOKEN_BYTES)
        user = users[name]
        self._write({**users, name: User(name, user.password, (*user.tokens, _digest(token)))}.values())
        return token

    def is_right(self, name: str, password: str) -> bool:
        """Whether this is the user's password; for a name that is not known it takes as long to say no."""
        user = self._read().get(name)
        known = user.password if user and user.password else None
        if len(password) > MOST_PASSWORD_CHARS:
            return False
        try:
            self._hasher.verify(known or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return False
        return known is not None

    def holder(self, token: str) -> str | None:
        """Whose token this is."""
        digest, found = _digest(token), None
        for user in self._read().values():
            for known in user.tokens:
                if hmac.compare_digest(known, digest):
                    found = user.name
        return found

    def mark(self, name: str) -> str | None:
        """What changes with the user's password; None when there is no such user."""
        user = self._read().get(name)
        return hashlib.sha256((user.password or "").encode()).hexdigest()[:16] if user else None

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_hex(16))

    def _read(self) -> dict[str, User]:
        with self._lock:
            try:
                found = self._path.stat()
                seen = (found.st_mtime_ns, found.st_size, found.st_ino)
                if seen != self._seen:
                    self._users, self._seen = _parsed(self._path.read_text("utf-8").splitlines(), self._path), seen
            except FileNotFoundError:
                self._users, self._seen = {}, None
            except (OSError, UnicodeDecodeError) as error:
                raise EntryError(f"The users' file {self._path} cannot be read.") from error
            return dict(self._users)

    def _write(self, users: Iterable[User]) -> None:
        """In one step, readable by nobody but the folder's owner: root writes it for user 1000 in a container."""
        text = "".join(f"{line}\n" for user in users for line in user.lines)
        part = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}.part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                if os.geteuid() == 0:
                    folder = self._path.parent.stat()
                    os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise EntryError(f"The users' file {self._path} cannot be written.") from error


def _parsed(lines: Iterable[str], path: Path) -> dict[str, User]:
    users: dict[str, User] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, secret = line.strip().partition(":")
        before = users.get(name, User(name))
        if NAME.fullmatch(name) and secret.startswith(TOKEN_PREFIX):
            users[name] = User(name, before.password, (*before.tokens, secret))
        elif NAME.fullmatch(name) and secret.startswith("$argon2"):
            users[name] = User(name, secret, before.tokens)
        else:
            raise EntryError(f"Line {number} of {path} is not name:hash; `python -m endoscribe users add` writes it.")
    return users


def _digest(token: str) -> str:
    return TOKEN_PREFIX + hashlib.sha256(token.encode()).hexdigest()
