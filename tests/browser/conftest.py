"""One Chromium, and one app with the scripted engine, for all tests of this room that need none of their own.

They end with the room and not with the session: while Playwright runs, asyncio takes its loop for that of the whole
thread, and no other room could start one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.support.browser import ZONE, Samples, Visitor, launch, write_wav
from tests.support.paths import SUPPORT
from tests.support.program import App, running


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with the scripted engine; nobody may change its settings or end it."""
    with running(tmp_path_factory.mktemp("data"), SUPPORT / "scripted_app.py") as app:
        yield app


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def dictation(tmp_path_factory: pytest.TempPathFactory, colonoscopy_speech: Samples) -> Path:
    """The shipped sample as the WAV file that Chromium plays into its fake microphone."""
    path = tmp_path_factory.mktemp("speech") / "dictation.wav"
    write_wav(path, colonoscopy_speech)
    return path


@pytest.fixture(scope="package")
def browser(playwright: Playwright, dictation: Path) -> Iterator[Browser]:
    with launch(
        playwright,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={dictation}%noloop",
    ) as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser, app: App) -> Iterator[Visitor]:
    """Somebody at a desk, who reaches nothing but the app and sees no error."""
    with browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id=ZONE) as context:
        visitor = Visitor(context.new_page(), app)
        yield visitor
        assert visitor.errors == []
        assert {address.split("/")[2] for address in visitor.asked if "://" in address} == {f"127.0.0.1:{app.port}"}
