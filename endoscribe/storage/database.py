"""The database of what is known besides audio: SQLite in the data folder, or Postgres by its address.

Here are its tables, its transactions and its upgrades. Nothing here knows what sessions or reports are.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from endoscribe.errors import StorageError

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
#: The newest revision in `migrations/versions`; a test holds it against the folder.
REVISION = "0002"
#: How long a writer waits for another one.
BUSY_TIMEOUT_S = 30
#: The key under which Postgres lets one program at a time upgrade; any number will do that nobody else uses.
UPGRADE_LOCK = 0x656E646F


class UtcDateTime(TypeDecorator[datetime]):
    """A time with its zone; SQLite forgets the zone, which is always UTC here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class EscapedText(TypeDecorator[str]):
    """Text of any origin; Postgres has no place for the character NUL, and no encoding for half a character."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value.replace("\0", "").encode("utf-8", "replace").decode() if value is not None else None


TABLES = MetaData()

#: One row a session. `label` and `spoken` are what a search looks at, in small letters.
sessions = Table(
    "sessions",
    TABLES,
    Column("id", String(32), primary_key=True),
    Column("procedure", EscapedText, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", EscapedText),
    Column("sample_rate", Integer, nullable=False),
    Column("source", String(16), nullable=False),
    Column("pauses", JSON, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("archived_samples", Integer),
    Column("audio_notice", EscapedText),
    Column("transcript_notice", EscapedText),
    Column("gaps", Integer),
    Column("signed_by", EscapedText),
    Column("patient", EscapedText),
    Column("label", EscapedText, nullable=False),
    Column("spoken", EscapedText, nullable=False, default=""),
    Index("sessions_by_owner", "owner", "created"),
    Index("sessions_by_date", "created"),
)

#: What was made of a session: its transcript, its last reading, its review; each one JSON text.
documents = Table(
    "documents",
    TABLES,
    Column("session_id", String(32), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("content", EscapedText, nullable=False),
)

#: The audit trail; the database itself refuses to change or remove a row (see the first migration).
audit = Table(
    "audit",
    TABLES,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", EscapedText),
    Column("action", String(16), nullable=False),
    Column("session_id", String(32)),
    Column("detail", EscapedText, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_by_session", "session_id"),
)


class Database:
    """Transactions on one database; upgraded when it is opened. Every failure is a StorageError."""

    def __init__(self, url: str) -> None:
        """Raises StorageError for an address that cannot be used, without showing it: it may hold a password."""
        try:
            self._engine = _engine(url)
        except (ArgumentError, NoSuchModuleError, ImportError):
            raise StorageError(
                "ENDOSCRIBE_DATABASE_URL cannot be used: write postgresql://user:password@host/name."
            ) from None
        self._local = threading.local()
        try:
            self._bring_up_to_date()
        except StorageError:
            self.close()
            raise

    @classmethod
    def in_folder(cls, folder: Path) -> "Database":
        """The SQLite file of a data folder."""
        file = folder / "endoscribe.sqlite3"
        with suppress(OSError):  # on a disk that cannot be written, opening it says so
            file.touch(mode=0o600)  # SQLite's journals have the same mode
            for path in (folder, *folder.glob(f"{file.name}*")):
                path.chmod(0o700 if path == folder else 0o600)  # earlier releases let others read
        return cls(f"sqlite:///{file}")

    @property
    def is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of everything; inside `writing` on the same thread it is that one."""
        if mine := self._mine:
            yield mine
            return
        with _database_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is kept as a whole or not at all, and is durable afterwards.

        Inside another one on the same thread it is part of that one.
        """
        if mine := self._mine:
            yield mine
            return
        with _database_errors(), self._engine.connect() as connection:
            connection.execution_options(writes=True)
            with connection.begin():
                self._local.connection = connection
                try:
                    yield connection
                finally:
                    self._local.connection = None

    def _bring_up_to_date(self) -> None:
        with self.reading() as connection:
            if _revision(connection) == REVISION:
                return
        with self.writing() as connection:
            _upgrade(connection)

    def forget_deleted(self) -> None:
        """Let nothing of deleted rows remain in SQLite's journal; Postgres does so in its own time."""
        if self.is_sqlite:
            with _database_errors(), self._engine.connect() as connection:
                connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]

    def close(self) -> None:
        self._engine.dispose()

    @property
    def _mine(self) -> Connection | None:
        """The writing transaction of this thread."""
        return getattr(self._local, "connection", None)


def _engine(url: str) -> Engine:
    address = make_url(url)
    if address.drivername in ("postgres", "postgresql"):
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address, hide_parameters=True, pool_size=10, max_overflow=50, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Readers beside one writer, certain after a commit, and nothing left of what was deleted."""
    connection.isolation_level = None  # transactions are begun below, not by the driver's guess
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_S * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the file at once, so that what it has read is still so when it writes."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _upgrade(connection: Connection) -> None:
    """Bring the tables to this release's form; raises StorageError for the database of a newer one."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
    if _revision(connection) == REVISION:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StorageError("The database was made by a newer EndoScribe: update this one.") from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = Table("alembic_version", MetaData(), Column("version_num", String(32)))
    return connection.execute(select(version.c.version_num)).scalar()


@contextmanager
def _database_errors() -> Iterator[None]:
    """Turn what a database says into a sentence; its own words may show what somebody dictated."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_FULL":
            raise StorageError("The disk is full: free some space, then try again.") from error
        raise StorageError(f"The database cannot be used ({type(error).__name__}): try again soon.") from error
    except SQLAlchemyError as error:
        raise StorageError(f"The database cannot be used ({type(error).__name__}).") from error
