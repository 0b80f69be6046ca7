"""Whose words are these? A value that was said, but of something else, is no value of this field.

Knows what the offline reader knows: which words of a schema's cues stand around a number or a finding.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property

from endoscribe.extraction.claims import Value
from endoscribe.extraction.reading.cues import CueMatcher
from endoscribe.extraction.reading.tokens import Match, TokenizedTranscript
from endoscribe.extraction.verification.quotes import Place
from endoscribe.procedures.schema import Cues, FieldSchema, ProcedureSchema

#: What somebody says to a machine, not of a patient.
INSTRUCTIONS = (
    "ignore|disregard|forget (all|any) (of) previous|prior|above|earlier instructions|instruction|prompt|rules",
    "system prompt",
    "you are (an) ai|assistant|language_model",
    "write|answer|output|respond|report|state|record that ... there|is",
)


class Attribution:
    """One transcript, heard with one schema's ears."""

    def __init__(self, text: str, schema: ProcedureSchema, matcher: CueMatcher | None = None) -> None:
        """`matcher` is the one of this text and schema, where somebody has it already."""
        self._schema = schema
        self._matcher = matcher or CueMatcher(TokenizedTranscript(text, schema.spoken_repairs), schema)
        self._reading = self._matcher.reading

    def objection(self, value: Value, field: FieldSchema, place: Place) -> str | None:
        """Why the words at a place speak of something else than the field; None when they need not."""
        tokens = self._tokens_of(place)
        if any(index in self._instructed for index in tokens):
            return "These words are an instruction, not a finding."
        if isinstance(value, bool):
            return self._finding_objection(field, tokens)
        if isinstance(value, int | float):
            return self._number_objection(value, field, tokens)
        return None

    def _tokens_of(self, place: Place) -> range:
        tokens = self._reading.tokens
        first = bisect_right(tokens, place.start, key=lambda token: token.end)
        after = bisect_left(tokens, place.end, key=lambda token: token.start)
        return range(first, max(first, after))

    # --- numbers ---

    def _number_objection(self, value: int | float, field: FieldSchema, tokens: range) -> str | None:
        """Every place of the number in the quote belongs to another field's words, or is set aside by this field's."""
        here = [index for index in tokens if self._holds(index, value, field)]
        if not here:
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

    def _finding_objection(self, field: FieldSchema, tokens: range) -> str | None:
        """The words name another yes-or-no field's finding and nothing of this one's."""
        if not tokens or self._is_named(field, tokens):
            return None
        for name, other in self._schema.fields.items():
            if name != field.id and other.type == "boolean" and other.cues and self._any(other.cues.said, tokens):
                return f"The words speak of {other.label!r}."
        return None

    def _is_named(self, field: FieldSchema, tokens: range) -> bool:
        cues = field.cues or Cues()
        topics = (self._schema.topics[topic] for topic in (*cues.normal, *cues.about))
        names = (field.label, field.id.replace("_", " "))
        return self._any((*cues.said, *cues.denied, *cues.abnormal), tokens) or any(
            self._any(phrases, tokens) for phrases in (*topics, names)
        )

    def _any(self, phrases: tuple[str, ...], tokens: range) -> bool:
        return any(_meets(match, tokens) for match in self._reading.find(phrases))

    # --- instructions ---

    @cached_property
    def _instructed(self) -> frozenset[int]:
        """The tokens of every sentence that talks to a machine."""
        return frozenset(self._sentences_of(self._reading.find(INSTRUCTIONS)))

    def _sentences_of(self, matches: list[Match]) -> Iterator[int]:
        for match in matches:
            yield from range(*self._reading.sentence_span(match.first))


def _meets(match: Match, tokens: range) -> bool:
    return match.first < tokens.stop and tokens.start < match.after
