"""How long schemas take to load and their checks to run: `python benchmarks/schemas.py`.

Prints, for this machine, the time to load the shipped folder (the first time in a process, and again) and, for each
procedure, the time for all derived values, checks, advice and gaps of a full record: every field and every column
stated, ten rows in each table.
"""

import time
from collections.abc import Callable
from statistics import median

from endoscribe.procedures.checks import find_gaps, run_checks
from endoscribe.procedures.expressions import Stated, Value
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR

ROWS = 10
RUNS = 15


def main() -> None:
    began_s = time.perf_counter()
    library = SchemaLibrary(SHIPPED_SCHEMA_DIR, jurisdiction="us")
    first_s = time.perf_counter() - began_s
    again_s = [timed(lambda: SchemaLibrary(SHIPPED_SCHEMA_DIR, jurisdiction="us")) for _ in range(RUNS)]
    print(f"load the shipped schemas: first {first_s * 1000:.0f} ms, again {median(again_s) * 1000:.0f} ms (median)")
    print("procedure  fields  columns  checks  fired  checks and advice ms  gaps ms  (medians)")
    for schema in library:
        stated = full_record(schema)
        checks_ms = median(timed(lambda: run_checks(schema, stated)) for _ in range(RUNS)) * 1000  # noqa: B023
        gaps_ms = median(timed(lambda: find_gaps(schema, stated)) for _ in range(RUNS)) * 1000  # noqa: B023
        columns = sum(len(table.columns) for table in schema.tables.values())
        fired = len(run_checks(schema, stated))
        print(
            f"{schema.id:9}  {len(schema.fields):6}  {columns:7}  {len(schema.checks):6}  {fired:5}"
            f"  {checks_ms:20.2f}  {gaps_ms:7.2f}"
        )


def timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def full_record(schema: ProcedureSchema) -> Stated:
    """Something stated everywhere."""
    fields = {name: some_value(field) for name, field in schema.fields.items()}
    rows = {
        name: [{column.id: some_value(column) for column in table.columns.values()} for _ in range(ROWS)]
        for name, table in schema.tables.items()
    }
    return Stated(fields, rows)


def some_value(field: FieldSchema) -> Value:
    if field.values:
        word = list(field.values)[len(field.values) // 2]
        return (word,) if field.type == "multi" else word
    plain: dict[str, Value] = {"boolean": True, "date": "2025-01-31", "time": "10:30", "text": "as spoken"}
    lowest, highest = field.range or (1, 9)
    return plain.get(field.type, (lowest + highest) // 2)


if __name__ == "__main__":
    main()
