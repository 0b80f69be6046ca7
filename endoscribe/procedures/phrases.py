"""The phrase language of `cues`: what may be said, written so that a clinician can read it.

    polyp|lesion            either word
    diverticul*             any word that begins so
    main (pancreatic) duct  a word that may be missing
    cecum ... reached       up to eight words in between, within one clause, none of them a negation
    <number>                a number, with or without its unit
    <measure>               a number with its unit
    <other>                 a number that is not the one meant

Articles, commas and hesitations between the words do not matter, nor do number words and digits ("two", "2"). `is`
stands for every form of to be, to appear, to seem and to look, and before another word it may be missing.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from endoscribe.procedures.normalize import HESITATIONS, plain_words, read_words

#: What of a phrase is no word: placeholders, brackets, bars.
_NO_WORD = re.compile(r"<\w+>|[^\w' -]|\b\w+\*")
_BEGINNING = re.compile(r"\b([a-z]{3,})\*")
#: Between two words of a phrase these count for nothing.
SKIPPED = "a|an|the|this|that|these|those|our|,"
JOINT = rf" (?:(?:{SKIPPED}) )*"
#: What `...` passes over: no end of a clause, and no word that turns the meaning round.
GAP = r" (?:(?!(?:not|no|never|without|unable|failed|unsuccessful|neither) )[^ .|]+ ){0,8}?"
#: Never begun within a number: a search that tried each of its digits would take for ever on a long one.
NUMBERS = {
    "<number>": r"(@[a-z]+\d+|(?<!\d)\d+(?:\.\d+)?)",
    "<measure>": r"(@[a-z]+\d+)",
    "<other>": r"(?:@[a-z]+\d+|(?<!\d)\d+(?:\.\d+)?)",
}


_SLOT = re.compile(r"\([^)]*\)|\S+")
_PLACEHOLDER = re.compile(r"<[^ >]*>?")
#: What of a choice `plain_words` can read: words, numbers and stops.
_READABLE = re.compile(r"[^\W_]+|[.,;:?!]")


@dataclass(frozen=True)
class Phrase:
    """A phrase as a regular expression, and what a text needs for it to match.

    It can only match where of each set in `words` one word stands, and every piece of `beginnings` somewhere.
    """

    source: str
    regex: str
    words: tuple[frozenset[str], ...]
    beginnings: tuple[str, ...]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a text may first match: a schema has thousands of phrases, a dictation few of them."""
        return re.compile(self.regex)

    def may_match(self, text: str, words: frozenset[str]) -> bool:
        """Whether it is worth a search in a text of these words; most phrases of a schema are not."""
        return not any(map(words.isdisjoint, self.words)) and all(piece in text for piece in self.beginnings)


def check_phrase(source: str) -> None:
    """Raises ValueError saying what is wrong with a phrase, without the cost of compiling it."""
    _slots(source)


@lru_cache(maxsize=16384)
def _slots(source: str) -> tuple[str, ...]:
    if source.count("(") != source.count(")"):
        raise ValueError(f"{source!r}: a parenthesis is not closed")
    unknown = set(_PLACEHOLDER.findall(source)) - NUMBERS.keys()
    if unknown:
        raise ValueError(f"{source!r}: {min(unknown)} is not known; there are {', '.join(NUMBERS)}")
    slots: list[str] = _SLOT.findall(source)
    if not slots or slots[0] == "..." or slots[-1] == "..." or slots[0].startswith("("):
        raise ValueError(f"{source!r}: a phrase begins with a word and ends with one")
    for choice in (choice for slot in slots if slot != "..." for choice in slot.strip("()").split("|")):
        if not set(_READABLE.findall(choice.lower())) - HESITATIONS:
            raise ValueError(f"{source!r}: {choice!r} is not a word")
    return tuple(slots)


@lru_cache(maxsize=16384)
def compile_phrase(source: str) -> Phrase:
    """Read one phrase; raises ValueError saying what is wrong with it."""
    slots = _slots(source)
    regex, needed, joint = "", _Needed([], []), ""
    for place, slot in enumerate(slots):
        if slot == "...":
            joint = GAP
            continue
        pattern = _slot_pattern(slot.strip("()"))
        if slot.startswith("("):
            regex += f"(?:{joint or JOINT}{pattern})?"
            continue
        if slot == "is" and 0 < place < len(slots) - 1 and joint == JOINT and slots[place + 1][0] != "<":
            regex += f"(?:{JOINT}is)?"  # telegraphic: "sphincterotomy performed", "complications none"
            continue
        regex += joint + pattern
        needed.add(slot)
        joint = JOINT
    return Phrase(source, regex + r"(?= |$)", tuple(needed.words), tuple(needed.beginnings))


@dataclass
class _Needed:
    words: list[frozenset[str]]
    beginnings: list[str]

    def add(self, slot: str) -> None:
        """Take in a slot that must be there: the first word of each of its choices."""
        choices = slot.split("|")
        if any(choice.startswith("<") for choice in choices):
            return
        firsts = [_plain(choice) for choice in choices]
        open_ended = [choice.endswith("*") and len(words) == 1 for choice, words in zip(choices, firsts, strict=True)]
        if not any(open_ended):
            self.words.append(frozenset(words[0] for words in firsts))
        elif len(choices) == 1:
            self.beginnings.append(firsts[0][0])


def _slot_pattern(slot: str) -> str:
    """One word of a phrase, or the choice between several."""
    patterns = [_pattern(choice) for choice in slot.split("|")]
    return patterns[0] if len(patterns) == 1 else f"(?:{'|'.join(patterns)})"


def _pattern(choice: str) -> str:
    if choice.startswith("<"):
        return NUMBERS[choice]
    body = JOINT.join(re.escape(word) for word in _plain(choice))
    return body + (r"[a-z]*" if choice.endswith("*") else "")


@lru_cache(maxsize=16384)
def _plain(choice: str) -> tuple[str, ...]:
    return tuple(plain_words(choice.rstrip("*").replace("_", " ")))


@dataclass(frozen=True, slots=True)
class WordSet:
    """Normalized words, and the beginnings of words: `diverticul*`."""

    words: frozenset[str] = frozenset()
    beginnings: tuple[str, ...] = ()

    def __contains__(self, word: str) -> bool:
        return word in self.words or (bool(self.beginnings) and word.startswith(self.beginnings))

    def holds_any(self, words: frozenset[str]) -> bool:
        """Whether one of these words is in the set."""
        if not self.words.isdisjoint(words):
            return True
        return bool(self.beginnings) and any(word.startswith(self.beginnings) for word in words)

    def without(self, words: Collection[str]) -> "WordSet":
        """The set without some of its words and beginnings."""
        return WordSet(self.words.difference(words), tuple(word for word in self.beginnings if word not in words))

    def __or__(self, other: "WordSet") -> "WordSet":
        return WordSet(self.words | other.words, tuple({*self.beginnings, *other.beginnings}))


def phrase_words(phrases: Iterable[str]) -> WordSet:
    """The words that stand in phrases, each also in the plural; placeholders are left out."""
    text = " ".join(phrases)
    words = {word.text for word in read_words(_NO_WORD.sub(" ", text))}
    plurals = {f"{word}s" for word in words if word.isalpha()}
    return WordSet(frozenset(words | plurals), tuple(set(_BEGINNING.findall(text))))
