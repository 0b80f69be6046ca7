"""Who signed a report, when, and a hash by which anybody can tell that it is still what was signed."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from endoscribe.extraction.record import Record
from endoscribe.review.context import ExamContext

MAX_SIGNER_CHARS = 200


@dataclass(frozen=True)
class Signature:
    """Who signed when, what exactly was signed, and the `signed_digest` of all three."""

    name: str
    at: datetime
    sha256: str
    record: Record
    #: What headed the report; None where nothing did, as in the first releases.
    context: ExamContext | None = None

    @property
    def is_intact(self) -> bool:
        """Whether what is stored is what was signed; the first signatures covered the record alone."""
        signed = signed_digest(self.record, self.name, self.at, self.context)
        return self.sha256 == signed or (self.context is None and self.sha256 == digest(self.record))


def digest(record: Record) -> str:
    """SHA-256 of the record's JSON with sorted keys, without spaces, as UTF-8.

    Without `support` where it is null, and without `unfiled` where it is empty.
    """
    return _sha256(_signed_json(record))


def signed_digest(record: Record, name: str, at: datetime, context: ExamContext | None = None) -> str:
    """The same of `{"at": ..., "name": ..., "record": ...}`: what was signed, by whom, and when (ISO 8601, UTC).

    With `"context": {...}` where something of it was given.
    """
    signed = {"record": _signed_json(record), "name": name, "at": at.astimezone(UTC).isoformat()}
    return _sha256({**signed, "context": dict(context.given())} if context else signed)


def _signed_json(record: Record) -> dict[str, Any]:
    """Records that were signed before cells had a support and records unfiled sentences are signed still."""
    written = record.to_json()
    if not written["unfiled"]:
        del written["unfiled"]
    rows = [row for table in written["tables"].values() for row in table]
    for cell in (cell for row in (written["fields"], *rows) for cell in row.values()):
        if cell["support"] is None:
            del cell["support"]
    return written


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
