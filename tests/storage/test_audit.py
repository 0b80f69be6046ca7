"""The audit trail: what it holds, that it only grows, and that any other hand in it shows."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from endoscribe.errors import StorageError
from endoscribe.storage.audit import BEGINNING, AuditTrail
from endoscribe.storage.database import Database


@pytest.fixture
def database(database_url: str | None, tmp_path: Path) -> Iterator[Database]:
    database = Database(database_url) if database_url else Database.in_folder(tmp_path)
    yield database
    database.close()


@pytest.fixture
def trail(database: Database) -> AuditTrail:
    trail = AuditTrail(database)
    trail.note("created", "a" * 32, "roe", procedure="col")
    trail.note("edited", "a" * 32, "roe\0", target="bbps_total", row=None)
    trail.note("deleted", "b" * 32, None)
    return trail


def forced(database: Database, statement: str) -> None:
    """What somebody can do who owns the database: take the guard away first."""
    guards = ["DROP TRIGGER audit_only_grows ON audit"]
    if database.is_sqlite:
        guards = ["DROP TRIGGER audit_is_never_changed", "DROP TRIGGER audit_is_never_shortened"]
    with database.writing() as connection:
        for each in (*guards, statement):
            connection.execute(text(each))


def test_an_empty_trail_is_whole(database: Database) -> None:
    verdict = AuditTrail(database).verify()
    assert (verdict.entries, verdict.head, verdict.is_intact) == (0, BEGINNING, True)


def test_entries_say_who_did_what_to_which_session(trail: AuditTrail) -> None:
    first, second, third = trail.entries()
    assert (first.number, first.actor, first.action, first.previous) == (1, "roe", "created", BEGINNING)
    assert second.to_json()["detail"] == {"target": "bbps_total", "row": None}
    assert (second.actor, third.actor) == ("roe", None)
    assert [entry.number for entry in trail.entries("a" * 32)] == [1, 2]
    verdict = trail.verify()
    assert (verdict.entries, verdict.head, verdict.is_intact) == (3, third.hash, True)


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE audit SET actor = 'poe' WHERE number = 1", 1),
        ("UPDATE audit SET detail = '{}' WHERE number = 2", 2),
        ("UPDATE audit SET at = '2020-01-01' WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number = 2", 3),
        ("DELETE FROM audit WHERE number = 1", 2),
        ("UPDATE audit SET number = 4 WHERE number = 3", 4),
    ],
)
def test_any_other_hand_in_it_shows(trail: AuditTrail, database: Database, statement: str, number: int) -> None:
    with pytest.raises(StorageError), database.writing() as connection:
        connection.execute(text(statement))
    assert trail.verify().is_intact
    forced(database, statement)
    verdict = trail.verify()
    assert (verdict.is_intact, verdict.broken_at) == (False, number)


def test_an_end_that_was_cut_off_shows_to_who_noted_the_newest_hash(trail: AuditTrail, database: Database) -> None:
    noted = trail.verify().head
    trail.note("opened", "a" * 32, "roe")
    assert trail.verify(noted).is_intact
    forced(database, "DELETE FROM audit WHERE number >= 3")
    assert trail.verify().is_intact
    assert not trail.verify(noted).is_intact


def test_entries_of_many_threads_form_one_chain(trail: AuditTrail) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: trail.note("opened", None, f"user {number}"), range(40)))
    verdict = trail.verify()
    assert (verdict.entries, verdict.is_intact) == (43, True)
