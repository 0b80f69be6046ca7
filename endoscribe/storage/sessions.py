"""Sessions: what is known of them and was made of them in a database, their audio in files.

Every change that depends on what is stored happens inside one transaction that holds the session's row, so that several
threads, and on Postgres several programs, never undo each other's work. Nothing here knows of pages or models.
"""

import json
import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from sqlalchemy import Connection, delete, insert, select, update

from endoscribe.errors import HeldError, StorageError, UnknownSessionError
from endoscribe.extraction.record import Record
from endoscribe.procedures.schema import Severity
from endoscribe.review.context import NO_CONTEXT, ExamContext
from endoscribe.review.versions import Review, context_of, without_places
from endoscribe.storage.audio import (
    WAV_HEADER_BYTES,
    AudioLog,
    AudioStore,
    WavView,
    decoded,
    disk_errors,
)
from endoscribe.storage.audit import AuditTrail
from endoscribe.storage.database import Database, audit, documents
from endoscribe.storage.database import sessions as table
from endoscribe.storage.session import SESSION_ID, Session, State
from endoscribe.transcript import Transcript

__all__ = ["WAV_HEADER_BYTES", "AudioLog", "Session", "SessionStore", "WavView"]

DocumentKind = Literal["transcript", "record", "review", "context"]
log = logging.getLogger(__name__)

DOCUMENT_KINDS: tuple[DocumentKind, ...] = ("transcript", "record", "review")  # of files of older releases

#: Nobody speaks for so long: the program that took a recording is gone, and with it perhaps its disk.
LONGEST_RECORDING = timedelta(days=1)

#: A day, an hour, or the beginning of one.
_TIME = re.compile(r"[0-9:-]+")

_T = TypeVar("_T")

_TRANSCRIPT = TypeAdapter(Transcript)
_RECORD = TypeAdapter(Record)
_RECORD.rebuild(_types_namespace={"Severity": Severity})  # a verdict names this type without importing it
_REVIEW = TypeAdapter(Review)
_CONTEXT = TypeAdapter(ExamContext)


class SessionStore:
    """All sessions. Every method raises StorageError for an unknown id, a failing disk or database."""

    def __init__(
        self, uploads_dir: Path, results_dir: Path, database_url: str | None = None, audio_url: str | None = None
    ) -> None:
        """Audio in `uploads_dir`, later at `audio_url`; the rest in an SQLite file in `results_dir`, or elsewhere."""
        self._results_dir = results_dir
        self._audio = AudioStore(uploads_dir, audio_url)
        if database_url is None:
            with disk_errors():
                results_dir.mkdir(parents=True, exist_ok=True)
        self.database = Database(database_url) if database_url else Database.in_folder(results_dir)
        self.audit = AuditTrail(self.database)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    # -- sessions ----------------------------------------------------------------------------------------------------

    def create(
        self,
        procedure: str,
        sample_rate: int,
        source: Literal["microphone", "upload"] = "microphone",
        owner: str | None = None,
    ) -> Session:
        """A new, empty session with an id that cannot be guessed."""
        session = Session(
            id=secrets.token_hex(16),
            procedure=procedure,
            created=datetime.now(UTC),
            state="recording",
            owner=owner,
            sample_rate=sample_rate,
            source=source,
            complete=source == "upload",
        )
        self._audio.create(session.id, session.model_dump_json().encode())
        with self.database.writing() as connection:
            connection.execute(insert(table).values(_row(session)))
            self.audit.note("created", session.id, owner, procedure=procedure, source=source)
        return session

    def get(self, session_id: str) -> Session:
        with self.database.reading() as connection:
            return _session(connection, session_id)

    def sessions(self, owner: str | None = None) -> list[Session]:
        """An owner's sessions, newest first; without an owner those of everybody."""
        return self.search("", owner)

    def search(self, words: str, owner: str | None = None, zone: tzinfo = UTC) -> list[Session]:
        """An owner's sessions in which every word occurs: in the procedure, date, state, signer or transcript.

        Newest first. Without an owner those of everybody. Days and hours are those of `zone`.
        """
        asked = words.replace("\0", "").casefold().split()
        times = [word for word in asked if _TIME.fullmatch(word)]
        said = [table.c.spoken.contains(word, autoescape=True).label(f"said_{n}") for n, word in enumerate(times)]
        kept = [table.c[name] for name in Session.model_fields]  # all but the words that were spoken
        found = select(*kept, *said).order_by(table.c.created.desc(), table.c.id)
        if owner is not None:
            found = found.where(table.c.owner == owner)
        for word in set(asked).difference(times):
            found = found.where((table.c.label + table.c.spoken).contains(word, autoescape=True))
        with self.database.reading() as connection:
            rows = [(_from_row(row._mapping), row[len(kept) :]) for row in connection.execute(found)]  # noqa: SLF001
        return [
            session
            for session, is_said in rows
            if all(said or word in session.label(zone) for said, word in zip(is_said, times, strict=True))
        ]

    @contextmanager
    def exclusive(self, session_id: str) -> Iterator[Session]:
        """Nobody else changes this session meanwhile; what is changed in here is kept together or not at all."""
        with self.database.writing() as connection:
            yield _session(connection, session_id, for_update=True)

    def set_state(self, session_id: str, state: State) -> Session:
        return self._change(session_id, {"state": state})

    def set_complete(self, session_id: str) -> Session:
        """The recording was ended by a Stop and all of it is stored."""
        return self._change(session_id, {"state": "stopped", "complete": True})

    def set_procedure(self, session_id: str, procedure: str) -> Session:
        return self._change(session_id, {"procedure": procedure})

    def set_audio_notice(self, session_id: str, notice: str) -> Session:
        return self._change(session_id, {"audio_notice": notice})

    def add_pause(self, session_id: str, sample: int) -> Session:
        with self.exclusive(session_id) as session:
            return self._change(session_id, {"pauses": (*session.pauses, sample)})

    def discard(self, session_id: str, by: str | None = None) -> None:
        """Remove a session with all that belongs to it; `by` is who does, its owner unless said otherwise."""
        with self.exclusive(session_id) as session:
            self._audio.condemn(session_id)
            with self.database.writing() as connection:
                connection.execute(delete(documents).where(documents.c.session_id == session_id))
                connection.execute(delete(table).where(table.c.id == session_id))
            self.audit.note("deleted", session_id, by or session.owner)
        self.database.forget_deleted()
        self._audio.delete(session_id, archived=session.archived_samples is not None)

    def discard_older_than(self, days: int) -> int:
        """Remove what was recorded more than so many days ago; returns how many sessions that were.

        What is being recorded stays. What has stood as that for longer than anybody speaks has lost its program.
        """
        limit = datetime.now(UTC) - timedelta(days=days)
        is_over = (table.c.state != "recording") | (table.c.created < limit - LONGEST_RECORDING)
        with self.database.reading() as connection:
            ids = list(connection.scalars(select(table.c.id).where(table.c.created < limit, is_over)))
        return sum(self._expire(session_id) for session_id in ids if not self._audio.is_held(session_id))

    def _expire(self, session_id: str) -> bool:
        """False when another program was first."""
        with suppress(UnknownSessionError):
            self.discard(session_id, by="retention")
            return True
        return False

    def recover(self) -> list[Session]:
        """Put right what the end of a program has left; call once, before anything records here.

        What was recording is interrupted; what was being deleted is gone; a recording without a row in the database (of
        an older release, or after the database was lost) gets one. Only recordings of this folder are touched, and
        none that another program is recording now.
        """
        interrupted = []
        for session_id, state in self._here():
            if self._audio.is_condemned(session_id):
                self._finish_discard(session_id, known=state is not None)
            elif state is None and not self.audit.tells_of_deletion(session_id):
                interrupted += self._adopt(session_id)
            elif state == "recording":
                interrupted += self._interrupt(session_id)
        self.drop_deleted()
        return [session for session in interrupted if session.state == "interrupted"]

    def drop_deleted(self) -> None:
        """Remove the audio here of sessions that were deleted through another program with a folder of its own."""
        for session_id, state in self._here():
            if state is None and self.audit.tells_of_deletion(session_id):
                self._finish_discard(session_id, known=False)

    def _here(self) -> list[tuple[str, State | None]]:
        """The recordings of this folder, each with its state; None for one that the database does not know."""
        ids = list(filter(SESSION_ID.fullmatch, self._audio.ids()))  # first: another program may be making more
        states = {session.id: session.state for session in self.sessions()}
        return [(session_id, states.get(session_id)) for session_id in ids]

    def _interrupt(self, session_id: str) -> list[Session]:
        """Whoever records it now holds it; whoever has ended it meanwhile has said so."""
        with self.exclusive(session_id) as session:
            if session.state == "recording" and not self._audio.is_held(session_id):
                return [self._change(session_id, {"state": "interrupted"})]
        return []

    def _finish_discard(self, session_id: str, *, known: bool) -> None:
        """What cannot be removed now, because shared storage does not answer, stays marked for the next start."""
        try:
            if known:
                self.discard(session_id)
            else:
                self._audio.delete(session_id, archived=self._audio.has_archive)
        except StorageError as error:
            log.warning("A deletion that was cut off could not be finished: %s", error)

    def _adopt(self, session_id: str) -> list[Session]:
        """Take a recording into the database that has only its folder; without a readable `meta.json` it is left."""
        try:
            session = Session.model_validate_json(self._audio.meta(session_id) or b"")
        except ValidationError:
            return []
        folder = self._results_dir / session_id
        found = {kind: path for kind in DOCUMENT_KINDS if (path := folder / f"{kind}.json").is_file()}
        state = session.state if found else "stopped" if session.complete else "interrupted"
        session = session.model_copy(update={"state": state, "archived_samples": None})
        with self.database.writing() as connection:
            connection.execute(insert(table).values(_row(session)))
            for kind, path in found.items():
                with disk_errors():
                    _write(connection, session_id, kind, path.read_text("utf-8", "replace"))
            with suppress(StorageError):
                _index(connection, session_id, self.transcript(session_id))
            self.audit.note("restored", session_id, "recovery")
        with disk_errors(), suppress(FileNotFoundError):
            shutil.rmtree(folder)
        return [session]

    # -- audio -------------------------------------------------------------------------------------------------------

    def open_audio(self, session_id: str) -> AudioLog:
        """The session's audio, to be appended to; raises HeldError while another one does."""
        self._check_is_here(self.get(session_id))
        return self._audio.open_log(session_id)

    def is_held(self, session_id: str) -> bool:
        """Whether somebody is recording the session in this folder now, through this program or another."""
        return self._audio.is_held(session_id)

    def _check_is_here(self, session: Session) -> None:
        """With a folder for each program and one database, the audio lies with the program that took it at first."""
        if session.archived_samples is None and not self._audio.is_here(session.id):
            raise HeldError("The audio of this dictation is on another machine until it has ended; try again soon.")

    def sample_count(self, session_id: str) -> int:
        return self._sample_count(self.get(session_id))

    def duration_s(self, session: Session) -> float:
        return self._sample_count(session) / session.sample_rate

    def audio(self, session_id: str) -> NDArray[np.float32]:
        """All stored samples, float32 mono in -1..1, at the session's own `sample_rate`."""
        self.get(session_id)
        return decoded(self.open_samples(session_id))

    def wav(self, session_id: str) -> WavView:
        """The stored audio as a WAV file that is never written."""
        session = self.get(session_id)
        self._check_is_here(session)
        return WavView(partial(self.open_samples, session_id), self._sample_count(session), session.sample_rate)

    @property
    def is_empty(self) -> bool:
        """Nothing was ever kept here."""
        with self.database.reading() as connection:
            rows = [connection.execute(select(kept).limit(1)).first() for kept in (table, audit)]
        return not any(rows) and not any(map(SESSION_ID.fullmatch, self._audio.ids()))

    def put_recording(self, session: Session, blocks: Iterator[bytes]) -> None:
        """The audio of a session that comes back from a backup; its row comes afterwards."""
        self._audio.create(session.id, session.model_dump_json().encode())
        try:
            self._audio.fill(session.id, blocks)
        except BaseException:
            self.drop_recording(session.id)
            raise

    def drop_recording(self, session_id: str) -> None:
        """Undo `put_recording`."""
        self._audio.delete(session_id, archived=False)

    def archive(self) -> int:
        """Move the recordings that have ended from this machine to shared storage; returns how many those were.

        Raises StorageError when that cannot be reached; what was not moved stays here, and is moved the next time.
        """
        if not self._audio.has_archive:
            return 0
        ended = select(table.c.id).where(
            table.c.complete, table.c.state != "recording", table.c.archived_samples.is_(None)
        )
        with self.database.reading() as connection:
            ids = [session_id for session_id in connection.scalars(ended) if self._audio.sample_count(session_id)]
        return sum(self._audio.archive(each, partial(self._note_archived, each)) for each in ids)

    def _note_archived(self, session_id: str, samples: int) -> None:
        self._change(session_id, {"archived_samples": samples})

    def _sample_count(self, session: Session) -> int:
        if session.archived_samples is not None:
            return session.archived_samples
        return self._audio.sample_count(session.id)

    def open_samples(self, session_id: str) -> BinaryIO:
        """The stored samples as bytes: from this machine while they are here, even on their way elsewhere."""
        if self._audio.sample_count(session_id):
            return self._audio.open(session_id, archived=False)
        session = self.get(session_id)
        self._check_is_here(session)
        return self._audio.open(session_id, archived=session.archived_samples is not None)

    # -- what was made of it -----------------------------------------------------------------------------------------

    def save_transcript(self, session_id: str, transcript: Transcript, notice: str | None = None) -> None:
        """Keep a transcript; a record of an earlier one goes, because its evidence points into that one's text.

        What a clinician has edited or signed stays, without places where the text is another one now.
        """
        with self.exclusive(session_id) as session, self.database.writing() as connection:
            before, review = self.transcript(session_id), self.review(session_id)
            if review and before and not transcript.text.startswith(before.text):
                _write(connection, session_id, "review", _json(_REVIEW, without_places(review)))
            connection.execute(_document(delete(documents), session_id, "record"))
            _write(connection, session_id, "transcript", _json(_TRANSCRIPT, transcript))
            _index(connection, session_id, transcript)
            self._change(session_id, {"state": "transcribed", "transcript_notice": notice})
            self.audit.note("transcribed", session_id, session.owner)

    def transcript(self, session_id: str) -> Transcript | None:
        return self._document(session_id, "transcript", _TRANSCRIPT.validate_json)

    def save_record(self, session_id: str, record: Record) -> None:
        with self.exclusive(session_id) as session, self.database.writing() as connection:
            _write(connection, session_id, "record", _json(_RECORD, record))
            self.audit.note("read", session_id, session.owner, procedure=record.procedure, extractor=record.extractor)

    def record(self, session_id: str) -> Record | None:
        return self._document(session_id, "record", _RECORD.validate_json)

    def save_review(self, session_id: str, review: Review, gaps: int) -> None:
        """Keep a review whole; `gaps` is what its latest version lacks, for the list of sessions."""
        signature = review.latest.signature
        with self.exclusive(session_id), self.database.writing() as connection:
            _write(connection, session_id, "review", _json(_REVIEW, review))
            changes = {"gaps": gaps, "signed_by": signature.name if signature else None}
            self._change(session_id, {**changes, "patient": context_of(review.latest).name})

    def review(self, session_id: str) -> Review | None:
        return self._document(session_id, "review", _REVIEW.validate_json)

    def save_context(self, session_id: str, context: ExamContext) -> None:
        """Keep what is known of an examination before there is a report, whose review holds it from then on."""
        with self.exclusive(session_id), self.database.writing() as connection:
            _write(connection, session_id, "context", _json(_CONTEXT, context))
            self._change(session_id, {"patient": context.name})

    def context(self, session_id: str) -> ExamContext:
        return self._document(session_id, "context", _CONTEXT.validate_json) or NO_CONTEXT

    def _document(self, session_id: str, kind: DocumentKind, parse: Callable[[str], _T]) -> _T | None:
        with self.database.reading() as connection:
            _session(connection, session_id)
            content = connection.execute(_document(select(documents.c.content), session_id, kind)).scalar()
        try:
            return None if content is None else parse(content)
        except ValidationError:
            # The cause would show the content, which is a patient's.
            raise StorageError(f"A session's {kind} cannot be read; its audio is untouched.") from None

    def _change(self, session_id: str, changes: dict[str, object]) -> Session:
        with self.exclusive(session_id) as before, self.database.writing() as connection:
            session = before.model_copy(update=changes)
            connection.execute(update(table).where(table.c.id == session_id).values(_row(session)))
        return session


def _session(connection: Connection, session_id: str, *, for_update: bool = False) -> Session:
    """Raises UnknownSessionError, also for what never was an id."""
    chosen = select(table).where(table.c.id == session_id)
    row = connection.execute(chosen.with_for_update() if for_update else chosen).first()
    if row is None:
        raise UnknownSessionError("There is no such session; it may have been deleted.")
    return _from_row(row._mapping)  # noqa: SLF001


def _from_row(row: Mapping[Any, Any]) -> Session:
    return Session.model_validate({name: row[name] for name in Session.model_fields})


def _row(session: Session) -> dict[str, Any]:
    return {**session.model_dump(), "label": session.label()}


def _index(connection: Connection, session_id: str, transcript: Transcript | None) -> None:
    """Let a search find the spoken words."""
    spoken = transcript.text.casefold() if transcript else ""
    connection.execute(update(table).where(table.c.id == session_id).values(spoken=spoken))


def _write(connection: Connection, session_id: str, kind: str, content: str) -> None:
    """In place of what there was of this kind."""
    connection.execute(_document(delete(documents), session_id, kind))
    connection.execute(insert(documents).values(session_id=session_id, kind=kind, content=content))


def _document(statement: Any, session_id: str, kind: str) -> Any:
    return statement.where(documents.c.session_id == session_id, documents.c.kind == kind)


def _json(adapter: TypeAdapter[Any], value: object) -> str:
    try:
        return adapter.dump_json(value).decode()
    except PydanticSerializationError:  # half of a character that takes two; a browser may send it
        text = json.dumps(adapter.dump_python(value, mode="json"), ensure_ascii=False)
        return text.encode("utf-8", "replace").decode()
