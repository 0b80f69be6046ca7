"""Session cookies, signed and revocable. The key stays in the data folder, readable by nobody else."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from itsdangerous import BadData, URLSafeTimedSerializer

from endoscribe.errors import EntryError, StorageError

KEY_BYTES = 32


@dataclass(frozen=True)
class SessionCookie:
    """Somebody who has signed in; the mark changes when their password does."""

    id: str
    name: str
    mark: str
    age_s: float = 0.0


class SessionCookies:
    """Writes, reads and revokes session cookies; what is revoked is remembered until it would have expired anyway.

    Several programs may share the folder: what one revokes counts at the others at once.
    """

    def __init__(self, folder: Path, lifetime_s: int) -> None:
        """Raises StorageError when the key can neither be read nor made."""
        self.lifetime_s = lifetime_s
        self._key_file = folder / "cookie.key"
        key = _key(self._key_file)
        self._session_cookies = URLSafeTimedSerializer(key, "ticket")  # the salt of the cookies in use
        self._notes = URLSafeTimedSerializer(key, "note")
        self._revoked_file = folder / "revoked"
        self._lock = Lock()
        with self._alone():
            self._revoked = _read_revoked(self._revoked_file)
            _keep(self._revoked_file, self._revoked)
            self._seen = _state(self._revoked_file)

    def issue(self, name: str, mark: str) -> str:
        return self.write(SessionCookie(secrets.token_hex(16), name, mark))

    def write(self, session_cookie: SessionCookie) -> str:
        """The session as a cookie, as of now."""
        return str(self._session_cookies.dumps([session_cookie.id, session_cookie.name, session_cookie.mark]))

    def read(self, text: str) -> SessionCookie | None:
        """None for what was not written here, has expired or was revoked; raises EntryError.

        That is when it cannot be found out what other programs have revoked.
        """
        try:
            (number, name, mark), written = self._session_cookies.loads(text, self.lifetime_s, return_timestamp=True)
        except (BadData, ValueError, TypeError):
            return None
        return (
            None if self._is_revoked(number) else SessionCookie(number, name, mark, time.time() - written.timestamp())
        )

    def revoke(self, session_cookie: SessionCookie) -> None:
        """Accept this cookie no more, also after a restart; raises StorageError."""
        with self._lock, self._alone():
            self._revoked[session_cookie.id] = time.time() + self.lifetime_s
            _write(self._revoked_file, f"{session_cookie.id} {self._revoked[session_cookie.id]:.0f}\n", os.O_APPEND)

    def _is_revoked(self, number: str) -> bool:
        """Another program may have added to the file; what was known stays known."""
        with self._lock:
            if (seen := _state(self._revoked_file)) != self._seen:
                try:
                    self._revoked |= _read_revoked(self._revoked_file)
                except StorageError as error:
                    raise EntryError("It cannot be found out who has signed out.") from error
                self._seen = seen
            return number in self._revoked

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other program writes meanwhile, as far as the file system has locks."""
        try:
            with self._key_file.open("rb") as file:
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StorageError(f"The key for cookies {self._key_file} cannot be read.") from error

    def note(self, content: object) -> str:
        """Something small that a browser brings back unchanged."""
        return str(self._notes.dumps(content))

    def read_note(self, text: str, longest_s: int) -> object:
        """None for what was not written here or is too old."""
        try:
            return self._notes.loads(text, longest_s)
        except BadData:
            return None


def _key(path: Path) -> bytes:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
            _write(made, secrets.token_hex(KEY_BYTES), os.O_EXCL)
            try:
                os.link(made, path)  # whoever is second takes the first one's
            except FileExistsError:
                pass
            finally:
                made.unlink()
        key = path.read_bytes()
    except OSError as error:
        raise StorageError(f"The key for cookies {path} can neither be read nor made.") from error
    if len(key.strip()) < KEY_BYTES:  # a disk that was full; anybody could sign with what is left
        raise StorageError(f"The key for cookies {path} is empty or cut off: delete it, and everybody signs in anew.")
    return key


def _write(path: Path, text: str, how: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"{path} cannot be written.") from error


def _read_revoked(path: Path) -> dict[str, float]:
    """Until when each would have been good; those that would not be by now are left out. Raises StorageError."""
    try:
        lines = [line.split() for line in path.read_text("ascii").splitlines()]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"{path} cannot be read.") from error
    return {line[0]: float(line[1]) for line in lines if len(line) == 2 and float(line[1]) > time.time()}


def _keep(path: Path, revoked: dict[str, float]) -> None:
    """Write the file anew with these only."""
    part = path.with_name(f"{path.name}.part")
    _write(part, "".join(f"{number} {until:.0f}\n" for number, until in revoked.items()), os.O_TRUNC)
    part.replace(path)


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file's content; None when it cannot be asked for, and then nothing is read anew."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
