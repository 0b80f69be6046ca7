"""How single facts are said, and what the offline reader hears: hundreds of sentences, and dictations disturbed.

A sentence may be missed, but none may be heard wrong; and a dictation says the same when it is disfigured.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Record
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.research.evaluation import is_same, labelled_dictations
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript
from tests.support.paths import DATA

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
CORPUS = DATA / "dictations"
#: Fields of the patient are said before the examination begins.
INTRODUCED = ("patient_age", "patient_sex")
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()  # noqa: SIM905


def cases(name: str) -> Iterator[dict[str, Any]]:
    for line in (DATA / "sentences" / name).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def record_of(procedure: str, text: str) -> Record:
    schema, transcript = LIBRARY.get(procedure), Transcript(text)
    return read_transcript(OfflineExtractor(), transcript, schema)


def equal(wanted: Any, got: Any) -> bool:
    if wanted is None or got is None:
        return wanted is got
    if not isinstance(got, bool) and isinstance(got, int | float) and not isinstance(wanted, bool):
        return abs(float(wanted) - got) < 0.01
    return is_same(wanted, got)


def test_single_sentences_are_heard_and_none_is_misheard() -> None:
    heard = misheard = total = 0
    for case in cases("fields.jsonl"):
        text = case["text"] if case["field"] in INTRODUCED else f"The scope was inserted. {case['text']}"
        cell = record_of(case["procedure"], text).fields.get(case["field"])
        got = cell.value if cell else None
        total += 1
        heard += equal(case["value"], got)
        misheard += got is not None and not equal(case["value"], got)
    assert total > 300
    assert misheard == 0
    assert heard / total >= 0.96


def test_findings_become_rows() -> None:
    right = total = 0
    for case in cases("rows.jsonl"):
        found = record_of(case["procedure"], f"The scope was inserted. {case['text']}").tables.get(case["table"], ())
        columns = {name for row in case["rows"] for name in row} | {"count", "segment", "organ", "duct", "kind"}
        rows = [{name: cell.value for name, cell in row.items() if name in columns} for row in found]
        total += 1
        right += len(rows) == len(case["rows"]) and all(
            wanted.keys() == row.keys() and all(equal(wanted[name], row[name]) for name in wanted)
            for wanted, row in zip(case["rows"], rows, strict=True)
        )
    assert right / total >= 0.9


# -- disfigured dictations -------------------------------------------------------------------------------------------


def with_fillers(text: str) -> str:
    chance = random.Random(7)
    words = (f"{chance.choice(['um', 'uh', 'er'])} {word}" if chance.random() < 0.06 else word for word in text.split())
    return " ".join(words)


def with_stammers(text: str) -> str:
    chance = random.Random(5)
    stammered = (
        f"{word} {word.lower()}" if word.isalpha() and word.lower() not in ONES and chance.random() < 0.05 else word
        for word in text.split()
    )
    return " ".join(stammered)


def with_digits(text: str) -> str:
    units = "mm|millimet|centimet|cm|minutes|french|gauge|polyps|passes|clips|year"
    return re.sub(
        rf"(?<!ty )(?<!ty-)\b({'|'.join(reversed(ONES[2:]))})\b(?= (?:{units}))",
        lambda match: str(ONES.index(match.group())),
        text,
    )


def with_number_words(text: str) -> str:
    return re.sub(
        r"(?<![\w.\-/])(\d|1[0-5])(?= (?:mm|millimet|centimet|cm|minutes|french|gauge|polyps|passes|clips))",
        lambda match: ONES[int(match.group())],
        text,
    )


def with_contractions(text: str) -> str:
    return text.replace("There is", "There's").replace("I am", "I'm").replace("is not", "isn't")


def in_the_present(text: str) -> str:
    return re.sub(r"\bwas\b", "is", text)


def british(text: str) -> str:
    return re.sub(r"\besophag", "oesophag", text).replace("hemorrhoids", "haemorrhoids")


def without_stops(text: str) -> str:
    return re.sub(r"(?<!\d)[.,;:?!]|[.,;:?!](?!\d)", "", text).lower()


def values(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {name: cell.value for name, cell in record.fields.items()}
    for table, rows in record.tables.items():
        for index, row in enumerate(rows):
            found |= {f"{table}.{index}.{column}": cell.value for column, cell in row.items()}
    return found


@pytest.fixture(scope="module")
def as_written() -> list[tuple[str, str, dict[str, Any]]]:
    """Every third dictation of the corpus as it was written, and what is heard in it."""
    dictations = [(labels["procedure"], text) for labels, text in labelled_dictations(CORPUS)][::3]
    return [(procedure, text, values(record_of(procedure, text))) for procedure, text in dictations]


@pytest.mark.parametrize(
    ("disfigure", "may_change"),
    [
        (str.lower, 0.0),
        (with_fillers, 0.0),
        (with_stammers, 0.005),
        (with_digits, 0.005),
        (with_number_words, 0.005),
        (with_contractions, 0.005),
        (in_the_present, 0.005),
        (british, 0.0),
        (without_stops, 0.16),
    ],
)
def test_a_disfigured_dictation_says_the_same(
    disfigure: Callable[[str], str], may_change: float, as_written: list[tuple[str, str, dict[str, Any]]]
) -> None:
    changed = total = 0
    for procedure, text, before in as_written:
        after = values(record_of(procedure, disfigure(text)))
        total += len(before)
        texts = {name for name, field in LIBRARY.get(procedure).fields.items() if field.type == "text"}
        changed += sum(before.get(name) != after.get(name) for name in (before.keys() | after.keys()) - texts)
    assert changed <= may_change * total
