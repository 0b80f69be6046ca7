"""What is listened for where a schema gives a field no cues: its own name, its values' names, its unit.

So a new procedure is read before anybody has written a cue for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from endoscribe.procedures.normalize import plain_words

#: Sections of which people speak before the examination begins.
TOLD_BEFORE = frozenset({"patient", "sedation", "preparation", "indication", "history", "general"})
#: What may stand between a field's name and its number.
_LINK = "(score|grade|total|value|level) (is|of|at|to|measures|measured|measuring) (about|approximately|around)"
#: Words of a label that nobody says: "Number of clips", "Size of the mass".
_SILENT = ("number of", "count of", "no of", "count", "number")
#: Units with which a number is always said.
_MEASURED = frozenset({"mm", "cm", "min", "mL", "mg", "ug", "Fr", "%", "s", "d", "wk", "mo", "a", "months", "years"})


def default_cues(
    label: str, spoken: Sequence[str], kind: str, unit: str | None, section: str | None
) -> Mapping[str, Any]:
    """The keys of `cues` that follow from a field's names and type."""
    names = tuple(dict.fromkeys(filter(None, (_plain(label), *spoken))))
    shared: dict[str, Any] = {"time": _times(section)}
    if kind in ("enum", "multi"):
        return shared | {"said": names, "by_name": True, "within": 5}
    if kind == "boolean":
        return shared | {"said": tuple(_in_number(names))}
    if kind in ("integer", "number"):
        return shared | {"said": tuple(_with_numbers(names, unit)), "ignoring": ("<measure> ago",)}
    if kind in ("date", "time"):
        return shared | {"said": names, "time": "any"}
    return {"time": "any", "headings": names, "said": tuple(f"{name} is|showed|shows|revealed" for name in names)}


def _times(section: str | None) -> tuple[str, ...]:
    if section == "patient":
        return ("before", "past", "former", "today")
    return ("before", "today") if section in TOLD_BEFORE else ("today",)


def _plain(text: str) -> str:
    words = " ".join(word for word in plain_words(text.replace("/", " ")) if word not in ".,")
    return next((words[len(silent) + 1 :] for silent in _SILENT if words.startswith(f"{silent} ")), words)


def _in_number(names: Iterable[str]) -> Iterable[str]:
    """ "Nodule" is said of nodules as well."""
    for name in names:
        stem, _, last = name.rpartition(" ")
        plain = last.isalpha() and len(last) > 3 and not last.endswith("s")
        yield f"{stem} {last}|{last}s".strip() if plain else name


def _with_numbers(names: Iterable[str], unit: str | None) -> Iterable[str]:
    for name in _in_number(names):
        if unit in _MEASURED:
            yield from (f"{name} {_LINK} <measure>", f"{name} ... <measure>", f"<measure> (of) {name}")
        else:
            yield f"{name} {_LINK} <number>"
            if not unit:
                yield f"<number> {name}"
