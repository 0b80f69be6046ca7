"""Procedures without a single cue: what the offline reader hears by names, types and units alone.

The dictations are our own, written beside the rules: they show that nothing breaks, not how strangers are read.
"""

import json
from collections.abc import Iterator
from typing import Any

from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Record
from endoscribe.procedures.library import load_schema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript
from tests.support.paths import DATA

FOLDER = DATA / "no_cues"
PROCEDURES = {
    name: load_schema(FOLDER / f"{name}.yaml", (SHIPPED_SCHEMA_DIR,)) for name in ("bronchoscopy", "cystoscopy")
}
#: Fields of every report that a procedure of its own does not label.
UNLABELLED = {"indication", "impression", "recommendations", "scope_model", "relevant_history", "limitations"}


def dictations() -> Iterator[dict[str, Any]]:
    for line in (FOLDER / "dictations.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def read(procedure: str, text: str) -> Record:
    return read_transcript(OfflineExtractor(), Transcript(text), PROCEDURES[procedure])


def stated(record: Record) -> dict[str, Any]:
    cells = {name: cell.value for name, cell in record.fields.items() if name not in UNLABELLED}
    return {name: sorted(value) if isinstance(value, tuple) else value for name, value in cells.items()}


def test_a_procedure_without_cues_is_read_by_its_names() -> None:
    right = wrong = missed = 0
    for dictation in dictations():
        wanted = {name: sorted(v) if isinstance(v, list) else v for name, v in dictation["fields"].items()}
        got = stated(read(dictation["procedure"], dictation["text"]))
        right += sum(got.get(name) == value for name, value in wanted.items())
        missed += sum(name not in got for name in wanted)
        wrong += sum(wanted.get(name) != value for name, value in got.items())
    assert right > 60
    assert 2 * right / (2 * right + 2 * wrong + missed) >= 0.93
    assert wrong <= 2
