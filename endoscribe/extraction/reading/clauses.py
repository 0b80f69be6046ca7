"""Where a new clause begins in speech that has little punctuation: "now I am", "there is", "and the liver is"."""

from collections.abc import Sequence

from endoscribe.procedures.normalize import Token

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
    "between", "towards", "toward", "around", "about", "along", "inside", "upstream", "downstream", "despite",
    "without", "like", "only",
    "also", "all", "then", "now", "so", "reached", "advanced", "identified", "neither", "nor", "either",
})  # fmt: skip
_PLACES = ("in", "at", "within")
_FOUND = frozenset({
    "seen", "found", "noted", "located", "identified", "is", "lies", "lying", "present", "visible", "situated",
    "placed", "taken", "performed", "removed",
})  # fmt: skip
_ITS_VERBS = _FINITE | {"looks", "does", "appears", "will", "can", "lies"}
#: "three clips are placed in the rectum there is a polyp": the place belongs to what follows, these being acts.
_ACTS = frozenset({"placed", "taken", "performed", "removed", "deployed", "applied", "obtained"})
_LINKS = ("and", "so", "then", "now", "next", ",")
_CONTRASTS = ("but", "however", "although", "though", "whereas", "okay")
_EXISTS = {"is", "has", "have"}
_SUBJECTS = ("the", "his", "her", "no")
_ENDS_SUBJECT = {",", "and", "or", "now", "then", "so", "i", "we", "there", "it"}
#: Words of the longest place that opens a clause: "in the second portion of the duodenum".
LONGEST_PLACE = 7
_OPENERS = {"there", "it", "i", "we", "a", "an", "another", "1", "2", "3", "4", "5"}


def insert_boundaries(words: Sequence[Token]) -> list[Token]:
    """The words with `|` where a clause begins that no full stop announces."""
    texts = [word.text for word in words]
    divided: list[Token] = []
    clause_first = 0
    for i, word in enumerate(words):
        if i and texts[i - 1] in _STOPS:
            clause_first = i
        elif i and texts[i] not in _STOPS and _begins_clause(texts, i, clause_first):
            divided.append(Token(BOUNDARY, word.start, word.start))
            clause_first = i
        divided.append(word)
    return divided


def _begins_clause(texts: Sequence[str], i: int, clause_first: int) -> bool:
    said, before = texts[i], texts[i - 1]
    if said in _CONTRASTS or (said == "next" and texts[i + 1 : i + 2] == ["is"]):
        return True
    if said in _LINKS:
        return _linked_clause(texts, i, clause_first)
    if before in _LINKS:
        return False
    return _starts(texts, i, clause_first) and before not in _SUBORDINATORS


def _linked_clause(texts: Sequence[str], i: int, clause_first: int) -> bool:
    """ "and there is", "so now I am", ", the liver is": the clause begins at its first linking word."""
    if texts[i - 1] in _LINKS or (texts[i] == "now" and texts[i - 1] in ("is", "am", "i", "we", "have")):
        return False
    after = i
    while after < len(texts) and texts[after] in (*_LINKS, "also", "here"):
        after += 1
    if after == len(texts):
        return False
    if texts[i] in ("and", ",") and _is_bare_place(texts, after):
        return True
    if texts[after] in _SUBJECTS and texts[i] in ("and", ",") and not _FINITE & set(texts[clause_first:i]):
        return False
    sets_off = {"now", "then", "next"} & set(texts[i:after])
    return _starts(texts, after, clause_first, linked=True) or bool(sets_off and texts[after].endswith("ing"))


def _starts(texts: Sequence[str], i: int, clause_first: int, *, linked: bool = False) -> bool:
    said, following = texts[i], texts[i + 1] if i + 1 < len(texts) else ""
    before = texts[i - 1]
    if said in _SPEAKERS or said == "there":
        verbs = _SPEAKERS_VERBS if said in _SPEAKERS else _EXISTS
        return following in verbs and not _place_before(texts, clause_first, i)
    if said in _PLACES:
        known = before in _FOUND or _is_measure(before) or following[:1].isdigit()
        known = known and not (before in _ACTS and _tells_of_a_find(texts, i))
        return not known and _opens_within(texts, i)
    if said in ("a", "an"):
        free = linked or (before not in _NOT_BEFORE_SUBJECT and not before.endswith("ing"))
        free = free and not before[0].isdigit() and before not in ("grade", "class", "type", "hepatitis")
        return free and _acted_on_within(texts, i) and not _place_before(texts, clause_first, i)
    if said in _SUBJECTS:
        free = linked or (before not in _NOT_BEFORE_SUBJECT and not before.endswith("ing"))
        return free and _finite_within(texts, i) and not _place_before(texts, clause_first, i)
    return False


def _place_before(texts: Sequence[str], clause_first: int, i: int) -> bool:
    """ "in the sigmoid colon I see": the place belongs to what follows; "and the sigmoid colon" may be "in the"."""
    opening = [text for text in texts[clause_first:i] if text not in _LINKS]
    is_place = bool(opening) and opening[0] in (*_PLACES, "on", "near", "inside", "from")
    linked = texts[clause_first] in ("and", ",") and _is_bare_place(texts, i - len(opening))
    is_place = is_place or linked
    return is_place and len(opening) <= LONGEST_PLACE and not any(text.isdigit() for text in opening)


def _is_bare_place(texts: Sequence[str], i: int) -> bool:
    """ "and the sigmoid colon there is": without a verb of its own before "there is" or "I see"."""
    if texts[i : i + 1] != ["the"]:
        return False
    for k in range(i + 2, min(i + 2 + LONGEST_PLACE, len(texts) - 1)):
        if texts[k] in ("there", *_SPEAKERS):
            return texts[k + 1] in (_EXISTS if texts[k] == "there" else _SPEAKERS_VERBS)
        if texts[k] in _STOPS or texts[k] in _FINITE or texts[k] in _ENDS_SUBJECT:
            return False
    return False


def _tells_of_a_find(texts: Sequence[str], i: int) -> bool:
    """ "in the rectum there is", "in the antrum I see"."""
    for k in range(i + 2, min(i + 2 + LONGEST_PLACE, len(texts) - 1)):
        if texts[k] in _STOPS or texts[k] in _LINKS:
            return False
        if texts[k] == "there" or texts[k] in _SPEAKERS:
            return texts[k + 1] in (
                _EXISTS if texts[k] == "there" else ("see", "saw", "find", "found", "note", "noted")
            )
    return False


def _opens_within(texts: Sequence[str], i: int) -> bool:
    """ "in the sigmoid colon there is": a place, and then something new within a few words."""
    for k in range(i + 2, min(i + 2 + LONGEST_PLACE, len(texts))):
        if texts[k] in _STOPS or texts[k] in ("and", ",", "which", "that", "where"):
            return False
        if texts[k] in _OPENERS and not _is_size(texts, k) and not _is_object(texts, k):
            return texts[k - 1] not in ("the", "of", "with", "using", "segment", "part", "station", "level", *_PLACES)
    return False


def _is_object(texts: Sequence[str], k: int) -> bool:
    """ "in the pancreatic duct to protect it": a pronoun without a verb of its own opens nothing."""
    return texts[k] == "it" and (k + 1 == len(texts) or texts[k + 1] not in _ITS_VERBS)


def _is_size(texts: Sequence[str], k: int) -> bool:
    """ "measuring 2 to 4 mm" counts nothing."""
    following = texts[k + 1] if k + 1 < len(texts) else ""
    return texts[k].isdigit() and (_is_measure(following or ".") or following in ("to", "by", "x"))


def _is_measure(text: str) -> bool:
    return text.startswith(("mm", "millim", "cm", "centim")) or text[0].isdigit()


def _acted_on_within(texts: Sequence[str], i: int) -> bool:
    """ "a 7 French by 10 centimeter plastic stent is placed"."""
    for k in range(i + 2, min(i + 11, len(texts) - 1)):
        if texts[k] == "is":
            return texts[k + 1].endswith("ed") or texts[k + 1] in ("then", "seen", "found", "taken", "made", "also")
        if texts[k] in _STOPS or texts[k] in _SUBORDINATORS or texts[k] in _ENDS_SUBJECT:
            return False
    return False


def _finite_within(texts: Sequence[str], i: int) -> bool:
    for k in range(i + 1, min(i + 7, len(texts))):
        if texts[k] in _FINITE:
            return k > i + 1
        if texts[k] in _STOPS or texts[k] in _SUBORDINATORS or texts[k] in _ENDS_SUBJECT:
            return False
    return False
