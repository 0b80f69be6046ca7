"""Whether a number stands in the words that it is said to rest on: in figures, in words, or in another unit."""

from collections import Counter
from collections.abc import Iterator, Sequence

from endoscribe.extraction.reading.quantities import CONVERSIONS, SCHEMA_UNITS, SPOKEN_UNITS, find_quantities
from endoscribe.extraction.verification.quote_context import DENYING_WORDS
from endoscribe.procedures.normalize import Token

#: Difference that two ways of writing the same number may leave.
NUMBER_TOLERANCE = 0.005
#: Relative difference that a unit conversion may leave (25.4 mm said as one inch and written as 25).
CONVERSION_TOLERANCE = 0.02
EXACT_CONVERSIONS = frozenset(
    {("cm", "mm"), ("mm", "cm"), ("mg", "mcg"), ("mcg", "mg"), ("min", "sec"), ("year", "month")}
)
WORD_NUMBERS = {
    "another": 1, "once": 1, "solitary": 1, "first": 1, "both": 2, "pair": 2, "twice": 2, "second": 2, "third": 3,
    "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11,
    "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17,
    "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "dozen": 12,
    "o": 0, "oh": 0, "nil": 0, "half": 0.5,
}  # fmt: skip
#: Recognisers write these for 2, 4, 8 and 1; believed only where a number would stand: at the end or before a unit.
HOMOPHONES = {"to": 2, "too": 2, "for": 4, "ate": 8, "won": 1}
#: Those that nobody dictates.
UNLIKELY_WORDS = {"ate": 8, "won": 1}
SINGULAR_WORDS = frozenset({"a", "an", "another", "one", "single", "the", "this"})
MANY_WORDS = frozenset({"few", "many", "multiple", "numerous", "several", "some", "no", "not", "without"})
#: Units that sound alike.
_NEAR_UNITS = {"mm": ("ml",), "ml": ("mm", "mg"), "mg": ("ml",), "cm": ("ml",)}
PERIOD_WORDS = {"annual": "year", "annually": "year", "yearly": "year", "monthly": "month", "weekly": "week"}


def numbers_in(words: Sequence[Token], unit: str | None) -> Iterator[tuple[float, float]]:
    """Every number that the words can mean in `unit`, with its tolerance; one in a unit that does not fit is none."""
    wanted = SCHEMA_UNITS.get(unit or "", unit or "")
    known = {unit for unit, _ in SPOKEN_UNITS}
    for index, word in enumerate(words):
        number = _number_of(words, index)
        own = PERIOD_WORDS.get(word.text) or _unit_after(words, index + 1)
        if number is None:
            number = 1.0 if word.text in PERIOD_WORDS or (word.text in ("a", "an", "every", "next") and own) else None
        if number is None:
            continue
        if own == wanted == "min" and (whole := _minutes_and_seconds(words, index, number)):
            yield whole, NUMBER_TOLERANCE
        if own is None or wanted not in known or own == wanted:
            yield number, NUMBER_TOLERANCE
        elif (own, wanted) in CONVERSIONS:
            yield _converted(number, own, wanted)
        if own is None:
            yield from _before_shared_unit(words, index, number, wanted)


def may_be_misheard(number: float, words: Sequence[Token]) -> bool:
    """Whether a word of another meaning that sounds like the number stands where none would: "Boston won"."""
    return any(UNLIKELY_WORDS.get(word.text) == number for word in words)


def is_in_foreign_unit(number: float, words: Sequence[Token], unit: str | None) -> bool:
    """Whether the number stands there in a unit that measures something else: "3 millimeters" of fluid, misheard."""
    wanted = SCHEMA_UNITS.get(unit or "", unit or "")
    for index in range(len(words)):
        own = _unit_after(words, index + 1)
        if own and _number_of(words, index) == number and not _is_convertible(own, wanted):
            return wanted in _NEAR_UNITS.get(own, ())
    return False


def _is_convertible(unit: str, wanted: str) -> bool:
    return (unit, wanted) in CONVERSIONS or (wanted, unit) in CONVERSIONS


def _minutes_and_seconds(words: Sequence[Token], index: int, minutes: float) -> float | None:
    """The minutes of "14 minutes and 30 seconds", from the index of its first number."""
    later = index + 2 + (index + 2 < len(words) and words[index + 2].text == "and")
    if later + 1 >= len(words) or not words[later].is_number or not words[later + 1].text.startswith("sec"):
        return None
    return round(minutes + float(words[later].text) / 60, 4)


def _converted(number: float, unit: str, wanted: str) -> tuple[float, float]:
    converted = number * CONVERSIONS[unit, wanted]
    is_rough = (unit, wanted) not in EXACT_CONVERSIONS
    return converted, max(NUMBER_TOLERANCE, CONVERSION_TOLERANCE * abs(converted) if is_rough else 0)


def _number_of(words: Sequence[Token], index: int) -> float | None:
    text = words[index].text
    if words[index].is_number:
        return float(text)
    if text in HOMOPHONES:
        ends = index + 1 == len(words) or words[index + 1].text in ".,"
        return float(HOMOPHONES[text]) if index > 0 and (ends or _unit_after(words, index + 1)) else None
    return float(WORD_NUMBERS[text]) if text in WORD_NUMBERS else None


def _unit_after(words: Sequence[Token], index: int) -> str | None:
    """The unit of a number that ends before `index`; "half a centimeter" has an article in between."""
    if index < len(words) and words[index].text in ("a", "an"):
        index += 1
    if index >= len(words):
        return None
    return next((unit for unit, pattern in SPOKEN_UNITS if pattern.match(words[index].text)), None)


def _before_shared_unit(
    words: Sequence[Token], index: int, number: float, wanted: str
) -> Iterator[tuple[float, float]]:
    """In "two by three centimeters" and "3, 4 and 6 cm" the unit stands once, after the last number."""
    for later in range(index + 1, min(len(words), index + 10)):
        if not words[later].is_number and words[later].text not in ("to", "by", "x", "and", ",", "or"):
            return
        unit = _unit_after(words, later + 1) if words[later].is_number else None
        if unit:
            if (unit, wanted) in CONVERSIONS:
                yield _converted(number, unit, wanted)
            return


def names_one_thing(words: Sequence[Token]) -> bool:
    """Whether a quote can stand for one thing, as "stent" or "the polyp" does: no number of things, nothing of many."""
    return bool(words) and not _bare_numbers(words) and not any(word.text in MANY_WORDS for word in words)


def counts(number: float, words: Sequence[Token]) -> bool:
    """Whether a count follows without its number: none denied, a single thing, several things told one by one."""
    texts = {word.text for word in words}
    bare = _bare_numbers(words)
    if number == 0:
        return bool(texts & DENYING_WORDS)
    if number == 1:
        return bool(texts & SINGULAR_WORDS) and not bare
    return number == sum(bare) or number == _measured_things(words)


def _measured_things(words: Sequence[Token]) -> int:
    """How many sizes in one unit are told: "3 mm and 4 mm" are two, "5 to 7 mm" and "7 French by 5 cm" are one."""
    placed = find_quantities(words)
    joined = {index for each in placed for index in range(each.first, each.after)}
    listed = sum(word.is_number and index not in joined for index, word in enumerate(words) if _is_listed(words, index))
    units = Counter(each.quantity.unit for each in placed)
    return max(units.values(), default=0) + (listed if placed else 0)


def _is_listed(words: Sequence[Token], index: int) -> bool:
    """Whether a number without a unit shares that of a later one: the 3 of "3, 4 and 6 mm"."""
    following = index + 1
    while following < len(words) and (words[following].is_number or words[following].text in (",", "and", "or")):
        following += 1
    return following > index + 1 and _unit_after(words, following) is not None


def _bare_numbers(words: Sequence[Token]) -> list[float]:
    """Numbers that can count things: without a unit, and not "a 20" with a unit that was misheard."""
    return [
        float(word.text)
        for index, word in enumerate(words)
        if word.is_number
        and not _unit_after(words, index + 1)
        and not (index > 0 and words[index - 1].text in ("a", "an", "another"))
        and not _is_joined(words, index)
    ]


def _is_joined(words: Sequence[Token], index: int) -> bool:
    """Whether a number is the first of a range or of dimensions: "5 to 7 mm"."""
    return index + 2 < len(words) and words[index + 1].text in ("to", "by", "x") and words[index + 2].is_number
