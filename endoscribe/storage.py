"""Sessions on disk: one folder each for the audio, and one for what was made of it.

`uploads/<id>/` holds `audio.pcm` (16-bit little-endian mono samples, as they came) and `meta.json`; `results/<id>/`
holds `transcript.json`, `record.json` (the last reading) and `review.json` (what a clinician made of it). Audio only
ever grows, and small files are replaced whole by a rename, so that a crash at any moment leaves the last good state.
Nothing here knows of microphones, pages or models.
"""

import errno
import os
import re
import secrets
import shutil
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from endoscribe.errors import StorageError, UnknownSessionError
from endoscribe.extraction.record import Record
from endoscribe.procedures.schema import Severity
from endoscribe.review import Review, without_places
from endoscribe.transcript import Transcript

#: `recording` while frames come in; `interrupted` when they stopped coming without a Stop.
State = Literal["recording", "stopped", "transcribed", "done", "interrupted"]

BYTES_PER_SAMPLE = 2
SESSION_ID = re.compile(r"[0-9a-f]{32}")
WAV_HEADER_BYTES = 44

T = TypeVar("T")

_TRANSCRIPT = TypeAdapter(Transcript)
_RECORD = TypeAdapter(Record)
_RECORD.rebuild(_types_namespace={"Severity": Severity})  # a verdict names this type without importing it
_REVIEW = TypeAdapter(Review)


class Session(BaseModel):
    """What is known of a session besides its audio; `sample_rate` in Hz is that of the stored samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    procedure: str
    created: datetime
    state: State
    #: Who dictated it and alone may see it; None where nobody has to say who they are.
    owner: str | None = None
    sample_rate: int
    source: Literal["microphone", "upload"] = "microphone"
    #: Where the speaker paused, in samples.
    pauses: tuple[int, ...] = ()
    #: All of the audio is here: uploaded, or ended by a Stop. Others may still get the rest from their browser.
    complete: bool = False
    #: A sentence on what the audio lacks, and one on what the transcript lacks.
    audio_notice: str | None = None
    transcript_notice: str | None = None
    #: How many required fields the report lacks; None without a report.
    gaps: int | None = None
    #: Who signed the latest version of the report.
    signed_by: str | None = None

    @property
    def notice(self) -> str | None:
        """All that a reader must know of what is missing."""
        return " ".join(each for each in (self.audio_notice, self.transcript_notice) if each) or None


class SessionStore:
    """All sessions of one data folder. Every method raises StorageError for an unknown id or a failing disk."""

    def __init__(self, uploads_dir: Path, results_dir: Path) -> None:
        """Make the two folders where they are missing."""
        self._uploads_dir, self._results_dir = uploads_dir, results_dir
        #: Held over every change that depends on what is stored; also by others that read, change and save.
        self.lock = threading.RLock()
        with _disk_errors():
            uploads_dir.mkdir(parents=True, exist_ok=True)
            results_dir.mkdir(parents=True, exist_ok=True)

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
        with _disk_errors():
            (self._uploads_dir / session.id).mkdir()
            _sync_folder(self._uploads_dir)
        self._write_meta(session)
        return session

    def get(self, session_id: str) -> Session:
        return _read(self._folder(session_id) / "meta.json", Session.model_validate_json)

    def sessions(self) -> list[Session]:
        """Every readable session, newest first; a folder without a whole `meta.json` never became one."""
        found = []
        with _disk_errors():
            names = [path.name for path in self._uploads_dir.iterdir() if SESSION_ID.fullmatch(path.name)]
        for name in names:
            with suppress(StorageError):
                found.append(self.get(name))
        return sorted(found, key=lambda session: session.created, reverse=True)

    def recover(self) -> list[Session]:
        """Mark what was recording when the program ended as interrupted; call once, before anything records."""
        return [
            self.set_state(session.id, "interrupted") for session in self.sessions() if session.state == "recording"
        ]

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
        with self.lock:
            return self._change(session_id, {"pauses": (*self.get(session_id).pauses, sample)})

    def discard(self, session_id: str) -> None:
        """Remove a session with all that belongs to it."""
        with _disk_errors():
            shutil.rmtree(self._folder(session_id))
            shutil.rmtree(self._results_dir / session_id, ignore_errors=True)

    def discard_older_than(self, days: int) -> int:
        """Remove what was recorded more than so many days ago; returns how many sessions that were."""
        limit = datetime.now(UTC) - timedelta(days=days)
        expired = [session for session in self.sessions() if session.created < limit and session.state != "recording"]
        for session in expired:
            self.discard(session.id)
        return len(expired)

    def open_audio(self, session_id: str) -> "AudioLog":
        """The session's audio, to be appended to; one writer at a time."""
        return AudioLog(self._folder(session_id) / "audio.pcm")

    def sample_count(self, session_id: str) -> int:
        return _sample_count(self._folder(session_id) / "audio.pcm")

    def duration_s(self, session_id: str) -> float:
        return self.sample_count(session_id) / self.get(session_id).sample_rate

    def audio(self, session_id: str) -> NDArray[np.float32]:
        """All stored samples, float32 mono in -1..1, at the session's own `sample_rate`."""
        path = self._folder(session_id) / "audio.pcm"
        if not path.exists():
            return np.zeros(0, np.float32)
        with _disk_errors():
            samples = np.fromfile(path, dtype="<i2", count=_sample_count(path))
        return samples.astype(np.float32) / np.float32(32768)

    def wav(self, session_id: str) -> "WavView":
        """The stored audio as a WAV file that is never written."""
        return WavView(self._folder(session_id) / "audio.pcm", self.get(session_id).sample_rate)

    def save_transcript(self, session_id: str, transcript: Transcript, notice: str | None = None) -> None:
        """Keep a transcript; a record of an earlier one goes, because its evidence points into that one's text.

        What a clinician has edited or signed stays, without places where the text is another one now.
        """
        with self.lock:
            before, review = self.transcript(session_id), self.review(session_id)
            if review and before and not transcript.text.startswith(before.text):
                self._write_result(session_id, "review.json", _REVIEW.dump_json(without_places(review)))
            with _disk_errors():
                (self._results_dir / session_id / "record.json").unlink(missing_ok=True)
            self._write_result(session_id, "transcript.json", _TRANSCRIPT.dump_json(transcript))
            self._change(session_id, {"state": "transcribed", "transcript_notice": notice})

    def transcript(self, session_id: str) -> Transcript | None:
        return self._result(session_id, "transcript.json", _TRANSCRIPT.validate_json)

    def save_record(self, session_id: str, record: Record) -> None:
        self._write_result(session_id, "record.json", _RECORD.dump_json(record))

    def record(self, session_id: str) -> Record | None:
        return self._result(session_id, "record.json", _RECORD.validate_json)

    def save_review(self, session_id: str, review: Review, gaps: int) -> None:
        """Keep a review whole; `gaps` is what its latest version lacks, for the list of sessions."""
        signature = review.latest.signature
        with self.lock:
            self._write_result(session_id, "review.json", _REVIEW.dump_json(review))
            self._change(session_id, {"gaps": gaps, "signed_by": signature.name if signature else None})

    def review(self, session_id: str) -> Review | None:
        return self._result(session_id, "review.json", _REVIEW.validate_json)

    def search(self, words: str, owner: str | None = None) -> list[Session]:
        """An owner's sessions in which every word occurs: in the procedure, date, state, signer or transcript.

        Newest first. Without an owner those of everybody.
        """
        wanted = words.casefold().split()
        theirs = [session for session in self.sessions() if owner is None or session.owner == owner]
        return [session for session in theirs if not wanted or self._mentions(session, wanted)]

    def _mentions(self, session: Session, wanted: list[str]) -> bool:
        transcript = None
        with suppress(StorageError):
            transcript = self.transcript(session.id)
        signed = f"signed {session.signed_by}" if session.signed_by else ""
        text = f"{session.procedure} {session.created:%Y-%m-%d %H:%M} {session.state} {signed} "
        haystack = (text + (transcript.text if transcript else "")).casefold()
        return all(word in haystack for word in wanted)

    def _folder(self, session_id: str) -> Path:
        """The session's own folder; an id of any other form than ours never becomes a path."""
        if not SESSION_ID.fullmatch(session_id) or not (self._uploads_dir / session_id).is_dir():
            raise UnknownSessionError("There is no such session; it may have been deleted.")
        return self._uploads_dir / session_id

    def _change(self, session_id: str, changes: dict[str, object]) -> Session:
        with self.lock:
            session = self.get(session_id).model_copy(update=changes)
            self._write_meta(session)
        return session

    def _write_meta(self, session: Session) -> None:
        _replace(self._folder(session.id) / "meta.json", session.model_dump_json().encode())

    def _write_result(self, session_id: str, name: str, content: bytes) -> None:
        self._folder(session_id)
        with _disk_errors():
            (self._results_dir / session_id).mkdir(exist_ok=True)
        _replace(self._results_dir / session_id / name, content)

    def _result(self, session_id: str, name: str, parse: Callable[[bytes], T]) -> T | None:
        self._folder(session_id)
        path = self._results_dir / session_id / name
        return _read(path, parse) if path.exists() else None


class AudioLog:
    """Samples appended to a file; `synced` of the `samples` written are certain to survive a crash.

    After a failed write or sync the file is cut back to what is certain, so that the sender can send the rest again.
    """

    def __init__(self, path: Path) -> None:
        with _disk_errors():
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self.synced = self.samples = os.fstat(self._file).st_size // BYTES_PER_SAMPLE
            self._cut_back()
            os.fsync(self._file)
            _sync_folder(path.parent)

    def append(self, pcm: bytes) -> None:
        """Write whole samples at the end; they are safe only after `sync`."""
        try:
            with _disk_errors():
                offset = self.samples * BYTES_PER_SAMPLE
                rest = memoryview(pcm)
                while rest:
                    written = os.pwrite(self._file, rest, offset)
                    rest, offset = rest[written:], offset + written
        except StorageError:
            self._cut_back()
            raise
        self.samples += len(pcm) // BYTES_PER_SAMPLE

    def sync(self) -> int:
        """Force what is written onto the disk; the number of samples that are now safe."""
        samples = self.samples
        if samples > self.synced:
            try:
                with _disk_errors():
                    os.fsync(self._file)
            except StorageError:
                self.samples = self.synced
                self._cut_back()
                raise
            self.synced = samples
        return self.synced

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _cut_back(self) -> None:
        with suppress(OSError):
            os.ftruncate(self._file, self.samples * BYTES_PER_SAMPLE)


class WavView:
    """A WAV file made of a header and a file of samples, readable at any byte range."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        self._path = path
        self._data_bytes = _sample_count(path) * BYTES_PER_SAMPLE
        self.size = WAV_HEADER_BYTES + self._data_bytes
        self._header = _wav_header(self._data_bytes, sample_rate)

    def blocks(self, start: int, stop: int, block_bytes: int = 1 << 16) -> Iterator[bytes]:
        """The bytes [start, stop) in pieces."""
        if start < WAV_HEADER_BYTES:
            yield self._header[start:stop]
        start = max(start, WAV_HEADER_BYTES)
        if start >= stop:
            return
        with _disk_errors(), self._path.open("rb") as file:
            file.seek(start - WAV_HEADER_BYTES)
            while start < stop and (block := file.read(min(block_bytes, stop - start))):
                start += len(block)
                yield block


def _wav_header(data_bytes: int, sample_rate: int) -> bytes:
    """The 44 bytes before 16-bit mono PCM: RIFF, `fmt ` of 16 bytes with format 1, `data`."""
    riff = struct.pack("<4sI4s", b"RIFF", 36 + data_bytes, b"WAVE")
    fmt = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, sample_rate * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 16
    )
    return riff + fmt + struct.pack("<4sI", b"data", data_bytes)


def _sample_count(path: Path) -> int:
    with _disk_errors():
        return path.stat().st_size // BYTES_PER_SAMPLE if path.exists() else 0


def _read(path: Path, parse: Callable[[bytes], T]) -> T:
    try:
        with _disk_errors():
            return parse(path.read_bytes())
    except ValidationError:
        # The cause would show the file's content, which is a patient's.
        raise StorageError(f"A session's {path.name} cannot be read; its audio is untouched.") from None


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and certainly."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
    with _disk_errors():
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable; not every system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn what the system says of a disk into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError("The disk is full: free some space, then try again.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError("The data folder cannot be written: check its permissions.") from error
        raise StorageError(f"The data folder cannot be used ({error.strerror}).") from error
