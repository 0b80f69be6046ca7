"""What the server deletes by itself."""

from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import update

from endoscribe.services import Services
from endoscribe.settings import Settings
from endoscribe.storage.database import sessions
from endoscribe.web.app import create_api
from tests.support.patience import wait_until


def test_what_is_older_than_the_retention_is_deleted_when_the_server_starts(tmp_path: Path) -> None:
    environ = {"ENDOSCRIBE_DATA_DIR": str(tmp_path), "ENDOSCRIBE_RETENTION_DAYS": "30"}
    services = Services(Settings.from_environment(environ, env_file=None))
    old, new = services.sessions.create("col", 16_000), services.sessions.create("col", 16_000)
    with services.sessions.database.writing() as connection:
        long_ago = old.created - timedelta(days=31)
        connection.execute(update(sessions).where(sessions.c.id == old.id).values(created=long_ago))
    with TestClient(create_api(services)):
        wait_until(lambda: len(services.sessions.sessions()) == 1, "the old one is deleted")
    assert [session.id for session in services.sessions.sessions()] == [new.id]
