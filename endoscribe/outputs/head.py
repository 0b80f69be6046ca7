"""What heads a report: the context of the examination, in words."""

from collections.abc import Iterator

from endoscribe.outputs.sentences import date_words
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.context import CONTEXT_LABELS, ExamContext

#: What of a context is a day.
DAYS = ("date", "birth_date")


def head_facts(context: ExamContext, schema: ProcedureSchema) -> Iterator[tuple[str, str]]:
    """Labels and what is known, the facility first."""
    for name, value in context.given().items():
        yield CONTEXT_LABELS[name], date_words(value, schema.spelling) if name in DAYS else value
