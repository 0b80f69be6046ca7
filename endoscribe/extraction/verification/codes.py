"""Classes and grades: allowed values that are numbers, Roman numerals or letters, and mean nothing without a name.

"Forrest 2a", "grade IV" and "type three" are compared as numbers and letters, however they are written.
"""

import re
from collections.abc import Mapping, Sequence

from endoscribe.extraction.verification.quote_context import QuoteContext, TokenSpan
from endoscribe.extraction.verification.values import HEADING_WORDS
from endoscribe.procedures.names import field_names, plain_phrase
from endoscribe.procedures.schema import FieldSchema

ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}
_CODE = re.compile(r"(?P<numeral>\d+|vi|iv|v|i{1,3})?(?P<letters>[a-z]{0,2})")
#: Between the name of a class and its code: "the Hill grade is 2", "NICE, type 2".
BETWEEN = frozenset({"is", "a", "of", "the", "at", "class", "grade", "type", "stage", "score", "classification", ",",
                     "as", "approximately", "about", "level", "category", "number"})  # fmt: skip
#: A number with one of these behind it is a measurement.
_MEASURES = re.compile(
    r"^(mm|cm|mil?lim|centim|french|fr|min|hour|day|week|month|year|ml|cc|mg|percent|%|o)$|^(millim|centim)"
)

SpokenCode = tuple[str, ...]


def codes_of(field: FieldSchema) -> Mapping[str, SpokenCode]:
    """For each allowed value its code; empty for a field with a value that is a word."""
    words = [value for value in field.values if value not in ("none", "other", "unknown", "no")]
    codes = {value: _code(plain_phrase(field.values[value].label or value)) for value in words}
    if not all(codes.values()):
        codes = {value: _code(plain_phrase(value)) for value in words}
    return {value: code for value, code in codes.items() if code} if words and all(codes.values()) else {}


def named_code(field: FieldSchema, codes: Mapping[str, SpokenCode], said: QuoteContext) -> str | None:
    """The value whose code follows the field's name in the quote; None where none does, or several do."""
    found = set()
    for _, after in _names_at(field, said):
        at = after
        while at < said.after and said.text(at) in BETWEEN and not _longest(codes, said, at):
            at += 1
        if value := _longest(codes, said, at):
            found.add(value)
    return found.pop() if len(found) == 1 else None


def told_codes(codes: Mapping[str, SpokenCode], said: QuoteContext) -> set[str]:
    """The values whose codes stand in the quote with a numeral, and are no measurements."""
    return {
        value
        for at in range(said.first, said.after)
        if (value := _longest(codes, said, at)) and codes[value][0].isdigit()
    }


def _longest(codes: Mapping[str, SpokenCode], said: QuoteContext, at: int) -> str | None:
    """The value with the longest code that stands at a word."""
    best: tuple[int, str] | None = None
    for value, code in codes.items():
        length = _length_at(code, said, at)
        if length and (best is None or len(code) > best[0]):
            best = (len(code), value)
    return best[1] if best else None


def _length_at(code: SpokenCode, said: QuoteContext, at: int) -> int:
    """How many words from `at` on are the code; 0 when they are not."""
    heard: list[str] = []
    for index in range(at, min(said.after, at + len(code))):
        parts = _code(said.text(index))
        if not parts:
            break
        heard += parts
        if tuple(heard) == code:
            following = said.text(index + 1) if index + 1 < len(said.words) else ""
            return 0 if _MEASURES.match(following) else index + 1 - at
    return 0


def _names_at(field: FieldSchema, said: QuoteContext) -> Sequence[TokenSpan]:
    words = {*plain_phrase(field.label).split(), *plain_phrase(field.id).split()} - HEADING_WORDS
    single = [(at, at + 1) for at in range(said.first, said.after) if said.text(at) in words]
    return [*single, *said.matches(field_names(field))]


def _code(text: str) -> SpokenCode:
    """ "iia" and "2 a" are ("2", "a"); a word is no code."""
    parts: list[str] = []
    for word in text.split():
        match = _CODE.fullmatch(word)
        if match is None or not word:
            return ()
        if match["numeral"]:
            parts.append(ROMAN.get(match["numeral"], match["numeral"]))
        if match["letters"]:
            if not match["numeral"] and len(match["letters"]) > 1:
                return ()
            parts.append(match["letters"])
    return tuple(parts)
