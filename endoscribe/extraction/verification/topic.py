"""Which words belong to a field: what its label, its guide, its values and the reader's cues speak of."""

import re
from collections.abc import Iterable
from functools import lru_cache

from rapidfuzz import fuzz

from endoscribe.extraction.verification.quote_context import MIN_CONTENT_CHARS, PRESENCE_WORDS, QuoteContext, stems_of
from endoscribe.procedures.names import field_names
from endoscribe.procedures.schema import FieldSchema, TableSchema

#: Percent of letters in common from which a word is taken for one that was misheard ("cecilile" for sessile is 53).
MIN_TOPIC_LIKENESS = 65
TOPIC_WORDS_BEFORE = 60
TOPIC_WORDS_AFTER = 10
#: Longer words that tell nothing about the topic.
EMPTY_WORDS = PRESENCE_WORDS | {
    "about", "abnormal", "after", "also", "appear", "appears", "been", "from", "have", "here", "normal", "only", "over",
    "said", "stated", "that", "their", "then", "there", "these", "this", "true", "false", "unremarkable", "very",
    "well", "were", "what", "when", "where", "which", "while", "with", "within", "without", "word", "words", "empty",
    "number", "measure", "other", "called", "named", "nothing", "name", "kind", "type", "first", "procedure",
    "examination", "denied", "patient", "dictated", "described",
}  # fmt: skip


def speaks_of(field: FieldSchema, said: QuoteContext) -> bool:
    """Whether a longer word in or around the quote is, or sounds like, one of the words for the field.

    A speaker names the organ and then says "normal" a sentence later: the topic is looked for further back.
    """
    return is_about(topic_words(field), said.around(TOPIC_WORDS_BEFORE, TOPIC_WORDS_AFTER).texts)


def is_about(topic: frozenset[str], heard: Iterable[str]) -> bool:
    """Whether some words share a stem or a sound with a topic's."""
    words = {word for word in heard if len(word) >= MIN_CONTENT_CHARS and word not in EMPTY_WORDS}
    return not stems_of(words).isdisjoint(stems_of(topic)) or any(sounds_like_any(word, topic) for word in words)


def sounds_like_any(word: str, others: frozenset[str]) -> bool:
    return len(word) >= MIN_CONTENT_CHARS and _sounds_like_any(word, others)


@lru_cache(maxsize=16384)
def _sounds_like_any(word: str, others: frozenset[str]) -> bool:
    return any(fuzz.ratio(word, other) >= MIN_TOPIC_LIKENESS for other in others)


def topic_words(field: FieldSchema) -> frozenset[str]:
    """The longer words of a field's label, id and guide, and of what the offline reader listens for."""
    cues = field.cues
    listened = (*cues.said, *cues.denied, *cues.normal, *cues.abnormal, *cues.about) if cues else ()
    return longer_words(" ".join((field.label, field.id, field.guide or "", *field.spoken, *listened)))


def own_words(field: FieldSchema, table: TableSchema | None) -> frozenset[str]:
    """Those, with the words for its values and for its table's rows."""
    row = (table.id, table.label, table.row, table.guide or "") if table else ()
    anchors = table.anchors if table else ()
    return topic_words(field) | naming_words(field) | longer_words(" ".join((*row, *anchors)))


def row_words(table: TableSchema) -> frozenset[str]:
    """The longer words for what the rows of a table are."""
    anchors = table.cues.anchors if table.cues else ()
    return longer_words(" ".join((table.id, table.label, table.row, *anchors)))


def naming_words(field: FieldSchema) -> frozenset[str]:
    """The longer words of a field's names and of its values'."""
    names = [name for value, term in field.values.items() for name in (value, term.label or "", *term.spoken)]
    normal = field.cues.normal if field.cues else ()
    return longer_words(" ".join((*field_names(field), *normal, *names)))


@lru_cache(maxsize=4096)
def longer_words(text: str) -> frozenset[str]:
    words = re.findall(rf"[a-z]{{{MIN_CONTENT_CHARS},}}", text.casefold().replace("_", " "))
    return frozenset(words) - EMPTY_WORDS
