"""What a rule rests on, in words: a schema writes tags (`[V:NED2][K:PARIS]`), a reader wants the sources' titles."""

import re
from collections.abc import Iterator

from endoscribe.procedures.schema import OWN_RULE, ProcedureSchema

#: Tags as schemas write them, alone or in brackets.
SOURCE_TAG = re.compile(r"\[?\b([VK]:[\w-]+)\]?")


def source_text(source: str, schema: ProcedureSchema) -> str:
    """The titles from the schema's references, unverified ones marked so; a tag without a title stays as it is."""
    if source == OWN_RULE:
        return "rule of this schema"
    return "; ".join(_pieces(source, schema))


def _pieces(source: str, schema: ProcedureSchema) -> Iterator[str]:
    end = 0
    for match in SOURCE_TAG.finditer(source):
        if between := source[end : match.start()].strip():
            yield between
        reference = schema.references.get(match.group(1))
        if reference is None:
            yield match.group()
        else:
            yield reference.title if reference.verified else f"{reference.title} (not verified)"
        end = match.end()
    if rest := source[end:].strip():
        yield rest
