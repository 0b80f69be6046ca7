"""How a field, its value and its unit are named to whoever reads a report."""

from endoscribe.extraction.record import Cell
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema

#: UCUM units as they are read.
UNIT_WORDS = {
    "a": "years", "mo": "months", "wk": "weeks", "d": "days", "[Ch]": "Fr", "ug": "mcg", "[in_i]": "inch",
    "kg/m2": "kg/m²", "Gy.cm2": "Gy·cm²", "10*9/L": "10⁹/L", "ug/g": "µg/g", "mm/a": "mm a year",
}  # fmt: skip


def value_text(cell: Cell, field: FieldSchema) -> str:
    """The value with its unit; what was dictated where the value is not valid."""
    if cell.value is None:
        return cell.as_dictated
    return plain_value(cell.value, field, cell.unit)


def plain_value(value: Value, field: FieldSchema | None, unit: str | None) -> str:
    if isinstance(value, tuple):
        return ", ".join(field.value_words(word) if field else word for word in value)
    text = field.value_words(value) if field else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {unit_text(unit)}".rstrip()


def unit_text(unit: str | None) -> str:
    """A unit as it is read; UCUM's annotations such as {score} are not."""
    if unit is None or unit.startswith("{"):
        return ""
    return UNIT_WORDS.get(unit, unit)


def target_label(target: str, schema: ProcedureSchema) -> str:
    """The label of a gap: a field's, a table's, or "Polyps: Size" for a column."""
    table, _, column = target.partition(".")
    if column and table in schema.tables:
        return f"{schema.tables[table].label}: {schema.tables[table].columns[column].label}"
    part = schema.fields.get(target) or schema.tables.get(target)
    return part.label if part else target
