"""Is a thing stated, denied, only suspected; seen today, long ago, or planned? By English rules alone."""

from bisect import bisect_left
from collections.abc import Sequence
from enum import Enum

from endoscribe.extraction.reading.tokens import Match, TokenizedTranscript, TranscriptToken

NEGATORS = frozenset({
    "no", "not", "without", "denies", "never", "nor", "neither", "nothing", "none", "free", "absent", "negative",
    "nil", "unable", "failed", "impossible", "non",
})  # fmt: skip
#: Between a negator and what it denies these may stand: "not able to see any", "no evidence or signs of".
_PASSED = frozenset({
    "is", "be", "see", "seen", "able", "to", "identify", "visualize", "appreciate", "find", "note", "any", "have",
    "been", "evidence", "of", "sign", "signs", "appear", "show", "demonstrate", "reveal", "for", "from", "further",
    "really", "has",
})  # fmt: skip
_ENDS_SCOPE = frozenset({
    "but", "however", "except", "although", "though", "which", "than", "because", "due", "apart", "aside", "until",
    "who", "i", "we", "it", "there", "with", "in", "on", "during", "using", "by", "via", "at", "after",
})  # fmt: skip
_FINITE = frozenset({
    "is", "has", "had", "have", "shows", "showed", "measures", "measured", "extends", "reveals", "revealed",
    "remains", "contains", "am", "see", "saw",
})  # fmt: skip
#: "the polyp was not seen" denies the polyp; "the polyp was not removed" does not.
_EXISTENCE = frozenset({
    "seen", "found", "noted", "identified", "visualized", "visualised", "present", "appreciated", "observed",
    "evident", "visible", "detected", "demonstrated", "performed", "done", "obtained", "given", "placed", "taken",
    "attempted", "needed", "required", "reached", "intubated", "entered", "possible", "used", "administered",
    "made", "undertaken", "carried", "achieved", "successful", "noticed", "encountered", "indicated", "necessary",
    "deployed",
})  # fmt: skip
#: "no other polyps" leaves the polyps already named as they are.
_MORE = frozenset({
    "other", "further", "additional", "residual", "remaining", "more", "new", "recurrent", "recurrence",
    "additionally",
})  # fmt: skip
_SUSPECTED = frozenset({
    "possible", "possibly", "probable", "suspected", "suspicious", "suspicion", "questionable", "concern",
    "concerning", "rule", "exclude", "query", "potential", "evaluate", "assess", "if", "whether", "versus", "risk",
})  # fmt: skip
#: "biopsies for eosinophilic esophagitis", "I look for an inlet patch": what follows "for" is sought, not found,
#: unless one of these stands before it ("notable for gastritis").
_FINDS_FOR = frozenset({
    "except", "but", "notable", "significant", "remarkable", "positive", "negative", "apart", "save", "as",
    "responsible", "diagnostic", "typical", "classic", "consistent", "free", "unremarkable", "normal", "evidence",
    "signs", "symptoms", "prep", "preparation", "score",
})  # fmt: skip
_SUSPECTED_WITHIN = 5
#: "lady with a suspected tumor, the MRI was negative": said of what stands right before.
_RESULTS = frozenset({"negative", "absent", "deferred", "declined"})
_RESULT_WITHIN = 4
_FINDS = frozenset({"see", "saw", "find", "found", "is"})
_FOUND_WITHIN = 9
#: Words that may stand between "for" and what is sought.
_SOUGHT_WITHIN = 3
#: "smaller lesions could have been missed": said of what was not seen.
_MODALS = frozenset({"could", "may", "might", "would", "can"})
_MISSED = frozenset({"missed", "overlooked", "present", "hidden", "excluded"})
#: "no, wait" and "no, the polyp" deny nothing.
_NO_DENIAL = frozenset({"wait", "sorry", "actually", "correction", ",", "."})
SCOPE_WORDS = 14
#: "no problem", "without difficulty": nothing that follows is denied.
_COMPLETE = frozenset({
    "difficulty", "difficulties", "problem", "problems", "trouble", "doubt", "issue", "issues", "incident", "event",
})  # fmt: skip
#: QuoteContext of what is there; after "no ..." they begin something new.
_DEGREES = frozenset({
    "minimal", "mild", "moderate", "small", "scant", "trace", "good", "excellent", "normal", "a", "an", "few", "some",
    "multiple", "scattered", "several",
})  # fmt: skip
#: "no large or small polyps", "no evidence of a mass", "no sign of any small ones".
_LISTING = frozenset({"or", "nor", "of", "any", "no", "not", "without", "for", "as", "to", "such", "with", "in", "on"})
#: What goes on with a list, or leads from a thing to where it was not seen.
_JOINS = frozenset({",", "or", "and", "nor", "in", "on", "with", "of", "during", "at", "seen", "found", "noted", "by"})
_NAMED_LOOKED_AT = 8
_PARTLY = frozenset({"clearly", "well", "fully", "completely", "properly", "adequately", "entirely"})
_PHRASE_STOPS = frozenset({".", "|", ",", "and", "is", "in", "at", "of", "with", "by", "to", "i", "we", "there"})


class Assertion(Enum):
    STATED = "stated"
    DENIED = "denied"
    UNSURE = "unsure"
    NOTHING_MORE = "nothing more"


def assertion(reading: TokenizedTranscript, match: Match, named: Sequence[Match] = ()) -> tuple[Assertion, int]:
    """How the matched words are meant, and the token of the word that says so (the match's first when stated).

    `named` are the things that can be denied, in order: where one stands between a negation and the matched words and
    nothing joins the two ("no diverticula retroflexion was normal"), nobody can tell how far the negation goes.
    """
    tokens = reading.tokens
    first, after = reading.clause_span(match.first)
    negator = _negator_before(tokens, first, match.first)
    if negator is not None and not _affirmed_since(tokens, negator, match):
        if tokens[negator].text == "not" and _word(tokens, match.after) in _PARTLY:
            return Assertion.UNSURE, match.first  # "I could not see the valve clearly"
        if not _new_subject(tokens, negator, match):
            return _negated(tokens, negator, match, named), negator
    negator = _negator_after(tokens, match.after, after)
    if negator is not None:
        return Assertion.DENIED, negator
    if _is_sought(tokens, first, match.first):
        return _sought_and_found(tokens, match.after)
    unsure = _is_suspected(tokens, first, match.first)
    unsure = unsure or _is_conceivable(tokens, match.after, after)
    return (Assertion.UNSURE if unsure else Assertion.STATED), match.first


def _negated(tokens: Sequence[TranscriptToken], negator: int, match: Match, named: Sequence[Match]) -> Assertion:
    if _parted(tokens, negator, match, named):
        return Assertion.UNSURE
    more = any(token.text in _MORE for token in tokens[negator + 1 : match.after])
    return Assertion.NOTHING_MORE if more else Assertion.DENIED


def _is_suspected(tokens: Sequence[TranscriptToken], first: int, start: int) -> bool:
    for i in range(start - 1, max(first, start - _SUSPECTED_WITHIN) - 1, -1):
        if tokens[i].text in _SUSPECTED:
            return True
        if tokens[i].text == ",":
            return False
    return False


def _is_sought(tokens: Sequence[TranscriptToken], first: int, start: int) -> bool:
    for i in range(start - 1, max(first, start - 1 - _SOUGHT_WITHIN) - 1, -1):
        said = tokens[i].text
        if said == "for":
            return _word(tokens, i - 1) not in _FINDS_FOR and _word(tokens, i + 1) not in ("the", "this", "his", "her")
        if said in _PHRASE_STOPS:
            return False
    return False


def _sought_and_found(tokens: Sequence[TranscriptToken], after: int) -> tuple[Assertion, int]:
    """ "I'm looking for an inlet patch and I do see one" / "and I don't see one"."""
    words = [token.text for token in tokens[after : after + _FOUND_WITHIN]]
    for i, said in enumerate(words[:-1]):
        if said in _FINDS and words[i + 1] in ("1", "it", "any", "none"):
            denied = words[i + 1] in ("any", "none") or bool(NEGATORS & set(words[:i]))
            return (Assertion.DENIED if denied else Assertion.STATED), after - 1
    return Assertion.UNSURE, after - 1


def _is_conceivable(tokens: Sequence[TranscriptToken], after: int, end: int) -> bool:
    """ "lesions may have been missed", "polyps could be present": nobody says that they are there."""
    if _word(tokens, after) not in _MODALS:
        return False
    return any(token.text in _MISSED for token in tokens[after + 1 : min(after + 5, end)])


def _affirmed_since(tokens: Sequence[TranscriptToken], negator: int, match: Match) -> bool:
    """ "no complications, minimal blood loss": a word of degree that continues no list begins an affirmation."""
    for i in range(negator + 2, match.first + 1):
        if tokens[i].text in _DEGREES and tokens[i - 1].text not in _LISTING and not tokens[i - 1].text.endswith("ly"):
            return tokens[negator].text in ("no", "without")
    return _goes_on(tokens, negator, match.first)


def _goes_on(tokens: Sequence[TranscriptToken], negator: int, first: int) -> bool:
    """ "removed without cautery and retrieved": what was done next, not what was done without."""
    if tokens[negator].text != "without" or first <= negator + 2 or tokens[first - 1].text != "and":
        return False
    return tokens[first].text.endswith("ed") and not tokens[negator + 1].text.endswith(("ed", "ing"))


def _new_subject(tokens: Sequence[TranscriptToken], negator: int, match: Match) -> bool:
    """ "there is no hernia retroflexion is normal": what follows has a verb of its own, so a sentence of its own."""
    if tokens[match.first].text == "is":
        return match.first > negator + 1
    has_verb = _word(tokens, negator - 1) == "is" or _word(tokens, negator - 2) == "is"
    return has_verb and _verb_follows(tokens, match.after) and match.first > negator + 1


def _parted(tokens: Sequence[TranscriptToken], negator: int, match: Match, named: Sequence[Match]) -> bool:
    end = bisect_left(named, match.first, key=lambda thing: thing.first)
    between = [thing for thing in named[max(0, end - _NAMED_LOOKED_AT) : end] if negator < thing.first]
    between = [thing for thing in between if thing.after <= match.first]
    if not between:
        return False
    last = max(thing.after for thing in between)
    return not {token.text for token in tokens[last : match.first]} & _JOINS


def _verb_follows(tokens: Sequence[TranscriptToken], after: int) -> bool:
    """ "retroflexion is normal", "retroflexion in the rectum is normal"."""
    if _word(tokens, after) == "is":
        return True
    if _word(tokens, after) not in ("in", "of", "at", "on"):
        return False
    place = [token.text for token in tokens[after + 1 : after + 5]]
    return "is" in place and not {".", "|", ","} & set(place[: place.index("is")])


def _negator_before(tokens: Sequence[TranscriptToken], first: int, start: int) -> int | None:
    verb_passed = False
    for i in range(start - 1, max(first, start - SCOPE_WORDS) - 1, -1):
        said = tokens[i].text
        if said in NEGATORS and _word(tokens, i + 1) not in _NO_DENIAL and not _is_idiom(tokens, i, start):
            free = said not in ("free", "absent", "negative") or _word(tokens, i + 1) in ("of", "for")
            free = free and (said != "non" or i == start - 1)
            if not free or (verb_passed and not _passes(tokens, i + 1, start)):
                continue
            return i
        if said in _ENDS_SCOPE and not _passes(tokens, i, start):
            return None
        verb_passed = verb_passed or said in _FINITE
    return None


def _is_idiom(tokens: Sequence[TranscriptToken], i: int, start: int) -> bool:
    """ "without difficulty, appendix and valve photographed": the negation is complete."""
    return i + 1 < start and _word(tokens, i + 1) in _COMPLETE


def _passes(tokens: Sequence[TranscriptToken], first: int, start: int) -> bool:
    """Whether the verb after the negator belongs to it: "not seen any masses or cysts"."""
    i = first
    while i < start and tokens[i].text in _PASSED:
        i += 1
    return i > first and not any(token.text in _FINITE or token.text in _ENDS_SCOPE for token in tokens[i:start])


def _negator_after(tokens: Sequence[TranscriptToken], after: int, end: int) -> int | None:
    """ "... was not seen", "... is absent", "... are negative": within the clause, before another verb."""
    verbs = 0
    for i in range(after, min(end, after + 9)):
        said = tokens[i].text
        verbs += said in ("is", "has")
        if verbs > 1 or (said in _ENDS_SCOPE and said != "with"):
            return None
        if said in (",", "and") and verbs == 0 and i > after + 2:
            return None
        if _denies_behind(tokens, i, after, end) and not (said in _RESULTS and i > after + _RESULT_WITHIN):
            return i
    return None


def _denies_behind(tokens: Sequence[TranscriptToken], i: int, after: int, end: int) -> bool:
    said, before = tokens[i].text, _word(tokens, i - 1)
    if said in ("absent", "negative", "declined", "deferred"):
        return before in ("is", ":", ",") or (said == "absent" and i == after)
    if said == "no":
        return before == "is" and _word(tokens, i + 1) in ("longer", "more")
    if said in ("none", "nil", "zero"):
        return i == after or before in ("is", ",", "taken", "obtained", "collected", "removed")
    return said in ("not", "never") and _denies(tokens, i + 1, end)


def _denies(tokens: Sequence[TranscriptToken], i: int, end: int) -> bool:
    return any(token.text in _EXISTENCE for token in tokens[i : min(i + 4, end)])


def _word(tokens: Sequence[TranscriptToken], i: int) -> str:
    return tokens[i].text if 0 <= i < len(tokens) else ""
