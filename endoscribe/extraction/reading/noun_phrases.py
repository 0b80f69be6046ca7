"""The words around a noun: "the 5 mm sessile polyp", "two biliary stents". English alone, no procedure."""

from collections.abc import Sequence
from dataclasses import dataclass

from endoscribe.extraction.reading.tokens import Match, TokenizedTranscript, TranscriptToken

_INDEFINITE = frozenset({
    "a", "an", "another", "1", "additional", "second", "third", "fourth", "fifth", "sixth", "next", "new", "first",
})  # fmt: skip
DEFINITE = frozenset({
    "the", "this", "that", "these", "those", "it", "its", "all", "both", "each", "said", "previous", "same",
    "every", "largest", "any", "his", "her",
})  # fmt: skip
_DOUBTFUL = frozenset({"possible", "possibly", "questionable", "query", "potential", "probable"})
_UNCOUNTED = frozenset({
    "few", "several", "multiple", "many", "numerous", "some", "scattered", "various", "countless",
})  # fmt: skip
#: A noun phrase begins after one of these.
_PHRASE_ENDS = frozenset({
    ".", "|", "and", "is", "see", "saw", "there", "of", "in", "at", "on", "with", "for", "to", "from", "i", "we",
    "as", "near", "found", "noted", "have", "has", "had", "am", "placed", "removed", "identified", "notice",
    "noticed", "note", "find", "or", "but", "by", "into", "through", "using", "per", "also", "then", "now", "here",
    "removing", "inserting", "placing", "deploying", "after", "before", "during", "remove", "place", "insert",
    "inserted", "deployed", "shows", "showed", "reveals", "revealed", "resected", "seeing", "seen", "visualize",
    "visualized", "took", "take", "taking", "obtained", "including", "not", "no", "without", "can", "which", "that",
    "was", "measuring",
})  # fmt: skip
DETERMINERS = frozenset({"a", "an", "another", "the", "this", "that", "these", "those"})
_BEFORE_COUNT = frozenset({"a", "the", "of", "another", "these", "total", "additional", "other", ","})
_MOST_MODIFIERS = 16
MOST_IN_GROUP = 50


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """The words around an anchor: "the 5 mm sessile polyp"."""

    first: int
    definite: bool
    doubtful: bool  # "a possible polyp"
    opens: bool  # says by itself that it is a new thing
    count: int | None
    count_at: int | None


def noun_phrase(reading: TokenizedTranscript, anchor: Match) -> NounPhrase:
    """The noun phrase that ends with the matched noun."""
    tokens = reading.tokens
    clause_first = reading.clause_span(anchor.first)[0]
    first = anchor.first
    while first > max(clause_first, anchor.first - _MOST_MODIFIERS) and not _ends_phrase(tokens, first - 1):
        first -= 1
    first = next((i for i in range(anchor.first - 1, first, -1) if tokens[i].text in DETERMINERS), first)
    words = [token.text for token in tokens[first : anchor.first]]
    definite = any(word in DEFINITE for word in words)
    count, at = _count(tokens, first, anchor)
    opens = not definite and (any(word in _INDEFINITE for word in words) or (at or anchor.first) < anchor.first)
    return NounPhrase(first, definite, bool(_DOUBTFUL & set(words)), opens, count, at)


def stands_for_a_place(tokens: Sequence[TranscriptToken], first: int) -> bool:
    """ "near the first polyp", "same jar as previous polyp": the noun only says where."""
    before = tokens[first - 1].text if first else ""
    return before in ("near", "as", "from", "beside", "adjacent") or (
        before == "to" and tokens[first - 2].text in ("adjacent", "next", "distal", "proximal", "close", "opposite")
    )


def distance(verb: Match, phrase: NounPhrase, anchor: Match) -> int:
    """Words between a verb and a noun phrase, whichever comes first; 0 within it ("the previously placed stent")."""
    if verb.first >= anchor.after:
        return verb.first - anchor.after
    return max(0, phrase.first - verb.after) + 1


def _ends_phrase(tokens: Sequence[TranscriptToken], index: int) -> bool:
    said = tokens[index].text
    if said == ",":
        return not (tokens[index - 1].text.isdigit() or tokens[index - 1].quantity is not None)
    joins = said in ("to", "by", "and", "of") and (
        tokens[index - 1].text.isdigit() or tokens[index - 1].quantity is not None
    )
    joins = joins or (said in ("placed", "inserted") and tokens[index - 1].text in ("previously", "recently"))
    return said in _PHRASE_ENDS and not joins


def _count(tokens: Sequence[TranscriptToken], first: int, anchor: Match) -> tuple[int | None, int | None]:
    """How many a noun phrase speaks of, and the token that says so: "two", "a", or the noun's own number."""
    plural = tokens[anchor.after - 1].text.endswith("s")
    for index in range(first, anchor.first):
        said = tokens[index].text
        if said in _UNCOUNTED:
            return None, None
        plain_number = said.isdigit() and 0 < int(said) <= MOST_IN_GROUP and tokens[index].quantity is None
        if plain_number and (index == first or plural or tokens[index - 1].text in _BEFORE_COUNT):
            return int(said), index
        if said in ("a", "an", "another") and not plural:
            return 1, index
        if said == "both" and plural:
            return 2, index
    return (None, None) if plural else (1, anchor.first)
