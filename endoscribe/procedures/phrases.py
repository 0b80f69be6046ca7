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
    """A phrase as a regular expression; `literal` is a piece of text without which it cannot match."""

    source: str
    regex: str
    literal: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a text first holds the literal: a schema has thousands of phrases, a dictation few of them."""
        return re.compile(self.regex)


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
    regex, literals, joint = "", [""], ""
    for slot in _slots(source):
        if slot == "...":
            joint = GAP
            continue
        if slot.startswith("("):
            regex += f"(?:{joint or JOINT}{_slot(slot[1:-1], literals, required=False)})?"
            continue
        regex += joint + _slot(slot, literals, required=True)
        joint = JOINT
    return Phrase(source, regex + r"(?= |$)", max(literals, key=len))


def _slot(slot: str, literals: list[str], *, required: bool) -> str:
    """One word of a phrase, or the choice between several."""
    choices = [_choice(choice) for choice in slot.split("|")]
    if required and len(choices) == 1 and slot[0] != "<":
        literals.append(re.split(r"[\\ (\[]", choices[0])[0])
    return choices[0] if len(choices) == 1 else f"(?:{'|'.join(choices)})"


def _choice(choice: str) -> str:
    if choice.startswith("<"):
        return NUMBERS[choice]
    open_ended = choice.endswith("*")
    words = plain_words(choice.rstrip("*").replace("_", " "))
    body = JOINT.join(re.escape(word) for word in words)
    return body + (r"[a-z]*" if open_ended else "")
