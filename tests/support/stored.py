"""What lies in a store before a test begins."""

from datetime import timedelta

from sqlalchemy import update

from endoscribe.storage.database import sessions
from endoscribe.storage.sessions import SessionStore


def made_earlier(store: SessionStore, session_id: str, days: int) -> None:
    with store.database.writing() as connection:
        created = store.get(session_id).created - timedelta(days=days)
        connection.execute(update(sessions).where(sessions.c.id == session_id).values(created=created))


def append(store: SessionStore, session_id: str, pcm: bytes) -> None:
    audio = store.open_audio(session_id)
    audio.append(pcm)
    audio.sync()
    audio.close()
