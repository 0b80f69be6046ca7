"""Denials of the rest alone: "no other complications", "apart from that none". They tell that there was something."""

from collections.abc import Sequence

#: Between a negation and its thing: "no further complications".
_MORE = frozenset({"other", "others", "further", "additional", "more", "additionally", "else", "remaining"})
#: Before a denial: "apart from that", "besides the bleeding", "with the exception of", "other than this".
_EXCEPTING = frozenset({
    "apart from", "aside from", "other than", "except for", "except", "excepting", "besides", "beside", "barring",
    "exception of", "save for", "beyond that", "beyond this", "in addition to", "but for",
})  # fmt: skip
_OTHERWISE = "otherwise"
#: What may stand between "otherwise" and the denial.
_BETWEEN = frozenset({
    "there", "is", "had", "has", "have", "been", "we", "i", "he", "she", "patient", "the", "procedure", "exam",
    "examination", "course", "with", "no", "not", "without", "any", ",", "|", "encountered", "and", "tolerated",
    "well", "it",
})  # fmt: skip
#: Words of its sentence before and behind a denial in which an exception is looked for.
REACH_BEFORE = 12
REACH_BEHIND = 4


def denies_the_rest(words: Sequence[str], first: int, after: int) -> bool:
    """Whether the denial in words[first:after] is only of what is left when something is set aside."""
    if any(_sets_aside(words, first, index) for index in range(first, min(after, len(words)))):
        return True
    before = _of_the_sentence(words[max(0, first - REACH_BEFORE) : first])
    if _OTHERWISE in before and set(before[len(before) - before[::-1].index(_OTHERWISE) :]) <= _BETWEEN:
        return True
    behind = list(words[after : after + REACH_BEHIND])
    behind = behind[: behind.index(".")] if "." in behind else behind
    if _OTHERWISE in (*words[first:after], *behind[:1]):
        return True
    told = f" {' '.join((*before, *words[first:after]))} ", f" {' '.join(behind)} "
    return any(f" {phrase} " in part for phrase in _EXCEPTING for part in told)


def _sets_aside(words: Sequence[str], first: int, index: int) -> bool:
    """ "no other complications" does; "no perforation or other complication" denies what it names and the rest."""
    goes_with_denied = index - first > 1 and words[index - 1] in ("or", "nor")
    return words[index] in _MORE and not goes_with_denied


def _of_the_sentence(words: Sequence[str]) -> list[str]:
    kept = list(words)
    return kept[len(kept) - kept[::-1].index(".") :] if "." in kept else kept
