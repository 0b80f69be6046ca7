"""Dates as they are spoken: "the 17th of September, 2024", "September 17 2024"."""

from collections.abc import Sequence
from datetime import date

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_PASSED = frozenset({"the", "of", ",", "st", "nd", "rd", "th", "on", "day"})
_ORDINALS = {
    word: number
    for number, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"), start=1
    )
}
EARLIEST_YEAR = 1990
LATEST_YEAR = 2100


def spoken_date(words: Sequence[str]) -> tuple[date | None, int]:
    """The date with which plain words begin, and how many of them it takes; (None, 0) when it is not complete."""
    day = month = year = None
    for index, word in enumerate(words):
        if word in MONTHS:
            month = MONTHS.index(word) + 1
        elif word in _ORDINALS:
            day = _ORDINALS[word]
        elif word.isdigit() and EARLIEST_YEAR <= int(word) <= LATEST_YEAR:
            year = int(word)
        elif word.isdigit() and 1 <= int(word) <= 31 and day is None:
            day = int(word)
        elif word not in _PASSED:
            break
        if day and month and year:
            return _valid(year, month, day), index + 1
    return None, 0


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
