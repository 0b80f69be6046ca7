"""Who signed a report, when, and a hash by which anybody can tell that it is still what was signed."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from endoscribe.extraction.record import Record

MAX_SIGNER_CHARS = 200


@dataclass(frozen=True)
class Signature:
    """Who signed when, what exactly was signed, and the `signed_digest` of all three."""

    name: str
    at: datetime
    sha256: str
    record: Record

    @property
    def is_intact(self) -> bool:
        """Whether what is stored is what was signed; the first signatures covered the record alone."""
        return self.sha256 in (signed_digest(self.record, self.name, self.at), digest(self.record))


def digest(record: Record) -> str:
    """SHA-256 of the record's JSON with sorted keys, without spaces, as UTF-8."""
    return _sha256(record.to_json())


def signed_digest(record: Record, name: str, at: datetime) -> str:
    """The same of `{"at": ..., "name": ..., "record": ...}`: what was signed, by whom, and when (ISO 8601, UTC)."""
    return _sha256({"record": record.to_json(), "name": name, "at": at.astimezone(UTC).isoformat()})


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
