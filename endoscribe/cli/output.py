"""What commands print: JSON one object a line, a record as a note, progress for whoever watches."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from endoscribe.extraction.record import Record
    from endoscribe.procedures.schema import ProcedureSchema


def print_json(value: object) -> None:
    """One line, at once."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_record(record: "Record", schema: "ProcedureSchema", path: Path, *, as_json: bool) -> None:
    """What was read from the file at `path`: as JSON, or as the note that a person reads."""
    if as_json:
        print_json(record.to_json(str(path)))
        return
    from endoscribe.outputs.note import render_note

    print(render_note(record, schema))


def tell(sentence: str) -> None:
    """To stderr: stdout is for what programs read."""
    print(sentence, file=sys.stderr)


def tell_progress(done: float) -> None:
    """How much of a recording has been heard, 0 to 1, on a line of its own for whoever watches a terminal."""
    if sys.stderr.isatty():
        print(f"\rHeard {done:.0%}", end="\n" if done == 1.0 else "", file=sys.stderr, flush=True)
