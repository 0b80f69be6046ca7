"""Several pages on one database: what one records the others see, and leave alone until it is over."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from endoscribe.errors import HeldError, StorageError
from endoscribe.storage.sessions import SessionStore
from tests.support.postgres import new_database
from tests.support.protocol import PCM, SAMPLES, Socket, connect, even_frames, record
from tests.support.scripted import ScriptedScheduler, Server, transcript_of
from tests.support.stored import append, made_earlier

#: A page by the name of its data folder.
NewPage = Callable[[str], Server]

HALF = SAMPLES // 2
FRAMES = even_frames()


@contextmanager
def pages(folder: Path, database_url: str | None) -> Iterator[NewPage]:
    """Pages with scripted engines on the same database and shared storage; those of the same name share a folder."""
    settings = {"ENDOSCRIBE_DATABASE_URL": database_url} if database_url else {}
    settings["ENDOSCRIBE_AUDIO_URL"] = f"file://{folder / 'share'}"
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(Server(folder / name, ScriptedScheduler(), has_page=False, **settings))


@pytest.fixture
def new_page(tmp_path: Path, database_url: str | None) -> Iterator[NewPage]:
    with pages(tmp_path, database_url) as new_page:
        yield new_page


@pytest.fixture
def apart(tmp_path: Path, postgres_server: str) -> Iterator[tuple[Server, Server]]:
    """Two pages with folders of their own."""
    with pages(tmp_path, new_database(postgres_server, f"test_{secrets.token_hex(6)}")) as new_page:
        yield new_page("one"), new_page("other")


def begin(socket: Socket) -> str:
    """The session of a dictation of which the first half is safe."""
    session = str(socket.hello()["session"])
    socket.send(*(frame for frame in FRAMES if frame.end_sample <= HALF))
    socket.until_safe(HALF)
    return session


def refused(page: Server, session: str) -> str:
    """What a browser is told that comes to the wrong page; it comes back later, and deletes nothing."""
    with connect(page) as connection:
        socket = Socket(connection)
        socket.say(type="hello", protocol=1, session=session, procedure="col", sample_rate=16_000)
        told = socket.until("problem")
        assert told["again"]
        assert not told["gone"]
        return str(told["text"])


def test_a_page_that_starts_leaves_alone_what_another_one_records(new_page: NewPage) -> None:
    one = new_page("shared")
    with connect(one) as connection:
        socket = Socket(connection)
        session = begin(socket)
        other = new_page("shared")
        assert other.services.sessions.get(session).state == "recording"
        assert "goes on elsewhere" in refused(other, session)
        assert other.client.delete(f"/sessions/{session}").status_code == 409
        final = record(socket, FRAMES)
    assert final["problem"] is None
    assert other.stored(session) == PCM
    assert other.client.get(f"/audio/{session}").content[44:] == PCM
    assert other.services.sessions.transcript(session) == transcript_of(SAMPLES)


def test_a_dictation_goes_on_at_the_other_page_when_the_first_one_ends(new_page: NewPage) -> None:
    one, other = new_page("shared"), new_page("shared")
    with connect(one) as connection:
        session = begin(Socket(connection))
        one.client.portal.call(one.app.state.recordings.close)  # type: ignore[union-attr]
        with connect(other) as moved:
            socket = Socket(moved)
            assert socket.hello(session)["samples"] == HALF
            assert other.services.sessions.get(session).state == "recording"
            assert record(socket, FRAMES)["problem"] is None
    assert other.stored(session) == PCM
    assert other.services.sessions.get(session).complete


def test_retention_at_two_pages_deletes_each_dictation_once_and_none_that_is_spoken(new_page: NewPage) -> None:
    one, other = new_page("shared").services.sessions, new_page("shared").services.sessions
    ended = [one.create("col", 16_000).id for _ in range(20)]
    for session_id in ended:
        one.set_state(session_id, "done")
    spoken, lost = one.create("col", 16_000), one.create("col", 16_000)
    log = one.open_audio(spoken.id)
    for session_id in (*ended, spoken.id, lost.id):
        made_earlier(one, session_id, days=40)
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda store: store.discard_older_than(30), (one, other))) == 21
    log.close()
    assert [session.id for session in one.sessions()] == [spoken.id]


def test_two_pages_move_each_recording_once_to_the_shared_storage(new_page: NewPage, tmp_path: Path) -> None:
    one, other = new_page("shared").services.sessions, new_page("shared").services.sessions
    ids = [one.create("col", 16_000).id for _ in range(20)]
    for session_id in ids:
        append(one, session_id, PCM)
        one.set_complete(session_id)
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(SessionStore.archive, (one, other))) == len(ids)
    assert all((tmp_path / "share" / f"{session_id}.pcm").read_bytes() == PCM for session_id in ids)
    assert {other.sample_count(session_id) for session_id in ids} == {SAMPLES}


def test_a_recording_is_not_moved_while_somebody_has_it(new_page: NewPage) -> None:
    sessions = new_page("shared").services.sessions
    session = sessions.create("col", 16_000)
    append(sessions, session.id, PCM)
    sessions.set_complete(session.id)
    log = sessions.open_audio(session.id)
    assert sessions.archive() == 0
    log.close()
    assert sessions.archive() == 1


def test_a_folder_of_ones_own_is_read_by_the_others_once_the_dictation_has_ended(apart: tuple[Server, Server]) -> None:
    one, other = apart
    with connect(one) as connection:
        socket = Socket(connection)
        session = begin(socket)
        assert "another machine" in refused(other, session)
        assert "another machine" in other.client.get(f"/audio/{session}").json()["problem"]
        assert record(socket, FRAMES)["problem"] is None
    assert one.services.sessions.archive() == 1
    assert other.stored(session) == PCM
    assert other.services.sessions.transcript(session) == transcript_of(SAMPLES)


def test_what_is_deleted_at_another_page_does_not_come_back(apart: tuple[Server, Server], tmp_path: Path) -> None:
    one, other = (page.services.sessions for page in apart)
    kept, deleted = one.create("col", 16_000), one.create("col", 16_000)
    for session in (kept, deleted):
        append(one, session.id, PCM)
        one.set_state(session.id, "interrupted")
    other.discard(deleted.id)
    one.drop_deleted()
    assert [path.name for path in (tmp_path / "one" / "uploads").iterdir()] == [kept.id]
    append(other, other.create("col", 16_000).id, PCM)
    assert one.recover() == []
    assert one.get(kept.id).state == "interrupted"


def test_the_lock_on_a_recording_ends_with_the_one_who_writes(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "uploads", tmp_path / "results")
    session = store.create("col", 16_000)
    log = store.open_audio(session.id)
    with pytest.raises(HeldError, match="goes on elsewhere"):
        store.open_audio(session.id)
    log.close()
    store.open_audio(session.id).close()
    assert not store.is_held(session.id)
    with pytest.raises(StorageError):
        store.open_audio("0" * 32)
    store.close()
