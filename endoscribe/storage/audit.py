"""The audit trail: who opened, edited, signed, exported or deleted what, and when.

It only grows. Each entry holds the hash of the one before, so that an entry that was changed, moved or taken out shows;
and whoever has noted the newest hash elsewhere also notices an end that was cut off. No entry holds dictated words.
"""

import hashlib
import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, text

from endoscribe.storage.database import Database
from endoscribe.storage.database import audit as trail

Action = Literal[
    "created", "transcribed", "read", "opened", "played", "edited", "undone", "decided", "signed", "exported",
    "deleted", "restored", "entered", "left",
]  # fmt: skip

#: What the first entry names as the hash of the one before.
BEGINNING = "0" * 64
#: The key under which Postgres lets one entry at a time be added.
APPEND_LOCK = 0x61756469


@dataclass(frozen=True)
class Entry:
    """One thing that somebody did; `actor` is None where nobody has to say who they are."""

    number: int
    at: str
    actor: str | None
    action: str
    session_id: str | None
    #: JSON: a field's id, a version's number, a file's form.
    detail: str
    previous: str
    hash: str

    @property
    def true_hash(self) -> str:
        """What the hash has to be; SHA-256 over everything else, as JSON in a fixed form."""
        covered = [self.number, self.at, self.actor, self.action, self.session_id, self.detail, self.previous]
        return hashlib.sha256(json.dumps(covered, separators=(",", ":")).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "detail": json.loads(self.detail)}


@dataclass(frozen=True)
class TrailReport:
    """What a check of the whole trail finds; `broken_at` is the number of the first entry that does not hold."""

    entries: int
    head: str
    broken_at: int | None = None
    is_expected: bool = True

    @property
    def is_intact(self) -> bool:
        return self.broken_at is None and self.is_expected


class AuditTrail:
    """The trail of one database; entries are kept or not together with the change that they are about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, action: Action, session_id: str | None, actor: str | None, **detail: str | int | None) -> None:
        """Add an entry; inside a transaction of this thread it is part of that one. Raises StorageError."""
        with self._database.writing() as connection:
            if not self._database.is_sqlite:  # SQLite has one writer anyway
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPEND_LOCK})
            number, previous = _last(connection)
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            said = json.dumps(detail, sort_keys=True)
            entry = Entry(number + 1, at, _plain(actor), action, session_id, said, previous, "")
            connection.execute(insert(trail).values({**vars(entry), "hash": entry.true_hash}))

    def entries(self, session_id: str | None = None) -> Generator[Entry, None, None]:
        """Oldest first; of one session, or all."""
        chosen = select(trail).order_by(trail.c.number)
        if session_id:
            chosen = chosen.where(trail.c.session_id == session_id)
        with (
            self._database.reading() as connection,
            connection.execute(chosen.execution_options(yield_per=1000)) as rows,
        ):
            yield from map(_entry, rows)

    def tells_of_deletion(self, session_id: str) -> bool:
        """Whether the session was deleted, through this program or another."""
        deletion = select(trail.c.number).where(trail.c.session_id == session_id, trail.c.action == "deleted")
        with self._database.reading() as connection:
            return connection.execute(deletion.limit(1)).first() is not None

    def verify(self, expected: str | None = None) -> TrailReport:
        """Hold every entry against its hash and the one before; `expected` is a hash that must still be there."""
        count, head, found = 0, BEGINNING, expected is None
        with closing(self.entries()) as entries:
            for entry in entries:
                if entry.number != count + 1 or entry.previous != head or entry.hash != entry.true_hash:
                    return TrailReport(count, head, entry.number)
                count, head = entry.number, entry.hash
                found = found or head == expected
        return TrailReport(count, head, is_expected=found)


def _last(connection: Connection) -> tuple[int, str]:
    newest = select(trail.c.number, trail.c.hash).order_by(trail.c.number.desc()).limit(1)
    row = connection.execute(newest).first()
    return (row.number, row.hash) if row else (0, BEGINNING)


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)  # noqa: SLF001  (SQLAlchemy's public name for it)


def _plain(name: str | None) -> str | None:
    """As the database keeps it, or the hash would not hold."""
    return name.replace("\0", "") if name is not None else None
