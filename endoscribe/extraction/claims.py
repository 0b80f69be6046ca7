"""What a reader of a transcript says it heard, before anybody has verified it."""

from collections.abc import Callable
from dataclasses import dataclass

from endoscribe.procedures.expressions import Value as Value  # noqa: PLC0414  (also known by this name here)


@dataclass(frozen=True, slots=True)
class Claim:
    """One cell: the target (`bbps_right`, `polyps.size_mm`), its row, the value as given, and the words it rests on.

    `value` may still be the text that a model wrote ("6", "true"): verification types it. `start` is the character
    offset of the quote where the reader knows it; a model does not.
    """

    target: str
    value: Value
    quote: str
    row: int | None = None  # 0-based; None outside tables
    start: int | None = None


#: Called with all claims so far, each time that there are more.
OnClaims = Callable[[tuple[Claim, ...]], None]
