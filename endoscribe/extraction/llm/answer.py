"""The one shape in which a language model answers, the same for every procedure, and its reading as it arrives."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

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


def _as_text(value: Any) -> Any:
    """Servers that do not enforce the shape send 6, true and lists where the shape wants text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else value


class AnswerCell(BaseModel):
    """One cell as a model writes it; every value is text."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    field: str
    row: int = 0
    value: Annotated[str, BeforeValidator(_as_text)]
    quote: str

    def to_claim(self) -> Claim:
        return Claim(self.field, self.value, self.quote, max(0, self.row) if "." in self.field else None)

    @classmethod
    def of_claim(cls, claim: Claim) -> "AnswerCell":
        value = ", ".join(claim.value) if isinstance(claim.value, tuple) else str(claim.value)
        return cls(field=claim.target, row=claim.row or 0, value=value, quote=claim.quote)


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
        self._text = ""
        self._at: int | None = None
        self._decoder = json.JSONDecoder()

    def insert(self, piece: str) -> int:
        """Take the next piece; returns how many cells it completed."""
        self._text += piece
        before = len(self.claims)
        if self._at is None:
            self._enter_list()
        while self._at is not None and not self.is_complete and self._read_cell(self._at):
            pass
        return len(self.claims) - before

    def _enter_list(self) -> None:
        key = self._text.find('"cells"')
        bracket = self._text.find("[", key) if key >= 0 else -1
        if bracket >= 0:
            self._at = bracket + 1

    def _read_cell(self, at: int) -> bool:
        """Read one cell from position `at` on, if it is there whole."""
        while at < len(self._text) and self._text[at] in " \t\r\n,":
            at += 1
        self._at = at
        if self._text[at : at + 1] == "]":
            self.is_complete = True
        if self.is_complete or at == len(self._text):
            return False
        try:
            data, self._at = self._decoder.raw_decode(self._text, at)
        except json.JSONDecodeError:
            return False
        try:
            self.claims.append(AnswerCell.model_validate(data).to_claim())
        except ValidationError:
            self.malformed += 1
        return True
