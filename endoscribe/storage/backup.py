"""Everything that is kept, in one file and back: sessions, what was made of them, the audit trail, the recordings.

The file is a TAR. `backup.json` says what it is; `database.jsonl` holds every row, one a line, as all were at once;
`audio/<id>.pcm` are the recordings, which only grow, so that each is at least as long as its row says. The last member,
`checksums.json`, holds the SHA-256 of all the others: a backup without it was cut off.
"""

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, Table, insert, select

from endoscribe import __version__
from endoscribe.audio import BYTES_PER_SAMPLE
from endoscribe.errors import BackupError, UnknownSessionError
from endoscribe.storage.audit import BEGINNING
from endoscribe.storage.database import REVISION, TABLES, audit, documents, sessions
from endoscribe.storage.session import SESSION_ID
from endoscribe.storage.sessions import Session, SessionStore

#: The databases whose backups can be read: later ones have more columns, which may be empty.
READABLE = ("0001", REVISION)
LATER_COLUMNS = frozenset({"patient"})
FORMAT = 1
COPY_BLOCK_BYTES = 1 << 20
#: In the order in which rows may be put back.
KEPT: tuple[Table, ...] = (sessions, documents, audit)


@dataclass(frozen=True)
class Contents:
    """What a backup holds."""

    sessions: int
    documents: int
    audit_entries: int
    recordings: int
    #: The newest hash of the audit trail, to be noted elsewhere.
    audit_head: str


def write_backup(store: SessionStore, path: Path) -> Contents:
    """Write everything into a new file that only its owner can read; the app may go on meanwhile.

    Raises BackupError when the file exists or cannot be written, StorageError when something cannot be read. What could
    not be finished is removed.
    """
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            try:
                return _write(store, file)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise BackupError(f"{path} exists already: name a new file.") from None
    except OSError as error:
        raise BackupError(f"{path} cannot be written ({error.strerror}).") from error


def restore_backup(store: SessionStore, path: Path) -> Contents:
    """Put a backup into an empty store, or nothing of it.

    Raises BackupError when the store holds anything, or when the file is no whole backup.
    """
    if not store.is_empty:
        raise BackupError("There are sessions here already: restore into an empty data folder and database.")
    try:
        with tarfile.open(path, "r:") as tar:
            _check(tar)
            return _put_back(store, tar)
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise BackupError(f"{path} is not a whole backup ({type(error).__name__}).") from error


def _write(store: SessionStore, file: BinaryIO) -> Contents:
    sums: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        about = {"format": FORMAT, "revision": REVISION, "version": __version__, "made": datetime.now(UTC).isoformat()}
        _add(tar, sums, "backup.json", json.dumps(about).encode())
        with store.database.reading() as connection:
            rows = [(table.name, dict(row._mapping)) for table in KEPT for row in connection.execute(_ordered(table))]  # noqa: SLF001
        _add(tar, sums, "database.jsonl", "".join(map(_line, rows)).encode())
        recordings = sum(_add_recording(tar, sums, store, row["id"]) for name, row in rows if name == sessions.name)
        _add(tar, {}, "checksums.json", json.dumps(sums).encode())
    return _contents(rows, recordings)


def _add_recording(tar: tarfile.TarFile, sums: dict[str, str], store: SessionStore, session_id: str) -> bool:
    """As many samples as there are now; more may come meanwhile, and the session may be deleted."""
    try:
        info = _info(f"audio/{session_id}.pcm", store.sample_count(session_id) * BYTES_PER_SAMPLE)
        opened = store.open_samples(session_id)
    except UnknownSessionError:
        return False
    with opened as samples:
        reader = _Summing(samples)
        tar.addfile(info, reader)  # type: ignore[arg-type]
    sums[info.name] = reader.sum.hexdigest()
    return info.size > 0


class _Summing:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self.sum.update(block)
        return block


def _add(tar: tarfile.TarFile, sums: dict[str, str], name: str, content: bytes) -> None:
    tar.addfile(_info(name, len(content)), io.BytesIO(content))
    sums[name] = hashlib.sha256(content).hexdigest()


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, datetime.now(UTC).timestamp()
    return info


def _ordered(table: Table) -> Any:
    return select(table).order_by(*table.primary_key.columns)


def _line(row: tuple[str, dict[str, Any]]) -> str:
    return json.dumps(row, default=datetime.isoformat) + "\n"


def _check(tar: tarfile.TarFile) -> None:
    """Raises ValueError, KeyError or TarError unless every member is as it was written."""
    about = json.loads(_read(tar, "backup.json"))
    if about["format"] != FORMAT or about["revision"] not in READABLE:
        raise BackupError("This backup is of another release of EndoScribe: restore it with that one, then update.")
    sums = json.loads(_read(tar, "checksums.json"))
    if {member.name for member in tar} != {*sums, "checksums.json"}:
        raise ValueError("members")
    for name, expected in sums.items():
        if not _has_sum(tar, name, expected):
            raise ValueError("checksum")


def _has_sum(tar: tarfile.TarFile, name: str, expected: str) -> bool:
    found = hashlib.sha256()
    for block in _blocks(tar, name):
        found.update(block)
    return found.hexdigest() == expected


def _put_back(store: SessionStore, tar: tarfile.TarFile) -> Contents:
    """Recordings first: one without a row is found again anyway, a row without its recording would be a loss."""
    rows = [json.loads(line) for line in _read(tar, "database.jsonl").splitlines()]
    known = [row for name, row in rows if name == sessions.name]
    put: list[str] = []
    try:
        for row in known:
            _put_recording(store, tar, row)
            put.append(row["id"])
        with store.database.writing() as connection:
            for name, row in rows:
                _insert(connection, TABLES.tables[name], row)
    except BaseException:
        for session_id in put:
            store.drop_recording(session_id)
        raise
    return _contents(rows, sum(member.name.startswith("audio/") and member.size > 0 for member in tar))


def _put_recording(store: SessionStore, tar: tarfile.TarFile, row: dict[str, Any]) -> None:
    if not SESSION_ID.fullmatch(row["id"]):
        raise ValueError("id")
    row["archived_samples"] = None  # it lies here now
    known = {name: row[name] for name in Session.model_fields if name in row or name not in LATER_COLUMNS}
    session = Session.model_validate(known)
    name = f"audio/{session.id}.pcm"
    store.put_recording(session, _blocks(tar, name) if name in tar.getnames() else iter(()))


def _insert(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    if table is sessions:
        row = {**row, "created": datetime.fromisoformat(row["created"])}
    connection.execute(insert(table).values(row))


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    return b"".join(_blocks(tar, name))


def _blocks(tar: tarfile.TarFile, name: str) -> Iterator[bytes]:
    """The content of a plain file; raises KeyError for anything else."""
    file = tar.extractfile(tar.getmember(name))
    if file is None:
        raise KeyError(name)
    while block := file.read(COPY_BLOCK_BYTES):
        yield block


def _contents(rows: list[Any], recordings: int) -> Contents:
    held = Counter(name for name, _ in rows)
    hashes = [row["hash"] for name, row in rows if name == audit.name]
    head = hashes[-1] if hashes else BEGINNING
    return Contents(held[sessions.name], held[documents.name], held[audit.name], recordings, head)
