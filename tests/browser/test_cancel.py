"""Cancel in a real Chromium while real weights work on long recordings: the work ends, and what is done stays."""

import csv
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from endoscribe.settings import LOCAL_DATA_DIR
from tests.support.browser import SAMPLES, Samples, Visitor, needs_chromium, write_wav
from tests.support.paths import TESTS
from tests.support.program import App, running

pytestmark = [pytest.mark.slow, needs_chromium]

#: So often the shipped sample of a minute is repeated: work for minutes.
REPEATS = 12
#: A process that does nothing but wait takes less of each second than this.
IDLE_CPU_S = 0.1


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("data")
    (folder / "models").symlink_to((TESTS.parent / LOCAL_DATA_DIR / "models").resolve())
    settings = {"ENDOSCRIBE_WHISPER_MODEL": "tiny.en", "ENDOSCRIBE_DEVICE": "cpu"}
    with running(folder, TESTS.parent / "app.py", **settings) as app:
        yield app


@pytest.fixture
def visitor(browser: Browser, app: App) -> Iterator[Visitor]:
    with browser.new_context() as context:
        yield Visitor(context.new_page(), app)


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory, colonoscopy_speech: Samples) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.wav"
    write_wav(path, np.tile(colonoscopy_speech, REPEATS))
    return path


def cpu_s(app: App) -> float:
    """What the app's process has computed since it began, all threads together."""
    fields = Path(f"/proc/{app.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_idle(visitor: Visitor) -> bool:
    before_s = cpu_s(visitor.app)
    visitor.page.wait_for_timeout(3000)
    return cpu_s(visitor.app) - before_s < 3 * IDLE_CPU_S


def test_an_uploaded_recording_is_left_alone_when_its_transcription_is_cancelled(
    visitor: Visitor, long_recording: Path
) -> None:
    page = visitor.page
    page.locator("#upload input[type=file]").set_input_files(long_recording)
    visitor.sees("#status", "%", timeout_s=120)
    visitor.click("#cancel")
    visitor.sees("#status", "Cancelled. The recording is kept under Earlier dictations. Press Submit to go on with it.")
    expect(page.locator("#cancel")).to_be_hidden()
    visitor.until(lambda: is_idle(visitor), timeout_s=90)
    (session,) = visitor.app.sessions.sessions()
    assert session.state == "stopped"
    assert visitor.app.sessions.transcript(session.id) is None
    assert visitor.app.sessions.duration_s(session) > 60 * REPEATS * 0.8
    visitor.sees("#status", "Cancelled.")
    expect(page.locator("#submit")).to_be_enabled()
    visitor.click("#earlier button")
    expect(page.locator(f"#history [data-session='{session.id}']")).to_have_text("Transcribe")


def test_many_recordings_are_left_alone_and_those_that_are_done_stay(
    visitor: Visitor, long_recording: Path, tmp_path: Path
) -> None:
    page = visitor.page
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.write(SAMPLES / "col-two-polyps.flac", "a.flac")
        archive.write(long_recording, "b.wav")
        archive.write(long_recording, "c.wav")
    page.goto(f"{visitor.app.url}research")
    expect(page.locator("#research-run")).to_be_visible(timeout=30_000)
    page.locator("#research-files input[type=file]").set_input_files(tmp_path / "study.zip")
    expect(page.locator("#research-files")).to_contain_text("study", timeout=60_000)
    visitor.click("#research-run")
    visitor.sees("#research-results", "1 of 3 done.", timeout_s=180)
    visitor.click("#research-cancel")
    visitor.sees("#research-results", "Cancelled: 1 of 3 dictations done; the others were not read.", timeout_s=90)
    visitor.until(lambda: is_idle(visitor), timeout_s=90)
    with page.expect_download() as download:
        page.locator("#research-results a[download='research.csv']").click()
    (row,) = csv.DictReader(Path(download.value.path()).read_text().splitlines())
    assert row["file"] == "a.flac"
    assert row["patient_age"] == "58"
    expect(page.locator("#research-cancel")).to_be_disabled()
