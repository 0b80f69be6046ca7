"""Sentences of a note: a schema's wording with values in its places, and plain ones from labels."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from endoscribe.extraction.labels import plain_value, unit_text, value_text
from endoscribe.extraction.record import Cell
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.normalize import SMALL_NUMBERS
from endoscribe.procedures.notes.spelling import Spelling, spelled
from endoscribe.procedures.notes.wording import ARTICLE, Choice, Condition, ValuePlace, Wording
from endoscribe.procedures.schema import Derived, FieldSchema

#: "an 8 mm polyp", "an 11 mm polyp", "an ulcer", but "a uniform lesion".
_TAKES_AN = re.compile(r"(?:8|11\b|18\b|(?!uni|use|uter|one\b|eu)[aeiou])", re.IGNORECASE)
_NUMBER_WORDS = ("no", *SMALL_NUMBERS[1:13])
#: "84 months" is said "7 years".
MONTH_UNITS = ("mo", "months")
YEAR_MONTHS = 12
_BEFORE_STOP = re.compile(r"\s+([.,;:)])")
_ENDS = (".", "!", "?", "…", "”")
_STATES = ("normal", "adequate", "done", "given", "seen", "found", "taken", "left", "gone", "patent", "complete")
#: A label of one state: "Esophagus normal", "Tattoo placed". "No" turns it round by a "not", not by a "no".
_STATE = re.compile(rf"(?:\w+ed|\w+(?:{'|'.join(_STATES)})|{'|'.join(_STATES)})", re.IGNORECASE)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@dataclass(frozen=True)
class StatedValues:
    """What sentences may tell: certain values of a report or of one row, computed ones, and which tables have rows."""

    schemas: Mapping[str, FieldSchema]
    cells: Mapping[str, Cell]
    derived: Mapping[str, tuple[Derived, Value]]
    tables: Mapping[str, bool]
    spelling: Spelling


@dataclass(frozen=True)
class Told:
    """A sentence, or a piece of one, and the names of what it tells."""

    text: str
    names: frozenset[str]


def tell(choice: Choice, stated: StatedValues) -> Told | None:
    """The first alternative of which everything was stated; None where there is none."""
    for alternative in choice.alternatives:
        told = _tell_all(alternative, stated)
        if told is not None:
            return told
    return Told("", frozenset()) if choice.is_optional else None


def _tell_all(wording: Wording, stated: StatedValues) -> Told | None:
    texts: list[str] = []
    names: frozenset[str] = frozenset()
    for piece in wording:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        told = tell(piece, stated) if isinstance(piece, Choice) else _tell_one(piece, stated)
        if told is None:
            return None
        texts.append(told.text)
        names |= told.names
    return Told("".join(texts), names)


def _tell_one(piece: ValuePlace | Condition, stated: StatedValues) -> Told | None:
    if isinstance(piece, Condition):
        return _condition(piece, stated)
    value, field = _value(piece.name, stated)
    names = frozenset() if value is None else frozenset({piece.name})
    if piece.form == "a":
        return Told(ARTICLE if value in (None, 1) else _number_word(value), names)
    if piece.form and "/" in piece.form:
        return Told(piece.form.split("/")[0 if value in (None, 1) else 1], names)
    if value is None:
        return None
    return Told(in_words(value, field, None if piece.form else _unit(piece.name, stated), stated.spelling), names)


def _condition(condition: Condition, stated: StatedValues) -> Told | None:
    names = frozenset({condition.name})
    if condition.name in stated.tables:
        answer = "yes" if stated.tables[condition.name] else "no"
        return Told("", frozenset()) if (answer in condition.values) is not condition.is_negated else None
    value, _ = _value(condition.name, stated)
    if {"stated", "unstated"} & set(condition.values):
        return Told("", frozenset()) if ("stated" in condition.values) is (value is not None) else None
    if value is None:
        return None
    said = {_plain(part) for part in value} if isinstance(value, tuple) else {_plain(value)}
    if bool(said & set(condition.values)) is condition.is_negated:
        return None
    return Told("", names if said <= set(condition.values) else frozenset())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(name: str, stated: StatedValues) -> tuple[Value | None, FieldSchema | None]:
    if name in stated.cells:
        return stated.cells[name].value, stated.schemas[name]
    if name in stated.derived and name not in stated.schemas:
        return stated.derived[name][1], None
    return None, None


def _unit(name: str, stated: StatedValues) -> str | None:
    return stated.cells[name].unit if name in stated.cells else stated.derived[name][0].unit


def in_words(value: Value, field: FieldSchema | None, unit: str | None, spelling: Spelling) -> str:
    """A value as a sentence has it: lists with "and", dates with their month, one day and not one days."""
    if isinstance(value, tuple):
        return _listed([field.value_words(part) if field else part for part in value])
    if field and field.type == "date":
        return date_words(str(value), spelling)
    if unit in MONTH_UNITS and isinstance(value, int | float) and value > YEAR_MONTHS and value % YEAR_MONTHS == 0:
        return f"{value / YEAR_MONTHS:g} years"
    if value == 1 and unit_text(unit).endswith("s") and not isinstance(value, bool):
        return f"1 {unit_text(unit).removesuffix('s')}"
    text = plain_value(value, field, unit)
    return text.strip().rstrip(".") if field and field.type == "text" else text


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def date_words(value: str, spelling: Spelling) -> str:
    """A day (ISO 8601) with its month in letters, so that it is not taken for the day; another text as it is."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return value
    month = _MONTHS[day.month - 1]
    return f"{month} {day.day}, {day.year}" if spelling == "us" else f"{day.day} {month} {day.year}"


def _number_word(value: Value) -> str:
    is_small = isinstance(value, int | float) and value == int(value) and 0 <= value < len(_NUMBER_WORDS)
    return _NUMBER_WORDS[int(value)] if is_small and isinstance(value, int | float) else _plain(value)


# -- plain sentences -------------------------------------------------------------------------------------------------


def plain_sentence(field: FieldSchema, cell: Cell, spelling: Spelling) -> str:
    """A value in the words of its label: "Insertion time: 6 min.", "No ascites.", "Pancreas not normal."."""
    if cell.value is None:
        return f"{field.label}: {value_text(cell, field)}"
    if isinstance(cell.value, bool):
        return _yes_or_no(field.label, cell.value)
    return f"{field.label}: {in_words(cell.value, field, cell.unit, spelling)}"


def _yes_or_no(label: str, value: bool) -> str:
    if value:
        return label
    *before, last = label.split(" ")
    if before and _STATE.fullmatch(last):
        return f"{' '.join(before)} not {last}"
    return f"Not {_small(label)}" if _STATE.fullmatch(label) else f"No {_small(label)}"


def plain_row(names: list[str], stated: StatedValues) -> str:
    """The values of a row by their labels: "Segment sigmoid; Size 4 mm; Retrieved"."""
    return "; ".join(_plain_piece(stated.schemas[name], stated.cells[name], stated.spelling) for name in names)


def _plain_piece(field: FieldSchema, cell: Cell, spelling: Spelling) -> str:
    sentence = plain_sentence(field, cell, spelling)
    return sentence if isinstance(cell.value, bool) else sentence.replace(": ", " ", 1)


def _small(label: str) -> str:
    """A label within a sentence: names and initials keep their capital."""
    is_name = "'s " in label or (len(label) > 1 and not label[1].islower())
    return label if is_name else label[0].lower() + label[1:]


def finished(text: str, spelling: Spelling) -> str:
    """A sentence as it is printed: articles, one spelling, a capital, a stop; empty stays empty."""
    words = " ".join(text.split())
    pieces = words.split(ARTICLE)
    for index, after in enumerate(pieces[1:], start=1):
        pieces[index] = ("an" if _TAKES_AN.match(after.strip()) else "a") + after
    words = _BEFORE_STOP.sub(r"\1", spelled("".join(pieces), spelling)).strip()
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words.endswith(_ENDS) else ".")


def joined(sentences: Iterator[str]) -> str:
    return " ".join(filter(None, sentences))
