"""Repairs of what recognisers make of a procedure's terms: listed ones, and near misses of long words.

A near miss is only repaired where no phrase of the schema and no listed real word has it; a word that differs from a
term by a prefix that turns its meaning round ("inadequate", "hyperechoic") is left alone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from rapidfuzz import fuzz, process

from endoscribe.procedures.normalize import Token, plain_words

#: A word that no phrase knows is taken for a term when it is this much like it, in per cent (rapidfuzz' ratio).
MIN_SPELLING_LIKENESS = 88
SHORTEST_REPAIRED = 7
OPPOSITES = (
    "in", "un", "non", "ir", "im", "hypo", "hyper", "an", "iso", "endo", "intra", "extra", "retro", "antero", "post",
    "pre", "a", "de", "dis", "supra", "infra", "sub", "para", "peri", "trans", "micro", "macro", "multi",
)  # fmt: skip
#: Endings of one stem that are different operations: never one for the other.
OPERATION_SUFFIXES = ("otomy", "ostomy", "ectomy", "oscopy", "plasty")


class Repairs:
    """Turns heard words into meant ones; immutable but for a cache of guesses."""

    def __init__(self, listed: Mapping[str, Iterable[str]], phrases: Iterable[str], real_words: Iterable[str]) -> None:
        """`listed` maps what is meant to what is heard; `phrases` and `real_words` are left as they are."""
        self._sequences: dict[str, list[tuple[list[str], list[str]]]] = {}
        for meant, misheard in listed.items():
            for heard in misheard:
                words = plain_words(heard)
                self._sequences.setdefault(words[0], []).append((words, plain_words(meant)))
        for choices in self._sequences.values():
            choices.sort(key=lambda choice: -len(choice[0]))
        terms, self._beginnings = _known_words([*phrases, *listed])
        self._known = terms | frozenset(real_words)
        self._terms = sorted(word for word in terms if len(word) >= SHORTEST_REPAIRED)
        self._guessed: dict[str, str] = {}

    @property
    def known_words(self) -> frozenset[str]:
        """Every word of the schema's phrases and vocabulary, in plain form."""
        return self._known

    def apply(self, words: Sequence[Token]) -> list[Token]:
        """The words with what was misheard put right; each keeps its place in the transcript."""
        repaired: list[Token] = []
        i = 0
        while i < len(words):
            heard, meant = self._listed_at(words, i)
            start, end = words[i].start, words[i + max(heard, 1) - 1].end
            said = meant if heard else [self._likely(words[i].text)]
            repaired += [Token(word, start, end) for word in said]
            i += max(heard, 1)
        return repaired

    def _listed_at(self, words: Sequence[Token], i: int) -> tuple[int, list[str]]:
        for heard, meant in self._sequences.get(words[i].text, ()):
            if [word.text for word in words[i : i + len(heard)]] == heard:
                return len(heard), meant
        return 0, []

    def _likely(self, word: str) -> str:
        """The term that an unknown word was probably meant to be; the word itself when in doubt."""
        if len(word) < SHORTEST_REPAIRED or word in self._known or word.startswith(self._beginnings):
            return word
        if word not in self._guessed:
            best = process.extractOne(word, self._terms, scorer=fuzz.ratio, score_cutoff=MIN_SPELLING_LIKENESS)
            sure = best is not None and not is_opposite(word, best[0]) and not _inflected(word, best[0])
            self._guessed[word] = best[0] if best is not None and sure else word
        return self._guessed[word]


def _known_words(phrases: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """All words of the phrases, and the beginnings that end in `*`."""
    words: set[str] = set()
    beginnings: set[str] = set()
    for phrase in phrases:
        for slot in re.sub(r"[()|]|<[a-z]+>|\.\.\.", " ", phrase).split():
            plain = plain_words(slot.rstrip("*").replace("_", " "))
            if slot.endswith("*") and plain:
                beginnings.add(plain.pop())
            words.update(plain)
    return frozenset(words), tuple(beginnings)


def is_opposite(word: str, term: str) -> bool:
    """Whether a prefix that turns the meaning round ("in", "hypo") or another operation tells them apart."""
    ends = [next((ending for ending in OPERATION_SUFFIXES if each.endswith(ending)), None) for each in (word, term)]
    if None not in ends and ends[0] != ends[1]:
        return True
    for prefix in OPPOSITES:
        if word.startswith(prefix) != term.startswith(prefix):
            longer, shorter = (word, term) if word.startswith(prefix) else (term, word)
            if fuzz.ratio(longer.removeprefix(prefix), shorter) >= MIN_SPELLING_LIKENESS - 14:
                return True
    return False


def _inflected(word: str, term: str) -> bool:
    """Another ending of the same word ("injected", "injection") is no mistake."""
    shared = next((k for k, (a, b) in enumerate(zip(word, term, strict=False)) if a != b), min(len(word), len(term)))
    return shared >= 5 and shared >= min(len(word), len(term)) - 3
