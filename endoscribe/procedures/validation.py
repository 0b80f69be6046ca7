"""What a schema names and does not have: sections, topics, columns, fields in expressions, tags of sources.

The format itself says what keys and types there may be; here stands what no single key can know.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from keyword import iskeyword

from endoscribe.procedures.checks import PLACEHOLDER, ROWS_PLACEHOLDER, schema_names
from endoscribe.procedures.expressions import TRUTHS, ExpressionError, validate_expression
from endoscribe.procedures.notes.templates import template_fault
from endoscribe.procedures.notes.wording import Condition, ValuePlace, compile_wording, places
from endoscribe.procedures.phrases import check_phrase
from endoscribe.procedures.schema import (
    TAG,
    Advice,
    Cues,
    FieldSchema,
    ProcedureSchema,
    RowCues,
    Saying,
    TableSchema,
)
from endoscribe.procedures.yaml_source import Location


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a schema that cannot work, and where in the YAML it stands."""

    location: Location
    problem: str


def validate_schema(schema: ProcedureSchema) -> Iterator[Fault]:
    """Everything that names what is not there, with the nearest thing that is."""
    yield from _name_faults(schema)
    yield from _section_faults(schema)
    yield from _level_faults(schema)
    yield from _cue_faults(schema)
    yield from _expression_faults(schema)
    yield from _message_faults(schema)
    yield from _advice_faults(schema)
    yield from _source_faults(schema)
    yield from _example_faults(schema)
    yield from _narrative_faults(schema)
    yield from _normal_faults(schema)
    fault = template_fault(schema.note, schema_names(schema).fields)
    if fault:
        yield Fault(("note",), fault)


def _unknown(name: str, known: Iterable[str], kind: str) -> str:
    known = tuple(known)
    near = get_close_matches(name, known, n=1)
    if near:
        return f"there is no {kind} {name!r}; did you mean {near[0]!r}?"
    return f"there is no {kind} {name!r}" + (f"; there are {', '.join(known)}" if 0 < len(known) <= 12 else "")


def _parts(schema: ProcedureSchema) -> Iterator[tuple[Location, FieldSchema]]:
    """Every field and column, and where it stands."""
    for name, field in schema.fields.items():
        yield ("fields", name), field
    for name, table in schema.tables.items():
        for column in table.columns.values():
            yield ("tables", name, "columns", column.id), column


def _name_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    """Expressions name tables, fields and columns alike, so that a table's id must be its alone."""
    for location, field in _parts(schema):
        if field.id in schema.tables:
            yield Fault(location, f"the id {field.id!r} is a table's already")
        if iskeyword(field.id) or field.id in TRUTHS:
            yield Fault(location, f"{field.id!r} is a word of expressions and cannot be an id")


def _section_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    kinds: tuple[tuple[str, Mapping[str, FieldSchema | TableSchema]], ...] = (
        ("fields", schema.fields),
        ("tables", schema.tables),
    )
    for kind, parts in kinds:
        for name, part in parts.items():
            if part.section is None:
                yield Fault((kind, name), "a field outside tables needs a `section`")
            elif part.section not in schema.sections:
                yield Fault((kind, name, "section"), _unknown(part.section, schema.sections, "section"))


def _level_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    """C means "needed when": without a `when` it would never be asked for."""
    tables: list[tuple[Location, FieldSchema | TableSchema]] = [
        (("tables", name), table) for name, table in schema.tables.items()
    ]
    for location, part in [*_parts(schema), *tables]:
        levels = part.levels.values() if isinstance(part, FieldSchema) else ()
        if not part.when and "C" in (part.level, *levels):
            yield Fault((*location, "level"), "level C needs a `when`")


# -- cues ------------------------------------------------------------------------------------------------------------


def _cue_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    for topic, phrases in schema.topics.items():
        for phrase in phrases:
            try:
                check_phrase(phrase)
            except ValueError as error:
                yield Fault(("topics", topic), str(error))
    for location, field in _parts(schema):
        if field.cues:
            yield from _field_cue_faults(schema, location, field.cues)
    for name, table in schema.tables.items():
        if table.cues:
            yield from _row_cue_faults(("tables", name, "cues"), table, table.cues)


def _field_cue_faults(schema: ProcedureSchema, location: Location, cues: Cues) -> Iterator[Fault]:
    for key, topics in (("about", cues.about), ("not_about", cues.not_about), ("normal", cues.normal)):
        for topic in topics:
            if topic not in schema.topics:
                yield Fault((*location, "cues", key), _unknown(topic, schema.topics, "topic"))
    if cues.count_of and cues.count_of not in schema.tables:
        yield Fault((*location, "cues", "count_of"), _unknown(cues.count_of, schema.tables, "table"))
    columns = schema.tables[str(location[1])].columns if location[0] == "tables" else {}
    for column in cues.only_if:
        if column not in columns:
            yield Fault((*location, "cues", "only_if"), _unknown(column, columns, "column"))


def _row_cue_faults(location: Location, table: TableSchema, cues: RowCues) -> Iterator[Fault]:
    named = {
        "merge": cues.merge,
        "apart": cues.apart,
        "alike": cues.alike,
        "count": (cues.count,) if cues.count else (),
    }
    for key, columns in named.items():
        for column in columns:
            if column not in table.columns:
                yield Fault((*location, key), _unknown(column, table.columns, "column"))


# -- expressions and messages ----------------------------------------------------------------------------------------


def _expression_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    names = schema_names(schema)
    for location, text, table in _expressions(schema):
        try:
            validate_expression(text, names.within(table) if table else names)
        except ExpressionError as error:
            yield Fault(location, str(error))


def _expressions(schema: ProcedureSchema) -> Iterator[tuple[Location, str, str | None]]:
    """(place in the YAML, expression, table whose columns it may name)."""
    for check_id, check in schema.checks.items():
        yield ("checks", check_id, "when"), check.when, None
    for name, rule in schema.derived.items():
        yield ("derived", name, "expression"), rule.expression, None
    for location, field in _parts(schema):
        if field.when:
            yield (*location, "when"), field.when, str(location[1]) if location[0] == "tables" else None
    for name, table in schema.tables.items():
        if table.when:
            yield ("tables", name, "when"), table.when, None
    for name, advice in schema.advice.items():
        for place, text in _advice_expressions(advice):
            yield ("advice", name, *place), text, None


def _advice_expressions(advice: Advice) -> Iterator[tuple[Location, str]]:
    yield ("when",), advice.when
    if advice.entered:
        yield ("entered",), advice.entered
    for reason, condition in advice.not_when.items():
        yield ("not_when", reason), condition
    for row_id, row in advice.rows.items():
        yield ("rows", row_id, "when"), row.when


def _message_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    columns = {column for table in schema.tables.values() for column in table.columns}
    known = schema_names(schema).fields.keys() | columns | {ROWS_PLACEHOLDER}
    messages: list[tuple[Location, str]] = [
        (("checks", name, "message"), check.message) for name, check in schema.checks.items()
    ]
    messages += [(("advice", name, "not_when"), text) for name, rule in schema.advice.items() for text in rule.not_when]
    for location, message in messages:
        unknown = set(PLACEHOLDER.findall(message)) - known
        if unknown:
            yield Fault(location, f"there is no field {min(unknown)!r} to put in the message")


def _advice_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    for name, advice in schema.advice.items():
        if advice.compare and advice.compare not in schema.fields:
            yield Fault(("advice", name, "compare"), _unknown(advice.compare, schema.fields, "field"))
    for name, rule in schema.derived.items():
        if rule.compare and rule.compare not in schema.fields:
            yield Fault(("derived", name, "compare"), _unknown(rule.compare, schema.fields, "field"))


def _source_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    for location, source in _sources(schema):
        for tag in TAG.findall(source):
            if tag not in schema.references:
                yield Fault((*location, "source"), _unknown(tag, schema.references, "reference"))


def _sources(schema: ProcedureSchema) -> Iterator[tuple[Location, str]]:
    for location, field in _parts(schema):
        if field.source:
            yield location, field.source
    for name, check in schema.checks.items():
        yield ("checks", name), check.source
    for name, threshold in schema.thresholds.items():
        yield ("thresholds", name), threshold.source
    for name, advice in schema.advice.items():
        for row_id, row in advice.rows.items():
            yield ("advice", name, "rows", row_id), row.source


# -- worked examples -------------------------------------------------------------------------------------------------


def _example_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    for i, example in enumerate(schema.examples):
        for j, cell in enumerate(example.cells):
            where = ("examples", i, "cells", j)
            if cell.field not in schema.target_index:
                yield Fault((*where, "field"), _unknown(cell.field, schema.target_index, "field"))
            elif (cell.row is None) is ("." in cell.field):
                yield Fault(where, f"{cell.field}: columns have a row, other fields have none")


# -- the note --------------------------------------------------------------------------------------------------------

#: What a condition may ask of any field: `{size_mm=unstated}`.
ASKED_OF_ALL = frozenset({"stated", "unstated"})


def _narrative_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    for name, part in schema.narrative.items():
        for index, saying in enumerate(part.say):
            for problem in _saying_problems(saying, schema):
                yield Fault(("narrative", name, "say", index), problem)


def _saying_problems(saying: Saying, schema: ProcedureSchema) -> Iterator[str]:
    """What a sentence names and the schema does not have."""
    known = {**schema.derived, **schema.fields, **schema.tables}
    if saying.is_bare and str(saying.text) not in known:
        yield _unknown(str(saying.text), known, "field or table")
    if saying.table is not None:
        if saying.table not in schema.tables:
            yield _unknown(saying.table, schema.tables, "table")
            return
        known = {**schema.tables[saying.table].columns}
    for source in saying.wordings:
        for place in places(compile_wording(source)):
            if place.name not in known:
                yield _unknown(place.name, known, "column" if saying.table else "field")
            elif problem := _place_problem(place, known[place.name]):
                yield problem


def _place_problem(place: ValuePlace | Condition, part: object) -> str | None:
    if isinstance(place, ValuePlace):
        return f"a table has no value: {place.name}" if isinstance(part, TableSchema) else None
    allowed: Iterable[str] | None = None
    if isinstance(part, TableSchema) or (isinstance(part, FieldSchema) and part.type == "boolean"):
        allowed = ("yes", "no")
    elif isinstance(part, FieldSchema) and part.values:
        allowed = part.values
    unknown = sorted(set(place.values) - ASKED_OF_ALL - set(allowed)) if allowed is not None else []
    return _unknown(unknown[0], allowed or (), f"value of {place.name}") if unknown else None


def _normal_faults(schema: ProcedureSchema) -> Iterator[Fault]:
    for name, normal in schema.normals.items():
        where = ("normals", name)
        if normal.section not in schema.sections:
            yield Fault((*where, "section"), _unknown(normal.section, schema.sections, "section"))
        for table in normal.without:
            if table not in schema.tables:
                yield Fault((*where, "without"), _unknown(table, schema.tables, "table"))
        for target, value in normal.sets.items():
            field = schema.fields.get(target)
            if field is None:
                yield Fault((*where, "sets"), _unknown(target, schema.fields, "field"))
            elif (field.type == "boolean") is not isinstance(value, bool):
                yield Fault((*where, "sets", target), "true and false are values of boolean fields, and of no others")
            elif field.values and str(value) not in field.values:
                yield Fault((*where, "sets", target), _unknown(str(value), field.values, "value"))
