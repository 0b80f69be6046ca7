"""A disk that is full for a while: the browser keeps what the server cannot, and sends it when there is space again."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect
from websockets.exceptions import WebSocketException

from endoscribe.storage.sessions import SessionStore
from tests.support.browser import EAVESDROP, Visitor, needs_chromium, stored
from tests.support.faults import RATE, SAMPLES, Browser, Nursery, Place, Victim, dictation_of
from tests.support.paths import SUPPORT
from tests.support.program import running

pytestmark = pytest.mark.slow

#: How much of a dictation finds space.
ROOM = 40_000
SMALL_DISK = 4 << 20


@contextmanager
def no_file_grows(pid: int, most_bytes: int) -> Iterator[None]:
    """What a quota does to a program: each file may have so many bytes."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", folder], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def speak_until_refused(browser: Browser, victim: Victim) -> str:
    """Say all of it; what the server says when it cannot take any more."""
    with browser.connected(victim) as connection:
        with suppress(WebSocketException):
            browser.speak(connection)
        while not browser.problem:
            browser.hear(connection, 1)
    return browser.problem


def fill(disk: Path, block_bytes: int) -> Path:
    """Leave less space than a block."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(block_bytes))
    return ballast


def complete(browser: Browser, victim: Victim, folder: Path) -> None:
    """There is space again: the rest is sent, and one click makes the report."""
    with browser.connected(victim) as connection:
        browser.speak(connection)
        browser.wait_until_final(connection)
    assert browser.session
    victim.submit(browser.session)
    store = SessionStore(folder / "uploads", folder / "results")
    assert store.get(browser.session).state == "done"
    assert (folder / "uploads" / browser.session / "audio.pcm").read_bytes() == browser.pcm
    store.close()


def test_a_full_disk_costs_nothing(nursery: Nursery, small_disk: Path) -> None:
    browser = dictation_of(1)
    victim = nursery.serve(Place(small_disk))
    try:
        with browser.connected(victim) as connection:
            browser.hear(connection, 0.5)
        ballast = fill(small_disk, 1 << 12)
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - ROOM)
        assert "The disk is full" in speak_until_refused(browser, victim)
        assert browser.acknowledged < SAMPLES
        assert "The disk is full" in speak_until_refused(browser, victim)
        ballast.unlink()
        complete(browser, victim, small_disk)
    finally:
        victim.kill()


def test_a_file_that_may_not_grow_costs_nothing(nursery: Nursery, tmp_path: Path) -> None:
    browser = dictation_of(2)
    victim = nursery.serve(Place(tmp_path))
    try:
        with browser.connected(victim) as connection:
            browser.hear(connection, 0.5)
        with no_file_grows(victim.pid, ROOM):
            assert "data folder cannot be used" in speak_until_refused(browser, victim)
            assert browser.acknowledged <= ROOM // 2
        complete(browser, victim, tmp_path)
    finally:
        victim.kill()


def test_a_dictation_can_begin_while_the_disk_is_full(nursery: Nursery, small_disk: Path) -> None:
    victim = nursery.serve(Place(small_disk))
    browser = dictation_of(3)
    ballast = fill(small_disk, 1 << 10)
    try:
        with browser.connected(victim):
            assert "The disk is full" in browser.problem
        assert browser.session is None
        ballast.unlink()
        browser.problem = ""
        complete(browser, victim, small_disk)
    finally:
        victim.kill()


@needs_chromium
def test_the_page_goes_on_recording_while_the_disk_is_full(browser: Chromium, tmp_path: Path) -> None:
    with running(tmp_path, SUPPORT / "scripted_app.py") as app, browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(EAVESDROP)
        visitor = Visitor(page, app)
        visitor.start.click()
        visitor.until(lambda: visitor.recorded_s() >= 2)
        with no_file_grows(app.pid, RATE):
            visitor.until(lambda: visitor.unsaved_s() >= 3)
            visitor.sees("#status", "data folder cannot be used")
        expect(page.locator("#microphone .unsaved")).to_have_text("saved", timeout=60_000)
        visitor.click("#stop")
        visitor.sees("#status", "Press Submit", timeout_s=60)
        assert stored(app, visitor.session()) == np.array(page.evaluate("captured"), "<i2").tobytes()
