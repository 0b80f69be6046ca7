"""What hurt a new user at the page: each trouble, and that it is none any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import Visitor, cell, needs_chromium
from tests.support.program import App

pytestmark = [pytest.mark.slow, needs_chromium]

WAKE_LOCK = """
  window.locks = [];
  Object.defineProperty(navigator, 'wakeLock', { value: { request: async (kind) => {
    locks.push(kind);
    return { release: async () => locks.push('released') };
  } } });
"""


@pytest.fixture
def reviewer(visitor: Visitor) -> Visitor:
    return reported(visitor)


@pytest.fixture
def phone(browser: Browser, app: App) -> Iterator[Visitor]:
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        page.add_init_script(WAKE_LOCK)
        yield Visitor(page, app)


def reported(visitor: Visitor) -> Visitor:
    visitor.click("#example button >> nth=0")
    visitor.sees("#status", "Draft report ready")
    return visitor


def state(page: Page) -> str | None:
    return page.locator("#microphone .microphone").get_attribute("data-state")


def choose_procedure(page: Page, name: str) -> None:
    page.locator("#procedure input").click()
    page.get_by_role("option", name=name).click()
    expect(page.locator("#procedure input")).to_have_value(name)


def test_a_reload_restores_the_procedure_and_words_of_another_one_are_asked_about(visitor: Visitor) -> None:
    page = visitor.page
    choose_procedure(page, "EGD")
    visitor.start.click()
    visitor.sees("#live-text .committed", "The cecum was reached.")
    page.once("dialog", lambda dialog: dialog.accept())
    page.reload()
    visitor.sees("#status", "interrupted; all of it is here")
    expect(page.locator("#procedure input")).to_have_value("EGD")
    expect(page.locator("#submit")).to_be_enabled()
    visitor.click("#pause")
    visitor.until(lambda: visitor.recorded_s() >= 4)
    visitor.click("#submit")
    visitor.sees("dialog.question", "These words fit Colonoscopy far better than EGD.")
    page.get_by_role("button", name="Cancel").last.click()
    visitor.sees("#status", "No report was made.")
    visitor.click("#submit")
    page.get_by_role("button", name="Make the report as Colonoscopy").click()
    visitor.sees("#status", "Draft report ready")
    expect(page.locator("#record .es-record")).to_have_attribute("data-procedure", "col")
    expect(page.locator("#procedure input")).to_have_value("Colonoscopy")
    expect(page.locator("#submit")).to_have_text("Submit again")


def test_space_starts_nothing_over_a_report_and_start_asks(reviewer: Visitor) -> None:
    page = reviewer.page
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    assert state(page) == "idle"
    expect(page.locator("#record .es-record")).to_be_visible()
    reviewer.start.click()
    reviewer.sees("dialog.question", "A report is on the screen.")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.question")).to_have_count(0)
    assert state(page) == "idle"
    reviewer.start.click()
    page.get_by_role("button", name="Start a new dictation").click()
    reviewer.until(lambda: state(page) == "recording")
    reviewer.click("#stop")


def test_space_leaves_whatever_has_the_focus_alone(visitor: Visitor) -> None:
    visitor.page.locator("#live-text .text").focus()
    visitor.page.keyboard.press("Space")
    assert state(visitor.page) == "idle"


def test_typing_takes_the_place_of_what_stands_there_and_going_elsewhere_saves_it(reviewer: Visitor) -> None:
    page, total, right = reviewer.page, cell(reviewer.page, "bbps_total"), cell(reviewer.page, "bbps_right")
    page.locator(f"{total} .es-play").dblclick()
    expect(page.locator(f"{total} input")).to_be_focused()
    page.keyboard.type("7")
    expect(page.locator(f"{total} input")).to_have_value("7")
    page.locator(f"{right} .es-play").dblclick()
    expect(page.locator(total)).to_have_attribute("data-status", "edited")
    reviewer.sees(total, "7")


def test_what_was_typed_is_there_after_a_reload(reviewer: Visitor) -> None:
    page, total = reviewer.page, cell(reviewer.page, "bbps_total")
    page.locator(f"{total} .es-play").dblclick()
    page.keyboard.type("7")
    page.reload()
    expect(page.locator(f"{total} input")).to_have_value("7", timeout=30_000)
    page.keyboard.press("Enter")
    expect(page.locator(total)).to_have_attribute("data-status", "edited")
    page.reload()
    expect(page.locator(total)).to_have_attribute("data-status", "edited", timeout=30_000)
    expect(page.locator("#record .editor")).to_have_count(0)


def test_the_list_of_procedures_closes_and_nothing_jumps_at_start(visitor: Visitor) -> None:
    page = visitor.page
    page.evaluate(
        """() => {
          window.widths = new Set();
          const look = () => {
            widths.add(Math.round(document.querySelector('#columns').getBoundingClientRect().width));
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    page.locator("#procedure input").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#procedure ul.options")).to_be_hidden()
    page.keyboard.press("Enter")
    visitor.sees("#live-text .committed", "The cecum was reached.")
    assert page.evaluate("widths.size") == 1
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")


def test_findings_come_first_what_is_missing_once_and_folded(reviewer: Visitor) -> None:
    page = reviewer.page
    titles = page.locator("#record .es-section-title").all_inner_texts()
    assert titles[0] == "Findings"
    assert titles[-1] == "Patient"
    top = page.locator("#record .es-section").first.bounding_box()
    assert top
    assert top["y"] < 450
    expect(page.locator("#record .es-gap >> visible=true").locator("text=not stated")).to_have_count(0)
    expect(page.locator("#checklist details")).not_to_have_attribute("open", "")
    reviewer.click("#checklist summary")
    page.locator("#checklist [data-gap=impression] button").click()
    page.locator(cell(page, "impression") + " textarea").fill("Normal.\nNo polyps.\nRepeat in ten years.")
    height = page.locator(cell(page, "impression") + " textarea").bounding_box()
    assert height
    assert height["height"] > 50


def test_on_a_phone_the_report_comes_to_the_reader_and_nothing_scrolls_sideways(phone: Visitor) -> None:
    page = phone.page
    expect(page.locator("#microphone .hint")).to_be_hidden()
    phone.start.click()
    phone.sees("#live-text .committed", "The cecum was reached.")
    phone.until(lambda: phone.recorded_s() >= 5)
    phone.click("#submit")
    phone.sees("#status", "Draft report ready")
    phone.until(lambda: -2 <= page.locator("#checks").evaluate("(part) => part.getBoundingClientRect().top") < 200)
    assert page.evaluate("locks") == ["screen", "released"]
    scroller = page.locator("#record .es-grid-scroll")
    assert scroller.evaluate("(box) => box.scrollWidth <= box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(cell(page, "polyps.size_mm", "0") + " .es-play").click()
    phone.sees("#evidence", "Hear again")
    card = page.locator("#listening").bounding_box()
    assert card
    assert card["height"] < 844 * 0.4


def test_an_earlier_dictation_opens_at_its_top_and_the_list_is_filtered(reviewer: Visitor) -> None:
    page, session = reviewer.page, reviewer.session()
    reviewer.click("#earlier button")
    mine = page.locator(f"#history [data-session='{session}']")
    expect(mine).to_be_visible()
    page.locator("#history select[name=state]").select_option("signed")
    expect(mine).to_have_count(0)
    page.locator("#history select[name=state]").select_option("unsigned")
    expect(mine).to_be_visible()
    page.locator("#history select[name=procedure]").select_option("egd")
    expect(mine).to_have_count(0)
    page.locator("#history select[name=procedure]").select_option("col")
    page.locator("#history input[name=since]").fill("2001-01-01")
    mine.click()
    reviewer.sees("#status", "made before")
    expect(page.locator("#record .es-title")).to_be_focused()
    assert page.evaluate("scrollY") < 100


def test_a_bad_upload_leaves_the_screen_as_it_was(reviewer: Visitor, tmp_path: Path) -> None:
    letter = tmp_path / "letter.wav"
    letter.write_text("Dear colleague")
    reviewer.page.locator("#upload input[type=file]").set_input_files(letter)
    reviewer.sees("#status", "not a recording that can be read")
    reviewer.sees(cell(reviewer.page, "bbps_total"), "8")


def test_without_a_network_a_banner_says_that_all_is_kept(visitor: Visitor) -> None:
    page = visitor.page
    visitor.start.click()
    visitor.until(lambda: visitor.recorded_s() >= 1)
    page.context.set_offline(True)
    visitor.sees("#microphone .offline", "Offline. Still recording; kept on this device")
    page.context.set_offline(False)
    expect(page.locator("#microphone .offline")).to_be_hidden(timeout=30_000)
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")


def test_research_has_a_page_of_its_own_and_the_look_is_kept(visitor: Visitor) -> None:
    page = visitor.page
    expect(page.locator("#research")).to_be_hidden()
    visitor.click("#theme-switch")
    is_dark = page.evaluate("document.body.classList.contains('dark')")
    page.locator(".to-research").click()
    expect(page.locator("#research-run")).to_be_visible(timeout=30_000)
    expect(page.locator("#columns")).to_be_hidden()
    visitor.until(lambda: page.evaluate("document.body.classList.contains('dark')") == is_dark)
    assert page.locator("link[rel=icon][href$='favicon.svg']").count() == 1


def test_on_paper_there_is_the_report_alone(reviewer: Visitor) -> None:
    page = reviewer.page
    page.emulate_media(media="print")
    expect(page.locator("#speaking")).to_be_hidden()
    expect(page.locator("#exports")).to_be_hidden()
    expect(page.locator(cell(page, "bbps_total"))).to_be_visible()


def test_another_key_starts_and_pauses_and_the_level_is_seen_before(visitor: Visitor) -> None:
    page = visitor.page
    visitor.click(".microphone-settings summary")
    visitor.click(".bind-key")
    page.keyboard.press("F9")
    expect(page.locator("#microphone .hint kbd").first).to_have_text("F9")
    visitor.click(".try-level")
    expect(page.locator("#microphone .microphone")).to_have_attribute("data-trying", "true")
    page.keyboard.press("F9")
    visitor.until(lambda: state(page) == "recording")
    page.keyboard.press("F9")
    visitor.until(lambda: state(page) == "paused")
    visitor.click("#stop")
    visitor.sees("#status", "Press Submit")


def test_a_silent_microphone_is_told_while_there_is_time_to_speak_again(visitor: Visitor) -> None:
    page = visitor.page
    page.evaluate(
        """() => {
          const silence = new AudioContext().createMediaStreamDestination().stream;
          navigator.mediaDevices.getUserMedia = async () => silence.clone();
        }"""
    )
    visitor.start.click()
    visitor.sees("#microphone .too-quiet", "Nothing is heard")
    visitor.click("#stop")
    expect(page.locator("#microphone .too-quiet")).to_be_hidden()
