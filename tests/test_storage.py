"""Sessions on a real disk: what is safe, what comes back, what is refused."""

import io
import resource
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from endoscribe.errors import StorageError
from endoscribe.extraction.record import Cell, Evidence, Record
from endoscribe.storage import SessionStore
from endoscribe.transcript import Segment, Transcript, Word

PCM = np.arange(-1000, 1000, dtype="<i2").tobytes()


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "uploads", tmp_path / "results")


def reopened(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "uploads", tmp_path / "results")


def append(store: SessionStore, session_id: str, pcm: bytes) -> None:
    audio = store.open_audio(session_id)
    audio.append(pcm)
    audio.sync()
    audio.close()


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """A real limit of the system, so that writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_session_is_found_again_by_another_process(store: SessionStore, tmp_path: Path) -> None:
    session = store.create("col", 16_000)
    append(store, session.id, PCM)
    again = reopened(tmp_path)
    assert again.get(session.id) == session
    assert again.sample_count(session.id) == 2000
    assert again.duration_s(session.id) == 2000 / 16_000


def test_what_is_older_than_the_retention_is_gone_with_all_its_files(store: SessionStore, tmp_path: Path) -> None:
    old, new, recording = (store.create("col", 16_000) for _ in range(3))
    for session in (old, new):
        store.save_transcript(session.id, Transcript("a"))
        store.set_state(session.id, "done")
    for session in (old, recording):
        meta = tmp_path / "uploads" / session.id / "meta.json"
        meta.write_text(meta.read_text().replace(str(session.created.year), str(session.created.year - 1), 1))
    assert store.discard_older_than(30) == 1
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


def test_a_failed_write_of_meta_keeps_the_old_one(store: SessionStore, tmp_path: Path) -> None:
    session = store.create("col", 16_000)
    with no_file_longer_than(10), pytest.raises(StorageError):
        store.set_state(session.id, "done")
    assert store.get(session.id).state == "recording"
    assert [path.name for path in (tmp_path / "uploads" / session.id).iterdir()] == ["meta.json"]


def test_recordings_of_a_dead_program_are_interrupted(store: SessionStore, tmp_path: Path) -> None:
    recording, finished = store.create("col", 16_000), store.create("egd", 16_000)
    append(store, recording.id, PCM)
    store.set_state(finished.id, "done")
    again = reopened(tmp_path)
    assert [session.id for session in again.recover()] == [recording.id]
    assert again.get(recording.id).state == "interrupted"
    assert again.get(finished.id).state == "done"
    assert again.sample_count(recording.id) == 2000


def test_sessions_are_listed_newest_first_and_broken_ones_left_out(store: SessionStore, tmp_path: Path) -> None:
    first, second = store.create("col", 16_000), store.create("egd", 16_000)
    (tmp_path / "uploads" / ("0" * 32)).mkdir()
    (tmp_path / "uploads" / "notes.txt").write_text("not a session")
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


def test_a_damaged_result_is_a_sentence_without_its_content(store: SessionStore, tmp_path: Path) -> None:
    session = store.create("col", 16_000)
    store.save_transcript(session.id, Transcript("text"))
    (tmp_path / "results" / session.id / "transcript.json").write_text('{"text": 5, "secret": "planted words"}')
    with pytest.raises(StorageError, match="audio is untouched") as caught:
        store.transcript(session.id)
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_discard_removes_everything(store: SessionStore, tmp_path: Path) -> None:
    session = store.create("col", 16_000)
    append(store, session.id, PCM)
    store.save_transcript(session.id, Transcript("text"))
    store.discard(session.id)
    assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.rglob("*.pcm"))


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
