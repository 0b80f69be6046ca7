"""Allowed values: the words must not name another one, nor deny the one that is claimed."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from endoscribe.extraction.reading.cues import NONE_VALUE
from endoscribe.extraction.reading.remainder import REACH_BEFORE, REACH_BEHIND, denies_the_rest
from endoscribe.extraction.verification.boolean_support import OPENING_WORDS
from endoscribe.extraction.verification.codes import SpokenCode, codes_of, named_code, told_codes
from endoscribe.extraction.verification.judgement import CONFIRMED, PLAUSIBLE, Judgement, contradicted
from endoscribe.extraction.verification.numbers import HOMOPHONES
from endoscribe.extraction.verification.quote_context import (
    DENYING_WORDS,
    DIRECT_NEGATIONS,
    FAILING_WORDS,
    MIN_CONTENT_CHARS,
    NEGATION_REACH,
    STEM_CHARS,
    QuoteContext,
    TokenSpan,
    likeness,
)
from endoscribe.extraction.verification.topic import longer_words, sounds_like_any, speaks_of
from endoscribe.extraction.verification.values import HEADING_WORDS
from endoscribe.procedures.names import field_names, plain_phrase, value_names
from endoscribe.procedures.schema import FieldSchema
from endoscribe.speech.terms.lexicon import is_english

#: Longest name of a value that means nothing without its field's: "2", "IV", "2a".
SHORT_NAME_CHARS = 2
#: Short forms of classes that are words of every sentence.
COMMON_WORDS = frozenset({"is", "to", "too", "a", "i", "be", "see", "for", "bee", "won", "ate", "none"})
#: A word of so many letters is known when it is misheard, from so many per cent in common on.
LONG_WORD_CHARS = 7
MIN_STEM_LIKENESS = 80
#: Another value's word counts from so many per cent in common on, and with so many more than this one's.
SOUNDED_CHARS = 6
MIN_OTHER_LIKENESS = 62
MIN_LEAD = 20
#: Beginnings of the words for degrees.
DEGREES = {
    "mild": ("mild", "minimal", "slight"), "moderate": ("moderate",), "severe": ("severe", "marked", "massive"),
}  # fmt: skip
WITHOUT = frozenset({"non", "no", "without", "nil"})
#: What tells that something is not known.
DOUBTS = frozenset({"unknown", "uncertain", "unclear", "unsure", "know", "known", "maybe", "whether", "record"})
#: "LAB" is LA grade B.
MOST_CODE_CHARS = 4
#: What tells of the value "failed", and of no other.
FAILURES = frozenset({"unable", "failed", "unsuccessful", "unsuccessfully", "impossible"})
#: A name of one or two words, as against a pattern of what may be said.
_PLAIN_NAME = re.compile(r"[a-z0-9]+(?: [a-z0-9]+)?\*?")
#: Words before and after a quote, in which the name of its field makes a short form of a value sure.
NAME_REACH = 8


def judge_enum(value: str, field: FieldSchema, said: QuoteContext) -> Judgement:
    """An allowed value against its words."""
    if value == NONE_VALUE and _denies_the_rest(said):
        return contradicted("The words deny only what is left besides something else.")
    codes = codes_of(field)
    if value in codes and (told := named_code(field, codes, said)):
        return CONFIRMED if told == value else contradicted(f"The words say {field.value_label(told)!r}.")
    own = said.matches(_sure_forms(field, value)) or _initials(value, field, said)
    beside = [] if own else _named_beside_field(value, field, said)
    others = _affirmed(field, said) - {value}
    if not own and not beside:
        others |= told_codes(codes, said) if value in codes else set()
        others = others or _told_by_row(value, field, said)
        if others - {value} and value not in others and not _sounds_like_more(value, field, others, said):
            return contradicted(f"The words say {field.value_label(min(others))!r}.")
    if own and any(_covers(other, own, field, said) for other in others):
        return contradicted(f"The words say {field.value_label(min(others))!r}.")
    return _judge_named(value, field, said, [*own, *beside])


def _denies_the_rest(said: QuoteContext) -> bool:
    wider = said.around(REACH_BEFORE, REACH_BEHIND)
    return denies_the_rest(wider.texts, said.first - wider.first, said.after - wider.first)


def _covers(other: str, own: Sequence[TokenSpan], field: FieldSchema, said: QuoteContext) -> bool:
    """Whether another value's longer name holds every mention of this one: "cold snare EMR" is no cold snare."""
    spans = said.matches(_sure_forms(field, other))
    return all(any(b <= begin and end <= e and e - b > end - begin for b, e in spans) for begin, end in own)


def _sounds_like_more(value: str, field: FieldSchema, others: set[str], said: QuoteContext) -> bool:
    """Whether a misheard name of the value holds all that names another one: "orderline resectable"."""
    spans = [span for form in _sure_forms(field, value) if (span := said.sounds_of(form))]
    named = [span for other in others for span in said.matches(_sure_forms(field, other))]
    return bool(named) and any(
        all(begin <= b and e <= end and e - b < end - begin for b, e in named) for begin, end in spans
    )


def judge_multi(values: Sequence[str], field: FieldSchema, said: QuoteContext) -> Judgement:
    """Several allowed values against one quote: silent of one, it must name another of them, or none of the field's."""
    named = {value: _named(value, field, said) for value in values}
    verdicts = [_judge_named(value, field, said, spans, is_alone=False) for value, spans in named.items()]
    denied = next((verdict for verdict in verdicts if verdict.is_contradicted), None)
    if denied:
        return denied
    if any(verdict is CONFIRMED for verdict in verdicts):
        return CONFIRMED if all(verdict is CONFIRMED for verdict in verdicts) else PLAUSIBLE
    if others := _affirmed(field, said) - set(values):
        return contradicted(f"The words say {field.value_label(min(others))!r}.")
    return PLAUSIBLE


def _judge_named(
    value: str, field: FieldSchema, said: QuoteContext, named: Sequence[TokenSpan], *, is_alone: bool = True
) -> Judgement:
    if named:
        denied = not is_denial(value, field) and all(_is_denied(span, field, said) for span in named)
        return contradicted(f"The words deny {field.value_label(value)!r}.") if denied else CONFIRMED
    if spans := [span for form in _sure_forms(field, value) if (span := said.sounds_of(form))]:
        denied = all(_is_denied(span, field, said) for span in spans)
        return contradicted(f"The words deny {field.value_label(value)!r}.") if denied else PLAUSIBLE
    if is_denial(value, field):
        return _judge_nothing(value, field, said)
    return _judge_silence(value, field, said) if is_alone else PLAUSIBLE


def _judge_silence(value: str, field: FieldSchema, said: QuoteContext) -> Judgement:
    """Of words that do not name the value: do they tell of another one, or deny all?"""
    if "failed" in field.values and said.has(FAILURES):
        return contradicted(f"The words say {field.value_label('failed')!r}.")
    if other := _told_instead(value, field, said) or _sounded_instead(value, field, said):
        return contradicted(f"The words say {field.value_label(other)!r}.")
    if _denies_all(field, said):
        return contradicted(f"The words deny {field.value_label(value)!r}.")
    return _judge_bare(value, field, said)


def _judge_bare(value: str, field: FieldSchema, said: QuoteContext) -> Judgement:
    """Of words that tell of no value at all: some values need words of their own kind."""
    if (degree := _degree(value, field)) and (told := _degrees_in(said)) and degree not in told:
        return contradicted(f"The words do not say {field.value_label(value)!r}.")
    if value == "unknown" and not said.has(DOUBTS | DENYING_WORDS):
        return contradicted("The words do not say that it is not known.")
    if (codes := codes_of(field)) and value in codes and not _may_hold_code(value, field, codes, said):
        return contradicted("The words name no class.")
    return PLAUSIBLE


def _judge_nothing(value: str, field: FieldSchema, said: QuoteContext) -> Judgement:
    """ "none" follows from "no complications", and from nothing without a denying word."""
    if not said.has(DENYING_WORDS | FAILING_WORDS, NEGATION_REACH):
        return contradicted(f"The words do not say {field.value_label(value)!r}.")
    others = [form for other in field.values if other != value for form in _sure_forms(field, other)]
    return CONFIRMED if said.matches(others) or speaks_of(field, said) else PLAUSIBLE


def _is_denied(span: TokenSpan, field: FieldSchema, said: QuoteContext) -> bool:
    """Of a row only "no cold snare" denies a value: "the ascending colon was not seen" is a row about that segment."""
    is_column = field.section is None
    return said.denies_directly(span[0]) if is_column else said.denies(*span)


def _denies_all(field: FieldSchema, said: QuoteContext) -> bool:
    """Whether the field has a value for nothing, and the quote is a denial: "no evidence of bleeding"."""
    return not {"none", "no"}.isdisjoint(field.values) and not DIRECT_NEGATIONS.isdisjoint(said.texts[:OPENING_WORDS])


def _named(value: str, field: FieldSchema, said: QuoteContext) -> list[TokenSpan]:
    return (
        said.matches(_sure_forms(field, value))
        or _initials(value, field, said)
        or _named_beside_field(value, field, said)
    )


def _sure_forms(field: FieldSchema, value: str) -> tuple[str, ...]:
    """Phrases that name an allowed value wherever they stand; a name as short as "2" or "B" needs its field's."""
    term = field.values[value]
    return _long_or_spoken(value_names(field, value), term.spoken, term.misheard)


@lru_cache(maxsize=4096)
def _long_or_spoken(names: tuple[str, ...], spoken: tuple[str, ...], misheard: tuple[str, ...]) -> tuple[str, ...]:
    return (*(name for name in names if len(name) > SHORT_NAME_CHARS or name in spoken), *misheard)


def _initials(value: str, field: FieldSchema, said: QuoteContext) -> list[TokenSpan]:
    spans = (said.initials_of(plain_phrase(name)) for name in {value, field.value_label(value)})
    return [span for span in spans if span]


def _named_beside_field(value: str, field: FieldSchema, said: QuoteContext) -> list[TokenSpan]:
    """Where a short form stands in a quote that names the field, or that follows its name: "NICE to", "LA grade B"."""
    names = [plain_phrase(name) for name in (value, field.value_label(value))]
    spans = said.matches((*filter(None, names), *field.values[value].short))
    heard = enumerate(said.texts, start=said.first)
    spans = spans or [(at, at + 1) for at, text in heard if value.startswith(str(HOMOPHONES.get(text, "\0")))]
    spans = [span for span in spans if _is_sure(span, field, said)]
    return spans if spans and _is_field_named(field, said) else []


def _is_sure(span: TokenSpan, field: FieldSchema, said: QuoteContext) -> bool:
    """A word as common as "is" or "to" is a class only right behind its field's name: "Paris is", "NICE to"."""
    begin, end = span
    if end - begin > 1 or said.text(begin) not in COMMON_WORDS:
        return True
    words = {*plain_phrase(field.label).split(), *plain_phrase(field.id).split(), *HEADING_WORDS}
    before = said.around(NAME_REACH, 0)
    return (begin > 0 and said.text(begin - 1) in words) or any(
        after == begin for _, after in before.matches(field_names(field))
    )


def _is_field_named(field: FieldSchema, said: QuoteContext) -> bool:
    near = said.around(NAME_REACH, NAME_REACH)
    words = {*plain_phrase(field.label).split(), *plain_phrase(field.id).split()} - HEADING_WORDS
    return bool(words & set(near.texts)) or bool(near.matches(field_names(field))) or speaks_of(field, near)


def is_denial(value: str, field: FieldSchema) -> bool:
    """Whether an allowed value says that there is nothing, or no success: it needs words that deny or fail."""
    words = {*plain_phrase(value).split(), *plain_phrase(field.value_label(value)).split()}
    return not words.isdisjoint((DENYING_WORDS | FAILURES) - {"normal", "clear"})


def _affirmed(field: FieldSchema, said: QuoteContext) -> set[str]:
    """The allowed values that the quote names without denying them."""
    return {
        value
        for value in field.values
        if any(not said.denies(*span) for span in said.matches(_sure_forms(field, value)))
    }


def _told_by_row(value: str, field: FieldSchema, said: QuoteContext) -> set[str]:
    """The values that a row's words name, seen or not, where they hold no word of the one that is claimed."""
    if field.section is not None or _has_one(_name_words(field).get(value, ()), said):
        return set()
    return {
        other
        for other in field.values
        if any(not _is_denied(span, field, said) for span in said.matches(_sure_forms(field, other)))
    }


# -- degrees and classes -----------------------------------------------------------------------------------------------


def _degree(value: str, field: FieldSchema) -> str | None:
    """How much an allowed value says, where the value is nothing but a degree: "mild"."""
    words = {*plain_phrase(value).split(), *plain_phrase(field.value_label(value)).split()}
    return next((degree for degree, stems in DEGREES.items() if any(word.startswith(stems) for word in words)), None)


def _degrees_in(said: QuoteContext) -> set[str]:
    """The degrees that the quote tells; that there is nothing is one of them."""
    told = {degree for degree, stems in DEGREES.items() if any(text.startswith(stems) for text in said.texts)}
    return told or ({"none"} if said.has(WITHOUT) else set())


def _may_hold_code(value: str, field: FieldSchema, codes: Mapping[str, SpokenCode], said: QuoteContext) -> bool:
    """Whether a class may be told, misheard or not: by a number or letter, or beside what sounds like its name."""
    named = longer_words(f"{field.label} {field.id}".replace("_", " "))
    if any(sounds_like_any(text, named) for text in said.texts) or told_codes(codes, said):
        return True
    ending = codes[value][-1]
    return any(
        text in HOMOPHONES or (len(text) <= MOST_CODE_CHARS and text.endswith(ending) and text not in COMMON_WORDS)
        for text in said.texts
    )


# -- words in common ---------------------------------------------------------------------------------------------------


def _told_instead(value: str, field: FieldSchema, said: QuoteContext) -> str | None:
    """Another value that alone has one of its own words in the quote, in any form: "mildly dilated" is not severe."""
    own = _telling_words(field)
    if _has_one(own.get(value, ()), said):
        return None
    others = [other for other in own if other != value and not is_denial(other, field)]
    told = [other for other in others if _has_one(own[other], said)]
    return told[0] if len(told) == 1 else _told_of_some(value, field, said)


def _told_of_some(value: str, field: FieldSchema, said: QuoteContext) -> str | None:
    """The first of some values that share a word of the quote, when this one has none: "a snare" is no ESD."""
    words = _name_words(field)
    if not words.get(value) or _has_one(words[value], said):
        return None
    others = [other for other in words if other != value and not is_denial(other, field)]
    told = [other for other in others if _has_one(words[other], said)]
    return told[0] if 0 < len(told) <= len(words) / 2 else None


def _sounded_instead(value: str, field: FieldSchema, said: QuoteContext) -> str | None:
    """Another value of which one word sounds far more like the quote's than any of this one: "tonnex" for entonox."""
    own = _telling_words(field)
    unknown = {text for text in said.texts if _is_unknown(text, own)}
    if not unknown or not own.get(value):
        return None
    heard = [*unknown, *("".join(pair) for pair in pairwise(said.texts) if not unknown.isdisjoint(pair))]
    sounds = {each: _sound(own[each], heard) for each in own if each == value or not is_denial(each, field)}
    best = max(sounds, key=sounds.__getitem__, default=value)
    if best == value or sounds[best] < MIN_OTHER_LIKENESS or sounds[best] - sounds.get(value, 0) < MIN_LEAD:
        return None
    return best


def _is_unknown(text: str, own: Mapping[str, frozenset[str]]) -> bool:
    """Whether a word is none of the field's and no English one: only such a word was misheard."""
    return text.isalpha() and not any(text in words for words in own.values()) and not is_english(text)


def _sound(words: Iterable[str], heard: Sequence[str]) -> float:
    longer = [word for word in words if len(word) >= SOUNDED_CHARS]
    return max((likeness(word, text) for word in longer for text in heard if len(text) >= MIN_CONTENT_CHARS), default=0)


def _telling_words(field: FieldSchema) -> Mapping[str, frozenset[str]]:
    """For each allowed value the longer words of its names that no other value and not the field has."""
    return _words_of_values(*_names_of_values(field))[1]


def _name_words(field: FieldSchema) -> Mapping[str, frozenset[str]]:
    """For each allowed value but "other" the longer words of its names that the field's own name has not."""
    return _words_of_values(*_names_of_values(field))[0]


def _names_of_values(field: FieldSchema) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    names = tuple((value, value_names(field, value)) for value in field.values if value != "other")
    return f"{field.label} {field.id}", names


@lru_cache(maxsize=1024)
def _words_of_values(
    field_name: str, names: tuple[tuple[str, tuple[str, ...]], ...]
) -> tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]]]:
    """For each value its words, and those that no other value has."""
    named = longer_words(field_name)
    words = {value: longer_words(" ".join(filter(_PLAIN_NAME.fullmatch, each))) - named for value, each in names}
    known = Counter(word for each in words.values() for word in each)
    return words, {value: frozenset(word for word in each if known[word] == 1) for value, each in words.items()}


def _has_one(words: Iterable[str], said: QuoteContext) -> bool:
    """Whether the quote holds one of some words in any form, and does not deny it."""
    for word in words:
        stem = word[: max(STEM_CHARS, len(word) - 2)]
        for at, text in enumerate(said.texts, start=said.first):
            is_said = text.startswith(stem) or (
                len(word) >= LONG_WORD_CHARS and likeness(word, text) >= MIN_STEM_LIKENESS
            )
            if is_said and not said.denies(at, at + 1):
                return True
    return False
