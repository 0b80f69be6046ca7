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
    """A compiled phrase, and what it needs.

    It can only match where of each set in `words` one word stands, and every piece of `beginnings` somewhere.
    """

    source: str
    pattern: re.Pattern[str]
    words: tuple[frozenset[str], ...]
    beginnings: tuple[str, ...]

    def may_match(self, text: str, words: frozenset[str]) -> bool:
        """Whether it is worth a search in a text of these words; most phrases of a schema are not."""
        return not any(map(words.isdisjoint, self.words)) and all(piece in text for piece in self.beginnings)


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
    regex, needed, joint = "", _Needed([], []), ""
    for place, slot in enumerate(slots):
        if slot == "...":
            joint = GAP
            continue
        if slot.startswith("("):
            regex += f"(?:{joint or JOINT}{_slot(slot[1:-1])})?"
            continue
        if slot == "is" and 0 < place < len(slots) - 1 and joint == JOINT and slots[place + 1][0] != "<":
            regex += f"(?:{JOINT}is)?"  # telegraphic: "sphincterotomy performed", "complications none"
            continue
        regex += joint + _slot(slot)
        needed.add(slot)
        joint = JOINT
    return Phrase(source, re.compile(regex + r"(?= |$)"), tuple(needed.words), tuple(needed.beginnings))


@dataclass
class _Needed:
    words: list[frozenset[str]]
    beginnings: list[str]

    def add(self, slot: str) -> None:
        """Take in a slot that must be there: the first word of each of its choices."""
        choices = slot.split("|")
        if any(choice.startswith("<") for choice in choices):
            return
        firsts = [plain_words(choice.rstrip("*").replace("_", " ")) for choice in choices]
        open_ended = [choice.endswith("*") and len(words) == 1 for choice, words in zip(choices, firsts, strict=True)]
        if not any(open_ended):
            self.words.append(frozenset(words[0] for words in firsts))
        elif len(choices) == 1:
            self.beginnings.append(firsts[0][0])


def _slot(slot: str) -> str:
    """One word of a phrase, or the choice between several."""
    choices = [_choice(choice) for choice in slot.split("|")]
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
