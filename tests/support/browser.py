"""A real Chromium with a file as its microphone, and a person at the page."""

import re
import shutil
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from tests.support.paths import TESTS
from tests.support.program import App

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: For tests that open a page.
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
SAMPLES = TESTS.parent / "endoscribe" / "samples"
QUIET = (
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

#: A frame is 200 ms. On a busy machine Chromium's pretended microphone itself slips by some of its 10 ms buffers.
LESS_THAN_A_FRAME_S = 0.1
#: How long a visitor looks for what has to come; a busy machine draws a page late.
SIGHT_S = 90
#: Where visitors are: its clock is never that of the server's UTC.
ZONE = "Asia/Kolkata"
#: What is looked for in the source at once, in samples at 16 kHz.
STRETCH = 16_000
#: Every sample that the microphone gave.
EAVESDROP = """
  window.captured = [];
  const Node = window.AudioWorkletNode;
  window.AudioWorkletNode = class extends Node {
    constructor(...all) {
      super(...all);
      this.port.addEventListener('message', ({ data }) => data.samples && captured.push(...data.samples));
    }
  };
"""

Samples = npt.NDArray[np.float32]


def launch(playwright: Playwright, *arguments: str) -> Browser:
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic", *QUIET, *arguments]
    )


class Visitor:
    """A person at the page; what they would see, hear and do, and every address that their browser asked for."""

    def __init__(self, page: Page, app: App, url: str | None = None) -> None:
        self.page = page
        self.app = app
        self.asked: set[str] = set()
        self.errors: list[str] = []
        page.on("request", lambda request: self.asked.add(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(url or app.url)
        expect(self.start).to_be_enabled(timeout=90_000)

    @property
    def start(self) -> Locator:
        return self.page.locator("#microphone button").first

    @property
    def status(self) -> Locator:
        return self.page.locator("#status")

    def click(self, selector: str) -> None:
        self.page.locator(selector).click()

    def sees(self, selector: str, text: str, timeout_s: float = SIGHT_S) -> None:
        expect(self.page.locator(selector)).to_contain_text(text, timeout=timeout_s * 1000)

    def recorded_s(self) -> float:
        minutes, seconds = self.page.locator("#microphone .clock").inner_text().split(":")
        return int(minutes.strip("● ")) * 60 + int(seconds)

    def unsaved_s(self) -> int:
        """As the page says; each figure stands there for a second only, in which a busy machine may not look."""
        told = re.search(r"not yet saved: (\d+) s", self.page.locator("#microphone .unsaved").inner_text())
        return int(told[1]) if told else 0

    def until(self, holds: Callable[[], bool], timeout_s: float = SIGHT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline
            self.page.wait_for_timeout(100)

    def played_from_s(self, act: Callable[[], None]) -> float:
        """Where the player begins after something was done; it is heard then."""
        expect(self.page.locator("#player audio[src^='blob:']")).to_be_attached(timeout=20_000)
        self.page.evaluate(
            """() => {
              window.playedFrom = new Promise((resolve) => document.querySelector('#player').addEventListener(
                'seeking', ({ target }) => resolve(target.currentTime), { capture: true, once: true }));
            }"""
        )
        act()
        began_s = float(self.page.evaluate("window.playedFrom"))
        self.until(lambda: self.page.evaluate("document.querySelector('#player audio').currentTime") > began_s)
        return began_s

    def session(self) -> str:
        return str(self.page.evaluate("document.querySelector('#session textarea, #session input').value"))


def cell(page: Page, field: str, row: str = "") -> str:
    return f"#record [data-field='{field}'][data-row='{row}']"


def write_wav(path: Path, samples: Samples) -> None:
    """16 kHz, 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def lag_s(recorded: Samples, source: Samples, from_s: float, to_s: float) -> float:
    """By how much the recording between two times lies behind the same sound in the source, by cross-correlation.

    The median over several stretches, because a stretch of silence is found anywhere.
    """
    size = 1 << (len(source) + STRETCH).bit_length()
    spectrum = np.fft.rfft(source, size)
    lags = []
    for start in range(int(from_s * 16_000), int(to_s * 16_000) - STRETCH, STRETCH // 4):
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(recorded[start : start + STRETCH], size)), size)
        lags.append((start - float(np.argmax(product[: len(source)]))) / 16_000)
    return float(np.median(lags))


def stored(app: App, session: str) -> bytes:
    return (np.round(app.sessions.audio(session) * 32768)).astype("<i2").tobytes()
