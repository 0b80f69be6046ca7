"""`extract`, `run`, `batch` and `verify`: transcripts, recordings and others' claims to records."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from endoscribe.cli.options import (
    AsJson,
    ExtractorName,
    Model,
    Procedure,
    chosen_engine,
    chosen_extractor,
    read_settings,
    schema_library,
)
from endoscribe.cli.output import print_json, print_record, say, tell
from endoscribe.cli.recognition import hear
from endoscribe.errors import BatchError, ExtractionError

if TYPE_CHECKING:
    import pandas as pd

    from endoscribe.procedures.schema import ProcedureSchema
    from endoscribe.research.batch import Transcriber
    from endoscribe.settings import Settings

app = typer.Typer()


@app.command()
def extract(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.txt")],
    procedure: Procedure,
    extractor: ExtractorName = None,
    as_json: AsJson = False,
) -> None:
    """A transcript to a record."""
    from endoscribe.extraction.extractor import read_transcript
    from endoscribe.transcript import Transcript

    settings = read_settings()
    schema = schema_library(settings).get(procedure)
    reader = chosen_extractor(settings, extractor)
    for path in files:
        record = read_transcript(reader, Transcript(_read_text(path)), schema)
        print_record(record, schema, path, as_json=as_json)


@app.command()
def run(
    file: Path, procedure: Procedure, model: Model = None, extractor: ExtractorName = None, as_json: AsJson = False
) -> None:
    """A recording to a record."""
    from endoscribe.extraction.extractor import read_transcript

    settings = read_settings()
    schema = schema_library(settings).get(procedure)
    reader = chosen_extractor(settings, extractor)
    if problem := reader.probe():
        raise ExtractionError(problem)  # before minutes are spent on recognition
    transcript, _ = hear(file, settings, procedure, model)
    print_record(read_transcript(reader, transcript, schema), schema, file, as_json=as_json)


@app.command()
def batch(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="files, folders, ZIPs")],
    procedure: Procedure,
    table: Annotated[
        Path | None, typer.Option("--table", metavar="FILE", help="write the table to this .csv or .xlsx file")
    ] = None,
    model: Model = None,
    extractor: ExtractorName = None,
    as_json: AsJson = False,
) -> None:
    """Many recordings and transcripts to one table.

    Prints the records one a line with --json, otherwise how complete they are; the table where it was asked for.
    """
    from endoscribe.extraction.extractor import read_transcript
    from endoscribe.research.batch import BatchOutcome, completeness, dictations, process
    from endoscribe.research.batch import table as table_of

    settings = read_settings()
    schema = schema_library(settings).get(procedure)
    reader = chosen_extractor(settings, extractor)
    if table and table.suffix not in (".csv", ".xlsx"):
        raise BatchError("--table takes the name of a .csv or .xlsx file.")
    outcomes: list[BatchOutcome] = []

    def leave_out(outcome: BatchOutcome) -> None:
        outcomes.append(outcome)
        tell(f"{outcome.name}: {outcome.problem}")

    with dictations(paths, leave_out) as found, _hearing(settings, model) as hear_one:
        for number, outcome in enumerate(process(found, schema, hear_one, partial(read_transcript, reader)), start=1):
            outcomes.append(outcome)
            tell(f"{number}/{len(found)} {outcome.name}: {outcome.problem or 'done'}")
            if as_json:
                made = outcome.record.to_json(outcome.name) if outcome.record else {"file": outcome.name}
                print_json({**made, "problem": outcome.problem})
    if table:
        _write_table(table, table_of(outcomes, schema))
    if not as_json:
        for line in completeness(outcomes, schema):
            say(f"{line.level} {line.label:40.40} {line.stated:5}/{line.of}")
    if not any(outcome.record for outcome in outcomes):
        raise BatchError("None of the dictations could be read.")


@app.command()
def verify(as_json: AsJson = False) -> None:  # noqa: ARG001  (records are JSON with and without it)
    """What verification makes of claims: JSON lines on stdin to records."""
    from endoscribe.research.answers import verify_lines

    for record in verify_lines(sys.stdin, schema_library(read_settings())):
        print_json(record.to_json())


@contextmanager
def _hearing(settings: "Settings", model: str | None) -> "Iterator[Transcriber]":
    """Transcription for as long as it lasts; the model is loaded at the first recording."""
    from endoscribe.audio import decode_recording
    from endoscribe.research.batch import Heard
    from endoscribe.speech.scheduler import Scheduler

    with ExitStack() as stack:

        @cache
        def scheduler() -> Scheduler:
            made = Scheduler(chosen_engine(settings, model))
            stack.callback(made.close)
            return made

        def hear_one(path: Path, schema: "ProcedureSchema") -> Heard:
            recording = decode_recording(path, settings.max_audio_minutes)
            return Heard(scheduler().transcribe(recording.samples, schema), recording.damage)

        yield hear_one


def _write_table(path: Path, frame: "pd.DataFrame") -> None:
    from endoscribe.research.batch import table_csv, table_xlsx

    content = table_xlsx(frame) if path.suffix == ".xlsx" else table_csv(frame).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BatchError(f"{path} cannot be written ({error.strerror}).") from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ExtractionError(f"There is no file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ExtractionError(f"{path} cannot be read as UTF-8 text.") from error
