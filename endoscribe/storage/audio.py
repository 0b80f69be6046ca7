"""Audio in files: a folder a session on this machine, and after its end shared storage if there is one.

`uploads/<id>/` holds `audio.pcm` (16-bit little-endian mono samples, as they came) and `meta.json`, what the session
was when it began, so that a recording is found again without its database. Audio only ever grows. Whoever writes or
moves a recording holds a lock on `audio.pcm`, which the system takes back when its holder dies: several programs may
share the folder. On shared storage a recording is one file, `<id>.pcm`.
"""

import errno
import fcntl
import os
import secrets
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from endoscribe.audio import BYTES_PER_SAMPLE
from endoscribe.errors import HeldError, StorageError

WAV_HEADER_BYTES = 44
WAV_BLOCK_BYTES = 1 << 16
#: What a file system answers that cannot lock; two programs must not share such a one.
NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}


class AudioStore:
    """The recordings of one folder. Ids are trusted here; every method raises StorageError for a failing disk."""

    def __init__(self, folder: Path, archive_url: str | None = None) -> None:
        """Make the folder where it is missing; `archive_url` is shared storage as fsspec names it (s3://bucket/path).

        Raises StorageError when there is no fsspec file system for that address.
        """
        self._folder = folder
        self._archive = SharedStorage(archive_url) if archive_url else None
        with disk_errors():
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(PermissionError):  # it is somebody else's, and theirs to close
                folder.chmod(0o700)

    @property
    def has_archive(self) -> bool:
        return self._archive is not None

    def ids(self) -> list[str]:
        """What has a folder here: sessions, and perhaps other things."""
        with disk_errors():
            return [path.name for path in self._folder.iterdir() if path.is_dir()]

    def create(self, session_id: str, meta: bytes) -> None:
        """A folder for a new recording, durable before anything is written of it elsewhere."""
        with disk_errors():
            (self._folder / session_id).mkdir(mode=0o700)
            _sync_folder(self._folder)
        replace_file(self._folder / session_id / "meta.json", meta)

    def meta(self, session_id: str) -> bytes | None:
        with disk_errors(), suppress(FileNotFoundError):
            return (self._folder / session_id / "meta.json").read_bytes()
        return None

    def is_here(self, session_id: str) -> bool:
        return (self._folder / session_id).is_dir()

    def condemn(self, session_id: str) -> None:
        """Mark a recording as deleted, so that a crash half-way through is finished and not undone."""
        if self.is_here(session_id):
            replace_file(self._folder / session_id / "deleted", b"")

    def is_condemned(self, session_id: str) -> bool:
        return (self._folder / session_id / "deleted").exists()

    def delete(self, session_id: str, *, archived: bool) -> None:
        if archived and self._archive:
            self._archive.delete(session_id)
        with disk_errors(), suppress(FileNotFoundError):
            shutil.rmtree(self._folder / session_id)

    def is_held(self, session_id: str) -> bool:
        """Whether somebody writes or moves this recording now, in this program or another."""
        try:
            with disk_errors(), suppress(FileNotFoundError), _held(self._folder / session_id / "audio.pcm"):
                return False
        except HeldError:
            return True
        return False

    def open_log(self, session_id: str) -> "AudioLog":
        """The recording, to be appended to; raises HeldError while another one writes it."""
        with disk_errors():
            (self._folder / session_id).mkdir(mode=0o700, exist_ok=True)
        return AudioLog(self._folder / session_id / "audio.pcm")

    def fill(self, session_id: str, blocks: Iterator[bytes]) -> None:
        """Write all samples of a recording that has none yet."""
        with disk_errors(), (self._folder / session_id / "audio.pcm").open("xb") as file:
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())

    def sample_count(self, session_id: str) -> int:
        """What is on this machine."""
        return _sample_count(self._folder / session_id / "audio.pcm")

    def open(self, session_id: str, *, archived: bool) -> BinaryIO:
        """The bytes of a recording's samples, none where there are none."""
        if archived:
            return self._shared.open(session_id)
        with disk_errors():
            try:
                return (self._folder / session_id / "audio.pcm").open("rb")
            except FileNotFoundError:
                return Path(os.devnull).open("rb")

    def archive(self, session_id: str, note: Callable[[int], object]) -> bool:
        """Move a recording that has ended to shared storage; `note` keeps how many samples lie there now, certainly.

        False when another program moves it or has done so. Who reads it here now reads on.
        """
        path = self._folder / session_id / "audio.pcm"
        with disk_errors(), suppress(FileNotFoundError, HeldError), _held(path):
            if count := _sample_count(path):
                self._shared.put(session_id, path, count * BYTES_PER_SAMPLE)
                note(count)
                path.unlink()
                return True
        return False

    @property
    def _shared(self) -> "SharedStorage":
        if self._archive is None:
            raise StorageError("This recording lies on shared storage: set ENDOSCRIBE_AUDIO_URL as it was.")
        return self._archive


class SharedStorage:
    """Any file system that fsspec knows: a mounted folder, S3, Google Cloud Storage, Azure."""

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError):  # the address may hold a key
            raise StorageError(
                "ENDOSCRIBE_AUDIO_URL cannot be used: write it as fsspec does, and install what its kind needs (s3fs, "
                "gcsfs, adlfs)."
            ) from None

    def put(self, session_id: str, path: Path, size: int) -> None:
        """Under another name first, so that half a recording is never taken for one."""
        draft = f"{self._path(session_id)}.part"
        with self._errors():
            self._files.makedirs(self._root, exist_ok=True)
            self._files.put_file(str(path), draft)
            if self._files.info(draft)["size"] != size:
                raise StorageError("A recording did not arrive whole on the shared storage; it is tried again.")
            self._files.mv(draft, self._path(session_id))

    def open(self, session_id: str) -> BinaryIO:
        with self._errors():
            opened: BinaryIO = self._files.open(self._path(session_id), "rb")
        return opened

    def delete(self, session_id: str) -> None:
        with self._errors(), suppress(FileNotFoundError):
            self._files.rm_file(self._path(session_id))

    def _path(self, session_id: str) -> str:
        return f"{self._root.rstrip('/')}/{session_id}.pcm"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Each kind of storage has its own errors; their messages name buckets and addresses."""
        try:
            yield
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001
            raise StorageError(f"The shared storage cannot be used ({type(error).__name__}): try again soon.") from None


class AudioLog:
    """Samples appended to a file; `synced` of the `samples` written are certain to survive a crash.

    After a failed write or sync the file is cut back to what is certain, so that the sender can send the rest again.
    """

    def __init__(self, path: Path) -> None:
        """Raises HeldError when the file has a writer already."""
        with disk_errors():
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            _lock(self._file)
            self.synced = self.samples = os.fstat(self._file).st_size // BYTES_PER_SAMPLE
            self._cut_back()
            os.fsync(self._file)
            _sync_folder(path.parent)

    def append(self, pcm: bytes) -> None:
        """Write whole samples at the end; they are safe only after `sync`."""
        try:
            with disk_errors():
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
                with disk_errors():
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
    """A WAV file made of a header and a recording's samples, readable at any byte range."""

    def __init__(self, open_samples: Callable[[], BinaryIO], sample_count: int, sample_rate: int) -> None:
        self._open = open_samples
        self._header = _wav_header(sample_count * BYTES_PER_SAMPLE, sample_rate)
        self.size = WAV_HEADER_BYTES + sample_count * BYTES_PER_SAMPLE

    def blocks(self, start: int, stop: int, block_bytes: int = WAV_BLOCK_BYTES) -> Iterator[bytes]:
        """The bytes [start, stop) in pieces."""
        if start < WAV_HEADER_BYTES:
            yield self._header[start:stop]
        start = max(start, WAV_HEADER_BYTES)
        if start >= stop:
            return
        with disk_errors(), self._open() as file:
            file.seek(start - WAV_HEADER_BYTES)
            while start < stop and (block := file.read(min(block_bytes, stop - start))):
                start += len(block)
                yield block


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep everybody else from writing or moving a recording; raises HeldError, or OSError where there is no file."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    _lock(file)
    try:
        yield
    finally:
        os.close(file)


def _lock(file: int) -> None:
    """Lock an open file until it is closed, which is done here when that fails. Not every file system has locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise HeldError("This dictation goes on elsewhere; it can be continued here as soon as that ends.") from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            os.close(file)
            raise


def decoded(file: BinaryIO) -> NDArray[np.float32]:
    """All samples of a recording, float32 mono in -1..1; half a sample at the end is left out."""
    with disk_errors(), file:
        content = file.read()
    whole = len(content) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
    return np.frombuffer(content[:whole], dtype="<i2").astype(np.float32) / np.float32(32768)


def _wav_header(data_bytes: int, sample_rate: int) -> bytes:
    """The 44 bytes before 16-bit mono PCM: RIFF, `fmt ` of 16 bytes with format 1, `data`."""
    riff = struct.pack("<4sI4s", b"RIFF", 36 + data_bytes, b"WAVE")
    fmt = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, sample_rate * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 16
    )
    return riff + fmt + struct.pack("<4sI", b"data", data_bytes)


def _sample_count(path: Path) -> int:
    with disk_errors():
        return path.stat().st_size // BYTES_PER_SAMPLE if path.exists() else 0


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and certainly."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
    with disk_errors():
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
def disk_errors() -> Iterator[None]:
    """Turn what the system says of a disk into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError("The disk is full: free some space, then try again.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError("The data folder cannot be written: check its permissions.") from error
        raise StorageError(f"The data folder cannot be used ({error.strerror}).") from error
