"""The headings of a typed report, or of one that is dictated as such: "PLAN: ...", "Impression. Normal colonoscopy."

A heading opens a sentence. On a line of its own it rules until the next one; in running speech over one sentence,
unless it opens the closing part of a report.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from endoscribe.extraction.reading.tokens import TokenizedTranscript

#: A heading has no more words than these.
LONGEST_HEADING = 7
#: No verb stands in a heading: "we note: three polyps" is none.
_NO_HEADING = frozenset({"is", "i", "we", "it", "there", "has", "have", "said", "note", "see", "saw"})


@dataclass(frozen=True, slots=True)
class SectionHeading:
    """A heading of the tokens [first, after), and what stands under it: [after, end)."""

    first: int
    after: int
    end: int


def find_headings(
    reading: TokenizedTranscript, known: tuple[str, ...], closing: tuple[str, ...]
) -> list[SectionHeading]:
    """Every heading in order; `known` are those that may be spoken, `closing` those that rule until the next one."""
    spoken = {match.first: match.after for match in reading.find(known)}
    opened = sorted({*_with_colons(reading), *_spoken(reading, spoken)})
    starts = [first for first, _ in opened]
    last = {match.first for match in reading.find(closing)}
    found = []
    for index, (first, after) in enumerate(opened):
        following = starts[index + 1] if index + 1 < len(starts) else len(reading.tokens)
        rules_on = first in last or _opens_line(reading, first)
        end = following if rules_on else min(following, _sentence_end(reading, after))
        found.append(SectionHeading(first, after, end))
    return found


def under(
    headings: Sequence[SectionHeading], reading: TokenizedTranscript, titles: tuple[str, ...]
) -> Iterator[SectionHeading]:
    """The headings whose title begins with one of some phrases."""
    matches = reading.find(titles)
    for heading in headings:
        at = bisect_left(matches, heading.first, key=lambda match: match.first)
        if at < len(matches) and matches[at].first == heading.first and matches[at].after <= heading.after:
            yield heading


def _with_colons(reading: TokenizedTranscript) -> Iterator[tuple[int, int]]:
    tokens, text = reading.tokens, reading.transcript
    for index, token in enumerate(tokens):
        if token.text != "," or text[token.start : token.end] != ":":
            continue
        first = _title_first(reading, index)
        title = {each.text for each in tokens[first:index]}
        if 0 < index - first <= LONGEST_HEADING and not title & _NO_HEADING and "," not in title:
            yield first, index + 1


def _title_first(reading: TokenizedTranscript, colon: int) -> int:
    first = reading.sentence_span(colon)[0]
    while first < colon and reading.tokens[first].text in ("|", "and", "."):
        first += 1
    return first


def _spoken(reading: TokenizedTranscript, known: dict[int, int]) -> Iterator[tuple[int, int]]:
    """A sentence that is nothing but a title: "Impression."."""
    tokens = reading.tokens
    for first, after in known.items():
        begins = first == 0 or tokens[first - 1].text in (".", "|")
        if begins and after < len(tokens) and tokens[after].text == ".":
            yield first, after + 1


def _opens_line(reading: TokenizedTranscript, index: int) -> bool:
    """Whether a token opens a line of a text that has lines."""
    before = reading.transcript[: reading.tokens[index].start]
    if "\n" not in reading.transcript.strip():
        return False
    return not before.rpartition("\n")[2].strip()


def _sentence_end(reading: TokenizedTranscript, index: int) -> int:
    while index < len(reading.tokens) and reading.tokens[index].text in (".", "|", ","):
        index += 1
    return reading.sentence_span(index)[1] if index < len(reading.tokens) else len(reading.tokens)
