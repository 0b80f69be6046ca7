"""Everything in one file and back again, from and into SQLite and Postgres, through the command line."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from endoscribe.cli.main import main
from endoscribe.errors import BackupError
from endoscribe.extraction.record import Cell, Record
from endoscribe.review.versions import Reading, receive
from endoscribe.storage.backup import restore_backup, write_backup
from endoscribe.storage.sessions import SessionStore
from endoscribe.transcript import Segment, Transcript, Word

PCM = bytes(range(256)) * 40
TRANSCRIPT = Transcript.from_segments([Segment((Word("Boston", 0.1, 0.4, 0.9), Word("<8>\0", 0.5, 0.7)))], 1.0)
RECORD = Record("col", "1", "offline", {"n": Cell(8, None, "8", None, "exact", "ok")}, {}, (), ("gap",))

#: Runs the command line on a data folder and perhaps a database.
Run = Callable[..., int]


def add_recording(store: SessionStore, session_id: str) -> None:
    audio = store.open_audio(session_id)
    audio.append(PCM)
    audio.sync()
    audio.close()


@pytest.fixture
def filled(tmp_path: Path, database_url: str | None) -> SessionStore:
    store = SessionStore(tmp_path / "uploads", tmp_path / "results", database_url)
    spoken, uploaded = store.create("col", 48_000, owner="roe"), store.create("egd", 16_000, "upload")
    for session in (spoken, uploaded):
        add_recording(store, session.id)
    store.add_pause(spoken.id, 7)
    store.save_transcript(spoken.id, TRANSCRIPT)
    store.save_record(spoken.id, RECORD)
    store.save_review(spoken.id, receive(None, Reading(RECORD)), 1)
    store.create("col", 16_000)
    return store


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(folder: Path, database_url: str | None, *arguments: str | Path) -> int:
        monkeypatch.chdir(folder)  # no .env of anybody
        monkeypatch.setenv("ENDOSCRIBE_DATA_DIR", str(folder))
        monkeypatch.setenv("ENDOSCRIBE_DATABASE_URL", database_url or "")
        return main([str(each) for each in arguments])

    return run


def contents(store: SessionStore) -> list[object]:
    ids = [session.id for session in store.sessions()]
    return [
        store.sessions(),
        [(store.transcript(each), store.record(each), store.review(each), store.audio(each).tobytes()) for each in ids],
        store.search("boston"),
        list(store.audit.entries()),
    ]


def test_what_was_backed_up_is_there_again(
    filled: SessionStore, run: Run, tmp_path: Path, database_url: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.tar"
    assert run(tmp_path, database_url, "backup", kept) == 0
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "Kept 3 sessions, 2 recordings" in capsys.readouterr().err
    (fresh := tmp_path / "fresh").mkdir()
    assert run(fresh, None, "restore", kept) == 0
    assert filled.audit.verify().head in capsys.readouterr().err
    restored = SessionStore(fresh / "uploads", fresh / "results")
    assert contents(restored) == contents(filled)
    assert restored.audit.verify().is_intact
    assert run(fresh, None, "restore", kept) == 1
    assert "already" in capsys.readouterr().err
    filled.close()


def test_a_backup_goes_into_either_database(tmp_path: Path, database_url: str | None) -> None:
    store = SessionStore(tmp_path / "uploads", tmp_path / "results")
    session = store.create("col", 16_000)
    add_recording(store, session.id)
    store.save_transcript(session.id, TRANSCRIPT)
    write_backup(store, tmp_path / "kept.tar")
    other = SessionStore(tmp_path / "other" / "uploads", tmp_path / "other" / "results", database_url)
    restore_backup(other, tmp_path / "kept.tar")
    assert contents(other) == contents(store)
    other.close()


def test_a_file_that_exists_is_not_written_over(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept.tar").write_text("of last year")
    assert run(tmp_path, None, "backup", tmp_path / "kept.tar") == 1
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "kept.tar").read_text() == "of last year"


def flipped(content: bytes, at: bytes) -> bytes:
    where = content.index(at)
    return content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]


@pytest.mark.parametrize("harm", ["cut", "audio", "row", "extra", "link", "other", "text"])
def test_a_damaged_backup_restores_nothing(tmp_path: Path, harm: str) -> None:
    store = SessionStore(tmp_path / "uploads", tmp_path / "results")
    add_recording(store, store.create("col", 16_000).id)
    kept = tmp_path / "kept.tar"
    write_backup(store, kept)
    content = kept.read_bytes()
    if harm in ("extra", "link"):
        with tarfile.open(kept, "a") as tar:
            member = tarfile.TarInfo("../outside" if harm == "extra" else f"audio/{'a' * 32}.pcm")
            member.type, member.linkname = (
                (tarfile.REGTYPE, "") if harm == "extra" else (tarfile.SYMTYPE, "/etc/passwd")
            )
            tar.addfile(member, io.BytesIO(b""))
    else:
        harmed = {
            "cut": content[: len(content) // 2],
            "audio": flipped(content, PCM[:64]),
            "row": flipped(content, b'"recording"'),
            "other": content.replace(b'"revision": "0002"', b'"revision": "0000"'),
            "text": b"no backup at all",
        }
        kept.write_bytes(harmed[harm])
    fresh = SessionStore(tmp_path / "fresh" / "uploads", tmp_path / "fresh" / "results")
    with pytest.raises(BackupError, match="another release" if harm == "other" else "not a whole backup"):
        restore_backup(fresh, kept)
    assert fresh.is_empty


def test_recordings_on_shared_storage_are_in_the_backup(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "uploads", tmp_path / "results", None, f"file://{tmp_path / 'share'}")
    session = store.create("col", 16_000, "upload")
    add_recording(store, session.id)
    store.set_complete(session.id)
    assert store.archive() == 1
    write_backup(store, tmp_path / "kept.tar")
    fresh = SessionStore(tmp_path / "fresh" / "uploads", tmp_path / "fresh" / "results")
    assert restore_backup(fresh, tmp_path / "kept.tar").recordings == 1
    assert fresh.audio(session.id).tobytes() == store.audio(session.id).tobytes()


def test_the_audit_trail_is_checked_from_the_command_line(
    filled: SessionStore, run: Run, tmp_path: Path, database_url: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, database_url, "audit", "verify") == 0
    head = filled.audit.verify().head
    assert head in capsys.readouterr().out
    assert run(tmp_path, database_url, "audit", "verify", "--json", "--expect", head) == 0
    assert json.loads(capsys.readouterr().out)["is_intact"] is True
    assert run(tmp_path, database_url, "audit", "verify", "--expect", "f" * 64) == 1
    assert "expected hash" in capsys.readouterr().err
    session = filled.search("boston")[0].id
    assert run(tmp_path, database_url, "audit", "list", "--session", session) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["action"] for line in lines] == ["created", "transcribed", "read"]
    filled.close()
