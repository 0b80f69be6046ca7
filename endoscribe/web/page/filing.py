"""What can be done with a sentence that stands in no cell: proposals, any other field, a section, nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from endoscribe.extraction.labels import plain_value
from endoscribe.extraction.record import Record
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.filing import Destination, Proposal, destinations
from endoscribe.transcript import Transcript
from endoscribe.web.templates import render


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A button that files a sentence; `body` is what it sends."""

    label: str
    body: str


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """A field for which a form opens: its target, and the row, empty outside tables and for a new one."""

    target: str
    row: str
    label: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """Choices that belong together."""

    label: str
    choices: tuple[ChoiceView, ...]


def filing_html(record: Record, transcript: Transcript, schema: ProcedureSchema) -> dict[str, str]:
    """HTML by the sentence's characters, `12-40`."""
    return {_key(each): _html(each, schema) for each in destinations(record, transcript, schema)}


def _key(where: Destination) -> str:
    return f"{where.sentence.start}-{where.sentence.end}"


def _html(where: Destination, schema: ProcedureSchema) -> str:
    return render(
        "filing.html",
        proposals=[_proposal(each, schema) for each in where.proposals],
        nearest=[
            ChoiceView(target, "" if row is None else str(row), _name(target, row, schema))
            for target, row in where.nearest
        ],
        sections=list(schema.sections.items()),
        section=where.section,
    )


def _choice(target: str, row: int | None, schema: ProcedureSchema) -> ChoiceView:
    return ChoiceView(target, "" if row is None else str(row), _name(target, row, schema))


def _proposal(proposal: Proposal, schema: ProcedureSchema) -> ProposalView:
    first, _, column = proposal.cells[0].target.partition(".")
    said = [
        f"{schema.target_index[each.target].label}: "
        f"{plain_value(each.value, schema.target_index[each.target], schema.target_index[each.target].unit)}"
        for each in proposal.cells
    ]
    head = f"{_row_name(first, proposal.row, schema)}, " if column else ""
    cells = [
        {"target": each.target, "value": list(each.value) if isinstance(each.value, tuple) else _sent(each.value)}
        for each in proposal.cells
    ]
    return ProposalView(head + ", ".join(said), json.dumps({"row": proposal.row, "cells": cells}))


def _sent(value: object) -> bool | str:
    """As a form would send it."""
    return value if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _row_name(table: str, row: int | None, schema: ProcedureSchema) -> str:
    word = schema.tables[table].row
    return f"new {word}" if row is None else f"{word} {row + 1}"


def _name(target: str, row: int | None, schema: ProcedureSchema) -> str:
    table, _, column = target.partition(".")
    label = schema.target_index[target].label
    return f"{_row_name(table, row, schema)}: {label}" if column else label


def choices_html(record: Record, schema: ProcedureSchema) -> str:
    """Every field, by section; of tables every column of each row that the report has, and of a new one."""
    return render("choices.html", groups=[*_fields(schema), *_rows(record, schema)])


def _fields(schema: ProcedureSchema) -> Iterator[GroupView]:
    for section, label in schema.sections.items():
        inside = (field for field in schema.fields.values() if field.section == section)
        if choices := tuple(ChoiceView(field.id, "", field.label) for field in inside):
            yield GroupView(label, choices)


def _rows(record: Record, schema: ProcedureSchema) -> Iterator[GroupView]:
    for table in schema.tables.values():
        for row in (*range(len(record.tables.get(table.id, ()))), None):
            shown = "" if row is None else str(row)
            choices = (ChoiceView(f"{table.id}.{name}", shown, column.label) for name, column in table.columns.items())
            yield GroupView(_row_name(table.id, row, schema).capitalize(), tuple(choices))
