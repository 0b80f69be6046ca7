"""Moments on the page: stored and told in UTC, shown by the clock of whoever looks (`assets/local_time.js`)."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time as the browser reads it, and as it stands there where no script runs."""

    datetime: str
    shown: str


def moment(at: datetime) -> Moment:
    at = at.astimezone(UTC)
    return Moment(at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M} UTC")
