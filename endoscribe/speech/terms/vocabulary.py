"""The words of a procedure that speech recognition should expect."""

from collections.abc import Iterator

from endoscribe.procedures.schema import ProcedureSchema

SEPARATOR = ", "
#: Shorter terms ("I", "2A") say nothing out of their place.
SHORTEST_TERM = 3


def prompt_terms(schema: ProcedureSchema, limit_chars: int) -> str:
    """A glossary to bias recognition, of at most `limit_chars` characters; terms are never cut.

    It begins as a report would, since Whisper takes its prompt for text that was said before. The schema's own
    vocabulary stands first, in its order, then what it repairs, then its enum values: a recogniser heeds only the first
    few hundred characters, so the words that it mishears most belong at the head of the list.
    """
    heading = f"Dictated {schema.title} report. "
    chosen: list[str] = []
    known: set[str] = set()
    left = limit_chars - len(heading) - len(".")
    for term in _terms(schema):
        length = len(term) + (len(SEPARATOR) if chosen else 0)
        if len(term) >= SHORTEST_TERM and term.casefold() not in known and length <= left:
            chosen.append(term)
            known.add(term.casefold())
            left -= length
    return f"{heading}{SEPARATOR.join(chosen)}." if chosen else ""


def _terms(schema: ProcedureSchema) -> Iterator[str]:
    yield from schema.vocabulary
    yield from schema.repairs
    for _, field in schema.targets():
        for word, term in field.values.items():
            yield term.label or word.replace("_", " ")
