"""Yes and no: a yes must not be denied by its words, and a no needs words that deny."""

import re
from collections.abc import Sequence

from endoscribe.extraction.verification.judgement import CONFIRMED, PLAUSIBLE, Judgement, contradicted
from endoscribe.extraction.verification.quote_context import (
    DENYING_WORDS,
    DIRECT_NEGATIONS,
    FAILING_WORDS,
    NEGATION_REACH,
    NO_DENIAL,
    QuoteContext,
    TokenSpan,
    stems_of,
)
from endoscribe.extraction.verification.quotes import NEGATIONS
from endoscribe.extraction.verification.topic import is_about, sounds_like_any, speaks_of, topic_words
from endoscribe.procedures.names import field_names, plain_phrase
from endoscribe.procedures.schema import FieldSchema

NEARLY = frozenset({"mostly", "largely", "nearly", "almost", "relatively", "partially"})
SOUND_WORDS = frozenset({"normal", "unremarkable", "healthy", "clear", "intact", "fine"})
#: A field with one of these in its name is true where something is not there.
ABSENCE_WORDS = frozenset({"absent", "removed", "without", "free", "excluded", "emptied", "gone", "resolved"})
#: QuoteContext of what is otherwise than the field asks.
CONTRARY_WORDS = FAILING_WORDS | {"still", "remains", "remain", "instead", "benign", "easy", "easily", "nondilated"}
CONTRARY_BEGINNINGS = ("non", "hetero")
#: Words of a quote within which a negation is its own verb's: "I cannot get past it".
OPENING_WORDS = 4
#: "false for benign or reactive", "called continuous, or patchy (then false)".
_FALSE_FOR = re.compile(r"\bfalse (?:for|when|where|if) ([^;.]+)|([^,;.]+)\(then false\)")


def judge_boolean(value: bool, field: FieldSchema, said: QuoteContext) -> Judgement:
    """A yes or a no against its words."""
    named = said.matches(field_names(field))
    denies = bool(field.cues and said.matches(field.cues.denied))
    if value:
        return _judge_yes(field, said, named, denies=denies)
    return CONFIRMED if denies else _judge_no(field, said, named)


def _judge_yes(field: FieldSchema, said: QuoteContext, named: Sequence[TokenSpan], *, denies: bool) -> Judgement:
    if named:
        return contradicted("The words deny it.") if all(said.denies(*span) for span in named) else CONFIRMED
    if field.cues and field.cues.normal:
        return _judge_normal(field, said)
    if names_absence(field):
        return PLAUSIBLE
    topic = topic_words(field)
    spans = [(at, at + 1) for at in range(said.first, said.after) if sounds_like_any(said.text(at), topic)]
    if denies or any(said.denies(*span) for span in spans) or _opens_with_denial(said, spans):
        return contradicted("The words deny it.")
    return contradicted("The words say the opposite.") if _is_called_false(field, said) else PLAUSIBLE


def _judge_normal(field: FieldSchema, said: QuoteContext) -> Judgement:
    if said.has(NEARLY) or _abnormal(field, said, denied=False):
        is_sound = said.has(SOUND_WORDS) and not said.has(NEARLY)
        return PLAUSIBLE if is_sound else contradicted("The words tell of something abnormal.")
    if said.has(SOUND_WORDS | NEGATIONS):
        return CONFIRMED if speaks_of(field, said) else PLAUSIBLE
    return PLAUSIBLE


def _judge_abnormal(field: FieldSchema, said: QuoteContext) -> Judgement:
    sound = [(at, at + 1) for at in range(said.first, said.after) if said.text(at) in SOUND_WORDS]
    if _abnormal(field, said, denied=False) or said.has(NEARLY) or any(said.denies(*span) for span in sound):
        return CONFIRMED
    if sound or _abnormal(field, said, denied=True):
        return contradicted("The words do not tell of anything abnormal.")
    return PLAUSIBLE


def _abnormal(field: FieldSchema, said: QuoteContext, *, denied: bool) -> bool:
    """Whether something abnormal is told, or denied."""
    phrases = ("abnormal*", "lesion|lesions", *((*field.cues.abnormal, *field.cues.findings) if field.cues else ()))
    return any(said.denies(*span) is denied for span in said.matches(phrases))


def _judge_no(field: FieldSchema, said: QuoteContext, named: Sequence[TokenSpan]) -> Judgement:
    if named:
        denied = any(said.may_deny(*span) for span in named)
        return CONFIRMED if denied else contradicted("The words affirm it.")
    if field.cues and field.cues.normal:
        return _judge_abnormal(field, said)
    if names_absence(field):
        return contradicted("The words affirm it.") if _opens_with_denial(said, ()) else PLAUSIBLE
    if said.has(DENYING_WORDS | FAILING_WORDS, NEGATION_REACH):
        return CONFIRMED if is_about(topic_words(field), said.texts) else PLAUSIBLE
    is_contrary = said.has(CONTRARY_WORDS) or _is_called_false(field, said)
    return PLAUSIBLE if is_contrary else contradicted("The words do not deny it.")


def names_absence(field: FieldSchema) -> bool:
    return not ABSENCE_WORDS.isdisjoint((*plain_phrase(field.label).split(), *plain_phrase(field.id).split()))


def _opens_with_denial(said: QuoteContext, spans: Sequence[TokenSpan]) -> bool:
    """ "I cannot get past it", "not seen": a denial of whatever the quote is about, nothing of the field before it."""
    for at, word in enumerate(said.texts[:OPENING_WORDS], start=said.first):
        if word in DIRECT_NEGATIONS:
            follows = said.text(at + 1) if at + 1 < len(said.words) else ""
            return follows not in NO_DENIAL and not any(begin < at for begin, _ in spans)
    return said.denies_before(said.first)


def _is_called_false(field: FieldSchema, said: QuoteContext) -> bool:
    """Whether the words tell of the opposite without a negation: what the guide calls false, or an opposite word."""
    told = " ".join(part for found in _FALSE_FOR.findall(field.guide or "") for part in found)
    if (stems_of(plain_phrase(told).split()) - stems_of(plain_phrase(field.label).split())) & said.stems():
        return True
    return any(_is_opposite(word, field) for word in said.texts)


def _is_opposite(word: str, field: FieldSchema) -> bool:
    """ "heterogeneous" of homogeneous, "nonbleeding" of bleeding, misheard ones too."""
    return any(
        word.startswith(beginning) and sounds_like_any(word.removeprefix(beginning), topic_words(field))
        for beginning in CONTRARY_BEGINNINGS
    )
