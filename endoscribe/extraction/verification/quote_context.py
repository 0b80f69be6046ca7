"""The words of a quote in their surroundings: which phrases stand in them, and whether they are denied there."""

from collections.abc import Iterable, Sequence, Set
from functools import cached_property, lru_cache

from rapidfuzz import fuzz

from endoscribe.extraction.verification.quotes import NEGATIONS
from endoscribe.procedures.names import plain_phrase
from endoscribe.procedures.normalize import Token
from endoscribe.procedures.phrases import compile_phrase

#: The words [first, after) of a transcript.
TokenSpan = tuple[int, int]

DENYING_WORDS = NEGATIONS | {"normal", "unremarkable", "clear", "free", "absence", "zero", "nil"}
DIRECT_NEGATIONS = frozenset({"no", "not", "without", "never", "nor", "neither"})
#: What may stand between a negation and the thing that it denies.
NEGATION_FILLERS = frozenset(
    {"a", "an", "the", "any", "evidence", "sign", "signs", "of", "obvious", "visible", "definite", "clear", "other",
     "remaining", "residual", "further", "retained", "additional", "more", "see", "seen", "identify", "appreciate",
     "kind", "significant", "immediate", "apparent", "clearly"}
)  # fmt: skip
#: What is denied for the sake of what follows: "no evidence of".
EVIDENCE_WORDS = frozenset({"evidence", "sign", "signs"})
#: "X was not ..." denies X itself only with one of these, or with nothing after it.
PRESENCE_WORDS = frozenset(
    {"seen", "present", "identified", "noted", "observed", "found", "visualized", "performed", "done", "taken",
     "placed", "used", "given", "detected", "encountered", "obtained"}
)  # fmt: skip
DONE_WORDS = frozenset(
    {"possible", "attempted", "intubated", "entered", "reached", "achieved", "successful", "examined", "necessary",
     "needed", "required", "visible", "adequate", "complete", "retrieved"}
)  # fmt: skip
#: "X is declined" denies it.
DENYING_RESULTS = frozenset({"absent", "negative", "declined", "deferred", "refused", "omitted", "skipped",
                             "unsuccessful",
                             "impossible"})  # fmt: skip
#: "specimens: none", "biopsies taken: nil".
NOTHING_WORDS = frozenset({"none", "nil", "zero"})
TAKEN_WORDS = frozenset({",", "is", "taken", "obtained", "collected", "removed", "sent", "seen", "found"})
AUXILIARIES = frozenset({"is", "could", "can", "has", "had", "have"})
#: What an allowed thing or act may be called that was not there, not done or not good.
FAILING_WORDS = frozenset(
    {"poor", "poorly", "inadequate", "inadequately", "insufficient", "unsatisfactory", "suboptimal", "incomplete",
     "unable", "failed", "unsuccessful", "declined", "refused", "deferred", "omitted", "skipped", "lack", "lacking",
     "lacks", "impossible", "nothing", "lost", "cannot"}
)  # fmt: skip
#: Words of the same sentence before a quote, in which a negation still concerns it.
NEGATION_REACH = 6
#: What a negation before them does not reach beyond: "no pathology seen in retroflexion".
SCOPE_ENDS = frozenset(
    {".", "but", "is", "has", "have", "had", "shows", "in", "on", "at", "with", "by", "during", "using", "via", "and",
     "which", "that", "i", "we", "it", "there", "because", "after", "than", "then", "so", "however", "except"}
)  # fmt: skip
#: "no problem passing the scope" denies nothing that follows.
NO_DENIAL = frozenset(
    {"difficulty", "difficulties", "problem", "problems", "trouble", "doubt", "wait", "sorry", "longer"}
)
CLAUSE_WORDS = frozenset({".", "but", "is", "with", "has", "have", "had", "however"})
MAX_NEGATED_LIST_WORDS = 8

MIN_CONTENT_CHARS = 4
#: Words that begin with the same letters, so many, are forms of one: "lobular" and "lobules".
STEM_CHARS = 4
#: Percent of letters in common from which a word of an allowed value is taken for one that was misheard:
#: "perforation" and "preparation" have 73 in common.
MIN_WORD_LIKENESS = 75


class QuoteContext:
    """The plain words [first, after) of a transcript, and all that stand around them."""

    def __init__(self, words: Sequence[Token], first: int, after: int) -> None:
        self.words = words
        self.first = first
        self.after = after
        self.texts = [word.text for word in words[first:after]]

    def text(self, index: int) -> str:
        return self.words[index].text

    def around(self, before: int, behind: int) -> "QuoteContext":
        """The same with some words more on both sides."""
        return QuoteContext(self.words, max(0, self.first - before), min(len(self.words), self.after + behind))

    def between(self, first: int, after: int) -> list[str]:
        return [word.text for word in self.words[max(0, first) : max(0, after)]]

    def matches(self, phrases: Iterable[str]) -> list[TokenSpan]:
        """Where one of the phrases, in the language of cues, stands in the quote; the longest of nested ones."""
        quoted, held = self._quoted, self._held
        found = set()
        for source in phrases:
            phrase = compile_phrase(source)
            if not phrase.may_match(quoted, held):
                continue
            for match in phrase.pattern.finditer(quoted):
                if match.start() == 0 or quoted[match.start() - 1] == " ":
                    first = self.first + quoted.count(" ", 0, match.start())
                    found.add((first, first + match.group().count(" ") + 1))
        return [
            (begin, end)
            for begin, end in sorted(found)
            if not any(b <= begin and end <= e and (b, e) != (begin, end) for b, e in found)
        ]

    @cached_property
    def _quoted(self) -> str:
        return " ".join(self.texts)

    @cached_property
    def _held(self) -> frozenset[str]:
        return frozenset(self.texts)

    def sounds_of(self, phrase: str) -> TokenSpan | None:
        """Where the quote holds every word of a phrase, each as it is or misheard, in any order."""
        places = [self._place_of(word) for word in plain_phrase(phrase).split()] if phrase.isascii() else []
        found = [place for place in places if place is not None]
        return (min(found), max(found) + 1) if found and len(found) == len(places) else None

    def _place_of(self, word: str) -> int | None:
        if word in self.texts:
            return self.first + self.texts.index(word)
        if len(word) < MIN_CONTENT_CHARS:
            return None
        alike = [likeness(word, text) for text in self.texts]
        best = max(alike, default=0)
        return self.first + alike.index(best) if best >= MIN_WORD_LIKENESS else None

    def initials_of(self, letters: str) -> TokenSpan | None:
        """Where words in a row begin with these letters: "main pancreatic duct" for mpd."""
        if not letters.isalpha() or len(letters) < 3:
            return None
        heard = "".join(text[0] for text in self.texts)
        at = heard.find(letters)
        return (self.first + at, self.first + at + len(letters)) if at >= 0 else None

    def stems(self) -> set[str]:
        return stems_of(self.texts)

    def has(self, words: Set[str], before: int = 0) -> bool:
        """Whether one of the words stands in the quote, or among the words before it in its sentence."""
        return not words.isdisjoint(self.between(self.sentence_start(before), self.after))

    def sentence_start(self, before: int) -> int:
        """How far back the quote's sentence goes, at most so many words."""
        begin = self.first
        while begin > max(0, self.first - before) and self.text(begin - 1) != ".":
            begin -= 1
        return begin

    def denies(self, begin: int, end: int) -> bool:
        """Whether the mention at [begin, end) is plainly denied, before it or after it."""
        return self.denies_before(begin) or self._denied_after(end)

    def denies_before(self, begin: int) -> bool:
        """Whether a negation before a mention reaches it: "no proximal patch", "not able to see any stones".

        Within the quote other words may stand between the two; a negation outside of it must lead right up to it, since
        speech without stops runs on: "no blood loss specimens are taken".
        """
        is_listed = False
        for at in range(begin - 1, max(-1, begin - 1 - NEGATION_REACH), -1):
            word = self.text(at)
            if word in DIRECT_NEGATIONS:
                return at + 1 == begin or self.text(at + 1) not in (",", ".", *NO_DENIAL)
            if word in ("or", "nor"):
                is_listed = True
            elif (
                word in SCOPE_ENDS
                or (word == "," and not is_listed)
                or (at < self.first and not is_listed and word not in NEGATION_FILLERS)
            ):
                return False
        return is_listed and self.text(begin - 1) == "or" and self._list_is_negated(begin - 1)

    def denies_directly(self, begin: int) -> bool:
        """Whether "no" or "without" stands right before a mention, but for words as "evidence of"."""
        at = begin - 1
        while at >= 0 and self.text(at) in NEGATION_FILLERS:
            at -= 1
        return at >= 0 and self.text(at) in ("no", "without")

    def is_ruled_out(self) -> bool:
        """Whether right before the quote something is denied: "no evidence of", not "no three"."""
        at = self.first - 1
        while at >= 0 and self.text(at) in NEGATION_FILLERS:
            at -= 1
        return at >= 0 and self.text(at) in DIRECT_NEGATIONS and (at < self.first - 1 or self.text(at) == "without")

    def is_evidence_denied(self) -> bool:
        """Whether "no evidence of" or "without signs of" leads right up to the quote."""
        at = self.first - 1
        while at >= 0 and self.text(at) in NEGATION_FILLERS:
            at -= 1
        return (
            at >= 0
            and self.text(at) in DIRECT_NEGATIONS
            and not EVIDENCE_WORDS.isdisjoint(self.between(at + 1, self.first))
        )

    def may_deny(self, begin: int, end: int) -> bool:
        """Whether a denying word in the quote, or one that reaches a mention from outside, can concern it."""
        denying = NEGATIONS | FAILING_WORDS | {"free", "absence", "clear", "zero", "nil", "nothing"}
        before = self.between(self.first, begin)
        after = self.between(end, self.after)
        if not denying.isdisjoint(before) or not (denying - {"no", "without", "non"}).isdisjoint(after):
            return True
        return self.denies(begin, end) or not denying.isdisjoint(self.between(begin, end))

    def _list_is_negated(self, at: int) -> bool:
        """ "no masses, ulcers or polyps": the negation at the head of a list reaches its last member."""
        for back in range(at - 1, max(-1, at - 1 - MAX_NEGATED_LIST_WORDS), -1):
            if self.text(back) in CLAUSE_WORDS:
                return False
            if self.text(back) in ("no", "without"):
                return True
        return False

    def _denied_after(self, end: int) -> bool:
        following = [*self.between(end, end + 4), ".", ".", ".", "."][:4]
        if next((word for word in following if word not in TAKEN_WORDS), "") in NOTHING_WORDS:
            return True
        if following[0] not in AUXILIARIES:
            return False
        if following[1] in DENYING_RESULTS:
            return True
        said = following[3] if following[2] in ("be", "been", "is") else following[2]
        return following[1] == "not" and (said in PRESENCE_WORDS | DONE_WORDS or said in ".,")


def stems_of(words: Iterable[str]) -> set[str]:
    """The beginnings of the longer words."""
    return {word[:STEM_CHARS] for word in words if len(word) >= MIN_CONTENT_CHARS}


@lru_cache(maxsize=65536)
def likeness(one: str, other: str) -> float:
    """Percent of letters that two words have in common."""
    return fuzz.ratio(one, other)
