"""The phrase language of `cues`: what may be said, written so that a clinician can read it.

    polyp|lesion            either word
    diverticul*             any word that begins so
    main (pancreatic) duct  a word that may be missing
    cecum ... reached       up to eight words in between, within one clause, none of them a negation
    <number>                a number, with or without its unit
    <measure>               a number with its unit
    <other>                 a number that is not the one meant

Articles, commas and hesitations between the words do not matter, nor do number words and digits ("two", "2"). `is`
stands for every form of to be, to appear, to seem and to look.
"""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from endoscribe.procedures.wording import HESITATIONS, plain_words

#: Between two words of a phrase these count for nothing.
SKIPPED = "a|an|the|this|that|these|those|our|,"
JOINT = rf" (?:(?:{SKIPPED}) )*"
#: What `...` passes over: no end of a clause, and no word that turns the meaning round.
GAP = r" (?:(?!(?:not|no|never|without|unable|failed|unsuccessful|neither) )[^ .|]+ ){0,8}?"
NUMBERS = {
    "<number>": r"(@[a-z]+\d+|\d+(?:\.\d+)?)",
    "<measure>": r"(@[a-z]+\d+)",
    "<other>": r"(?:@[a-z]+\d+|\d+(?:\.\d+)?)",
}


_SLOT = re.compile(r"\([^)]*\)|\S+")
_PLACEHOLDER = re.compile(r"<[^ >]*>?")
#: What of a choice `plain_words` can read: words, numbers and stops.
_READABLE = re.compile(r"[^\W_]+|[.,;:?!]")


@dataclass(frozen=True)
class Phrase:
    """A phrase as a regular expression; a text that it matches holds one of each group of `needs`."""

    source: str
    regex: str
    needs: tuple[tuple[str, ...], ...]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a text may first match: a schema has thousands of phrases, a dictation few of them."""
        return re.compile(self.regex)

    def may_match(self, text: str) -> bool:
        """A quick look whether the pattern is worth trying."""
        return all(any(word in text for word in group) for group in self.needs)


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
    regex, joint = "", ""
    needs: list[tuple[str, ...]] = []
    for slot in _slots(source):
        if slot == "...":
            joint = GAP
            continue
        words, pattern = _choices(slot.strip("()"))
        if slot.startswith("("):
            regex += f"(?:{joint or JOINT}{pattern})?"
            continue
        needs += [words] if words else []
        regex += joint + pattern
        joint = JOINT
    longest_first = sorted(needs, key=lambda words: -min(map(len, words)))
    return Phrase(source, regex + r"(?= |$)", tuple(longest_first))


def _choices(slot: str) -> tuple[tuple[str, ...], str]:
    """The words of which a text must hold one, and the pattern of one word of a phrase or of a choice."""
    choices = slot.split("|")
    patterns = [_pattern(choice) for choice in choices]
    words = () if "<" in slot else tuple(_plain(choice)[0] for choice in choices)
    return words, patterns[0] if len(patterns) == 1 else f"(?:{'|'.join(patterns)})"


def _pattern(choice: str) -> str:
    if choice.startswith("<"):
        return NUMBERS[choice]
    body = JOINT.join(re.escape(word) for word in _plain(choice))
    return body + (r"[a-z]*" if choice.endswith("*") else "")


@lru_cache(maxsize=16384)
def _plain(choice: str) -> tuple[str, ...]:
    return tuple(plain_words(choice.rstrip("*").replace("_", " ")))
