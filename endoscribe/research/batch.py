"""Many dictations at once: recordings and transcripts from files, folders and ZIPs, one table over all of them.

One that fails does not stop the others; its problem stands in its row. Nothing is stored.
"""

import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from endoscribe.audio import SUFFIXES
from endoscribe.errors import BatchError, EndoscribeError
from endoscribe.extraction.record import Cell, Record
from endoscribe.outputs.outline import printable
from endoscribe.outputs.tabular import FORMULA_SIGNS
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.schema import Level, ProcedureSchema
from endoscribe.review.edits import is_not_done
from endoscribe.transcript import NO_SPEECH, Transcript

if TYPE_CHECKING:
    import pandas as pd

TEXT_SUFFIXES = frozenset({".txt", ".md"})
#: All archives together may unpack to so much, and hold so many dictations; more is a mistake or a bomb.
MOST_UNPACKED_BYTES = 4 << 30
MOST_DICTATIONS = 5000
#: A dictated text of a whole day is smaller.
MOST_TEXT_BYTES = 1 << 20
UNPACK_BLOCK_BYTES = 1 << 20

Reader = Callable[[Transcript, ProcedureSchema], Record]

#: An archive that is damaged, locked or of an unknown method, or a disk without room for it.
UNPACKING_FAILS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, OSError,
)  # fmt: skip


@dataclass(frozen=True)
class BatchItem:
    """One recording or transcript; `name` is how its place is shown."""

    name: str
    path: Path

    @property
    def is_text(self) -> bool:
        return self.path.suffix.lower() in TEXT_SUFFIXES


@dataclass(frozen=True)
class Heard:
    """A recording's transcript; `damage` tells what of the recording is not there."""

    transcript: Transcript
    damage: str | None = None


Transcriber = Callable[[Path, ProcedureSchema], Heard]


@dataclass(frozen=True)
class BatchOutcome:
    """What became of a dictation: a record, and a sentence on what it lacks or why there is none."""

    name: str
    transcript: Transcript | None = None
    record: Record | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Completeness:
    """How many of the records state a field."""

    target: str
    label: str
    level: Level
    stated: int
    of: int


LEFT_OUT = "This is neither a recording of a kind that can be read nor a transcript; it was left out."


@contextmanager
def dictations(
    paths: Iterable[Path], leave_out: Callable[[BatchOutcome], None] = lambda _: None
) -> Iterator[tuple[BatchItem, ...]]:
    """The recordings and transcripts among files, folders (searched) and ZIPs (unpacked while this lasts).

    `leave_out` is told each other file, except hidden ones.
    Raises BatchError when there are none or too many, and for a ZIP that cannot be read.
    """
    with TemporaryDirectory(prefix="endoscribe-") as folder:
        found = tuple(_found(paths, Path(folder), leave_out))
        if not found:
            raise BatchError("There are no recordings (wav, mp3, m4a, flac, ogg, webm) or transcripts (txt) here.")
        if len(found) > MOST_DICTATIONS:
            raise BatchError(f"There are more than {MOST_DICTATIONS} dictations here; take fewer at once.")
        yield found


def process(
    found: Sequence[BatchItem], schema: ProcedureSchema, hear: Transcriber, read: Reader
) -> Iterator[BatchOutcome]:
    """Each dictation's outcome, one after another in their order."""
    for dictation in found:
        try:
            heard = Heard(Transcript(_text(dictation.path))) if dictation.is_text else hear(dictation.path, schema)
            record = read(heard.transcript, schema)
            yield BatchOutcome(dictation.name, heard.transcript, record, _lack(heard))
        except EndoscribeError as error:
            yield BatchOutcome(dictation.name, problem=str(error))


def _lack(heard: Heard) -> str | None:
    """What of a recording is not there: some of its sound, or any words."""
    sentences = [heard.damage, None if heard.transcript.text.strip() else NO_SPEECH]
    return " ".join(filter(None, sentences)) or None


def table(outcomes: Sequence[BatchOutcome], schema: ProcedureSchema) -> "pd.DataFrame":
    """One row a dictation: its file, fields, computed values, gaps, and each table's rows as `6; 12` a column."""
    import pandas as pd  # slow to import

    return pd.DataFrame([_line(outcome, schema) for outcome in outcomes])


def completeness(outcomes: Sequence[BatchOutcome], schema: ProcedureSchema) -> tuple[Completeness, ...]:
    """For each field and each table how many records state it, in the schema's order."""
    records = [outcome.record for outcome in outcomes if outcome.record]
    fields = [
        Completeness(name, part.label, part.level, sum(_is_stated(r.fields.get(name)) for r in records), len(records))
        for name, part in schema.fields.items()
    ]
    tables = [
        Completeness(name, part.label, part.level, sum(bool(r.tables.get(name)) for r in records), len(records))
        for name, part in schema.tables.items()
    ]
    return (*fields, *tables)


def table_csv(frame: "pd.DataFrame") -> str:
    """The table as CSV in which no text is a formula."""
    return str(frame.map(_safe).to_csv(index=False))


def table_xlsx(frame: "pd.DataFrame") -> bytes:
    """The table as a workbook in which no text is a formula."""
    buffer = BytesIO()
    frame.map(_safe).to_excel(buffer, index=False, sheet_name="Dictations", engine="openpyxl", freeze_panes=(1, 1))
    return buffer.getvalue()


# -- finding ---------------------------------------------------------------------------------------------------------


LeaveOut = Callable[[BatchOutcome], None]


def _found(paths: Iterable[Path], folder: Path, leave_out: LeaveOut) -> Iterator[BatchItem]:
    room = _Room(MOST_UNPACKED_BYTES)
    for number, path in enumerate(paths):
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file())
            named = ((str(each.relative_to(path)), each) for each in files)
            yield from (BatchItem(name, each) for name, each in named if _is_taken(name, leave_out))
        elif not path.exists():
            raise BatchError(f"There is no file or folder {path.name}.")
        elif path.suffix.lower() == ".zip":
            yield from _unpacked(path, folder / str(number), room, leave_out)
        elif _is_taken(path.name, leave_out):
            yield BatchItem(path.name, path)


@dataclass
class _Room:
    """How much more may be unpacked."""

    left_bytes: int

    def take(self, size: int) -> None:
        self.left_bytes -= size
        if self.left_bytes < 0:
            raise BatchError(f"These archives unpack to more than {MOST_UNPACKED_BYTES >> 30} GB.")


def _is_taken(name: str, leave_out: LeaveOut) -> bool:
    """Whether this is a dictation; what is none is named, unless it is hidden or a system's own."""
    path = PurePosixPath(name)
    if path.name.startswith((".", "__MACOSX")):
        return False
    if path.suffix.lower() not in TEXT_SUFFIXES | SUFFIXES:
        leave_out(BatchOutcome(name, problem=LEFT_OUT))
        return False
    return True


def _unpacked(archive: Path, folder: Path, room: _Room, leave_out: LeaveOut) -> Iterator[BatchItem]:
    """The dictations of a ZIP under names of our own; what it calls them never becomes a path."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as unpacking:
            files = (each for each in unpacking.infolist() if _is_plain_file(each))
            members = [each for each in files if _is_taken(each.filename, leave_out)]
            for number, member in enumerate(members[: MOST_DICTATIONS + 1]):
                target = folder / f"{number}{PurePosixPath(member.filename).suffix.lower()}"
                _unpack(unpacking, member, target, room)
                yield BatchItem(member.filename, target)
    except UNPACKING_FAILS as error:
        raise BatchError(f"{archive.name} cannot be unpacked: it is damaged or locked.") from error


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, room: _Room) -> None:
    """Write one member; what the archive says of its size is not believed."""
    with archive.open(member) as source, target.open("xb") as file:
        while block := source.read(UNPACK_BLOCK_BYTES):
            room.take(len(block))
            file.write(block)


def _is_plain_file(member: zipfile.ZipInfo) -> bool:
    mode = member.external_attr >> 16
    return not member.is_dir() and (mode == 0 or stat.S_IFMT(mode) in (0, stat.S_IFREG))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_TEXT_BYTES:
            raise BatchError(f"This text is larger than {MOST_TEXT_BYTES >> 20} MB; it cannot be one dictation.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BatchError("This file cannot be read as UTF-8 text.") from error
    if not text.strip():
        raise BatchError("This file holds no text.")
    return text


# -- the table -------------------------------------------------------------------------------------------------------


def _line(outcome: BatchOutcome, schema: ProcedureSchema) -> dict[str, object]:
    record = outcome.record
    line: dict[str, object] = {"file": outcome.name, "problem": outcome.problem}
    if record is None:
        return line
    line |= {"extractor": record.extractor, "gaps": len(record.gaps)}
    line |= {name: _reliable(record.fields.get(name)) for name in schema.fields}
    line |= {f"computed.{name}": record.derived.get(name) for name in schema.derived}
    for name, part in schema.tables.items():
        rows = record.tables.get(name, ())
        line[f"{name}.rows"] = len(rows)
        for column in part.columns:
            values = [_reliable(row.get(column)) for row in rows]
            line[f"{name}.{column}"] = "; ".join("" if v is None else str(v) for v in values) or None
    return line


def _reliable(cell: Cell | None) -> Value | None:
    """A value that follows from the recording; anything else would be a wrong number in somebody's study."""
    if cell is None or cell.status not in ("ok", "edited"):
        return None
    return ", ".join(cell.value) if isinstance(cell.value, tuple) else cell.value


def _is_stated(cell: Cell | None) -> bool:
    return cell is not None and cell.status in ("ok", "edited") and not is_not_done(cell)


def _safe(value: object) -> object:
    if not isinstance(value, str):
        return value
    return f"'{printable(value)}" if value.startswith(FORMULA_SIGNS) else printable(value)
