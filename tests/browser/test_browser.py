"""The page in a real Chromium, with a file as its microphone and the app as a program of its own.

Most tests use the scripted engine, whose words come at a fixed pace; the last one does the whole job on real speech
with real weights.
"""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Playwright, WebSocketRoute, expect

from endoscribe.settings import LOCAL_DATA_DIR
from tests.support.browser import LESS_THAN_A_FRAME_S, SAMPLES, Samples, Visitor, lag_s, launch, needs_chromium
from tests.support.paths import SUPPORT, TESTS
from tests.support.program import App, running

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.mark.smoke
@pytest.mark.smoke
def test_dictate_and_get_a_report(visitor: Visitor) -> None:
    page = visitor.page
    visitor.start.click()
    visitor.sees("#live-text .committed", "This is a screening colonoscopy. The cecum was reached.")
    visitor.sees("#record [data-field=extent_reached]", "cecum")
    expect(page.locator("#checklist .es-gap-item").first).to_be_visible()
    visitor.until(lambda: visitor.recorded_s() >= 6)
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")
    visitor.click("#submit")
    visitor.sees("#status", "Draft report ready")
    visitor.sees("#record [data-field=bbps_total]", "8")
    visitor.sees("#record [data-field='polyps.size_mm'][data-row='0']", "6")
    said_s = float(page.locator("#record [data-field=bbps_total]").get_attribute("data-start-s") or "nan")
    began_s = visitor.played_from_s(page.locator("#record [data-field=bbps_total] button").click)
    assert began_s == pytest.approx(said_s - 0.5, abs=0.1)
    expect(page.locator("#transcript .lit").first).to_be_visible()
    visitor.click("#note-part button")
    visitor.sees("#note", "8")
    with page.expect_download() as download:
        visitor.click("#export-csv")
    assert download.value.suggested_filename.startswith("draft-col-")


def test_every_sample_of_the_microphone_arrives_in_order(visitor: Visitor, colonoscopy_speech: Samples) -> None:
    visitor.start.click()
    visitor.until(lambda: visitor.recorded_s() >= 3)
    visitor.click("#pause")
    visitor.sees("#status", "Paused")
    paused_s = visitor.recorded_s()
    visitor.page.wait_for_timeout(1500)
    assert visitor.recorded_s() == paused_s
    visitor.click("#pause")
    visitor.until(lambda: visitor.recorded_s() >= paused_s + 4)
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")
    session = visitor.app.sessions.get(visitor.session())
    recorded = visitor.app.sessions.audio(session.id)
    assert session.sample_rate == 16_000
    (pause,) = session.pauses
    assert pause / 16_000 == pytest.approx(paused_s, abs=1)
    spoken_s = (len(recorded) - pause) / 16_000
    assert spoken_s > 3
    early = lag_s(recorded[pause:], colonoscopy_speech, 0, spoken_s / 2)
    late = lag_s(recorded[pause:], colonoscopy_speech, spoken_s / 2, spoken_s)
    assert early == pytest.approx(late, abs=LESS_THAN_A_FRAME_S)


def test_a_killed_server_loses_nothing(browser: Browser, tmp_path: Path, colonoscopy_speech: Samples) -> None:
    with running(tmp_path, SUPPORT / "scripted_app.py") as app, browser.new_context() as context:
        visitor = Visitor(context.new_page(), app)
        visitor.start.click()
        visitor.until(lambda: visitor.recorded_s() >= 3)
        app.kill()
        visitor.until(lambda: visitor.unsaved_s() >= 3)
        app.start()
        visitor.sees("#microphone .unsaved", "saved", timeout_s=60)
        expect(visitor.page.locator("#microphone .unsaved")).to_have_text("saved", timeout=60_000)
        visitor.click("#stop")
        visitor.sees("#status", "Press Submit", timeout_s=60)
        (session,) = app.sessions.sessions()
        recorded = app.sessions.audio(session.id)
        assert session.state == "transcribed"
        end_s = len(recorded) / 16_000
        before = lag_s(recorded, colonoscopy_speech, 0, 3)
        during = lag_s(recorded, colonoscopy_speech, 3, 6)
        after = lag_s(recorded, colonoscopy_speech, end_s - 3, end_s)
        assert during == pytest.approx(before, abs=LESS_THAN_A_FRAME_S)
        assert after == pytest.approx(before, abs=LESS_THAN_A_FRAME_S)


def test_what_never_reached_the_server_is_sent_at_the_next_visit(
    browser: Browser, tmp_path: Path, colonoscopy_speech: Samples
) -> None:
    with running(tmp_path, SUPPORT / "scripted_app.py") as app, browser.new_context() as context:
        visitor = Visitor(context.new_page(), app)
        visitor.start.click()
        visitor.until(lambda: visitor.recorded_s() >= 2)
        app.kill()
        visitor.until(lambda: visitor.unsaved_s() >= 4)
        spoken_s = visitor.recorded_s()
        visitor.page.close()  # as in a crash: nobody is asked
        app.start()
        app.wait_until_ready()
        again = Visitor(context.new_page(), app)
        again.sees("#status", "of an earlier dictation, which had not reached the server, are saved now", timeout_s=60)
        (session,) = app.sessions.sessions()
        recorded = app.sessions.audio(session.id)
        assert session.state == "transcribed"
        end_s = len(recorded) / 16_000
        assert end_s >= spoken_s
        before = lag_s(recorded, colonoscopy_speech, 0, 2)
        assert lag_s(recorded, colonoscopy_speech, end_s - 3, end_s) == pytest.approx(before, abs=LESS_THAN_A_FRAME_S)
        again.page.reload()
        expect(again.start).to_be_enabled(timeout=30_000)
        assert again.page.evaluate("import('./ui/spool.js').then((spool) => spool.leftBehind())") == []


def test_where_websockets_are_refused_the_frames_go_by_post(visitor: Visitor) -> None:
    def refuse(route: WebSocketRoute) -> None:
        route.close()

    visitor.page.route_web_socket("**/ws/microphone", refuse)
    visitor.start.click()
    visitor.sees("#live-text .committed", "This is a screening colonoscopy.")
    visitor.until(lambda: visitor.recorded_s() >= 3)
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")
    assert any("/microphone/" in address and address.endswith("preview=0") for address in visitor.asked)
    assert visitor.app.sessions.duration_s(visitor.app.sessions.get(visitor.session())) > 2


def test_submit_while_recording_stops_first(visitor: Visitor) -> None:
    visitor.start.click()
    visitor.sees("#live-text .committed", "The cecum was reached.")
    visitor.click("#submit")
    visitor.sees("#status", "Draft report ready")
    visitor.sees("#record [data-field=extent_reached]", "cecum")
    expect(visitor.start).to_be_enabled()
    assert visitor.app.sessions.get(visitor.session()).state == "done"


def test_an_audio_device_that_answers_no_more_does_not_hold_up_stop(visitor: Visitor) -> None:
    visitor.page.evaluate(
        """() => {
          const post = MessagePort.prototype.postMessage;
          MessagePort.prototype.postMessage = function (message, ...rest) {
            if (message !== 'hold') post.call(this, message, ...rest);
          };
        }"""
    )
    visitor.start.click()
    visitor.until(lambda: visitor.recorded_s() >= 1)
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")
    expect(visitor.start).to_be_enabled()


def test_seconds_that_the_server_did_not_take_are_told(visitor: Visitor) -> None:
    def shorten(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if isinstance(message, str):
                told = json.loads(message)
                if told["type"] == "ack":
                    return
                if told["type"] == "stopped":
                    message = json.dumps({**told, "samples": told["samples"] - 16_000})
            route.send(message)

        server.on_message(pass_on)

    visitor.page.route_web_socket("**/ws/microphone", shorten)
    visitor.start.click()
    visitor.until(lambda: visitor.recorded_s() >= 2)
    visitor.click("#stop")
    visitor.sees("#status", "The last 1 s could not be saved.")


def test_leaving_while_recording_asks_first(visitor: Visitor) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    visitor.page.on("dialog", stay)
    visitor.start.click()
    visitor.until(lambda: visitor.recorded_s() >= 1)
    visitor.page.close(run_before_unload=True)
    visitor.until(lambda: asked == ["beforeunload"])
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")


def test_a_sample_gives_a_report_in_two_clicks(visitor: Visitor) -> None:
    visitor.click("#example button >> nth=1")
    visitor.sees("#live-text .committed", "This is a screening colonoscopy.")
    expect(visitor.page.locator("#procedure input")).to_have_value("EGD")
    visitor.click("#submit")
    visitor.sees("#status", "Draft report ready")
    assert visitor.app.sessions.get(visitor.session()).procedure == "egd"


def test_an_upload_does_the_same_job(visitor: Visitor) -> None:
    visitor.page.locator("#upload input[type=file]").set_input_files(SAMPLES / "col-two-polyps.flac")
    visitor.sees("#transcript", "This is a screening colonoscopy.")
    expect(visitor.page.locator("#cancel")).to_be_hidden()
    visitor.click("#submit")
    visitor.sees("#status", "Draft report ready")


def test_a_file_that_is_no_recording_is_refused_with_a_sentence(visitor: Visitor, tmp_path: Path) -> None:
    letter = tmp_path / "letter.wav"
    letter.write_text("Dear colleague")
    visitor.page.locator("#upload input[type=file]").set_input_files(letter)
    visitor.sees("#status", "not a recording that can be read")
    expect(visitor.start).to_be_enabled()


def test_an_earlier_dictation_is_reopened_after_a_reload(visitor: Visitor) -> None:
    visitor.click("#example button >> nth=0")
    visitor.sees("#live-text .committed", "This is a screening colonoscopy.")
    visitor.click("#submit")
    visitor.sees("#status", "Draft report ready")
    visitor.page.reload()
    expect(visitor.start).to_be_enabled(timeout=30_000)
    visitor.click("#earlier button")
    visitor.page.locator("#history button").first.click()
    visitor.sees("#status", "made before")
    visitor.sees("#transcript", "This is a screening colonoscopy.")
    expect(visitor.page.locator("#submit")).to_be_enabled()


def test_the_page_fits_a_phone(browser: Browser, app: App) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        visitor = Visitor(context.new_page(), app)
        visitor.click("#example button >> nth=0")
        visitor.sees("#live-text .committed", "This is a screening colonoscopy.")
        visitor.click("#submit")
        visitor.sees("#status", "Draft report ready")
        visitor.click("#earlier button")
        expect(visitor.page.locator("#history button").first).to_be_visible()
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_refused_microphone_says_what_to_do(playwright: Playwright, app: App) -> None:
    with (
        launch(playwright, "--use-fake-device-for-media-stream", "--deny-permission-prompts") as browser,
        browser.new_context() as context,
    ):
        visitor = Visitor(context.new_page(), app)
        visitor.start.click()
        visitor.sees("#status", "The microphone was refused")
        expect(visitor.start).to_be_enabled()


def test_the_whole_job_on_real_speech_with_real_weights(browser: Browser, tmp_path: Path) -> None:
    """A recorded dictation, WhisperX, live text before Stop, and cells whose words were heard."""
    (tmp_path / "models").symlink_to((TESTS.parent / LOCAL_DATA_DIR / "models").resolve())
    with (
        running(tmp_path, TESTS.parent / "app.py", ENDOSCRIBE_WHISPER_MODEL="base", ENDOSCRIBE_DEVICE="cpu") as app,
        browser.new_context() as context,
    ):
        visitor = Visitor(context.new_page(), app)
        visitor.start.click()
        visitor.sees("#live-text .committed", "colonoscopy", timeout_s=90)
        visitor.sees("#live-text .committed", "preparation", timeout_s=120)  # comes after the Boston score
        visitor.click("#stop")
        visitor.sees("#status", "Press Submit", timeout_s=120)
        visitor.click("#submit")
        visitor.sees("#status", "Draft report ready", timeout_s=60)
        visitor.sees("#record [data-field=patient_age]", "58")
        visitor.sees("#record [data-field=bbps_total]", "8")
        assert visitor.errors == []
        assert {address.split("/")[2] for address in visitor.asked if "://" in address} == {f"127.0.0.1:{app.port}"}
