"""Numbers with a unit in running speech: "3 to 5 mm", "2 by 3 centimeters", "10 French", "three years"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from endoscribe.procedures.normalize import Token

#: Spoken beginnings of units; recognisers run the next word into them ("millimeterisle"), so a beginning is enough.
SPOKEN_UNITS = (
    ("mm", re.compile(r"^(mm|mil?lim|mils?$)")),
    ("cm", re.compile(r"^(cms?$|centim)")),
    ("fr", re.compile(r"^(french|fr$)")),
    ("min", re.compile(r"^(minutes?$|mins?$)")),
    ("sec", re.compile(r"^(seconds$|secs$)")),
    ("ml", re.compile(r"^(mls?$|milliliter|millilitre|ccs?$)")),
    ("inch", re.compile(r"^inch")),
    ("percent", re.compile(r"^(percent|%)")),
    ("mg", re.compile(r"^(mgs?$|milligram)")),
    ("mcg", re.compile(r"^(mcgs?$|microgram)")),
    ("year", re.compile(r"^(years?$|yrs?$|yearly$)")),
    ("month", re.compile(r"^(months?$|monthly$)")),
    ("week", re.compile(r"^(weeks?$)")),
    ("day", re.compile(r"^(days?$)")),
)

#: How much one of the first is in the second.
CONVERSIONS = {
    ("cm", "mm"): 10, ("mm", "cm"): 0.1, ("inch", "mm"): 25.4, ("year", "month"): 12, ("week", "month"): 12 / 52,
    ("sec", "min"): 1 / 60, ("min", "sec"): 60, ("month", "week"): 52 / 12, ("year", "week"): 52,
    ("mg", "mcg"): 1000, ("mcg", "mg"): 0.001,
}  # fmt: skip

#: The units that schemas name, as they are called here.
SCHEMA_UNITS = {
    "years": "year", "a": "year", "months": "month", "mo": "month", "weeks": "week", "wk": "week", "d": "day",
    "s": "sec", "Fr": "fr", "[Ch]": "fr", "mL": "ml", "ug": "mcg", "%": "percent", "[in_i]": "inch",
}  # fmt: skip

_RANGE_WORDS = ("to", "through", "until", "or", "maybe", "possibly", "perhaps")
_DIMENSION_WORDS = ("by", "x", "times", "cross", "across", "into", "and")


@dataclass(frozen=True, slots=True)
class Quantity:
    """Numbers as spoken, in one unit: a single one, the ends of a range, or dimensions."""

    numbers: tuple[float, ...]
    unit: str
    kind: Literal["single", "range", "dimensions"] = "single"

    def converted(self, unit: str) -> tuple[float, ...] | None:
        """The numbers in another unit; None where that makes no sense."""
        if unit == self.unit:
            return self.numbers
        factor = CONVERSIONS.get((self.unit, unit))
        return None if factor is None else tuple(round(number * factor, 6) for number in self.numbers)

    def in_unit(self, schema_unit: str | None) -> tuple[float, ...] | None:
        """The numbers in a unit as schemas name it; None where that makes no sense."""
        return self.converted(SCHEMA_UNITS.get(schema_unit or "", schema_unit or ""))

    def said_in(self, schema_units: Sequence[str]) -> str | None:
        """Which of several units, as schemas name them, was spoken."""
        return next((unit for unit in schema_units if SCHEMA_UNITS.get(unit, unit) == self.unit), None)


@dataclass(frozen=True, slots=True)
class PlacedQuantity:
    """A quantity and the words [first, after) that it takes up."""

    first: int
    after: int
    quantity: Quantity


def find_quantities(words: Sequence[Token]) -> list[PlacedQuantity]:
    """Every number with a unit, ranges and dimensions joined, in the order in which they were spoken."""
    found: list[PlacedQuantity] = []
    i = 0
    while i < len(words):
        placed = _with_seconds(words, _quantity_at(words, i))
        if placed is None:
            i += 1
        else:
            found.append(placed)
            i = placed.after
    return found


def _quantity_at(words: Sequence[Token], i: int) -> PlacedQuantity | None:
    """The longest quantity beginning at word i: numbers and their joining words, up to the last unit."""
    numbers: list[float] = []
    joints: list[str] = []
    units: list[str] = []
    after = i
    end: PlacedQuantity | None = None
    while after < len(words) and words[after].is_number:
        numbers.append(float(words[after].text))
        after += 1
        unit = _unit(words, after)
        if unit:
            after += 1
            if units and unit != units[-1] and (unit, units[-1]) not in CONVERSIONS:
                break
            units.append(unit)
            quantity = _joined(numbers, joints, units)
            if quantity is None:
                break
            end = PlacedQuantity(i, after, quantity)
        joint = words[after].text if after < len(words) else ""
        if not _joins(words, after, joint, stated=bool(unit)):
            break
        joints.append(joint)
        after += 1
    return end


def _with_seconds(words: Sequence[Token], placed: PlacedQuantity | None) -> PlacedQuantity | None:
    """ "14 minutes and 30 seconds" is 14.5 minutes."""
    if placed is None or placed.quantity.unit != "min" or placed.quantity.kind != "single":
        return placed
    number = placed.after + (words[placed.after].text == "and" if placed.after < len(words) else 0)
    if number + 1 >= len(words) or not words[number].is_number or _unit(words, number + 1) != "sec":
        return placed
    minutes = placed.quantity.numbers[0] + float(words[number].text) / 60
    return PlacedQuantity(placed.first, number + 2, Quantity((round(minutes, 4),), "min"))


def _joins(words: Sequence[Token], i: int, joint: str, *, stated: bool) -> bool:
    """Whether the word at i joins a number before it to one after it; "and" only joins what "between" announced."""
    if i + 1 >= len(words) or not words[i + 1].is_number:
        return False
    if joint == "and":
        return not stated and any(word.text == "between" for word in words[max(0, i - 2) : i])
    return joint in _RANGE_WORDS or joint in _DIMENSION_WORDS


def _joined(numbers: Sequence[float], joints: Sequence[str], units: Sequence[str]) -> Quantity | None:
    """None when the numbers do not belong together ("2 to 1 mm" is no range)."""
    if not joints:
        return Quantity((numbers[0],), units[0])
    unit = units[-1]
    scaled = list(numbers)
    if len(units) == len(numbers) and len(set(units)) > 1:
        scaled = [number * CONVERSIONS.get((own, unit), 1) for number, own in zip(numbers, units, strict=True)]
    if all(joint in (*_RANGE_WORDS, "and") for joint in joints):
        if len(scaled) == 2 and scaled[0] < scaled[1]:
            return Quantity(tuple(scaled), unit, "range")
        return None
    if all(joint in _DIMENSION_WORDS for joint in joints):
        return Quantity(tuple(scaled), unit, "dimensions")
    return None


def _unit(words: Sequence[Token], i: int) -> str | None:
    if i >= len(words) or not words[i].text[0].isalpha():
        return None
    return next((unit for unit, pattern in SPOKEN_UNITS if pattern.match(words[i].text)), None)
