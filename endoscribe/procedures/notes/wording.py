"""How a note words what was stated: sentences of a schema's `narrative`, with places for values.

The {extent_reached} was reached.             stands only when the field was stated
Withdrawal took {withdrawal_time_min}[ with {insufflation}].   what is in brackets may be missing
[{method=none}left in place|removed by {method}]               the first of several that stands
{count:a} {count:polyp/polyps}                "A polyp", "Three polyps"; not stated means one
{a} [{size_mm}] mass                          "A mass", "An 8 mm mass"
{size_mm:number} x {size2_mm}                 the number without its unit
{retrieved=yes}, {method!=none}, {polyps=no}  a condition writes nothing; a table is `yes` when it has rows
{size_mm=stated}, {size_mm=unstated}          whether anything was said
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

#: Stands for "a" or "an" until the word after it is known.
ARTICLE = "\ue000"
#: A phrase is short and names few values, so that what is made of it is bounded, too.
LONGEST_WORDING = 1200
MOST_PLACES = 60
DEEPEST = 4
_PIECE = re.compile(r"\{[^{}]*\}|[\[\]|]|[^\[\]{}|]+|[{}]")
_PLACE = re.compile(
    r"\{(?P<name>[a-z][a-z0-9_]*)(?:(?P<sign>!?=)(?P<values>[^:=]+)|:(?P<form>number|a|[^/:=]*/[^/:=]*))?\}"
)


@dataclass(frozen=True)
class ValuePlace:
    """Where a value stands: as it is read, `number`, `a`, or one of two words by its number."""

    name: str
    form: str | None = None


@dataclass(frozen=True)
class Condition:
    """True when the value is (or is not) one of these."""

    name: str
    values: tuple[str, ...]
    is_negated: bool


@dataclass(frozen=True)
class Choice:
    """The first alternative that can stand; an optional one may be nothing."""

    alternatives: tuple["Wording", ...]
    is_optional: bool


Wording = tuple[str | ValuePlace | Condition | Choice, ...]


@lru_cache(maxsize=8192)
def compile_wording(source: str) -> Choice:
    """Read one sentence; raises ValueError saying what is wrong with it."""
    if len(source) > LONGEST_WORDING or source.count("{") > MOST_PLACES:
        raise ValueError(f"a sentence has {LONGEST_WORDING} signs and {MOST_PLACES} places at most")
    pieces = [match.group() for match in _PIECE.finditer(source)]
    choice = Choice(tuple(_alternatives(iter(pieces), 0, closed_by=None)), is_optional=False)
    if not any(True for _ in places(choice)):
        raise ValueError("a sentence names at least one field")
    return choice


def places(choice: Choice) -> Iterator[ValuePlace | Condition]:
    """Every place and condition of a sentence, in its order."""
    for alternative in choice.alternatives:
        for piece in alternative:
            if isinstance(piece, Choice):
                yield from places(piece)
            elif not isinstance(piece, str):
                yield piece


def _alternatives(pieces: Iterator[str], depth: int, *, closed_by: str | None) -> list[Wording]:
    if depth > DEEPEST:
        raise ValueError(f"brackets stand within brackets {DEEPEST} times at most")
    found: list[list[str | ValuePlace | Condition | Choice]] = [[]]
    for piece in pieces:
        if piece == closed_by:
            return [tuple(alternative) for alternative in found]
        if piece == "[":
            found[-1].append(_optional(_alternatives(pieces, depth + 1, closed_by="]")))
        elif piece == "|":
            found.append([])
        elif piece in ("]", "{", "}"):
            raise ValueError(f"there is a {piece!r} too many")
        else:
            found[-1].append(_place(piece) if piece.startswith("{") else piece.replace(ARTICLE, ""))
    if closed_by:
        raise ValueError("a bracket is not closed")
    return [tuple(alternative) for alternative in found]


def _optional(alternatives: list[Wording]) -> Choice:
    """What may be missing: it would never be, were the first alternative to name nothing itself."""
    if not any(isinstance(piece, ValuePlace | Condition) for piece in alternatives[0]):
        raise ValueError("what stands in brackets begins with something that names a field")
    return Choice(tuple(alternatives), is_optional=True)


def _place(piece: str) -> str | ValuePlace | Condition:
    if piece == "{a}":
        return ARTICLE
    match = _PLACE.fullmatch(piece)
    if match is None:
        raise ValueError(f"{piece} is neither a place nor a condition")
    if match["sign"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        return Condition(match["name"], values, match["sign"] == "!=")
    return ValuePlace(match["name"], match["form"])
