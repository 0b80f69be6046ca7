"""Whether the words of a dictation are rather another procedure's than the chosen one's."""

from collections.abc import Iterable

from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.transcript import Transcript

#: So many times more of the other procedure's own fields must be stated, and so many besides.
TIMES_BETTER = 2
FIELDS_BETTER = 3


def better_fit(
    transcript: Transcript, chosen: ProcedureSchema, schemas: Iterable[ProcedureSchema]
) -> ProcedureSchema | None:
    """The procedure that the text fits far better than the chosen one, by the fields that only one of both has."""
    stated = _stated(transcript, chosen)
    gains: dict[int, ProcedureSchema] = {}
    for other in schemas:
        if other.id == chosen.id:
            continue
        mine = len(stated - _parts(other))
        theirs = len(_stated(transcript, other) - _parts(chosen))
        if theirs >= TIMES_BETTER * mine + FIELDS_BETTER:
            gains[theirs - mine] = other
    return gains[max(gains)] if gains else None


def _parts(schema: ProcedureSchema) -> set[str]:
    """Its fields and tables: a row, however many columns it fills, tells no more of a procedure than one field."""
    return {target.partition(".")[0] for target in schema.target_index}


def _stated(transcript: Transcript, schema: ProcedureSchema) -> set[str]:
    return {claim.target.partition(".")[0] for claim in OfflineExtractor().read(transcript, schema).claims}
