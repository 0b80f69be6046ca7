"""Of what a record's silence tells nothing: nobody listened for it, or words that were said of it stand in no cell."""

from collections.abc import Iterator

from endoscribe.extraction.record import Record, cells
from endoscribe.extraction.unfiled import telling_words
from endoscribe.procedures.schema import ProcedureSchema

#: The reader that hears what the schema has cues for; every other one is told of all fields.
CUE_READER = "offline"


def unheard(record: Record, schema: ProcedureSchema) -> frozenset[str]:
    """The fields, tables and columns of the schema that may have been spoken of although they are not stated."""
    names = schema.telling_words
    deaf = names.keys() - schema.audible if record.extractor == CUE_READER else frozenset[str]()
    said = frozenset(word for sentence in record.unfiled for word in telling_words(sentence.text))
    spoken_of = (name for name, words in names.items() if words.holds_any(said))
    return frozenset({*deaf, *spoken_of, *_doubtful(record)}) - _left_out(record)


def _doubtful(record: Record) -> Iterator[str]:
    """Cells whose words were not found or do not bear the value out: something was said of them all the same."""
    for target, _, cell in cells(record):
        if cell.status in ("unsupported", "invalid"):
            yield target


def _left_out(record: Record) -> frozenset[str]:
    """What a person has called not done: there the silence is theirs."""
    return frozenset(name for name, cell in record.fields.items() if cell.status == "edited" and cell.value is None)
