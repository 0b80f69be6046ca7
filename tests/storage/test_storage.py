"""Sessions on a real disk: what is safe, what comes back, what is refused."""

import io
import json
import resource
import shutil
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydantic import TypeAdapter
from sqlalchemy import delete, update

from endoscribe.errors import StorageError
from endoscribe.extraction.record import Cell, Evidence, Record
from endoscribe.storage.database import documents, sessions
from endoscribe.storage.sessions import SessionStore
from endoscribe.transcript import Segment, Transcript, Word
from tests.support.stored import append, made_earlier

PCM = np.arange(-1000, 1000, dtype="<i2").tobytes()


Reopened = Callable[[], SessionStore]


@pytest.fixture
def reopened(tmp_path: Path, database_url: str | None) -> Iterator[Reopened]:
    """Another program on the same folders and the same database."""
    made: list[SessionStore] = []

    def reopen() -> SessionStore:
        made.append(SessionStore(tmp_path / "uploads", tmp_path / "results", database_url))
        return made[-1]

    yield reopen
    for store in made:
        store.close()


@pytest.fixture
def store(reopened: Reopened) -> SessionStore:
    return reopened()


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """A real limit of the system, so that writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_session_is_found_again_by_another_process(store: SessionStore, reopened: Reopened) -> None:
    session = store.create("col", 16_000)
    append(store, session.id, PCM)
    again = reopened()
    assert again.get(session.id) == session
    assert again.sample_count(session.id) == 2000
    assert again.duration_s(session) == 2000 / 16_000


def test_what_is_older_than_the_retention_is_gone_with_all_its_files(store: SessionStore, tmp_path: Path) -> None:
    old, new, recording = (store.create("col", 16_000) for _ in range(3))
    for session in (old, new):
        store.save_transcript(session.id, Transcript("a"))
        store.set_state(session.id, "done")
    for session in (old, recording):
        made_earlier(store, session.id, days=31)
    log = store.open_audio(recording.id)
    assert store.discard_older_than(30) == 1
    log.close()
    assert {session.id for session in store.sessions()} == {new.id, recording.id}
    assert not list(tmp_path.glob(f"*/{old.id}"))


def test_ids_cannot_be_guessed_or_repeat(store: SessionStore) -> None:
    ids = {store.create("col", 16_000).id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(session_id) == 32 for session_id in ids)


def test_audio_is_appended_and_read_as_float(store: SessionStore) -> None:
    session = store.create("col", 16_000)
    for start in range(0, len(PCM), 500):
        append(store, session.id, PCM[start : start + 500])
    samples = store.audio(session.id)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples * 32768, np.arange(-1000, 1000))


def test_a_session_without_audio_is_silent_not_broken(store: SessionStore) -> None:
    session = store.create("col", 16_000)
    assert len(store.audio(session.id)) == 0
    assert store.wav(session.id).size == 44


def test_half_a_sample_left_by_a_crash_is_cut_off(store: SessionStore, tmp_path: Path) -> None:
    session = store.create("col", 16_000)
    append(store, session.id, PCM)
    with (tmp_path / "uploads" / session.id / "audio.pcm").open("ab") as file:
        file.write(b"\x01")
    append(store, session.id, PCM)
    assert store.sample_count(session.id) == 4000
    np.testing.assert_array_equal(store.audio(session.id)[2000:] * 32768, np.arange(-1000, 1000))


def test_only_synced_samples_count_as_safe(store: SessionStore) -> None:
    audio = store.open_audio(store.create("col", 16_000).id)
    audio.append(PCM)
    assert (audio.samples, audio.synced) == (2000, 0)
    assert audio.sync() == 2000
    assert audio.synced == 2000
    audio.close()


def test_a_failed_write_leaves_what_was_safe_and_can_be_repeated(store: SessionStore) -> None:
    session = store.create("col", 16_000)
    audio = store.open_audio(session.id)
    audio.append(PCM)
    audio.sync()
    with no_file_longer_than(5000), pytest.raises(StorageError, match="data folder"):
        audio.append(PCM)
    assert audio.samples == 2000
    audio.append(PCM)
    audio.sync()
    audio.close()
    np.testing.assert_array_equal(store.audio(session.id) * 32768, np.tile(np.arange(-1000, 1000), 2))


def test_a_session_that_cannot_be_written_down_is_none(store: SessionStore, tmp_path: Path) -> None:
    with no_file_longer_than(10), pytest.raises(StorageError, match="data folder"):
        store.create("col", 16_000)
    assert store.sessions() == []
    assert store.recover() == []
    assert [path.name for path in (tmp_path / "uploads").rglob("*") if path.is_file()] == []


def test_recordings_of_a_dead_program_are_interrupted(store: SessionStore, reopened: Reopened) -> None:
    recording, finished = store.create("col", 16_000), store.create("egd", 16_000)
    append(store, recording.id, PCM)
    store.set_state(finished.id, "done")
    again = reopened()
    assert [session.id for session in again.recover()] == [recording.id]
    assert again.get(recording.id).state == "interrupted"
    assert again.get(finished.id).state == "done"
    assert again.sample_count(recording.id) == 2000


def test_sessions_are_listed_newest_first_and_other_folders_left_out(store: SessionStore, tmp_path: Path) -> None:
    first, second = store.create("col", 16_000), store.create("egd", 16_000)
    (tmp_path / "uploads" / ("0" * 32)).mkdir()
    (tmp_path / "uploads" / "notes.txt").write_text("not a session")
    assert {session.id for session in store.recover()} == {first.id, second.id}
    assert [session.id for session in store.sessions()] == [second.id, first.id]


@pytest.mark.parametrize(
    "bad", ["", "..", "../x", "a" * 31, "A" * 32, "a" * 33, "/" + "a" * 31, "a" * 31 + "\n", "%2e%2e"]
)
def test_an_id_of_another_form_never_becomes_a_path(store: SessionStore, bad: str) -> None:
    for ask in (store.get, store.audio, store.wav, store.transcript, store.record, store.open_audio, store.discard):
        with pytest.raises(StorageError, match="no such session"):
            ask(bad)


def test_an_unknown_session_says_so(store: SessionStore) -> None:
    with pytest.raises(StorageError, match="no such session"):
        store.get("0" * 32)


def test_transcript_and_record_come_back_as_they_were(store: SessionStore) -> None:
    session = store.create("col", 16_000)
    assert store.transcript(session.id) is None
    assert store.record(session.id) is None
    words = (Word("Boston", 0.1, 0.4, 0.9), Word("<8>", 0.5, 0.7))
    transcript = Transcript.from_segments([Segment(words)], 1.0)
    cell = Cell(("a", "b"), None, "a and b", Evidence("Boston", 0, 6, 0.1, 0.4), "exact", "ok")
    flags = {
        "yes": Cell(True, None, "yes", None, "absent", "unsupported"),
        "n": Cell(8, "{score}", "8", None, "exact", "ok"),
    }
    record = Record("col", "1", "offline", {"f": cell, **flags}, {"polyps": ({"size_mm": flags["n"]},)}, (), ("gap",))
    store.save_transcript(session.id, transcript)
    store.save_record(session.id, record)
    assert store.transcript(session.id) == transcript
    assert store.record(session.id) == record
    assert type(store.record(session.id).fields["yes"].value) is bool  # type: ignore[union-attr]


def test_a_damaged_result_is_a_sentence_without_its_content(store: SessionStore) -> None:
    session = store.create("col", 16_000)
    store.save_transcript(session.id, Transcript("text"))
    with store.database.writing() as connection:
        connection.execute(update(documents).values(content='{"text": 5, "secret": "planted words"}'))
    with pytest.raises(StorageError, match="audio is untouched") as caught:
        store.transcript(session.id)
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_discard_removes_everything(store: SessionStore, tmp_path: Path) -> None:
    session = store.create("col", 16_000)
    append(store, session.id, PCM)
    store.save_transcript(session.id, Transcript("a planted sentence"))
    store.discard(session.id)
    assert store.sessions() == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"planted" in path.read_bytes()]
    assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.rglob("*.pcm"))
    assert [entry.action for entry in store.audit.entries(session.id)] == ["created", "transcribed", "deleted"]


def test_the_wav_view_is_a_wav_file_at_any_range(store: SessionStore) -> None:
    session = store.create("col", 48_000)
    append(store, session.id, PCM)
    wav = store.wav(session.id)
    whole = b"".join(wav.blocks(0, wav.size))
    assert len(whole) == wav.size
    with wave.open(io.BytesIO(whole)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 48_000)
        assert file.readframes(5000) == PCM
    for start, stop in [(0, 10), (40, 50), (43, 44), (44, 45), (100, 3000), (wav.size - 1, wav.size)]:
        assert b"".join(wav.blocks(start, stop, block_bytes=64)) == whole[start:stop]


def test_an_owner_finds_their_own_sessions_only(store: SessionStore) -> None:
    mine, other = store.create("col", 16_000, owner="roe"), store.create("col", 16_000, owner="poe")
    assert store.get(mine.id).owner == "roe"
    assert [session.id for session in store.search("", owner="poe")] == [other.id]
    assert len(store.search("")) == 2


def test_a_disk_without_room_for_the_database_keeps_what_was(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "uploads", tmp_path / "results")
    session = store.create("col", 16_000)
    with no_file_longer_than(10), pytest.raises(StorageError, match="database cannot be used"):
        store.set_state(session.id, "done")
    assert store.get(session.id).state == "recording"
    assert store.set_state(session.id, "done").state == "done"


def test_words_dates_and_signers_are_searched_for_as_they_stand(store: SessionStore) -> None:
    session, other = store.create("col", 16_000), store.create("egd", 16_000)
    store.save_transcript(session.id, Transcript("A Polyp of 50% in the\0 cecum_wall"))
    for words in ("polyp", "COL polyp", "50%", "cecum_wall", f"{session.created:%Y-%m-%d}", "transcribed CECUM", ""):
        assert session.id in {each.id for each in store.search(words)}, words
    for words in ("5_%", "cecum%", "polyps", "polyp egd"):
        assert store.search(words) == [], words
    assert [each.id for each in store.search("egd")] == [other.id]
    store.save_transcript(session.id, Transcript("nothing of the kind"))
    assert store.search("polyp") == []


def test_a_day_is_that_of_whoever_searches(store: SessionStore) -> None:
    session = store.create("col", 16_000)
    _began(store, session.id, datetime(2026, 3, 1, 2, 30, tzinfo=UTC))
    new_york = ZoneInfo("America/New_York")
    for words, zone in (("2026-03-01", UTC), ("2026-03", UTC), ("2026-02-28 col", new_york), ("2026-02", new_york)):
        assert [each.id for each in store.search(words, zone=zone)] == [session.id], (words, zone)
    for words, zone in (("2026-02-28", UTC), ("2026-03-01", new_york), ("2026-03", new_york), ("2026-02-28 egd", UTC)):
        assert store.search(words, zone=zone) == [], (words, zone)
    for words in ("2026-02-2", "21:3", "2026-02-28 21:30", "2026"):
        assert [each.id for each in store.search(words, zone=new_york)] == [session.id], words
    store.save_transcript(session.id, Transcript("At 02:30 a polyp of 12 mm"))
    for words in ("02:30", "12", "12 col", "21:30 polyp"):
        assert [each.id for each in store.search(words, zone=new_york)] == [session.id], words
    assert store.search("12 egd", zone=new_york) == store.search("13", zone=new_york) == []


def _began(store: SessionStore, session_id: str, created: datetime) -> None:
    with store.database.writing() as connection:
        connection.execute(update(sessions).where(sessions.c.id == session_id).values(created=created))


def test_two_writers_never_undo_each_others_work(store: SessionStore) -> None:
    session = store.create("col", 16_000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda sample: store.add_pause(session.id, sample), range(40)))
    assert sorted(store.get(session.id).pauses) == list(range(40))
    assert store.audit.verify().is_intact


def test_what_is_changed_together_is_kept_together(store: SessionStore) -> None:
    session = store.create("col", 16_000)
    with suppress(ZeroDivisionError), store.exclusive(session.id):
        store.save_transcript(session.id, Transcript("half"))
        raise ZeroDivisionError
    assert store.transcript(session.id) is None
    assert store.get(session.id) == session
    assert [entry.action for entry in store.audit.entries()] == ["created"]


def test_recordings_are_found_again_when_the_database_is_lost(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "uploads", tmp_path / "results")
    spoken, uploaded = store.create("col", 48_000, owner="roe"), store.create("egd", 16_000, "upload")
    append(store, spoken.id, PCM)
    store.close()
    shutil.rmtree(tmp_path / "results")
    again = SessionStore(tmp_path / "uploads", tmp_path / "results")
    assert [session.id for session in again.recover()] == [spoken.id]
    assert again.get(spoken.id) == spoken.model_copy(update={"state": "interrupted"})
    assert again.sample_count(spoken.id) == 2000
    assert again.get(uploaded.id).state == "stopped"
    assert again.recover() == []


def test_sessions_of_the_first_releases_are_taken_over(tmp_path: Path) -> None:
    """They were files: `meta.json` as it is now, and the documents beside each other in `results`."""
    session_id = "0123456789abcdef" * 2
    for folder in ("uploads", "results"):
        (tmp_path / folder / session_id).mkdir(parents=True)
    meta = {"id": session_id, "procedure": "col", "created": "2026-09-01T10:00:00Z", "state": "done", "gaps": 3}
    (tmp_path / "uploads" / session_id / "meta.json").write_text(json.dumps({**meta, "sample_rate": 16_000}))
    (tmp_path / "uploads" / session_id / "audio.pcm").write_bytes(PCM)
    old = TypeAdapter(Transcript).dump_json(Transcript("the old words"))
    (tmp_path / "results" / session_id / "transcript.json").write_bytes(old)
    store = SessionStore(tmp_path / "uploads", tmp_path / "results")
    assert store.recover() == []
    assert (store.get(session_id).state, store.get(session_id).gaps) == ("done", 3)
    assert store.transcript(session_id) == Transcript("the old words")
    assert [session.id for session in store.search("old words")] == [session_id]
    assert not (tmp_path / "results" / session_id).exists()


def test_a_deletion_that_was_cut_off_is_finished(store: SessionStore, tmp_path: Path) -> None:
    known, unknown, kept = (store.create("col", 16_000) for _ in range(3))
    for session in (known, unknown):
        (tmp_path / "uploads" / session.id / "deleted").touch()
    with store.database.writing() as connection:
        connection.execute(delete(sessions).where(sessions.c.id == unknown.id))
    store.recover()
    assert [session.id for session in store.sessions()] == [kept.id]
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [kept.id]


@pytest.fixture
def shared(tmp_path: Path, database_url: str | None) -> Iterator[SessionStore]:
    share = f"file://{tmp_path / 'share'}"
    store = SessionStore(tmp_path / "uploads", tmp_path / "results", database_url, share)
    yield store
    store.close()


def test_what_has_ended_moves_to_the_shared_storage(shared: SessionStore, tmp_path: Path) -> None:
    ended, recording, empty = (shared.create("col", 48_000) for _ in range(3))
    for session in (ended, recording):
        append(shared, session.id, PCM)
    for session in (ended, empty):
        shared.set_complete(session.id)
    before = shared.wav(ended.id)
    assert shared.archive() == 1
    assert shared.archive() == 0
    assert (tmp_path / "share" / f"{ended.id}.pcm").read_bytes() == PCM
    assert not list((tmp_path / "uploads" / ended.id).glob("audio*"))
    assert shared.sample_count(ended.id) == 2000
    np.testing.assert_array_equal(shared.audio(ended.id), shared.audio(recording.id))
    wav = shared.wav(ended.id)
    for start, stop in [(0, wav.size), (100, 3000)]:
        assert b"".join(wav.blocks(start, stop)) == b"".join(before.blocks(start, stop))  # also for who listened
    shared.discard(ended.id)
    assert list((tmp_path / "share").iterdir()) == []


def test_a_deletion_that_was_cut_off_is_finished_on_the_shared_storage(shared: SessionStore, tmp_path: Path) -> None:
    session = shared.create("col", 48_000)
    append(shared, session.id, PCM)
    shared.set_complete(session.id)
    shared.archive()
    with shared.database.writing() as connection:
        connection.execute(delete(sessions).where(sessions.c.id == session.id))
    (tmp_path / "uploads" / session.id / "deleted").touch()
    (tmp_path / "share").rename(tmp_path / "away")
    (tmp_path / "share").write_text("in the way")
    shared.recover()
    assert (tmp_path / "uploads" / session.id / "deleted").exists()  # for the next start
    (tmp_path / "share").unlink()
    (tmp_path / "away").rename(tmp_path / "share")
    shared.recover()
    assert list((tmp_path / "share").iterdir()) == []
    assert list((tmp_path / "uploads").iterdir()) == []


def test_without_the_shared_storage_nothing_is_moved_or_lost(shared: SessionStore, tmp_path: Path) -> None:
    session = shared.create("col", 48_000)
    append(shared, session.id, PCM)
    shared.set_complete(session.id)
    (tmp_path / "share").write_text("in the way")
    with pytest.raises(StorageError, match="shared storage cannot be used"):
        shared.archive()
    assert shared.sample_count(session.id) == 2000
    (tmp_path / "share").unlink()
    assert shared.archive() == 1


@pytest.mark.parametrize("url", ["nonsense://secret@host", "secret"])
def test_an_address_of_no_storage_is_refused_unseen(tmp_path: Path, url: str) -> None:
    with pytest.raises(StorageError, match="ENDOSCRIBE_DATABASE_URL") as caught:
        SessionStore(tmp_path / "uploads", tmp_path / "results", url)
    assert "secret" not in str(caught.value)
    if "://" in url:
        with pytest.raises(StorageError, match="ENDOSCRIBE_AUDIO_URL") as caught:
            SessionStore(tmp_path / "uploads", tmp_path / "results", None, url)
        assert "secret" not in str(caught.value)


def test_a_record_stored_before_cells_had_a_support_is_read_and_its_signature_holds() -> None:
    """Stored JSON has no `support`: it is none, and nothing that was signed then is another thing now."""
    from pydantic import TypeAdapter

    from endoscribe.extraction.record import Cell, Record
    from endoscribe.review.signature import digest

    cell = '"value": 3, "unit": null, "as_dictated": "three", "evidence": null, "grounding": "exact", "status": "ok"'
    stored = TypeAdapter(dict[str, Cell]).validate_json('{"bbps_right": {' + cell + "}}")
    assert stored["bbps_right"].support is None
    record = Record("col", "0.2", "offline", stored, {})
    assert digest(record) == "870fc181235a33851898c4f6e31be1762e407cdc17ea2e2b9dc67d2d386090e9"
