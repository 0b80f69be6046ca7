"""Moments on the page: stored and told in UTC, shown by the clock of whoever looks (`assets/local_time.js`)."""

from datetime import UTC, datetime


def time_html(at: datetime) -> str:
    """A moment as the browser shows it; where no script runs it stands there in UTC."""
    at = at.astimezone(UTC)
    return f'<local-time datetime="{at.isoformat(timespec="seconds")}">{at:%Y-%m-%d %H:%M} UTC</local-time>'
