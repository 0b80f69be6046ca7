"""The note template of a schema: Jinja2, sandboxed, and only the names that a note has.

    # {{ title }}
    {% for id, label in sections.items() if body(id) %}
    ## {{ label }}
    {{ body(id) }}
    {% endfor %}

`sections` are the parts of the note with their titles, `body(part)` is the prose of one; a field's id is its value in
words, empty when not stated; `rows(table)` are the rows, each a mapping from column to value in words.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from jinja2 import TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

#: What a template may name besides fields and derived values.
NOTE_NAMES = frozenset({"title", "sections", "body", "rows"})


def note_environment() -> ImmutableSandboxedEnvironment:
    """No autoescape: a note is Markdown, and every value in it is neutralised before it gets here."""
    return ImmutableSandboxedEnvironment(
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: "" if value is None else value,
    )


@lru_cache(maxsize=64)
def _named_in(template: str) -> frozenset[str]:
    """What a template names and neither sets itself nor has from Jinja2."""
    environment = note_environment()
    return frozenset(meta.find_undeclared_variables(environment.parse(template)) - environment.globals.keys())


def template_fault(template: str, names: Iterable[str]) -> str | None:
    """What is wrong with a note template, or None; `names` are the ids of fields and derived values."""
    try:
        named = _named_in(template)
    except TemplateError as error:
        return f"the template cannot be parsed: {error.message}"
    known = {*names, *NOTE_NAMES}
    for name in sorted(named - known):
        near = get_close_matches(name, known, n=1)
        return f"there is no {name!r} in a note" + (f"; did you mean {near[0]!r}?" if near else "")
    return None
