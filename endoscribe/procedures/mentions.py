"""Whether something is spoken of in a transcript, and not only to be denied: what an advice must know."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from endoscribe.procedures.normalize import Token, read_words
from endoscribe.procedures.phrases import WordSet, compile_phrase, phrase_words

_DENIES = frozenset({"no", "not", "denies", "denied", "deny", "denying", "without", "never", "nor", "neither"})
#: Behind what they deny: "family history: negative".
_DENIED = frozenset({"none", "negative", "denied", "unremarkable", "noncontributory", "nil", "absent"})
#: What may stand between a denial and its thing.
_BETWEEN = frozenset({
    "a", "an", "any", "the", "known", "personal", "or", "nor", "and", "significant", "evidence", "of", "sign", "signs",
    "prior", "previous", "past", "relevant", "is", "has", "have", "for", "colon", "colorectal", "bowel", "rectal",
    "suspected", "suspicion", "history", "family", "first", "second", "degree", "relative", "relatives", "with",
    "syndrome", "disease", "in", "his", "her",
})  # fmt: skip
_JOINS = frozenset({"or", "nor"})
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words of the transcript, and the second at which they begin where there is audio."""

    text: str
    start_s: float | None = None


@dataclass(frozen=True)
class Mentions:
    """Phrases looked up in what was said."""

    spoken: Sequence[Spoken]

    def first(self, phrases: tuple[str, ...], aside: tuple[str, ...] = ()) -> Spoken | None:
        """The first words that one of the phrases names and nobody denies, not within a phrase of `aside`."""
        for said in self.spoken:
            sentence = _Sentence(said.text)
            hidden = list(sentence.matches(aside))
            for span in sorted(sentence.matches(phrases)):
                if not any(a <= span[0] and span[1] <= b for a, b in hidden) and not sentence.denies(span, phrases):
                    return Spoken(sentence.quote(span), said.start_s)
        return None


@dataclass(frozen=True)
class _Sentence:
    text: str

    @cached_property
    def _words(self) -> Sequence[Token]:
        return read_words(self.text)

    def matches(self, phrases: tuple[str, ...]) -> Iterator[Span]:
        plain = " ".join(word.text for word in self._words)
        for source in phrases:
            for match in compile_phrase(source).pattern.finditer(plain):
                if match.start() == 0 or plain[match.start() - 1] == " ":
                    first = plain.count(" ", 0, match.start())
                    yield first, first + match.group().count(" ") + 1

    def quote(self, span: Span) -> str:
        return self.text[self._words[span[0]].start : max(word.end for word in self._words[span[0] : span[1]])]

    def denies(self, span: Span, phrases: tuple[str, ...]) -> bool:
        """Whether a denial leads right up to the words, or ends their sentence: "family history: negative"."""
        return self._is_denied_before(*span, phrase_words(phrases)) or self._is_denied_behind(span[1])

    def _is_denied_before(self, first: int, after: int, listed: WordSet) -> bool:
        """A comma and another thing are passed only in a list: "no lynch syndrome, polyposis or colitis"."""
        joined = self._is_joined_behind(after, listed)
        for at in range(first - 1, -1, -1):
            word = self._words[at].text
            if word in _DENIES:
                return True
            joined = joined or word in _JOINS
            if word not in _BETWEEN and not (joined and (word == "," or word in listed)):
                return False
        return False

    def _is_joined_behind(self, after: int, listed: WordSet) -> bool:
        behind = (word.text for word in self._words[after:])
        return next((word for word in behind if word != "," and word not in listed), "") in _JOINS

    def _is_denied_behind(self, after: int) -> bool:
        for at in range(after, len(self._words)):
            word = self._words[at].text
            if word in _DENIED:
                return at + 1 == len(self._words) or self._words[at + 1].text in (".", ",")
            if word not in _BETWEEN and word not in (",", "cancer", "polyps"):
                return False
        return False
