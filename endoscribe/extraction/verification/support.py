"""How far a value follows from the words that it is said to rest on.

A number must stand in the quote, in figures, in words or in another unit. An allowed value must not be denied there,
nor another one be named in its place. A yes must not be denied, and a no must be. Where a rule has nothing to say the
value is plausible: its words are there, and what they mean is for a person to judge.
"""

import re
from collections.abc import Sequence
from datetime import date, time
from itertools import pairwise

from rapidfuzz import fuzz

from endoscribe.extraction.verification.boolean_support import judge_boolean, names_absence
from endoscribe.extraction.verification.enum_support import is_denial, judge_enum, judge_multi
from endoscribe.extraction.verification.judgement import CONFIRMED, PLAUSIBLE, Judgement, contradicted
from endoscribe.extraction.verification.numbers import (
    WORD_NUMBERS,
    counts,
    is_in_foreign_unit,
    may_be_misheard,
    numbers_in,
)
from endoscribe.extraction.verification.quote_context import MIN_CONTENT_CHARS, STEM_CHARS, QuoteContext
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.normalize import Token, plain_words
from endoscribe.procedures.schema import FieldSchema

MONTH_ABBREVIATIONS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: Share of a text's longer words that its quote must hold for the text to be sure.
MIN_TEXT_OVERLAP = 0.5
#: Percent of letters in common from which a text is taken for what was misheard.
MIN_TEXT_LIKENESS = 50


def judge(value: Value, field: FieldSchema, words: Sequence[Token], first: int, after: int) -> Judgement:
    """A value against words[first:after]; `words` are those of the whole transcript.

    What stands around the quote counts: a negation just before it, the name of its field.
    """
    said = QuoteContext(words, first, after)
    match field.type:
        case "integer" | "number":
            return _judge_number(value, field, said)
        case "boolean":
            return judge_boolean(bool(value), field, said)
        case "enum":
            return judge_enum(str(value), field, said)
        case "multi":
            return judge_multi(value if isinstance(value, tuple) else (str(value),), field, said)
        case "date" | "time":
            problem = _calendar_objection(str(value), field, words[first:after])
            return contradicted(problem) if problem else CONFIRMED
    return _judge_text(str(value), said)


def affirms(value: Value, field: FieldSchema) -> bool:
    """Whether a value tells that something is there, so that "no evidence of" before its words speaks against it."""
    if field.type == "boolean":
        return value is True and not names_absence(field)
    if field.type in ("integer", "number"):
        return value != 0
    return field.type == "enum" and not is_denial(str(value), field)


def _judge_number(value: Value, field: FieldSchema, said: QuoteContext) -> Judgement:
    number = float(value) if isinstance(value, int | float) else 0.0
    words = said.words[said.first : said.after]
    if any(abs(number - candidate) <= tolerance for candidate, tolerance in numbers_in(words, field.unit)):
        denied = said.is_ruled_out()
        return contradicted("The words deny it.") if denied else CONFIRMED
    if field.type == "integer" and field.unit is None and counts(number, words):
        return CONFIRMED
    if is_in_foreign_unit(number, words, field.unit) or may_be_misheard(number, words):
        return PLAUSIBLE
    return contradicted(f"The words do not hold the number {number:g}.")


# -- dates, times, text ----------------------------------------------------------------------------------------------


def _calendar_objection(value: str, field: FieldSchema, words: Sequence[Token]) -> str | None:
    numbers = [
        int(digits) for word in words for digits in re.findall(r"\d+", str(WORD_NUMBERS.get(word.text, word.text)))
    ]
    numbers += [tens + unit for tens, unit in pairwise(numbers) if tens in (20, 30) and unit < 10]
    if field.type == "time":
        return None if _says_time(time.fromisoformat(value), numbers) else "The words do not hold this time."
    day = date.fromisoformat(value)
    months = {MONTH_ABBREVIATIONS.index(word.text[:3]) + 1 for word in words if word.text[:3] in MONTH_ABBREVIATIONS}
    if day.day not in numbers or (months and day.month not in months) or not (months or day.month in numbers):
        return "The words do not hold this date."
    return None if _says_year(day.year, numbers) else "The words do not hold the year."


def _says_time(moment: time, numbers: Sequence[int]) -> bool:
    hours = {moment.hour, moment.hour % 12 or 12}
    if any(hour * 100 + moment.minute in numbers for hour in hours):
        return True
    return bool(hours & set(numbers)) and (moment.minute == 0 or moment.minute in numbers)


def _says_year(year: int, numbers: Sequence[int]) -> bool:
    """The year in full, in two digits, or as spoken in two halves ("nineteen eighty four", "twenty twenty four")."""
    halves = (year // 100, year % 100)
    return year in numbers or year % 100 in numbers or any(pair == halves for pair in pairwise(numbers))


def _judge_text(value: str, said: QuoteContext) -> Judgement:
    """A free text may be worded anew, but holds no number of its own, and some of its words are its quote's."""
    spoken = set(said.texts)
    written = plain_words(value)
    numbers = {word for word in written if word[0].isdecimal()}
    if numbers - spoken:
        return contradicted(f"The words do not hold the number {min(numbers - spoken)}.")
    content = {word[:STEM_CHARS] for word in written if len(word) >= MIN_CONTENT_CHARS} or set(written) - set(".,")
    shared = content & {word[:STEM_CHARS] for word in spoken}
    if len(shared) >= MIN_TEXT_OVERLAP * len(content):
        return CONFIRMED
    is_alike = shared or fuzz.ratio("".join(written), "".join(said.texts)) >= MIN_TEXT_LIKENESS
    return PLAUSIBLE if is_alike else contradicted("The text says more than the words that it rests on.")
