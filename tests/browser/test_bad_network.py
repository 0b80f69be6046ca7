"""The microphone of a real Chromium across a network that loses, doubles, delays, reorders and cuts."""

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.support.bad_network import BadNetwork, bad_network
from tests.support.browser import EAVESDROP, Visitor, needs_chromium, stored
from tests.support.program import App

pytestmark = [pytest.mark.slow, needs_chromium]

SPEAKERS = 6
FRAMES = 60
FRAME = 1_600
SAMPLES = FRAMES * FRAME
OUTAGE_S = 30

#: A connection that has died without a word is given up after ten seconds; here they pass ten times faster.
HASTE = "const now = performance.now.bind(performance); performance.now = () => 10 * now();"
#: One dictation of noise that the page can make by itself; any sample that is lost, doubled or moved shows.
NOISE = "(speaker, i) => ((Math.imul(i + 1, 2654435761) + Math.imul(speaker, 40503)) << 8) >> 16"
SPEAK = f"""async ([speaker, frames, length, every]) => {{
  const noise = {NOISE};
  const {{ Uplink }} = await import('./ui/uplink.js');
  const spoken = {{ final: null, uplink: null }};
  (window.speakers ??= [])[speaker] = spoken;
  spoken.uplink = new Uplink({{
    base: document.baseURI, procedure: 'col', sampleRate: 16000, onChange() {{}},
    onMessage(message) {{ if (message.type === 'final') spoken.final = message; }},
  }});
  for (let frame = 0; frame < frames; frame += 1) {{
    spoken.uplink.push(Int16Array.from({{ length }}, (_, i) => noise(speaker, frame * length + i)));
    await new Promise((resolve) => setTimeout(resolve, every));
  }}
}}"""


def noise_of(speaker: int) -> bytes:
    index = np.arange(1, SAMPLES + 1, dtype=np.uint32)
    mixed = index * np.uint32(2654435761) + np.uint32(speaker * 40503)
    return ((mixed << np.uint32(8)).view(np.int32) >> 16).astype("<i2").tobytes()


@pytest.fixture
def network(app: App) -> Iterator[BadNetwork]:
    with bad_network(app.port, seed=7) as network:
        yield network


@pytest.fixture
def page(browser: Browser, network: BadNetwork) -> Iterator[Page]:
    """The microphone's own code, on a page of the server without anything else."""
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(HASTE)
        page.goto(f"http://127.0.0.1:{network.port}/health")
        yield page


def dictate(page: Page, speakers: int) -> list[str]:
    """Several dictate at once until each has its final word; their sessions."""
    page.evaluate(
        f"(all) => Promise.all(all.map({SPEAK}))", [[speaker, FRAMES, FRAME, 25] for speaker in range(speakers)]
    )
    page.evaluate("speakers.forEach(({ uplink }) => uplink.stop())")
    page.wait_for_function("speakers.every(({ final }) => final)", timeout=120_000)
    return [str(session) for session in page.evaluate("speakers.map(({ final }) => final.session)")]


@pytest.mark.parametrize("refuses_sockets", [False, True], ids=["websocket", "post"])
def test_every_sample_arrives_once_in_bad_weather(
    app: App, network: BadNetwork, page: Page, *, refuses_sockets: bool
) -> None:
    network.refuses_sockets = refuses_sockets
    network.turn("bad")
    while not (network.breaks and (refuses_sockets or (network.lost and network.doubled and network.late))):
        for speaker, session in enumerate(dictate(page, SPEAKERS)):
            assert stored(app, session) == noise_of(speaker)
            assert app.sessions.get(session).complete


@pytest.mark.parametrize("refuses_sockets", [False, True], ids=["websocket", "post"])
def test_what_is_said_into_a_dead_line_is_said_again(
    app: App, network: BadNetwork, page: Page, *, refuses_sockets: bool
) -> None:
    network.refuses_sockets = refuses_sockets
    page.evaluate(SPEAK, [0, 5, FRAME, 5])
    page.wait_for_function("speakers[0].uplink.unsavedSeconds === 0")
    network.turn("silent")
    page.evaluate("speakers[0].uplink.chooseProcedure('egd')")
    page.evaluate("speakers[0].uplink.stop()")
    network.turn("good")
    page.wait_for_function("speakers[0].final", timeout=60_000)
    assert app.sessions.get(str(page.evaluate("speakers[0].final.session"))).procedure == "egd"


def test_half_a_minute_without_a_network_loses_nothing_and_closing_the_tab_asks_first(
    browser: Browser, app: App, network: BadNetwork
) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(EAVESDROP)
        page.on("dialog", stay)
        visitor = Visitor(page, app, f"http://127.0.0.1:{network.port}/")
        visitor.start.click()
        visitor.until(lambda: visitor.recorded_s() >= 2)
        network.turn("cut")
        visitor.until(lambda: visitor.unsaved_s() >= 3)
        visitor.page.close(run_before_unload=True)
        visitor.until(lambda: asked == ["beforeunload"])
        visitor.until(lambda: visitor.recorded_s() >= 2 + OUTAGE_S, OUTAGE_S + 30)
        network.turn("good")
        expect(page.locator("#microphone .unsaved")).to_have_text("saved", timeout=60_000)
        visitor.click("#stop")
        visitor.sees("#status", "Press Submit", timeout_s=60)
        captured = np.array(page.evaluate("captured"), "<i2").tobytes()
        assert stored(app, visitor.session()) == captured
        assert len(captured) / 2 / 16_000 >= OUTAGE_S + 2
