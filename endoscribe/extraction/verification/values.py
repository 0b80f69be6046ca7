"""What a reader wrote ("6 mm", "Cold snare", "yes") as a typed value of a field, or why it is none.

Only types, units, ranges and allowed values are judged here; whether the value was said is another question.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time

from endoscribe.extraction.reading.quantities import SCHEMA_UNITS, find_quantities
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.names import plain_phrase, value_names
from endoscribe.procedures.normalize import read_words
from endoscribe.procedures.schema import FieldSchema, FieldType

#: What models write for "nothing was said"; such a cell claims nothing.
NOT_STATED_WORDS = frozenset({"", "null", "n/a", "not stated", "not_stated", "not specified", "not mentioned"})
TRUE_WORDS = frozenset({"true", "yes", "y"})
FALSE_WORDS = frozenset({"false", "no", "n"})
HEADING_WORDS = frozenset({"class", "classification", "grade", "score", "stage", "type"})
ORDINAL_ENDING = re.compile(r"(?<=\d)(st|nd|rd|th)\b")
#: Only forms that cannot be read two ways; the month as a word, or ISO 8601.
DATE_FORMATS = ("%Y-%m-%d", "%d %B %Y", "%B %d %Y", "%d %b %Y", "%b %d %Y")
TIME_FORMATS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p")
MAX_SHOWN_CHARS = 60


class ValueFitError(ValueError):
    """A value does not fit its field; the message is a sentence for the person who reads the cell."""


def claims_nothing(value: Value, field: FieldSchema) -> bool:
    """Whether a reader filled the cell with a word for "not stated"."""
    if isinstance(value, tuple):
        return not value
    return isinstance(value, str) and value.strip().casefold() in NOT_STATED_WORDS and value not in field.values


def typed_value(value: Value, field: FieldSchema) -> Value:
    """The value in the field's own type and unit; raises ValueFitError."""
    if isinstance(value, tuple) and field.type != "multi":
        raise ValueFitError(f"{field.label} has one value, not {len(value)}.")
    return _READERS[field.type](value, field)


def term_phrases(field: FieldSchema, word: str) -> tuple[str, ...]:
    """Every way of saying an allowed value, as plain words."""
    term = field.values[word]
    return tuple(map(plain_phrase, (*value_names(field, word), *term.misheard, *term.short)))


def _truth(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueFitError(f"{_shown(value)} is neither yes nor no.")


def _number(value: Value, field: FieldSchema) -> int | float:
    number = _plain_number(value, field)
    if not math.isfinite(number):
        raise ValueFitError(f"{_shown(value)} is not a number.")
    if field.type == "integer" and number != int(number):
        raise ValueFitError(f"{_shown(value)} is not a whole number.")
    if field.range and not field.range[0] <= number <= field.range[1]:
        raise ValueFitError(f"{number:g} is outside {field.range[0]:g} to {field.range[1]:g}.")
    return int(number) if number == int(number) else number


def _plain_number(value: Value, field: FieldSchema) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    try:
        return float(text)
    except ValueError:
        return _spoken_number(text, field)


def _spoken_number(text: str, field: FieldSchema) -> float:
    """The only number in a text such as "about 6 mm", "2 cm" or "six", in the field's unit."""
    words = read_words(text)
    quantities = [placed.quantity for placed in find_quantities(words)]
    numbers = [float(word.text) for word in words if word.is_number]
    if len(numbers) != 1:
        raise ValueFitError(f"{_shown(text)} is not one number.")
    if not quantities or field.unit is None or field.unit.startswith("{"):
        return numbers[0]
    unit = SCHEMA_UNITS.get(field.unit, field.unit)
    converted = quantities[0].converted(unit)
    if converted is None:
        raise ValueFitError(f"{_shown(text)} is not in {field.unit}.")
    return converted[0]


def _word(text: str, field: FieldSchema) -> str:
    """The allowed value that a text names: by its id, its label, or one of the ways of saying it."""
    for word in field.values:
        if word.casefold() == text.strip().casefold():
            return word
    phrase = _without_heading(plain_phrase(text), field)
    named = [word for word in field.values if phrase in term_phrases(field, word)]
    if len(named) != 1:
        raise ValueFitError(f"{_shown(text)} is not one of the allowed values.")
    return named[0]


def _without_heading(phrase: str, field: FieldSchema) -> str:
    """ "NICE 2" and "grade B" are "2" and "B": the words of the field's own name are no part of the value."""
    heading = {*plain_phrase(field.label).split(), *plain_phrase(field.id).split(), *HEADING_WORDS}
    words = phrase.split()
    while len(words) > 1 and words[0] in heading and not any(phrase in term_phrases(field, w) for w in field.values):
        words.pop(0)
        phrase = " ".join(words)
    return phrase


def _words(value: Value, field: FieldSchema) -> tuple[str, ...]:
    parts: Sequence[str] = value if isinstance(value, tuple) else tuple(_split(str(value), field))
    return tuple(dict.fromkeys(_word(part, field) for part in parts))


def _split(text: str, field: FieldSchema) -> Iterator[str]:
    """Several values in one text: "screening, abdominal pain"; a value that itself holds a comma stays whole."""
    if text in field.values:
        yield text
        return
    yield from (part for part in (part.strip(" []\"'") for part in re.split(r"[,;|]", text)) if part)


def _date(text: str) -> str:
    plain = ORDINAL_ENDING.sub("", text.strip().casefold()).replace(",", " ").replace(" of ", " ")
    parsed = _first_format(" ".join(plain.split()), DATE_FORMATS)
    if parsed is None:
        raise ValueFitError(f"{_shown(text)} is not a date.")
    return date(parsed.year, parsed.month, parsed.day).isoformat()


def _time(text: str) -> str:
    plain = text.strip().casefold().replace("a.m.", "am").replace("p.m.", "pm")
    parsed = _first_format(plain, TIME_FORMATS)
    if parsed is None:
        raise ValueFitError(f"{_shown(text)} is not a time of day.")
    return time(parsed.hour, parsed.minute).isoformat("minutes")


def _first_format(text: str, formats: Sequence[str]) -> datetime | None:
    for form in formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  (a date or time as spoken has no zone)
        except ValueError:
            continue
    return None


def _text(value: Value, field: FieldSchema) -> str:
    if isinstance(value, bool):
        raise ValueFitError(f"{field.label} is a text, not yes or no.")
    return " ".join(str(value).split())


#: One for each type of field.
_READERS: Mapping[FieldType, Callable[[Value, FieldSchema], Value]] = {
    "boolean": lambda value, _: _truth(value),
    "integer": _number,
    "number": _number,
    "enum": lambda value, field: _word(str(value), field),
    "multi": _words,
    "date": lambda value, _: _date(str(value)),
    "time": lambda value, _: _time(str(value)),
    "text": _text,
}


def _shown(value: Value) -> str:
    text = str(value)
    return repr(text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "...")
