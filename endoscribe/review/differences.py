"""Where two records give a cell differently."""

from dataclasses import dataclass

from endoscribe.extraction.record import Cell, Record, cells
from endoscribe.review.edits import value_and_quote


@dataclass(frozen=True)
class Difference:
    """A cell that two records give differently; None where one says nothing of it."""

    target: str
    row: int | None
    left: Cell | None
    right: Cell | None


def differences(left: Record, right: Record) -> tuple[Difference, ...]:
    """The cells whose value differs, those of the left record first in their order."""
    before = {(target, row): cell for target, row, cell in cells(left)}
    after = {(target, row): cell for target, row, cell in cells(right)}
    pairs = ((key, before.get(key), after.get(key)) for key in dict.fromkeys([*before, *after]))
    return tuple(
        Difference(*key, one, other) for key, one, other in pairs if value_and_quote(one) != value_and_quote(other)
    )
