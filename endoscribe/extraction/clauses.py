"""Where a new clause begins in speech that has little punctuation: "now I am", "there is", "and the liver is"."""

from collections.abc import Sequence

from endoscribe.procedures.wording import PlainWord

BOUNDARY = "|"

_STOPS = {".", BOUNDARY}
_SPEAKERS = {"i", "we"}
_SPEAKERS_VERBS = frozenset({
    "am", "is", "see", "saw", "have", "can", "could", "did", "do", "will", "then", "now", "not", "note", "noted",
    "notice", "noticed", "found", "find", "placed", "used", "performed", "removed", "advanced", "took", "take",
    "also", "proceeded", "injected", "inserted", "identified", "resected", "went", "withdrew", "started", "began",
    "deployed", "inflated", "passed", "intubated",
})  # fmt: skip
_SUBORDINATORS = frozenset({
    "that", "which", "as", "when", "where", "while", "if", "what", "because", "since", "after", "before", "until",
    "once", "how", "than",
})  # fmt: skip
_FINITE = frozenset({
    "is", "has", "had", "measures", "measured", "shows", "showed", "reveals", "revealed", "contains", "extends",
})  # fmt: skip
_NOT_BEFORE_SUBJECT = frozenset({
    "of", "in", "at", "to", "from", "into", "by", "with", "within", "through", "on", "for", "near", "and", "or",
    "is", "see", "a", "the", "no", "not", "any", "both", "via", "using", "than", "across", "over", "above", "below",
    "between", "towards", "toward", "around", "about", "along", "inside", "despite", "without", "like", "only",
    "also", "all", "then", "now", "so", "reached", "advanced", "identified",
})  # fmt: skip
_PLACES = {"in", "at", "within"}
_FOUND = frozenset({
    "seen", "found", "noted", "located", "identified", "is", "lies", "lying", "present", "visible", "situated",
    "placed", "taken", "performed", "removed",
})  # fmt: skip
_OPENERS = {"there", "it", "i", "we", "a", "an", "another", "1", "2", "3", "4", "5"}


def insert_boundaries(words: Sequence[PlainWord]) -> list[PlainWord]:
    """The words with `|` where a clause begins that no full stop announces."""
    texts = [word.text for word in words]
    divided: list[PlainWord] = []
    for i, word in enumerate(words):
        if divided and divided[-1].text not in _STOPS and texts[i] not in _STOPS and _begins_clause(texts, i):
            divided.append(PlainWord(BOUNDARY, word.start, word.start))
        divided.append(word)
    return divided


def _begins_clause(texts: Sequence[str], i: int) -> bool:
    said, before = texts[i], texts[i - 1]
    if said in ("but", "however", "although", "though", "whereas", "okay", "otherwise"):
        return said != "otherwise" or before in (",", "and")
    if said in ("and", "so", "then", "now", "next", ","):
        return _linked_clause(texts, i)
    if before in ("and", "so", "then", "now", "next", ","):
        return False
    return _starts(texts, i) and before not in _SUBORDINATORS


def _linked_clause(texts: Sequence[str], i: int) -> bool:
    """ "and there is", "so now I am", ", the liver is": the clause begins at its first linking word."""
    if texts[i] == "now" and texts[i - 1] in ("is", "am", "i", "we", "have"):
        return False
    after = i + 1
    while after < len(texts) and texts[after] in ("and", "so", "then", "now", "next", ",", "also", "here"):
        after += 1
    return after < len(texts) and _starts(texts, after, linked=True)


def _starts(texts: Sequence[str], i: int, *, linked: bool = False) -> bool:
    said, following = texts[i], texts[i + 1] if i + 1 < len(texts) else ""
    before = texts[i - 1]
    if said == "there":
        return following in ("is", "has", "have")
    if said in _SPEAKERS:
        return following in _SPEAKERS_VERBS
    if said in ("it", "this", "they", "these") and (linked or before not in _NOT_BEFORE_SUBJECT):
        return following in _FINITE
    if said in _PLACES:
        return before not in _FOUND and _opens_within(texts, i)
    if said in ("the", "his", "her", "no"):
        return (linked or before not in _NOT_BEFORE_SUBJECT) and _finite_within(texts, i)
    return False


def _opens_within(texts: Sequence[str], i: int) -> bool:
    """ "in the sigmoid colon there is": a place, and then something new within a few words."""
    for k in range(i + 2, min(i + 6, len(texts))):
        if texts[k] in _STOPS:
            return False
        if texts[k] in _OPENERS:
            return texts[k - 1] not in ("the", "of", *_PLACES) and not _number_of_part(texts, k)
    return False


def _number_of_part(texts: Sequence[str], k: int) -> bool:
    return texts[k].isdigit() and (k + 1 >= len(texts) or texts[k - 1] in ("segment", "part", "station", "level"))


def _finite_within(texts: Sequence[str], i: int) -> bool:
    for k in range(i + 1, min(i + 7, len(texts))):
        if texts[k] in _FINITE:
            return k > i + 1 and texts[k - 1] not in _SUBORDINATORS
        if texts[k] in _STOPS or texts[k] in _SUBORDINATORS or texts[k] == ",":
            return False
    return False
