"""What commands print: JSON one object a line, a record as a note, progress for whoever watches."""

import ctypes
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from endoscribe.extraction.record import Record
    from endoscribe.procedures.schema import ProcedureSchema


class _Stdout:
    """Where our own output goes while a command runs; None is wherever Python prints."""

    own: TextIO | None = None


@contextmanager
def stdout_for_ourselves() -> Iterator[None]:
    """While it lasts, stdout holds what `say` prints and nothing else: what libraries print goes to stderr.

    Some print from C++ or from programs of theirs, so the descriptor itself is turned, too.
    """
    if sys.stdout is None or _Stdout.own is not None:  # there is none, or it is ours already
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    own, is_real = sys.stdout, _is_descriptor_1(sys.stdout)
    if is_real:
        own = os.fdopen(os.dup(1), "w", encoding=own.encoding, errors=own.errors)
    os.dup2(2, 1)
    _Stdout.own = own
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # what C has kept back would be written at the end of the process
        _Stdout.own = None
        os.dup2(kept, 1)
        os.close(kept)
        if is_real:
            own.close()


def _is_descriptor_1(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except OSError:  # a stream in memory has none
        return False


def say(text: str) -> None:
    """What a command answers, to stdout, at once."""
    print(text, file=_Stdout.own or sys.stdout, flush=True)


def print_json(value: object) -> None:
    """One line, at once."""
    say(json.dumps(value, ensure_ascii=False))


def print_record(record: "Record", schema: "ProcedureSchema", path: Path, *, as_json: bool) -> None:
    """What was read from the file at `path`: as JSON, or as the note that a person reads."""
    if as_json:
        print_json(record.to_json(str(path)))
        return
    from endoscribe.outputs.note import render_note

    say(render_note(record, schema))


def tell(sentence: str) -> None:
    """To stderr: stdout is for what programs read."""
    print(sentence, file=sys.stderr)


def tell_progress(done: float) -> None:
    """How much of a recording has been heard, 0 to 1, on a line of its own for whoever watches a terminal."""
    if sys.stderr.isatty():
        print(f"\rHeard {done:.0%}", end="\n" if done == 1.0 else "", file=sys.stderr, flush=True)
