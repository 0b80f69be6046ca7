"""The database's structure and its failures, on SQLite and Postgres."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from endoscribe.errors import StorageError
from endoscribe.storage.database import MIGRATIONS_DIR, REVISION, TABLES, Database


@pytest.fixture
def url(database_url: str | None, tmp_path: Path) -> str:
    return database_url or f"sqlite:///{tmp_path / 'endoscribe.sqlite3'}"


def test_the_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    database = Database(url)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), TABLES) == []
    database.close()


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_the_database_of_a_newer_release_is_left_alone(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StorageError, match="newer EndoScribe"):
        Database(url)


def test_a_database_that_does_not_answer_is_a_sentence_without_its_password(tmp_path: Path) -> None:
    for url in ("postgresql://me:secret@127.0.0.1:1/none", f"sqlite:///{tmp_path}/no/folder/secret.sqlite3"):
        with pytest.raises(StorageError, match="database cannot be used") as caught:
            Database(url)
        assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "endoscribe.sqlite3").write_text("a letter to somebody " * 100)
    with pytest.raises(StorageError, match="database cannot be used"):
        Database.in_folder(tmp_path)
