"""A server that is told to end with SIGTERM: it does in time, keeps what it has, and every dictation goes on later."""

import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from endoscribe.storage.sessions import SessionStore
from tests.support.browser import EAVESDROP, Visitor, needs_chromium, stored
from tests.support.faults import SAMPLES, Nursery, Place, dictation_of
from tests.support.paths import SUPPORT, TESTS
from tests.support.program import running

pytestmark = pytest.mark.slow

#: How long the platform waits before it kills.
KILL_TIMEOUT_S = tomllib.loads((TESTS.parent / "fly.toml").read_text())["kill_timeout"]


@needs_chromium
def test_a_recording_page_is_let_go_in_time_and_goes_on_after_the_restart(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, SUPPORT / "scripted_app.py") as app, browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(EAVESDROP)
        visitor = Visitor(page, app)
        visitor.start.click()
        visitor.until(lambda: visitor.recorded_s() >= 2)
        assert app.end(KILL_TIMEOUT_S) in (0, -signal.SIGTERM)
        (session,) = app.sessions.sessions()
        assert session.state == "interrupted"
        assert app.sessions.sample_count(session.id)
        visitor.sees("#microphone .unsaved", "not yet saved")
        app.start()
        expect(page.locator("#microphone .unsaved")).to_have_text("saved", timeout=60_000)
        visitor.click("#stop")
        visitor.sees("#status", "Press Submit", timeout_s=60)
        assert stored(app, session.id) == np.array(page.evaluate("captured"), "<i2").tobytes()


def test_an_engine_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Stop was pressed and the last words are being waited for; they are made after the restart, by one click."""
    spoken = dictation_of(4)
    with running(tmp_path, SUPPORT / "hanging_app.py", ENDOSCRIBE_HUNG_AFTER_S="3600") as app:
        with spoken.connected(app) as connection:
            spoken.speak(connection)
            while not spoken.is_over:
                spoken.hear(connection, 0.5)
            assert spoken.acknowledged == SAMPLES
            assert app.end(KILL_TIMEOUT_S) in (0, -signal.SIGTERM)
        assert spoken.session
        session = app.sessions.get(spoken.session)
        assert session.complete
        assert session.state == "stopped"
        assert app.sessions.transcript(session.id) is None
        app.start()
        app.wait_until_ready()
        assert stored(app, session.id) == spoken.pcm


def test_what_was_interrupted_is_listed_and_one_click_makes_its_report(nursery: Nursery, tmp_path: Path) -> None:
    """Nobody comes back: the server is killed in the middle, and all that is left is the list of dictations."""
    spoken = dictation_of(5)
    victim = nursery.serve(Place(tmp_path))
    with spoken.connected(victim) as connection:
        spoken.speak(connection, stop=False)
        while spoken.acknowledged < SAMPLES:
            spoken.hear(connection, 0.5)
        victim.kill()
    victim = nursery.serve(Place(tmp_path))
    store = SessionStore(tmp_path / "uploads", tmp_path / "results")
    try:
        (session,) = store.sessions()
        assert session.state == "interrupted"
        assert (tmp_path / "uploads" / session.id / "audio.pcm").read_bytes() == spoken.pcm
        victim.submit(session.id)
        assert store.get(session.id).state == "done"
        transcript = store.transcript(session.id)
        assert transcript
        assert transcript.text
        assert store.record(session.id)
    finally:
        victim.kill()
        store.close()
