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
from dataclasses import dataclass
from functools import lru_cache

from endoscribe.procedures.wording import plain_words

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


@dataclass(frozen=True)
class Phrase:
    """A compiled phrase; `literal` is a piece of text without which it cannot match."""

    source: str
    pattern: re.Pattern[str]
    literal: str


@lru_cache(maxsize=8192)
def compile_phrase(source: str) -> Phrase:
    """Compile one phrase; raises ValueError saying what is wrong with it."""
    if source.count("(") != source.count(")"):
        raise ValueError(f"{source!r}: a parenthesis is not closed")
    unknown = set(re.findall(r"<[^ >]*>?", source)) - NUMBERS.keys()
    if unknown:
        raise ValueError(f"{source!r}: {min(unknown)} is not known; there are {', '.join(NUMBERS)}")
    slots = re.findall(r"\([^)]*\)|\S+", source)
    if not slots or slots[0] == "..." or slots[-1] == "..." or slots[0].startswith("("):
        raise ValueError(f"{source!r}: a phrase begins with a word and ends with one")
    regex, literals, joint = "", [""], ""
    for place, slot in enumerate(slots):
        if slot == "...":
            joint = GAP
            continue
        if slot.startswith("("):
            regex += f"(?:{joint or JOINT}{_slot(slot[1:-1], literals, required=False)})?"
            continue
        if slot == "is" and 0 < place < len(slots) - 1 and joint == JOINT and slots[place + 1][0] != "<":
            regex += f"(?:{JOINT}is)?"  # telegraphic: "sphincterotomy performed", "complications none"
            continue
        regex += joint + _slot(slot, literals, required=True)
        joint = JOINT
    return Phrase(source, re.compile(regex + r"(?= |$)"), max(literals, key=len))


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
    if not words:
        raise ValueError(f"{choice!r} is not a word")
    body = JOINT.join(re.escape(word) for word in words)
    return body + (r"[a-z]*" if open_ended else "")
