"""Signed cookies: what a browser shows to say who it is. The key stays in the data folder, readable by nobody else."""

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from itsdangerous import BadData, URLSafeTimedSerializer

from endoscribe.errors import StorageError

KEY_BYTES = 32


@dataclass(frozen=True)
class Ticket:
    """Somebody who has signed in; the mark changes when their password does."""

    id: str
    name: str
    mark: str
    age_s: float = 0.0


class Tickets:
    """Writes and reads tickets. One that was handed back is remembered until it would have run out anyway."""

    def __init__(self, folder: Path, lifetime_s: int) -> None:
        """Raises StorageError when the key can neither be read nor made."""
        self.lifetime_s = lifetime_s
        key = _key(folder / "cookie.key")
        self._tickets = URLSafeTimedSerializer(key, "ticket")
        self._notes = URLSafeTimedSerializer(key, "note")
        self._revoked_file = folder / "revoked"
        self._revoked = _read_revoked(self._revoked_file)
        self._lock = Lock()

    def issue(self, name: str, mark: str) -> str:
        return self.write(Ticket(secrets.token_hex(16), name, mark))

    def write(self, ticket: Ticket) -> str:
        """The ticket as a cookie, as of now."""
        return str(self._tickets.dumps([ticket.id, ticket.name, ticket.mark]))

    def read(self, text: str) -> Ticket | None:
        """None for what was not written here, has run out or was handed back."""
        try:
            (number, name, mark), written = self._tickets.loads(text, self.lifetime_s, return_timestamp=True)
        except (BadData, ValueError, TypeError):
            return None
        return None if number in self._revoked else Ticket(number, name, mark, time.time() - written.timestamp())

    def revoke(self, ticket: Ticket) -> None:
        """Accept this ticket no more, also after a restart; raises StorageError."""
        with self._lock:
            self._revoked[ticket.id] = time.time() + self.lifetime_s
            _write(self._revoked_file, f"{ticket.id} {self._revoked[ticket.id]:.0f}\n", os.O_APPEND)

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
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"The key for cookies {path} can neither be read nor made.") from error


def _write(path: Path, text: str, how: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"{path} cannot be written.") from error


def _read_revoked(path: Path) -> dict[str, float]:
    """Those that would not have run out by now; the others leave the file."""
    try:
        lines = [line.split() for line in path.read_text("ascii").splitlines()]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"{path} cannot be read.") from error
    kept = {line[0]: float(line[1]) for line in lines if len(line) == 2 and float(line[1]) > time.time()}
    part = path.with_name(f"{path.name}.part")
    _write(part, "".join(f"{number} {until:.0f}\n" for number, until in kept.items()), os.O_TRUNC)
    part.replace(path)
    return kept
