"""The command line: JSON or text on stdout, logs on stderr, exit code 0, 1 for bad input, 2 for wrong usage.

Each command imports what it needs when it runs, so that `schemas list` answers at once.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endoscribe.cli.maintenance import add_operations
from endoscribe.cli.serve import add_serve_command
from endoscribe.cli.users import add_user_commands
from endoscribe.errors import EndoscribeError
from endoscribe.logs import configure_logging
from endoscribe.settings import SHIPPED_SCHEMA_DIR, Settings

if TYPE_CHECKING:
    import pandas as pd

    from endoscribe.extraction.claims import Extractor
    from endoscribe.extraction.record import Record
    from endoscribe.procedures.library import SchemaLibrary
    from endoscribe.procedures.schema import ProcedureSchema
    from endoscribe.research.batch import Transcriber
    from endoscribe.speech.engine import WhisperXEngine
    from endoscribe.transcript import Transcript

Command = Callable[[argparse.Namespace, Settings], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    configure_logging(logging.INFO if options.verbose else logging.WARNING)
    command: Command = options.run
    try:
        command(options, Settings.from_environment())
    except EndoscribeError as error:
        print(f"endoscribe: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("endoscribe: interrupted.", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="endoscribe", description="Dictated endoscopy to structured report.")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is going on to stderr")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    transcribe = _command(commands, "transcribe", run_transcribe, "a recording to text")
    transcribe.add_argument("file", type=Path)
    _speech_options(transcribe)

    stream = _command(commands, "stream", run_stream, "play recordings as live microphones and measure the live text")
    stream.add_argument("files", type=Path, nargs="+", metavar="FILE")
    stream.add_argument("--speed", type=_speed, default=1.0, help="1 is as spoken, 0 as fast as possible")
    _speech_options(stream)

    extract = _command(commands, "extract", run_extract, "a transcript to a record")
    extract.add_argument("files", type=Path, nargs="+", metavar="FILE.txt")
    extract.add_argument("--procedure", required=True)
    _extractor_option(extract)

    run = _command(commands, "run", run_run, "a recording to a record")
    run.add_argument("file", type=Path)
    run.add_argument("--procedure", required=True)
    run.add_argument("--model")
    _extractor_option(run)

    batch = _command(commands, "batch", run_batch, "many recordings and transcripts to one table")
    batch.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="files, folders, ZIPs")
    batch.add_argument("--procedure", required=True)
    batch.add_argument("--table", type=Path, metavar="FILE", help="write the table to this .csv or .xlsx file")
    batch.add_argument("--model", help="a Whisper model's name or folder")
    _extractor_option(batch)

    _schema_commands(commands)

    evaluate = _command(commands, "evaluate", run_evaluate, "score an extractor on labelled dictations")
    evaluate.add_argument("folder", type=Path)
    evaluate.add_argument("--by-field", action="store_true", help="the figures of each field, worst first")
    evaluate.add_argument("--held-out", action="store_true", help="only dictations that never served for tuning")
    evaluate.add_argument("--html", type=Path, metavar="FILE", help="write a page with each mistake in its transcript")
    _extractor_option(evaluate)

    add_serve_command(commands)
    add_user_commands(commands)
    add_operations(commands)

    models = commands.add_parser("models", help="model weights").add_subparsers(required=True, metavar="COMMAND")
    fetch = models.add_parser("fetch", help="fetch and verify weights")
    fetch.add_argument("name", help="a Whisper model, or alignment-en")
    fetch.set_defaults(run=run_models_fetch)
    return parser


def _command(commands: Any, name: str, run: Command, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=description, description=description)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def _speech_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--procedure", help="listen for this procedure's words")
    parser.add_argument("--model", help="a Whisper model's name or folder")


def _extractor_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--extractor", choices=("offline", "claude", "openai"))


def _schema_commands(commands: Any) -> None:
    schemas = commands.add_parser("schemas", help="procedure schemas").add_subparsers(required=True, metavar="COMMAND")
    _command(schemas, "list", run_schemas_list, "the procedures that can be dictated")
    check = _command(schemas, "check", run_schemas_check, "say what is wrong with schema files")
    check.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    show = _command(schemas, "show", run_schemas_show, "one procedure's fields and tables")
    show.add_argument("procedure")
    new = schemas.add_parser("new", help="write a commented starter file for a procedure")
    new.add_argument("id", help="small letters, digits and _: bronchoscopy")
    new.add_argument("--folder", type=Path, help="where to write it; the folder of ENDOSCRIBE_SCHEMA_DIR, else here")
    new.set_defaults(run=run_schemas_new)
    form = schemas.add_parser("format", help="print the JSON Schema of schema files")
    form.set_defaults(run=run_schemas_format)


def _speed(text: str) -> float:
    speed = float(text)
    if speed < 0:
        raise argparse.ArgumentTypeError("a speed is 0 or more")
    return speed


def run_transcribe(options: argparse.Namespace, settings: Settings) -> None:
    transcript, timing = _hear(options, settings)
    if options.json:
        _print_json({"file": str(options.file), **transcript.to_json(), "timing": timing})
    else:
        print(transcript.text)


def run_stream(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.audio import load_audio
    from endoscribe.speech.live import LiveOptions
    from endoscribe.speech.playback import LiveEvent, play
    from endoscribe.speech.scheduler import Scheduler

    schema = _schema(options, settings)
    recordings = [(path, load_audio(path, settings.max_audio_minutes)) for path in options.files]

    def show(event: LiveEvent) -> None:
        line = (
            json.dumps(asdict(event))
            if options.json
            else f"{event.wall_s:7.1f} {event.committed[-60:]} | {event.tentative}"
        )
        print(line, flush=True)

    scheduler = Scheduler(_engine(options, settings), options=LiveOptions(catch_up=options.speed > 0))
    try:
        summaries = play(scheduler, recordings, schema, options.speed, show)
    finally:
        scheduler.close()
    _print_json({"summary": [asdict(summary) for summary in summaries]})


def run_extract(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.transcript import Transcript

    schema = _schemas(settings).get(options.procedure)
    extractor = _extractor(options, settings)
    for path in options.files:
        record = _record(extractor, Transcript(_read_text(path)), schema)
        _show_record(options, record, schema, path)


def run_run(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.errors import ExtractionError

    schema = _schemas(settings).get(options.procedure)
    extractor = _extractor(options, settings)
    if problem := extractor.probe():
        raise ExtractionError(problem)  # before minutes are spent on recognition
    transcript, _ = _hear(options, settings)
    _show_record(options, _record(extractor, transcript, schema), schema, options.file)


def run_batch(options: argparse.Namespace, settings: Settings) -> None:
    """Records one a line with --json, otherwise how complete they are; the table where it was asked for."""
    from endoscribe.errors import BatchError
    from endoscribe.research.batch import completeness, dictations, process, table

    schema = _schemas(settings).get(options.procedure)
    extractor = _extractor(options, settings)
    if options.table and options.table.suffix not in (".csv", ".xlsx"):
        raise BatchError("--table takes the name of a .csv or .xlsx file.")
    outcomes = []
    with dictations(options.paths) as found, _hearing(options, settings) as hear:
        read = partial(_record, extractor)
        for number, outcome in enumerate(process(found, schema, hear, read), start=1):
            outcomes.append(outcome)
            print(f"{number}/{len(found)} {outcome.name}: {outcome.problem or 'done'}", file=sys.stderr)
            if options.json:
                made = outcome.record.to_json(outcome.name) if outcome.record else {"file": outcome.name}
                _print_json({**made, "problem": outcome.problem})
    if options.table:
        _write_table(options.table, table(outcomes, schema))
    if not options.json:
        for line in completeness(outcomes, schema):
            print(f"{line.level} {line.label:40.40} {line.stated:5}/{line.of}")
    if not any(outcome.record for outcome in outcomes):
        raise BatchError("None of the dictations could be read.")


@contextmanager
def _hearing(options: argparse.Namespace, settings: Settings) -> "Iterator[Transcriber]":
    """Transcription for as long as it lasts; the model is loaded at the first recording."""
    from endoscribe.audio import decode_recording
    from endoscribe.research.batch import Heard
    from endoscribe.speech.scheduler import Scheduler

    with ExitStack() as stack:

        @cache
        def scheduler() -> Scheduler:
            made = Scheduler(_engine(options, settings))
            stack.callback(made.close)
            return made

        def hear(path: Path, schema: "ProcedureSchema") -> Heard:
            recording = decode_recording(path, settings.max_audio_minutes)
            return Heard(scheduler().transcribe(recording.samples, schema), recording.damage)

        yield hear


def _write_table(path: Path, frame: "pd.DataFrame") -> None:
    from endoscribe.errors import BatchError
    from endoscribe.research.batch import table_csv, table_xlsx

    content = table_xlsx(frame) if path.suffix == ".xlsx" else table_csv(frame).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BatchError(f"{path} cannot be written ({error.strerror}).") from error


def run_schemas_list(options: argparse.Namespace, settings: Settings) -> None:
    schemas = list(_schemas(settings))
    if options.json:
        _print_json([{"id": each.id, "title": each.title, "version": each.version} for each in schemas])
        return
    for schema in schemas:
        print(f"{schema.id:8} {schema.title} (version {schema.version})")


def run_schemas_check(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.errors import SchemaError
    from endoscribe.procedures.library import PART_PREFIX, load_schema

    problems = []
    paths = list(_schema_files(options.paths))
    for path in paths:
        try:
            if not path.name.startswith(PART_PREFIX):
                load_schema(path, _schema_folders(settings))
        except SchemaError as error:
            problems.append({"file": str(path), "problem": str(error)})
    if options.json:
        _print_json({"checked": [str(path) for path in paths], "problems": problems})
    if problems:
        raise SchemaError("\n".join(each["problem"] for each in problems))
    if not options.json:
        print("1 file is in order." if len(paths) == 1 else f"{len(paths)} files are in order.")


def run_schemas_new(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.procedures.scaffold import write_scaffold

    path = write_scaffold(options.id, options.folder or settings.schema_dir or Path())
    print(f"{path} is ready to be filled in. `python -m endoscribe schemas check {path}` says whether it is in order.")
    if options.folder and options.folder != settings.schema_dir:
        print(f"Set ENDOSCRIBE_SCHEMA_DIR={options.folder} so that EndoScribe offers it.")


def run_schemas_format(_options: argparse.Namespace, _settings: Settings) -> None:
    from endoscribe.procedures.json_schema import json_schema

    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))


def run_schemas_show(options: argparse.Namespace, settings: Settings) -> None:
    schema = _schemas(settings).get(options.procedure)
    if options.json:
        _print_json(schema.model_dump(mode="json", exclude_none=True))
        return
    print(f"{schema.title} (version {schema.version})")
    for target, field in schema.targets():
        kind = " | ".join(field.values) if field.values else field.type
        print(f"  {field.level}  {target:32} {kind}{f' {field.unit}' if field.unit else ''}")


def run_evaluate(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.research.evaluation import evaluate
    from endoscribe.research.evaluation_page import evaluation_page

    extractor = _extractor(options, settings)
    evaluation = evaluate(options.folder, extractor, _schemas(settings), held_out_only=options.held_out)
    if options.html:
        _write_text(options.html, evaluation_page(evaluation, extractor.name))
    if options.json:
        _print_json(evaluation.to_json(by_field=options.by_field))
    else:
        print(evaluation.to_text(by_field=options.by_field))


def run_models_fetch(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.speech.weights import ALIGNERS, obtain_aligner, obtain_weights

    for language, model in ALIGNERS.items():
        if options.name == model.name:
            print(obtain_aligner(language, settings.models_dir))
            return
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    print(obtain_weights(options.name, settings.models_dir, token))


def _tell_progress(done: float) -> None:
    """How much of a recording has been heard, 0 to 1, on a line of its own for whoever watches a terminal."""
    if sys.stderr.isatty():
        print(f"\rHeard {done:.0%}", end="\n" if done == 1.0 else "", file=sys.stderr, flush=True)


def _hear(options: argparse.Namespace, settings: Settings) -> "tuple[Transcript, dict[str, float]]":
    """A recording's transcript and what it cost; the recording is looked at before the model is loaded."""
    from endoscribe.audio import load_audio
    from endoscribe.speech.scheduler import Scheduler

    schema = _schema(options, settings)
    samples = load_audio(options.file, settings.max_audio_minutes)
    began_s = time.perf_counter()
    engine = _engine(options, settings)
    loaded_s, loaded_cpu_s = time.perf_counter(), time.process_time()
    scheduler = Scheduler(engine)
    try:
        transcript = scheduler.transcribe(samples, schema, _tell_progress)
        _tell_progress(1.0)  # the last word is not at the very end
    finally:
        scheduler.close()
    timing = {
        "load_s": loaded_s - began_s,
        "decode_s": engine.timing.decode_s,
        "align_s": engine.timing.align_s,
        "cpu_s": time.process_time() - loaded_cpu_s,
    }
    return transcript, {name: round(seconds, 3) for name, seconds in timing.items()}


def _engine(options: argparse.Namespace, settings: Settings) -> "WhisperXEngine":
    from endoscribe.speech.loading import load_engine

    return load_engine(settings.model_copy(update={"whisper_model": options.model}) if options.model else settings)


def _extractor(options: argparse.Namespace, settings: Settings) -> "Extractor":
    from endoscribe.services import build_extractor

    return build_extractor(
        settings.model_copy(update={"extractor": options.extractor}) if options.extractor else settings
    )


def _record(extractor: "Extractor", transcript: "Transcript", schema: "ProcedureSchema") -> "Record":
    from endoscribe.extraction.verification.grounding import verify

    return verify(extractor.extract(transcript, schema), transcript, schema, extractor.name)


def _schemas(settings: Settings) -> "SchemaLibrary":
    from endoscribe.procedures.library import SchemaLibrary

    return SchemaLibrary(*_schema_folders(settings), jurisdiction=settings.jurisdiction)


def _schema_folders(settings: Settings) -> list[Path]:
    return [SHIPPED_SCHEMA_DIR, *([settings.schema_dir] if settings.schema_dir else [])]


def _schema(options: argparse.Namespace, settings: Settings) -> "ProcedureSchema | None":
    return _schemas(settings).get(options.procedure) if options.procedure else None


def _schema_files(paths: Iterable[Path]) -> Iterable[Path]:
    from endoscribe.errors import SchemaError

    for path in paths:
        if path.is_dir():
            yield from sorted(path.glob("*.yaml"))
        elif path.is_file():
            yield path
        else:
            raise SchemaError(f"There is no file or folder {path}.")


def _read_text(path: Path) -> str:
    from endoscribe.errors import ExtractionError

    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ExtractionError(f"There is no file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ExtractionError(f"{path} cannot be read as UTF-8 text.") from error


def _write_text(path: Path, text: str) -> None:
    from endoscribe.errors import ExtractionError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExtractionError(f"{path} cannot be written.") from error


def _show_record(options: argparse.Namespace, record: "Record", schema: "ProcedureSchema", path: Path) -> None:
    if options.json:
        _print_json(record.to_json(str(path)))
        return
    from endoscribe.outputs.note import render_note

    print(render_note(record, schema))


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)
