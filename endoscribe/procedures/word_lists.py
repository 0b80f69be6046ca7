"""Lists of names that phrases refer to: `<antibiotics>` stands for any word of the file's list of that name.

Drugs and devices are data with their sources; recognition, reading and verification meet them as plain phrases.
"""

import re
from collections.abc import Mapping
from typing import Any

_REFERENCE = re.compile(r"<([a-z][a-z0-9_]*)>")
#: Parts of a file in which phrases stand.
_WITH_PHRASES = ("fields", "tables", "topics", "course", "advice", "vocabulary")


def with_lists(data: Mapping[str, Any]) -> dict[str, Any]:
    """The file's data with every reference to one of its lists spelled out; others are left as they are."""
    lists = data.get("lists")
    choices = {name: _choice(each) for name, each in lists.items()} if isinstance(lists, dict) else {}
    spelled = {key: _spelled(data[key], choices) for key in _WITH_PHRASES if key in data}
    return {**data, **spelled} if choices else dict(data)


def _choice(part: Any) -> str:
    """The words of a list as a choice of the phrase language: `cefazolin|piperacillin_tazobactam`."""
    words = part.get("words") if isinstance(part, dict) else None
    return "|".join(str(word).replace(" ", "_") for word in words) if isinstance(words, list) and words else ""


def _spelled(part: Any, choices: Mapping[str, str]) -> Any:
    if isinstance(part, str):
        return _REFERENCE.sub(lambda found: choices.get(found[1]) or found[0], part) if "<" in part else part
    if isinstance(part, dict):
        return {key: _spelled(value, choices) for key, value in part.items()}
    return [_spelled(each, choices) for each in part] if isinstance(part, list) else part
