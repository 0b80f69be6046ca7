"""Error rate and term recall of a transcript, blind to how numbers and units are written."""

import re
from collections.abc import Iterable
from functools import lru_cache

from rapidfuzz.distance import Levenshtein

UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
DIGITS = {word: str(number) for number, word in enumerate((*UNITS, *TEENS))}
DIGITS |= {word: str(number) for number, word in zip(range(20, 100, 10), TENS, strict=True)}
SPELLINGS = {
    "mm": "millimeters",
    "cm": "centimeters",
    "ml": "milliliters",
    "millimetre": "millimeter",
    "millimetres": "millimeters",
    "centimetre": "centimeter",
    "centimetres": "centimeters",
    "oesophagus": "esophagus",
    "biopsys": "biopsies",
}

_COMPOUND = re.compile(rf"\b({'|'.join(TENS)})[ -]({'|'.join(UNITS[1:])})\b")
_GLUED_UNIT = re.compile(r"(\d)(mm|cm|ml)\b")
_ORDINAL = re.compile(r"(\d)(st|nd|rd|th)\b")
#: "Paris 0-IIa" and "Paris 2A" are one class, "Forrest IIa" and "Forrest 2A" another.
_CLASS = re.compile(r"\b(paris|forrest|forest)((?: class| type)?) (?:0[ -]?)?(i{1,3}|[123])-?([abcps]{0,2})\b")
_TOKEN = re.compile(r"[a-z0-9]+")


@lru_cache(maxsize=50_000)
def tokens(text: str) -> tuple[str, ...]:
    """The words of a text in one form: lower case, no punctuation, numbers and classes in digits, units in full."""
    text = text.casefold().replace("'s", "s").replace("\N{RIGHT SINGLE QUOTATION MARK}s", "s")
    text = _COMPOUND.sub(lambda found: str(int(DIGITS[found[1]]) + int(DIGITS[found[2]])), text)
    text = _ORDINAL.sub(r"\1", _GLUED_UNIT.sub(r"\1 \2", text))
    text = _CLASS.sub(_plain_class, text)
    return tuple(DIGITS.get(word, SPELLINGS.get(word, word)) for word in _TOKEN.findall(text))


def _plain_class(found: re.Match[str]) -> str:
    number = len(found[3]) if found[3].startswith("i") else found[3]
    return f"{found[1].replace('forest', 'forrest')}{found[2]} {number}{found[4]}"


def word_error_rate(reference: str, heard: str) -> float:
    """Substituted, missing and added words over the words of the reference."""
    said = tokens(reference)
    return Levenshtein.distance(said, tokens(heard)) / len(said)


def matches(reference: tuple[str, ...], heard: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of places at which the two hold the same word in the best alignment."""
    return [
        pair
        for block in Levenshtein.opcodes(reference, heard)
        if block.tag == "equal"
        for pair in zip(range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=True)
    ]


def term_recall(reference: str, heard: str, terms: Iterable[str]) -> float | None:
    """The share of the terms' occurrences in the reference that were heard whole; None where it holds no term.

    A term within a longer term that was found ("bile duct" in "common bile duct") is not counted again.
    """
    said, listened = tokens(reference), tokens(heard)
    heard_places = {place for place, _ in matches(said, listened)}
    spans = _spans(said, {tokens(term) for term in terms} - {()})
    found = sum(heard_places.issuperset(span) for span in spans)
    return found / len(spans) if spans else None


def _spans(said: tuple[str, ...], terms: set[tuple[str, ...]]) -> list[range]:
    longest = max(map(len, terms), default=0)
    spans, place = [], 0
    while place < len(said):
        sizes = range(min(longest, len(said) - place), 0, -1)
        length = next((size for size in sizes if said[place : place + size] in terms), 0)
        if length:
            spans.append(range(place, place + length))
        place += length or 1
    return spans
