"""The page's actions without a page: which panels they set, and what they say when something is wrong."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import numpy as np
import pytest

from endoscribe.web.page.actions import BLANK, Actions, PageUpdate
from tests.support.paths import ROOT
from tests.support.scripted import ScriptedScheduler, Server

SAMPLES = ROOT / "endoscribe" / "samples"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, ScriptedScheduler()) as server:
        yield server


def stored(server: Server, seconds: float = 4) -> str:
    """A session that holds audio and nothing else."""
    sessions = server.services.sessions
    session = sessions.create("col", 16_000)
    audio = sessions.open_audio(session.id)
    audio.append(np.ones(int(seconds * 16_000), "<i2").tobytes())
    audio.sync()
    audio.close()
    return session.id


def updates(action: AsyncGenerator[PageUpdate, None]) -> list[PageUpdate]:
    async def collect() -> list[PageUpdate]:
        return [update async for update in action]

    return asyncio.run(collect())


def after(shown: list[PageUpdate], name: str) -> object:
    """What a panel holds in the end."""
    return [value for update in shown if (value := getattr(update, name)) is not None][-1]


PATIENT = ("session", "record", "checklist", "checks", "unfiled", "transcript", "player", "note", "review", "exports")


def test_opening_another_session_first_takes_everything_of_the_last_one_away(server: Server) -> None:
    first = updates(Actions(server.services, server.reviews, server.access).reopen(stored(server)))[0]
    assert {name: getattr(first, name) for name in PATIENT} == dict.fromkeys(PATIENT, "")
    assert first.can_submit is False


def test_a_session_that_cannot_be_opened_leaves_nothing_to_submit(server: Server) -> None:
    shown = updates(Actions(server.services, server.reviews, server.access).reopen("0" * 32))
    assert "no such session" in str(after(shown, "status"))
    assert after(shown, "session") == ""
    assert after(shown, "can_submit") is False


def test_a_session_without_a_transcript_can_be_submitted_after_a_failure(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(failure="The engine broke.")) as server:
        session = stored(server)
        shown = updates(Actions(server.services, server.reviews, server.access).reopen(session))
    assert after(shown, "session") == session
    assert after(shown, "can_submit") is True


def test_a_new_recording_blanks_every_panel_of_the_last_one(server: Server) -> None:
    session = stored(server)
    began = asyncio.run(Actions(server.services, server.reviews, server.access).began(session))
    assert began.session == session
    assert {getattr(began, name) for name in PATIENT[1:]} == {""}
    assert set(PATIENT) == {name for name, value in vars(BLANK).items() if value == ""}


def test_an_upload_that_cannot_be_transcribed_yet_is_kept_for_submit(tmp_path: Path) -> None:
    upload = tmp_path / "upload.flac"
    shutil.copy(SAMPLES / "col-two-polyps.flac", upload)
    with Server(tmp_path, ScriptedScheduler(failure="The engine broke.")) as server:
        shown = updates(Actions(server.services, server.reviews, server.access).upload(upload, "col"))
        (session,) = server.services.sessions.sessions()
        assert after(shown, "session") == session.id
        assert "is kept; press Submit" in str(after(shown, "status"))
        assert after(shown, "can_submit") is True
        assert not upload.exists()


def test_an_upload_that_is_cut_off_says_so_as_long_as_it_is_looked_at(server: Server, tmp_path: Path) -> None:
    content = (SAMPLES / "col-two-polyps.flac").read_bytes()
    (tmp_path / "upload.flac").write_bytes(content[: len(content) // 3])
    actions = Actions(server.services, server.reviews, server.access)
    shown = updates(actions.upload(tmp_path / "upload.flac", "col"))
    assert "is cut off" in str(after(shown, "status"))
    session = str(after(shown, "session"))
    for later in (actions.submit(session, "col"), actions.reopen(session)):
        assert "is cut off" in str(after(updates(later), "status"))


def test_a_recording_without_a_sample_offers_nothing_to_submit(server: Server) -> None:
    update = asyncio.run(
        Actions(server.services, server.reviews, server.access).recorded(stored(server, 0), "Nothing was recorded.")
    )
    assert "Submit" not in str(update.status)
    assert update.session == ""
    assert update.can_submit is False


def test_lost_seconds_are_told_although_there_is_a_text(server: Server) -> None:
    actions, session = Actions(server.services, server.reviews, server.access), stored(server)
    updates(actions.reopen(session))
    update = asyncio.run(actions.recorded(session, None, "The last 3 s could not be saved."))
    assert "The last 3 s could not be saved." in str(update.status)
    assert update.can_submit
