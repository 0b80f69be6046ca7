"""Every way of saying a field and its allowed values: the one place from which synonyms come.

A value's names are its id, its label, its `spoken` forms, and the initials of those that are three words or longer;
what a schema lists there serves recognition, the offline reader and verification alike.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from endoscribe.procedures.normalize import plain_words
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema

#: An id that is said as it is written: words in small letters, or a number or class beside the name of its field.
SAID_AS_WRITTEN = re.compile(
    r"(?:[a-z]{4,}|no|yes|not|air|low|net|cap|web)(?:_(?:[a-z]{4,}|of|in))*"  # as in consent_signed_in_room
    r"|[A-Z]{0,2}-?(?:[0-9.]+|[IVX]+)[A-Za-z+]*.*|[A-Z]|sm[123]"
)
#: Initials of fewer words are any two letters.
SHORTEST_INITIALISM = 3
_PLAIN_WORDS = re.compile(r"[a-z ]+")


@lru_cache(maxsize=16384)
def plain_phrase(text: str) -> str:
    """A phrase in plain words, joined by single spaces and without stops."""
    return " ".join(word for word in plain_words(text.replace("_", " ")) if word not in ".,")


def value_names(field: FieldSchema, value: str) -> tuple[str, ...]:
    """The ways of saying an allowed value that mean nothing else, as phrases of the cues' language."""
    term = field.values[value]
    return _value_names(value, term.label or value, term.spoken)


@lru_cache(maxsize=4096)
def _value_names(value: str, label: str, spoken: tuple[str, ...]) -> tuple[str, ...]:
    written = tuple(filter(None, map(plain_phrase, (value, label))))
    initials = filter(None, map(_initials, (*written, *spoken)))
    return tuple(dict.fromkeys((*written, *spoken, *initials)))


def field_names(field: FieldSchema) -> tuple[str, ...]:
    """Phrases that name a field: its label, its id, its `spoken` forms, and what the offline reader listens for."""
    names = filter(None, (plain_phrase(field.label), plain_phrase(field.id)))
    return tuple(dict.fromkeys((*names, *field.spoken, *(field.cues.said if field.cues else ()))))


def nameless_values(schema: ProcedureSchema) -> Iterator[tuple[str, str]]:
    """(target, value) of every allowed value for which the schema tells no way of saying it.

    A value whose id is made of plain words, or is a class ("IIa"), needs none.
    """
    for target, field in schema.targets():
        for value, term in field.values.items():
            is_named = bool(term.spoken or term.short or term.misheard or (term.label and term.label != value))
            if not is_named and not SAID_AS_WRITTEN.fullmatch(value):
                yield target, value


def _initials(phrase: str) -> str | None:
    """ "argon plasma coagulation" is also said "apc"."""
    words = phrase.split()
    if len(words) < SHORTEST_INITIALISM or not _PLAIN_WORDS.fullmatch(phrase):
        return None
    return "".join(word[0] for word in words)
