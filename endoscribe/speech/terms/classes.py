"""Classes as they are written: "Paris 1S" in recognised words is shown as "Paris 0-Is", "forest 2A" as "Forrest IIa".

A schema says of a field under which name its values are written. Its values' ways of being said are taken for a class
only straight after that name, or what is misheard for it, and only where they cannot be ordinary English: with a letter
at a digit ("2A"), a Roman numeral or a leading zero, or after a word like "class".
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from endoscribe.procedures.normalize import plain_words
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.speech.terms.respelling import is_one_phrase, respelled
from endoscribe.transcript import Word

CLASS_WORDS = frozenset({"class", "classification", "type", "grade", "stage"})
MAX_CLASS_CHARS = 3
LONGEST_CLASS = 6
#: A letter at its digit, or the Roman two with its letter: nothing else is said so.
_UNLIKE_ENGLISH = re.compile(r"\d-?[a-z]+\b|\bii[abc]\b", re.IGNORECASE)
#: Alone after "class" a word that sounds like a class is taken for one ("grade be"), but none of these ("type is").
_ENGLISH = frozenset({"is", "a", "i", "to", "too"})
#: Spelt apart from its digit, a letter that is no word: "one S", but not "two a day" or "two be".
_LETTERS = frozenset({"b", "c", "d", "p", "s", "sp"})

Plain = tuple[str, ...]


class ClassNames:
    """The classes of one procedure; immutable."""

    def __init__(self, fields: Iterable[FieldSchema], misheard: Mapping[str, Iterable[str]]) -> None:
        """`misheard` maps names in lower case to what is heard for them."""
        self._names: dict[Plain, tuple[tuple[str, ...], dict[Plain, str]]] = {}
        for field in fields:
            if field.written:
                known = (tuple(field.written.split()), _classes(field))
                for heard in (field.written, *misheard.get(field.written.casefold(), ())):
                    self._names[_plain(heard)] = known

    @property
    def words(self) -> frozenset[str]:
        """The words of the names, as they are written."""
        return frozenset(word for name, _ in self._names.values() for word in name)

    @classmethod
    def of(cls, schema: ProcedureSchema) -> "ClassNames":
        return cls((field for _, field in schema.targets()), schema.repairs)

    def at(self, words: Sequence[Word], at: int) -> tuple[int, list[Word]] | None:
        """How many words from `at` on name a class, and how they are written; None where they do not."""
        for length in range(MAX_CLASS_CHARS, 0, -1):
            name = words[at : at + length]
            if len(name) == length and is_one_phrase(name) and (known := self._names.get(_heard(name))):
                after = _class_at(words, at + length, known[1], not CLASS_WORDS.isdisjoint(_heard(name)))
                if after and name[-1].text[-1:].isalnum():
                    return length + after[0], [*_named(name, known[0]), *after[1]]
        return None


def _class_at(
    words: Sequence[Word], at: int, classes: Mapping[Plain, str], is_called_class: bool
) -> tuple[int, list[Word]] | None:
    """The class that is said from `at` on, after a word like "class" or not."""
    kind = [word for word in words[at : at + 1] if not CLASS_WORDS.isdisjoint(_heard([word]))]
    first = at + len(kind)
    for length in range(min(LONGEST_CLASS, len(words) - first), 0, -1):
        span = words[first : first + length]
        value = classes.get(_heard(span))
        if value and is_one_phrase(span) and _is_certain(span, is_called_class or bool(kind)):
            return len(kind) + length, [*kind, *_written(span, value)]
    return None


def _is_certain(span: Sequence[Word], is_called_class: bool) -> bool:
    said, heard = " ".join(word.text for word in span), _heard(span)
    if _UNLIKE_ENGLISH.search(said) or (heard[0] == "0" and len(heard) > 2):
        return True
    if len(heard) == 1:
        return is_called_class and heard[0] not in _ENGLISH
    return heard[0].isdigit() and heard[-1] in _LETTERS


def _written(span: Sequence[Word], value: str) -> Sequence[Word]:
    """The class alone, unless it is written so already."""
    said = " ".join(word.text for word in span)
    return span if said.rstrip(".,;:?!") == value else respelled(span, (value,))


def _named(span: Sequence[Word], name: tuple[str, ...]) -> Sequence[Word]:
    return span if [word.text for word in span] == list(name) else respelled(span, name)


def _classes(field: FieldSchema) -> dict[Plain, str]:
    """What is said for each value of a field, in plain words."""
    return {
        _plain(said): value
        for value, term in field.values.items()
        for said in (*term.short, *term.spoken, value)
        if not set("()|*") & set(said)
    }


def _heard(span: Sequence[Word]) -> Plain:
    return _plain(" ".join(word.text for word in span))


def _plain(text: str) -> Plain:
    return tuple(word for word in plain_words(text) if word not in (".", ","))
