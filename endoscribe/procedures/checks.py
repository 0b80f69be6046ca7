"""What a schema's rules say about a report: derived values, checks that fire, and what is still missing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from endoscribe.procedures.advice import advise, excluded, interval_text, mentioned, withheld
from endoscribe.procedures.expressions import (
    AllowedValues,
    Expression,
    Names,
    Outcome,
    Stated,
    Value,
    expression,
)
from endoscribe.procedures.schema import (
    OWN_RULE,
    Advice,
    Basis,
    Derived,
    FieldSchema,
    Level,
    ProcedureSchema,
    Severity,
    TableSchema,
)

#: `{bbps_total}` in a message stands for a value, `{rows}` for the rows in which an `any_row` was true.
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
ROWS_PLACEHOLDER = "rows"
NOT_STATED = "not stated"
#: Digits that a computed number keeps: enough for minutes and millimetres, none of the noise of binary fractions.
DERIVED_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check that fired."""

    id: str
    severity: Severity
    message: str
    fields: tuple[str, ...]
    source: str
    basis: Basis = "ours"  # whether a source says so that was read, one that is only named, or none


def derive(schema: ProcedureSchema, stated: Stated) -> dict[str, Value]:
    """The schema's derived values that can be computed; a later one may use an earlier one."""
    known = {**schema.limits, **stated.fields}
    derived: dict[str, Value] = {}
    for name, rule in schema.derived.items():
        value = expression(rule.expression).evaluate(replace(stated, fields=known)).value
        if value is not None:
            derived[name] = known[name] = round(value, DERIVED_DIGITS) if isinstance(value, float) else value
    return derived


def run_checks(schema: ProcedureSchema, stated: Stated) -> tuple[Verdict, ...]:
    """The schema's checks that fire, and derived values that contradict what was dictated, in the schema's order."""
    known = replace(stated, fields={**schema.limits, **stated.fields, **derive(schema, stated)})
    verdicts = [_disagreement(schema, name, rule, known) for name, rule in schema.derived.items()]
    verdicts += [_verdict(schema, check_id, known) for check_id in schema.checks]
    verdicts += [verdict for name in schema.advice for verdict in _advised(schema, name, known)]
    return tuple(verdict for verdict in verdicts if verdict)


def find_gaps(schema: ProcedureSchema, stated: Stated) -> tuple[str, ...]:
    """What a complete report needs and was not stated: fields, `polyps.size_mm` for columns, tables without rows."""
    known = replace(stated, fields={**schema.limits, **stated.fields, **derive(schema, stated)})
    gaps = [name for name, part in schema.fields.items() if known.fields.get(name) is None and _needed(part, known)]
    for name, table in schema.tables.items():
        rows = known.tables.get(name, ())
        if not rows and _needed(table, known):
            gaps.append(name)
        gaps += [f"{name}.{column.id}" for column in table.columns.values() if _lacking(column, known, rows)]
    return tuple(gaps)


def schema_names(schema: ProcedureSchema) -> Names:
    """What this schema's expressions may name."""
    fields: dict[str, AllowedValues] = {name: _words(part) for name, part in schema.fields.items()}
    fields |= dict.fromkeys((*schema.derived, *schema.thresholds))
    tables = {
        name: {column: _words(part) for column, part in table.columns.items()} for name, table in schema.tables.items()
    }
    return Names(fields, tables)


def _words(part: FieldSchema) -> AllowedValues:
    return frozenset(part.values) if part.values else None


def _needed(part: FieldSchema | TableSchema, stated: Stated, row: Mapping[str, Value | None] | None = None) -> bool:
    level: Level = part.level
    if isinstance(part, FieldSchema) and part.context:
        return False
    if level == "C" and part.when:
        return expression(part.when).evaluate(stated, row).value is True
    return level == "M"


def _lacking(column: FieldSchema, stated: Stated, rows: Sequence[Mapping[str, Value | None]]) -> bool:
    return any(row.get(column.id) is None and _needed(column, stated, row) for row in rows)


def _verdict(schema: ProcedureSchema, check_id: str, stated: Stated) -> Verdict | None:
    check = schema.checks[check_id]
    rule = expression(check.when)
    outcome = rule.evaluate(stated)
    if outcome.value is not True:
        return None
    where = ", ".join(check.jurisdiction).upper()
    source = f"{check.source} ({where})" if where else check.source
    message = _message(schema, check.message, stated, outcome)
    return Verdict(check_id, check.severity, message, _targets(schema, rule), source, schema.basis(check.source))


def _disagreement(schema: ProcedureSchema, name: str, rule: Derived, stated: Stated) -> Verdict | None:
    """Where what was computed and what was dictated or entered differ by more than the tolerance."""
    computed, dictated = stated.fields.get(name), stated.fields.get(rule.compare or "")
    if rule.compare is None or computed is None or dictated is None:
        return None
    if isinstance(computed, int | float) and isinstance(dictated, int | float):
        if abs(computed - dictated) <= rule.tolerance:
            return None
    elif computed == dictated:
        return None
    said = schema.fields[rule.compare].value_words(dictated) if rule.compare in schema.fields else str(dictated)
    message = f"{rule.label}: {_number(computed)} by calculation, {said} {_origin(rule.compare, stated)}."
    looked_at = (*_targets(schema, expression(rule.expression)), rule.compare)
    return Verdict(name, rule.severity, message, looked_at, OWN_RULE)


def _origin(field: str, stated: Stated) -> str:
    return "entered by hand" if field in stated.by_hand else "as dictated"


def _targets(schema: ProcedureSchema, rule: Expression) -> tuple[str, ...]:
    """The fields and columns that the rule looks at; `polyps.bbps_left` in a row condition is the field bbps_left."""
    found: list[str] = []
    for name in rule.names:
        own = name.rpartition(".")[2]
        known = name in schema.target_index or name in schema.tables
        found.append(name if known else own)
    computed = schema.derived.keys() | schema.thresholds.keys()
    return tuple(dict.fromkeys(name for name in found if name not in computed))


def _advised(schema: ProcedureSchema, name: str, stated: Stated) -> Iterator[Verdict]:
    """What follows from an advice's table, or why nothing does, and whether the dictated interval is in keeping."""
    rule = schema.advice[name]
    heard = replace(stated, unheard=frozenset())  # what speaks against it is looked for in the words
    advised, reason = advise(rule, heard), excluded(rule, heard)
    if reason:
        why = f"{rule.label}: not given, since {_message(schema, reason, stated, Outcome(None))}."
        first = next(iter(rule.rows.values())).source
        yield _told(schema, name, mentioned(rule, stated) or why, _reasons(schema, rule), first)
    if advised is None:
        return
    if why_not := withheld(rule, stated):
        yield _told(schema, name, why_not, _targets(schema, expression(rule.when)), advised.rows[0].source)
        return
    looked_at = [target for row in advised.rows for target in _targets(schema, expression(row.when))]
    fields = tuple(dict.fromkeys([*looked_at, *([rule.compare] if rule.compare else [])]))
    source = "".join(dict.fromkeys(row.source for row in advised.rows))
    yield _told(schema, name, advised.sentence, fields, source)
    dictated = stated.fields.get(rule.compare or "")
    if isinstance(dictated, int | float) and not advised.allows(dictated):
        said = interval_text((dictated, dictated), rule.unit)
        message = f"{rule.label}: {said} {_origin(rule.compare or '', stated)} fits none of the rows that may hold."
        yield Verdict(f"{name}_interval", "warning", message, fields, source, schema.basis(source))


def _told(schema: ProcedureSchema, name: str, message: str, fields: tuple[str, ...], source: str) -> Verdict:
    return Verdict(name, "info", message, fields, source, schema.basis(source))


def _reasons(schema: ProcedureSchema, rule: Advice) -> tuple[str, ...]:
    """The fields that may keep an advice from being given."""
    looked_at = [target for condition in rule.not_when.values() for target in _targets(schema, expression(condition))]
    return tuple(dict.fromkeys(looked_at))


def _message(schema: ProcedureSchema, template: str, stated: Stated, outcome: Outcome) -> str:
    """The message with its placeholders filled; a column's value is that of the first row that fired."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == ROWS_PLACEHOLDER:
            return _row_names(schema, outcome)
        for table, index in outcome.rows[:1]:
            column = schema.tables[table].columns.get(name)
            if column:
                return _shown(column, stated.tables[table][index].get(name))
        return _shown(schema.fields.get(name), stated.fields.get(name))

    return PLACEHOLDER.sub(fill, template)


def _row_names(schema: ProcedureSchema, outcome: Outcome) -> str:
    return ", ".join(f"{schema.tables[table].row} {index + 1}" for table, index in outcome.rows)


def _shown(part: FieldSchema | None, value: Value | None) -> str:
    if value is None:
        return NOT_STATED
    if part is None:
        return _number(value)
    return ", ".join(map(part.value_words, value)) if isinstance(value, tuple) else part.value_words(value)


def _number(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
