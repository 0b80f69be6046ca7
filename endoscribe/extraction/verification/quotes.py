"""Where in a transcript a quote was said: word for word, or as closely as recognition and number words allow.

A near match may differ in hesitations, small words and spelling, never in a number, a negation or an opposite:
"no polyps" is not found in "polyps", nor "fifteen" in "fifty", nor "adequate" in "inadequate".
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from rapidfuzz import fuzz

from endoscribe.extraction.reading.quantities import SPOKEN_UNITS
from endoscribe.procedures.normalize import Token, read_words

RAW_WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d.])|\d+(?:\.\d+)?|[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
#: Where a reader left words out of its quote.
ELLIPSIS = re.compile(r"\s*(?:\[?\.{3,}\]?|\[?\u2026\]?)\s*")
MAX_ELLIPSIS_CHARS = 400
#: Longer quotes are found word for word or not at all: nobody can hear them as evidence of one cell.
MAX_NEAR_WORDS = 80
#: Regions of the transcript that are tried, best first.
MAX_REGIONS = 3

#: Costs of aligning two words, as a share of one content word.
SMALL_WORD_COST = 0.25
CONTENT_WORD_COST = 1.0
FORBIDDEN = 1000.0
#: How much of a quote's weight may differ; one misheard word in two ("cecilile polyp"), one lost word in four.
MAX_DIFFERENCE = 0.3
#: Two words that share less are not one word misheard.
MIN_QUOTED_LIKENESS = 0.5

NEGATIONS = frozenset(
    {"no", "not", "none", "without", "never", "nor", "neither", "non", "absent", "negative", "denies", "denied"}
)
_SMALL_WORDS = (
    "a an the of in on at to and is it i we he she there here this that these those with was by for my our as so "
    "then now just also very am be been being you they its his her some about well right okay"
)
SMALL_WORDS = frozenset(_SMALL_WORDS.split())
OPPOSITE_BEGINNINGS = (
    ("hypo", "hyper"), ("in", "de"), ("pre", "post"), ("intra", "extra"), ("ante", "retro"), ("sub", "supra"),
    ("un", ""), ("in", ""), ("im", ""), ("ab", ""), ("non", ""), ("dis", ""), ("a", ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A half-open span of characters of the transcript, and how it was found."""

    start: int
    end: int
    grounding: Literal["exact", "fuzzy"]


class Spanned(Protocol):
    """Something that stands at [start, end) of a text."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


class Extents:
    """Where the words of a text begin and end, to find those at a place."""

    def __init__(self, words: Sequence[Spanned]) -> None:
        self._starts = [word.start for word in words]
        self._ends = [word.end for word in words]

    def within(self, place: Place) -> tuple[int, int]:
        """The range [first, after) of words that a place touches."""
        first = bisect_right(self._ends, place.start)
        return first, max(first, bisect_left(self._starts, place.end))


@dataclass(frozen=True, slots=True)
class _Words:
    """Words joined by spaces, so that a run of words is found by text search; parallel tuples, one entry a word."""

    joined: str
    texts: tuple[str, ...]
    offsets: tuple[int, ...]  # of each word in `joined`
    spans: tuple[tuple[int, int], ...]  # of each word in the original text

    @classmethod
    def of(cls, words: Sequence[tuple[str, int, int]]) -> "_Words":
        offsets, length = [], 1
        for text, _, _ in words:
            offsets.append(length)
            length += len(text) + 1
        texts = tuple(text for text, _, _ in words)
        return cls(f" {' '.join(texts)} ", texts, tuple(offsets), tuple((start, end) for _, start, end in words))

    def places_of(self, run: "_Words", grounding: Literal["exact", "fuzzy"]) -> Iterator[Place]:
        """Every place where the run of words stands."""
        found = self.joined.find(run.joined) if run.texts else -1
        while found >= 0:
            first = self.word_at(found + 1)
            yield self.place(first, first + len(run.texts), grounding)
            found = self.joined.find(run.joined, found + 1)

    def word_at(self, offset: int) -> int:
        return max(0, bisect_right(self.offsets, offset) - 1)

    def place(self, first: int, after: int, grounding: Literal["exact", "fuzzy"]) -> Place:
        return Place(self.spans[first][0], self.spans[after - 1][1], grounding)


class SpokenText:
    """A transcript's text, made ready for finding many quotes in it."""

    def __init__(self, text: str, words: Sequence[Token] | None = None) -> None:
        """`words` are those of the text, where somebody has read them already."""
        self.text = text
        self.words = tuple(read_words(text)) if words is None else tuple(words)
        self._found: dict[str, tuple[Place, ...]] = {}

    def find(self, quote: str, start: int | None = None) -> tuple[Place, ...]:
        """Every place of the quote, exact ones only where there are any; empty when it was not said.

        `start` is where a reader says that the quote stands; when it does, that place is the only one.
        """
        if start is not None and (place := self._at(quote, start)):
            return (place,)
        if quote not in self._found:
            self._found[quote] = self._places_of(quote)
        return self._found[quote]

    def words_within(self, place: Place) -> tuple[int, int]:
        """The range [first, after) of `words` that a place touches."""
        return self._extents.within(place)

    def _places_of(self, quote: str) -> tuple[Place, ...]:
        exact = tuple(self._raw.places_of(_raw_words(quote), "exact"))
        if exact:
            return exact
        run = _comparable(read_words(quote))
        alike = tuple(self._plain.places_of(run, "fuzzy"))
        if alike:
            return alike
        parts = [part for part in ELLIPSIS.split(quote) if part]
        near = self._joined(parts) if len(parts) > 1 else self._near(run)
        return (near,) if near else ()

    @cached_property
    def _extents(self) -> "Extents":
        return Extents(self.words)

    @cached_property
    def _raw(self) -> _Words:
        return _raw_words(self.text)

    @cached_property
    def _plain(self) -> _Words:
        return _comparable(self.words)

    def _at(self, quote: str, start: int) -> Place | None:
        """The quote at the very place where its reader says it stands, if it begins and ends at the edge of a word."""
        end = start + len(quote)
        if start < 0 or not quote.strip() or self.text[start:end] != quote:
            return None
        cuts_first = start > 0 and self.text[start - 1].isalnum() and quote[0].isalnum()
        cuts_last = end < len(self.text) and self.text[end].isalnum() and quote[-1].isalnum()
        return None if cuts_first or cuts_last else Place(start, end, "exact")

    def _joined(self, parts: Sequence[str]) -> Place | None:
        """A quote with words left out: its parts in order and not far apart."""
        for first in self.find(parts[0]):
            last = first
            for part in parts[1:]:
                following = [place for place in self.find(part) if 0 <= place.start - last.end <= MAX_ELLIPSIS_CHARS]
                if not following:
                    break
                last = following[0]
            else:
                return Place(first.start, last.end, "fuzzy")
        return None

    def _near(self, run: _Words) -> Place | None:
        """The place whose words differ least from the quote's, if they differ little enough."""
        if not run.texts or len(run.texts) > MAX_NEAR_WORDS or not self._plain.texts:
            return None
        searched = self._plain.joined
        for _ in range(MAX_REGIONS):
            alignment = fuzz.partial_ratio_alignment(run.joined, searched, score_cutoff=60)
            if alignment is None or len(run.joined) > len(searched):
                return None
            first = max(0, self._plain.word_at(alignment.dest_start) - 2)
            after = min(len(self._plain.texts), self._plain.word_at(alignment.dest_end) + 3)
            aligned = _align(run.texts, self._plain.texts[first:after])
            if aligned and not self._loses_negation(run, first + aligned[0]):
                return self._plain.place(first + aligned[0], first + aligned[1], "fuzzy")
            begin, end = alignment.dest_start, alignment.dest_end
            searched = searched[:begin] + "\0" * (end - begin) + searched[end:]
        return None

    def _loses_negation(self, run: _Words, first: int) -> bool:
        """Whether the quote's beginning was given up for words that follow a negation: "there were [no] polyps"."""
        spoken = self._plain.texts
        return first > 0 and spoken[first - 1] in NEGATIONS and spoken[first] != run.texts[0]


def _raw_words(text: str) -> _Words:
    """Words without case, apostrophes and punctuation; digits and letters that touch come apart ("6mm")."""
    return _Words.of([(_letters(match.group()), *match.span()) for match in RAW_WORD.finditer(text)])


def _letters(word: str) -> str:
    """A word without case, apostrophes and the commas of a long number."""
    return (word if word.isalnum() else re.sub(r"['\u2019,]", "", word)).casefold()


def _comparable(plain_words: Sequence[Token]) -> _Words:
    """Plain words without stops, and units in short ("millimeters" is "mm")."""
    words = [word for word in plain_words if word.text not in ".,"]
    return _Words.of([(_unit_or_word(words, index), word.start, word.end) for index, word in enumerate(words)])


def _unit_or_word(words: Sequence[Token], index: int) -> str:
    word = words[index].text
    if index == 0 or not words[index - 1].is_number:
        return word
    return next((f"@{unit}" for unit, pattern in SPOKEN_UNITS if pattern.match(word)), word)


def _align(quote: Sequence[str], spoken: Sequence[str]) -> tuple[int, int] | None:
    """The words [first, after) of `spoken` that say the quote, or None when none are close enough."""
    # costs[i][j]: the quote's first i words against spoken words that end before j; words before them cost nothing.
    costs = [[0.0] * (len(spoken) + 1)]
    origins = [list(range(len(spoken) + 1))]
    for word in quote:
        above, origin_above = costs[-1], origins[-1]
        row, origin = [above[0] + _lost(word)], [0]
        for j, heard in enumerate(spoken, start=1):
            choices = (
                (above[j - 1] + _difference(word, heard), origin_above[j - 1]),
                (above[j] + _lost(word), origin_above[j]),
                (row[j - 1] + _lost(heard), origin[j - 1]),
            )
            cost, first = min(choices)
            row.append(cost)
            origin.append(first)
        costs.append(row)
        origins.append(origin)
    after = min(range(len(spoken) + 1), key=costs[-1].__getitem__)
    first, weight = origins[-1][after], sum(map(_weight, quote))
    return (first, after) if first < after and costs[-1][after] <= MAX_DIFFERENCE * weight else None


def _weight(word: str) -> float:
    return SMALL_WORD_COST if word in SMALL_WORDS else CONTENT_WORD_COST


def _lost(word: str) -> float:
    """The cost of a word that stands on one side only."""
    return FORBIDDEN if _is_decisive(word) else _weight(word)


def _difference(word: str, heard: str) -> float:
    if word == heard:
        return 0.0
    if _is_decisive(word) or _is_decisive(heard) or _are_opposites(word, heard):
        return FORBIDDEN
    if word in SMALL_WORDS and heard in SMALL_WORDS:
        return SMALL_WORD_COST
    likeness = fuzz.ratio(word, heard) / 100
    return 1 - likeness if likeness >= MIN_QUOTED_LIKENESS else _lost(word) + _lost(heard)


def _is_decisive(word: str) -> bool:
    """A number, its unit or a negation: without it, or with another, something else was said."""
    return word[0].isdecimal() or word[0] == "@" or word in NEGATIONS


def _are_opposites(one: str, other: str) -> bool:
    for first, second in OPPOSITE_BEGINNINGS:
        for left, right in ((one, other), (other, one)):
            if left.startswith(first) and right.startswith(second):
                stem = left.removeprefix(first)
                if len(stem) > 2 and stem == right.removeprefix(second):
                    return True
    return False
