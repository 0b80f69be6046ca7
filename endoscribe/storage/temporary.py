"""Files that live for a moment: inside the data folder, readable by nobody else, gone when their program is.

A program holds a lock on its folder's name; what a killed one has left is deleted at the next start of any.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from endoscribe.storage.audio import disk_errors

LOCK = ".lock"


@contextmanager
def temporary_files_in(data_dir: Path) -> Iterator[Path]:
    """Python's and Gradio's temporary files are made below the data folder while this lasts. Raises StorageError.

    To be entered before Gradio is imported, which looks only then where its files go.
    """
    place = data_dir.resolve() / "temporary"
    with disk_errors():
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o700)
        _sweep(place)
        folder = Path(tempfile.mkdtemp(dir=place))
        lock = folder.with_name(folder.name + LOCK).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        os.environ.pop("GRADIO_TEMP_DIR", None)
        _remove(folder, lock)


def _sweep(place: Path) -> None:
    """Delete what belongs to no program that runs."""
    for path in place.glob(f"*{LOCK}"):
        with suppress(OSError):
            lock = path.open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # it runs
                lock.close()
            else:
                _remove(path.with_name(path.name.removesuffix(LOCK)), lock)


def _remove(folder: Path, lock: BinaryIO) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(folder.name + LOCK).unlink(missing_ok=True)
    lock.close()
