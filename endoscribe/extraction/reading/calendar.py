"""Dates and times of day as they are spoken: "the 17th of September, 2024", "10:02", "eleven oh five", "2:15 pm"."""

import re
from collections.abc import Sequence
from datetime import date, time

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
_CLOCK = re.compile(r"(\d{1,2})\.?(\d\d)")
_OH = ("oh", "o", "0")
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


def spoken_time(words: Sequence[str]) -> tuple[time | None, int]:
    """The time of day with which plain words begin, and how many of them it takes; (None, 0) when there is none.

    Minutes have two digits ("10 02", "9.45", "1014", "11 oh 5"); an hour alone is a time only with "am" or "pm".
    """
    hour, minute, after = _hour_and_minute(words)
    half, length = _half_of_day(words[after:])
    if hour is None or (minute is None and not half) or (half and not 1 <= hour <= 12):
        return None, 0
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or (minute or 0) > 59:
        return None, 0
    return time(hour, minute or 0), after + length


def _hour_and_minute(words: Sequence[str]) -> tuple[int | None, int | None, int]:
    """Hour, minute, and how many words they take."""
    first = words[0] if words else ""
    if match := _CLOCK.fullmatch(first):
        return int(match[1]), int(match[2]), 1
    if not (first.isdigit() and len(first) <= 2):
        return None, None, 0
    second, third = (*words[1:3], "", "")[:2]
    if second.isdigit() and len(second) == 2:
        return int(first), int(second), 2
    if second in _OH and third.isdigit() and len(third) == 1:
        return int(first), int(third), 3
    return int(first), None, 1


def _half_of_day(words: Sequence[str]) -> tuple[str, int]:
    """ "a" or "p" for am or pm, and how many words say it."""
    if words and words[0] in ("am", "pm"):
        return words[0][0], 1
    if len(words) > 2 and words[0] in ("a", "p") and [word for word in words[1:4] if word != "."][:1] == ["m"]:
        return words[0], 3 if words[1] == "." else 2
    return "", 0
