"""Whose words are these? A value that was said, but of something else, of the past, or to a machine, is no value.

Knows what the offline reader knows: which words of a schema's cues stand around a number or a finding. It objects only
where the field's own words are missing and another's are there: the silence of a cue says nothing.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property

from endoscribe.extraction.claims import Value
from endoscribe.extraction.reading.cues import NONE_VALUE, CueMatcher
from endoscribe.extraction.reading.quantities import SPOKEN_UNITS
from endoscribe.extraction.reading.temporality import Temporality
from endoscribe.extraction.reading.tokens import Match
from endoscribe.extraction.verification.boolean_support import CONTRARY_WORDS, SOUND_WORDS
from endoscribe.extraction.verification.judgement import Judgement
from endoscribe.extraction.verification.quote_context import MIN_CONTENT_CHARS, QuoteContext
from endoscribe.extraction.verification.quotes import Extents, Place
from endoscribe.extraction.verification.topic import (
    EMPTY_WORDS,
    is_about,
    longer_words,
    naming_words,
    own_words,
    row_words,
)
from endoscribe.procedures.names import value_names
from endoscribe.procedures.schema import FieldSchema

#: What somebody says to a machine, not of a patient.
INSTRUCTIONS = (
    "ignore|disregard|forget (all|any) (of) previous|prior|above|earlier instructions|instruction|prompt|rules",
    "system prompt",
    "you are (an) ai|assistant|language_model",
    "write|answer|output|respond|report|state|record that ... there|is",
)
#: Words that condition what follows them, within so many words of it: "if there is bleeding".
CONDITIONS = frozenset({"if", "unless", "whether"})
CONDITION_REACH = 5
#: Words that begin with the same letters, so many, are forms of one word and no other.
LONG_STEM_CHARS = 6
#: Longer words that are said of anything.
UNTELLING = frozenset(
    {"above", "able", "again", "another", "area", "away", "back", "below", "changes", "done", "every", "following",
     "found", "given", "going", "good", "high", "into", "left", "lost", "made", "make", "many", "more", "most", "next",
     "once", "part", "parts", "prior", "received", "receive", "right", "same", "seen", "some", "today", "total", "used",
     "using", "whole", "will", "would", "further", "looking", "remains", "remaining", "evidence", "small", "large",
     "mild", "moderate", "severe", "several", "single", "multiple", "previous", "previously", "complete", "partial",
     "within", "treated", "continued", "changed", "removed", "time", "show", "shows", "history", "status", "through",
     "throughout", "around", "between", "because", "second", "third", "fourth", "fifth"}
)  # fmt: skip
#: What is said of earlier examinations; what follows it in the sentence is of the past until "today".
HISTORY = (
    "last|previous|prior|earlier examination|exam|colonoscopy|endoscopy|gastroscopy|procedure|scope|visit|study",
    "last|previous|prior|earlier ercp|eus",
    "<measure> ago", "years|months|weeks ago", "last year|month|week", "history of", "status post",
    "preoperative|preprocedure|pre_procedure|admitting|admission|referring|referral diagnosis|diagnoses",
)  # fmt: skip
#: What leads to why an examination is done; an event behind it is none of the examination.
REASONS = ("indication|indications", "reason for examination|exam|procedure|colonoscopy|endoscopy|referral")
HISTORY_REACH = 12
BACK_TO_TODAY = frozenset({".", "today", "now", "currently", "but", "however", "time"})
#: What is said of another time.
ELSEWHEN = {
    Temporality.RETRACTED: "The words were taken back.",
    Temporality.PLAN: "The words tell of a plan.",
    Temporality.CONDITIONAL: "The words are under a condition.",
}
#: What nobody says to have been there, whatever time a field asks for.
NEVER = frozenset({Temporality.RETRACTED, Temporality.CONDITIONAL})


class Attribution:
    """One transcript, heard with one schema's ears."""

    def __init__(self, matcher: CueMatcher) -> None:
        self._schema = matcher.schema
        self._matcher = matcher
        self._reading = matcher.reading
        self._extents = Extents(matcher.reading.tokens)

    def objection(
        self, value: Value, target: str, place: Place, said: QuoteContext, judgement: Judgement
    ) -> str | None:
        """Why the words at a place speak of something else than the field; None when they need not."""
        field = self._schema.target_index[target]
        tokens = self._tokens_of(place)
        if any(index in self._instructed for index in tokens):
            return "These words are an instruction, not a finding."
        is_event = field.type in ("boolean", "enum", "integer", "number") and not _is_of_the_future(field)
        if is_event and (problem := self._elsewhen(target, tokens)):
            return problem
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number_objection(value, target, tokens, said)
        if judgement.support != "plausible" or field.type == "text" or value in {("other",), "other"}:
            return None
        if self._is_about(value, target, said) or (value is False and said.has(CONTRARY_WORDS)):
            return None
        return self._said_of_another(said)

    def _tokens_of(self, place: Place) -> range:
        return range(*self._extents.within(place))

    # --- times ---

    def _elsewhen(self, target: str, tokens: range) -> str | None:
        """All words at a place tell of another time than the field asks for, or are under a condition."""
        times = self._times_of(target)
        if times is None or not tokens:
            return None
        found = {self._matcher.temporalities[index] for index in tokens}
        if len(found) == 1 and (only := found.pop()).value not in times and only in ELSEWHEN:
            return ELSEWHEN[only] if only in NEVER or times == ("today",) else None
        if times == ("today",) and self._is_conditional(tokens):
            return "The words are under a condition."
        if not {"past", "before", "former"} & set(times):
            if self._is_history(tokens):
                return "The words tell of an earlier time."
            if NONE_VALUE in self._schema.target_index[target].values and self._is_led_by(REASONS, tokens):
                return "The words tell why the examination was done."
        return None

    def _times_of(self, target: str) -> tuple[str, ...] | None:
        """The times of which a field may tell; None where the schema does not say."""
        table, _, column = target.partition(".")
        row_cues = self._schema.tables[table].cues if column else None
        cues = self._schema.target_index[target].cues or row_cues
        return cues.time if cues else None

    def _is_conditional(self, tokens: range) -> bool:
        first = max(self._reading.clause_span(tokens.start)[0], tokens.start - CONDITION_REACH)
        return any(self._reading.tokens[index].text in CONDITIONS for index in range(first, tokens.start))

    def _is_history(self, tokens: range) -> bool:
        return self._is_led_by(HISTORY, tokens)

    def _is_led_by(self, phrases: tuple[str, ...], tokens: range) -> bool:
        told = [match for match in self._reading.find(phrases) if 0 <= tokens.start - match.after <= HISTORY_REACH]
        between = (
            self._reading.tokens[index].text for match in told[-1:] for index in range(match.after, tokens.start)
        )
        return bool(told) and BACK_TO_TODAY.isdisjoint(between)

    # --- numbers ---

    def _number_objection(self, value: int | float, target: str, tokens: range, said: QuoteContext) -> str | None:
        """Every place of the number in the quote belongs to another field's words, or is set aside by this field's.

        A column is not held against the fields: both may tell of one thing.
        """
        field = self._schema.target_index[target]
        if value == 1 and not self._names_its_thing(target, tokens, said):
            return "The words name no such thing."
        here = [index for index in tokens if self._holds(index, value, field)]
        if not here or "." in target:
            return None
        if field.cues and all(self._matcher.ignores(field.cues, index) for index in here):
            return "These words are about something else."
        owners = [self._owners.get(index, {}) for index in here]
        if any(field.id in owned or not owned for owned in owners):
            return None
        other = self._schema.fields[min(owners[0])]
        if not self._is_told(other, field, said):
            return None
        return f"The words say this of {other.label!r}."

    def _names_its_thing(self, target: str, tokens: range, said: QuoteContext) -> bool:
        """Whether a count of one without its number stands beside a word for what is counted, or beside none known."""
        table, _, column = target.partition(".")
        cues = self._schema.tables[table].cues if column else None
        if not cues or cues.count != column:
            return True
        if any(self._holds(index, 1, self._schema.target_index[target]) for index in tokens):
            return True
        known = any(_long_stem(word) in self._known and not _is_unit(word) for word in _telling(said))
        return not known or is_about(row_words(self._schema.tables[table]), said.texts)

    def _is_told(self, other: FieldSchema, field: FieldSchema, said: QuoteContext) -> bool:
        """Whether a word that tells another field from this one stands in the quote."""
        own = longer_words(f"{field.label} {field.id}")
        return not (longer_words(f"{other.label} {other.id}") - own).isdisjoint(said.texts)

    def _holds(self, index: int, value: float, field: FieldSchema) -> bool:
        token = self._reading.tokens[index]
        if token.quantity is not None:
            numbers = token.quantity.in_unit(field.unit) or ()
            return any(abs(number - value) < 1e-6 for number in (*numbers, *token.quantity.numbers))
        return token.text[0].isdigit() and float(token.text) == value

    @cached_property
    def _owners(self) -> dict[int, dict[str, int]]:
        """For each number's token the fields whose words claim it, with how many words those are.

        Of several fields those hold whose words are the most: "insertion time 4 minutes" is no "time 4 minutes".
        """
        owners: dict[int, dict[str, int]] = {}
        for name, field in self._schema.fields.items():
            if field.type in ("integer", "number") and field.cues and not field.cues.count_of:
                for mention in self._matcher.mentions(field):
                    words = mention.after - mention.first - 1
                    if words:  # a bare "<measure>" owns nothing
                        owners.setdefault(mention.at, {})[name] = words
        return owners

    # --- findings ---

    def _is_about(self, value: Value, target: str, said: QuoteContext) -> bool:
        """Whether the quote holds a word of the field, or names its value as another field of the schema does."""
        table, _, column = target.partition(".")
        field = self._schema.target_index[target]
        if is_about(own_words(field, self._schema.tables[table] if column else None), said.texts):
            return True
        if field.cues and field.cues.normal:
            return said.has(SOUND_WORDS)  # what it is said of may stand before
        claimed = value if isinstance(value, tuple) else (str(value),)
        return any(said.matches(self._names_anywhere.get(each, ())) for each in claimed)

    @cached_property
    def _names_anywhere(self) -> Mapping[str, tuple[str, ...]]:
        """For each allowed value how any field says it: two fields with one value speak of one thing."""
        names: dict[str, tuple[str, ...]] = {}
        for _, field in self._schema.targets():
            for value in field.values:
                names[value] = (*names.get(value, ()), *value_names(field, value))
        return names

    def _said_of_another(self, said: QuoteContext) -> str | None:
        """Words of which none is the field's are another's where they only measure, or the schema knows one of them."""
        telling = _telling(said)
        measures = any(word.is_number for word in said.words[said.first : said.after])
        if measures and all(map(_is_unit, telling)):
            return "The words tell of a number."
        target = next((self._known[_long_stem(word)] for word in telling if _long_stem(word) in self._known), None)
        return f"The words speak of {self._schema.target_index[target].label!r}." if target else None

    @cached_property
    def _known(self) -> Mapping[str, str]:
        """For each stem of a field's names the first field that has it."""
        known: dict[str, str] = {}
        for target, field in self._schema.targets():
            for word in naming_words(field):
                known.setdefault(_long_stem(word), target)
        return known

    # --- instructions ---

    @cached_property
    def _instructed(self) -> frozenset[int]:
        """The tokens of every sentence that talks to a machine."""
        return frozenset(self._sentences_of(self._reading.find(INSTRUCTIONS)))

    def _sentences_of(self, matches: list[Match]) -> Iterator[int]:
        for match in matches:
            yield from range(*self._reading.sentence_span(match.first))


def _is_of_the_future(field: FieldSchema) -> bool:
    """Whether a yes tells of what is to come: "awaits pathology" is true under a condition."""
    return field.type == "boolean" and bool(field.cues) and "plan" in (field.cues.time if field.cues else ())


def _telling(said: QuoteContext) -> list[str]:
    """The longer words of a quote that are not said of anything."""
    return [word for word in said.texts if len(word) >= MIN_CONTENT_CHARS and word not in EMPTY_WORDS | UNTELLING]


def _is_unit(word: str) -> bool:
    return any(pattern.match(word) for _, pattern in SPOKEN_UNITS)


def _long_stem(word: str) -> str:
    return word[:LONG_STEM_CHARS]
