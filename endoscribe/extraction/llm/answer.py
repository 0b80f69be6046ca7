"""The one shape in which a language model answers, the same for every procedure, and its reading as it arrives."""

import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, field_serializer
from pydantic_core import from_json

from endoscribe.extraction.claims import Claim

#: What a model must return. No optional or nullable parts: their number in a request is limited, and a schema that
#: never changes keeps the prompt cache warm.
ANSWER_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "cells": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "a field id from the guide, or table.column"},
                    "row": {"type": "integer", "description": "row of the table, from 0; 0 outside tables"},
                    "value": {"type": "string", "description": "the value in the field's form"},
                    "quote": {"type": "string", "description": "the words of the transcript, copied exactly"},
                },
                "required": ["field", "row", "value", "quote"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["cells"],
    "additionalProperties": False,
}


#: Where the list of cells begins, whatever a server writes before it.
LIST_BEGINS = re.compile(r'"cells"[^\[]*\[')
#: After what a cell or the list may have ended; nothing is parsed before.
MAY_HAVE_ENDED = re.compile(r"(?<=[}\]])")


def _as_text(value: Any) -> Any:
    """Servers that do not enforce the shape send 6, true and lists where the shape wants text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _as_quotes(value: Any) -> Any:
    """One quote, or a list of them for a cell of several values."""
    return (value,) if isinstance(value, str) else value


class AnswerCell(BaseModel):
    """One cell as a model writes it; every value is text."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    field: str
    row: int = 0
    value: Annotated[str, BeforeValidator(_as_text)]
    quote: Annotated[tuple[str, ...], BeforeValidator(_as_quotes)]

    def to_claims(self) -> tuple[Claim, ...]:
        """One claim for each quote: of as many values as there are quotes each has its own."""
        row = max(0, self.row) if "." in self.field else None
        values = [part.strip() for part in re.split(r"[;,]", self.value)]
        if len(values) != len(self.quote):
            values = [self.value] * len(self.quote)
        elif len(values) == 1:
            values = [self.value]
        return tuple(Claim(self.field, value, quote, row) for value, quote in zip(values, self.quote, strict=True))

    @classmethod
    def of_claim(cls, claim: Claim) -> "AnswerCell":
        value = ", ".join(claim.value) if isinstance(claim.value, tuple) else str(claim.value)
        return cls(field=claim.target, row=claim.row or 0, value=value, quote=(claim.quote,))

    @field_serializer("quote")
    def _quote_as_written(self, quote: tuple[str, ...]) -> str | list[str]:
        return quote[0] if len(quote) == 1 else list(quote)


def answer_json(cells: "list[AnswerCell]") -> str:
    """The cells as a model would have answered them."""
    return json.dumps({"cells": [cell.model_dump() for cell in cells]}, ensure_ascii=False)


class AnswerReader:
    """Reads `{"cells": [...]}` piece by piece, in pieces of any size; `claims` grows as cells become complete.

    Does no I/O. `malformed` counts cells that are not of the shape; `is_complete` tells whether the answer ended.
    """

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self.malformed = 0
        self.is_complete = False
        self._is_in_list = False
        #: What has not become a cell yet.
        self._pending = ""

    def insert(self, piece: str) -> int:
        """Take the next piece; returns how many cells it completed."""
        before = len(self.claims)
        for part in MAY_HAVE_ENDED.split(piece):
            self._pending += part
            if part.endswith(("}", "]")) and not self.is_complete and self._enter_list():
                self._read_cells()
        return len(self.claims) - before

    def _enter_list(self) -> bool:
        if not self._is_in_list and (begin := LIST_BEGINS.search(self._pending)):
            self._is_in_list = True
            self._pending = self._pending[begin.end() :]
        return self._is_in_list

    def _read_cells(self) -> None:
        """Read what is pending, if every cell in it is whole: only then is it JSON."""
        text = self._pending.lstrip(" \t\r\n,")
        is_end = text.endswith("]")
        try:
            cells = from_json(f"[{text}" if is_end else f"[{text}]")
        except ValueError:  # the brace stands in a text or closes an inner part
            return
        for cell in cells:
            self._add(cell)
        self._pending = ""
        self.is_complete = is_end

    def _add(self, cell: object) -> None:
        try:
            self.claims += AnswerCell.model_validate(cell).to_claims()
        except ValidationError:
            self.malformed += 1
