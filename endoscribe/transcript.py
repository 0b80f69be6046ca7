"""What was said, and when: the values that pass from speech to extraction.

Times are seconds from the first sample of the recording. Character offsets are half-open and count in
`Transcript.text`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: What is told of a recording without words; an empty text alone looks like a failure, or like none.
NO_SPEECH = "No speech was heard."


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word; `probability` is the recogniser's, 0 to 1, or None where it gives none.

    `heard` is what the recogniser made of a term that was put right; None for every other word.
    """

    text: str
    start_s: float
    end_s: float
    probability: float | None = None
    heard: str | None = None


@dataclass(frozen=True)
class Segment:
    """Words decoded together, in the order in which they were spoken; never empty."""

    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def start_s(self) -> float:
        return self.words[0].start_s

    @property
    def end_s(self) -> float:
        return self.words[-1].end_s


@dataclass(frozen=True)
class LiveTranscript:
    """What is shown while somebody speaks: committed words never change again, tentative ones may."""

    committed: tuple[Word, ...] = ()
    tentative: tuple[Word, ...] = ()

    @property
    def committed_text(self) -> str:
        return " ".join(word.text for word in self.committed)

    @property
    def tentative_text(self) -> str:
        return " ".join(word.text for word in self.tentative)


@dataclass(frozen=True)
class PlacedWord:
    """A word and its half-open character span in the transcript's text."""

    start: int
    end: int
    word: Word


@dataclass(frozen=True)
class Transcript:
    """The final text of a recording, or a typed text without times (then `segments` is empty)."""

    text: str
    segments: tuple[Segment, ...] = ()
    duration_s: float | None = None
    language: str = "en"

    @classmethod
    def from_segments(cls, segments: Sequence[Segment], duration_s: float, language: str = "en") -> "Transcript":
        return cls(" ".join(segment.text for segment in segments), tuple(segments), duration_s, language)

    @cached_property
    def placed_words(self) -> tuple[PlacedWord, ...]:
        """Every timed word with its place in `text`."""
        placed, start = [], 0
        for segment in self.segments:
            for word in segment.words:
                placed.append(PlacedWord(start, start + len(word.text), word))
                start += len(word.text) + 1
        return tuple(placed)

    def to_json(self) -> dict[str, Any]:
        """The text with its segments and words; times in seconds, to the millisecond."""
        return {
            "text": self.text,
            "duration": None if self.duration_s is None else round(self.duration_s, 3),
            "language": self.language,
            "segments": [_segment_json(segment) for segment in self.segments],
        }

    def span_seconds(self, start: int, end: int) -> tuple[float, float] | None:
        """Seconds in which the characters [start, end) were spoken; None without audio."""
        touched = [placed.word for placed in self._words_within(start, end)]
        return (touched[0].start_s, touched[-1].end_s) if touched else None

    def _words_within(self, start: int, end: int) -> Sequence[PlacedWord]:
        placed = self.placed_words
        first = max(0, bisect_right(placed, start, key=lambda word: word.start) - 1)
        return [word for word in placed[first:] if word.start < end and word.end > start]


def _segment_json(segment: Segment) -> dict[str, Any]:
    words = [_word_json(word) for word in segment.words]
    return {
        "text": segment.text,
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "words": words,
    }


def _word_json(word: Word) -> dict[str, Any]:
    probability = None if word.probability is None else round(word.probability, 4)
    return {
        "text": word.text,
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "probability": probability,
        **({"heard": word.heard} if word.heard else {}),
    }
