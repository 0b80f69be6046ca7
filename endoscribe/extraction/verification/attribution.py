"""Whose words are these? A value that was said, but of something else, of the past, or to a machine, is no value.

Knows what the offline reader knows: which words of a schema's cues stand around a number or a finding. It objects only
where the field's own words are missing and another's are there: the silence of a cue says nothing.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property

from endoscribe.extraction.claims import Value
from endoscribe.extraction.reading.cues import CueMatcher
from endoscribe.extraction.reading.temporality import Temporality
from endoscribe.extraction.reading.tokens import Match, TokenizedTranscript
from endoscribe.extraction.verification.judgement import Judgement
from endoscribe.extraction.verification.quotes import Place
from endoscribe.extraction.verification.said import Said
from endoscribe.extraction.verification.topic import is_about, own_words
from endoscribe.extraction.verification.truth import SOUND_WORDS
from endoscribe.procedures.names import value_names
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema

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
#: What is said of another time.
ELSEWHEN = {
    Temporality.PAST: "The words tell of an earlier time.",
    Temporality.RETRACTED: "The words were taken back.",
    Temporality.PLAN: "The words tell of a plan.",
}
#: A value with a shorter name than this is said of many things: "ileum", but not "air".
SHORTEST_TELLING_NAME = 5


class Attribution:
    """One transcript, heard with one schema's ears."""

    def __init__(self, text: str, schema: ProcedureSchema, matcher: CueMatcher | None = None) -> None:
        """`matcher` is the one of this text and schema, where somebody has it already."""
        self._schema = schema
        self._matcher = matcher or CueMatcher(TokenizedTranscript(text, schema.spoken_repairs), schema)
        self._reading = self._matcher.reading

    def objection(self, value: Value, target: str, place: Place, said: Said, judgement: Judgement) -> str | None:
        """Why the words at a place speak of something else than the field; None when they need not."""
        field = self._schema.target_index[target]
        tokens = self._tokens_of(place)
        if any(index in self._instructed for index in tokens):
            return "These words are an instruction, not a finding."
        if field.type in ("boolean", "enum", "integer", "number") and (problem := self._elsewhen(target, tokens)):
            return problem
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number_objection(value, target, tokens)
        if judgement.support != "plausible" or field.type == "text" or self._is_about(value, target, said):
            return None
        return self._said_of_another(target, said)

    def _tokens_of(self, place: Place) -> range:
        tokens = self._reading.tokens
        first = bisect_right(tokens, place.start, key=lambda token: token.end)
        after = bisect_left(tokens, place.end, key=lambda token: token.start)
        return range(first, max(first, after))

    # --- times ---

    def _elsewhen(self, target: str, tokens: range) -> str | None:
        """All words at a place tell of another time than the field asks for, or are under a condition."""
        times = self._times_of(target)
        if times is None or not tokens:
            return None
        found = {self._matcher.temporalities[index] for index in tokens}
        if len(found) == 1 and (only := found.pop()).value not in times and only in ELSEWHEN:
            return ELSEWHEN[only]
        if "plan" not in times and self._is_conditional(tokens):
            return "The words are under a condition."
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

    # --- numbers ---

    def _number_objection(self, value: int | float, target: str, tokens: range) -> str | None:
        """Every place of the number in the quote belongs to another field's words, or is set aside by this field's.

        A column is not held against the fields: both may tell of one thing.
        """
        field = self._schema.target_index[target]
        here = [index for index in tokens if self._holds(index, value, field)]
        if not here or "." in target:
            return None
        if field.cues and all(self._matcher.ignores(field.cues, index) for index in here):
            return "These words are about something else."
        owners = [self._owners.get(index, {}) for index in here]
        if any(field.id in owned or not owned for owned in owners):
            return None
        other = self._schema.fields[min(owners[0])]
        return f"The words say this of {other.label!r}."

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

    def _is_about(self, value: Value, target: str, said: Said) -> bool:
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

    def _said_of_another(self, target: str, said: Said) -> str | None:
        """The words name another field's finding or value, and nothing of this one's."""
        siblings = f"{target.partition('.')[0]}." if "." in target else None
        for other, phrases in self._telling_phrases.items():
            if other != target and not (siblings and other.startswith(siblings)) and said.matches(phrases):
                return f"The words speak of {self._schema.target_index[other].label!r}."
        return None

    @cached_property
    def _telling_phrases(self) -> Mapping[str, tuple[str, ...]]:
        """For each yes-or-no and each coded field what is said of nothing else."""
        phrases = {target: tuple(_telling(field)) for target, field in self._schema.targets()}
        known = Counter(phrase for each in phrases.values() for phrase in set(each))
        places = {phrase for topic in self._schema.topics.values() for phrase in topic}
        return {target: own for target, each in phrases.items()
                if (own := tuple(phrase for phrase in each if known[phrase] == 1 and phrase not in places))}  # fmt: skip

    # --- instructions ---

    @cached_property
    def _instructed(self) -> frozenset[int]:
        """The tokens of every sentence that talks to a machine."""
        return frozenset(self._sentences_of(self._reading.find(INSTRUCTIONS)))

    def _sentences_of(self, matches: list[Match]) -> Iterator[int]:
        for match in matches:
            yield from range(*self._reading.sentence_span(match.first))


def _telling(field: FieldSchema) -> Iterator[str]:
    if field.type == "boolean":
        yield from field.cues.said if field.cues else ()
        yield from field.spoken
    elif field.type in ("enum", "multi"):
        names = (name for value in field.values for name in value_names(field, value))
        yield from (name for name in names if len(name) >= SHORTEST_TELLING_NAME)
