"""A transcript made ready for phrases: repaired plain words, quantities, clauses, and where each stands in the text."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from endoscribe.extraction.reading.clauses import insert_boundaries
from endoscribe.extraction.reading.quantities import Quantity, find_quantities
from endoscribe.procedures.normalize import Token, read_words
from endoscribe.procedures.phrases import compile_phrase
from endoscribe.procedures.repairs import Repairs


@dataclass(frozen=True, slots=True)
class TranscriptToken:
    """A word of the reading, its quantity if it is one, and its place in the transcript."""

    text: str
    start: int
    end: int
    quantity: Quantity | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase found at the tokens [first, after); `number` is the token that a placeholder matched."""

    first: int
    after: int
    number: int | None = None


class TokenizedTranscript:
    """The tokens of one transcript. `text` holds them with single blanks between; offsets in it become tokens."""

    def __init__(self, transcript: str, repairs: Repairs) -> None:
        self.transcript = transcript
        #: As they were recognised, and as they were meant.
        self.heard = tuple(read_words(transcript))
        self.meant = tuple(repairs.apply(self.heard))
        self.tokens = _tokens(self.meant)
        self.text = " ".join(token.text for token in self.tokens)
        self._starts: list[int] = []
        offset = 0
        for token in self.tokens:
            self._starts.append(offset)
            offset += len(token.text) + 1
        self._words = frozenset(token.text for token in self.tokens)
        self._found: dict[tuple[str, ...], list[Match]] = {}
        self._token_at = {start: index for index, start in enumerate(self._starts)}

    def find(self, phrases: tuple[str, ...]) -> list[Match]:
        """Every place where one of the phrases stands, in order; of matches that begin alike the longest."""
        if phrases in self._found:
            return self._found[phrases]
        best: dict[int, Match] = {}
        for source in phrases:
            for match in self._find_one(source):
                known = best.get(match.first)
                if known is None or match.after > known.after:
                    best[match.first] = match
        self._found[phrases] = sorted(best.values(), key=lambda match: match.first)
        return self._found[phrases]

    def find_all(self, phrases: Sequence[str]) -> list[Match]:
        """Every place where any of the phrases stands, overlapping ones too."""
        return sorted((match for source in phrases for match in self._find_one(source)), key=lambda m: m.first)

    def _find_one(self, source: str) -> Iterator[Match]:
        phrase = compile_phrase(source)
        if not phrase.may_match(self.text, self._words):
            return
        match = phrase.pattern.search(self.text)
        while match:
            first = self._token_at.get(match.start())
            if first is not None:
                number = next((i for i in range(1, len(match.groups()) + 1) if match.group(i)), None)
                token = None if number is None else self._token_at[match.start(number)]
                yield Match(first, self.token_after(match.end()), token)
            match = phrase.pattern.search(self.text, match.start() + 1)

    def token_after(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def quote(self, first: int, after: int) -> tuple[str, int]:
        """The transcript's own words for the tokens [first, after), and where they begin."""
        start, end = self.tokens[first].start, max(token.end for token in self.tokens[first:after])
        return self.transcript[start:end], start

    def clause_span(self, index: int) -> tuple[int, int]:
        """The tokens [first, after) of the clause that holds token `index`; a clause ends at a stop or a new start."""
        return self._clauses[index]

    def sentence_span(self, index: int) -> tuple[int, int]:
        """The tokens [first, after) of the sentence that holds token `index`; a sentence ends at a full stop."""
        return self._sentences[index]

    @cached_property
    def _clauses(self) -> list[tuple[int, int]]:
        return _spans(self.tokens, {".", "|"})

    @cached_property
    def _sentences(self) -> list[tuple[int, int]]:
        return _spans(self.tokens, {"."})


def _spans(tokens: Sequence[TranscriptToken], stops: set[str]) -> list[tuple[int, int]]:
    """For each token the stretch between stops that holds it; the stop belongs to the stretch before it."""
    spans: list[tuple[int, int]] = []
    first = 0
    for index, token in enumerate(tokens):
        if token.text in stops or index + 1 == len(tokens):
            spans += [(first, index + 1)] * (index + 1 - first)
            first = index + 1
    return spans


def _tokens(meant: Sequence[Token]) -> list[TranscriptToken]:
    words = insert_boundaries(meant)
    tokens: list[TranscriptToken] = []
    position = 0
    for index, placed in enumerate(find_quantities(words)):
        tokens += [TranscriptToken(word.text, word.start, word.end) for word in words[position : placed.first]]
        first, last = words[placed.first], words[placed.after - 1]
        text = f"@{placed.quantity.unit}{index}"
        tokens.append(TranscriptToken(text, first.start, last.end, placed.quantity))
        position = placed.after
    return tokens + [TranscriptToken(word.text, word.start, word.end) for word in words[position:]]
