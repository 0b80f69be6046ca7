"""The clinician's workspace in a real Chromium: hear, correct, sign and take away; bring work back; many at once."""

import json
import re
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from endoscribe.extraction.record import UnfiledSentence
from endoscribe.review.versions import Reading
from tests.support.browser import ZONE, Visitor, cell, needs_chromium
from tests.support.program import App

pytestmark = [pytest.mark.slow, needs_chromium]

PLAYER = "document.querySelector('#player audio')"


@pytest.fixture
def reviewer(visitor: Visitor) -> Visitor:
    """Somebody with a fresh report of the scripted dictation on the screen: one click, and no other."""
    visitor.click("#example button >> nth=0")
    visitor.sees("#status", "Draft report ready")
    return visitor


def test_a_cell_is_heard_its_words_are_lit_and_it_says_what_it_rests_on(reviewer: Visitor) -> None:
    page = reviewer.page
    page.locator(cell(page, "polyps.size_mm", "0") + " button").first.focus()
    said_s = float(page.locator(cell(page, "polyps.size_mm", "0")).get_attribute("data-start-s") or "nan")
    assert reviewer.played_from_s(lambda: page.keyboard.press("Enter")) == pytest.approx(said_s - 0.5, abs=0.1)
    assert "6" in " ".join(page.locator("#transcript .lit").all_inner_texts())
    for part in ("Polyp 1: Size", "6 millimeter", "Exact", "Hear again"):
        reviewer.sees("#evidence", part)
    reviewer.until(lambda: bool(page.evaluate(f"{PLAYER}.paused")))  # it stops where the words end
    word = page.locator("#transcript span", has_text="sessile")
    word_s = float(word.get_attribute("data-start-s") or "nan")
    assert reviewer.played_from_s(word.click) == pytest.approx(word_s, abs=0.1)


def test_a_card_and_a_form_open_without_asking_the_server(reviewer: Visitor) -> None:
    page = reviewer.page
    page.wait_for_function("performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/closeups'))")
    page.route("**/sessions/**", lambda route: route.abort())
    page.locator(cell(page, "bbps_total") + " button").first.click()
    reviewer.sees("#evidence", "BBPS total")
    page.keyboard.press("e")
    expect(page.locator(cell(page, "bbps_total") + " .editor")).to_be_visible()


def test_a_word_plays_without_asking_the_server(reviewer: Visitor) -> None:
    page = reviewer.page
    expect(page.locator("#player audio[src^='blob:']")).to_be_attached(timeout=20_000)
    page.route("**/audio/**", lambda route: route.abort())
    word = page.locator("#transcript span", has_text="sessile")
    word_s = float(word.get_attribute("data-start-s") or "nan")
    assert reviewer.played_from_s(word.click) == pytest.approx(word_s, abs=0.1)
    session = reviewer.session()
    noted = [each.action for each in reviewer.app.sessions.audit.entries() if each.session_id == session]
    assert noted.count("played") == 1


def hold(page: Page, address: str) -> list[Route]:
    """Requests to an address wait from now on, in this list, for their `continue_`."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(address, keep)
    return held


def lose_answers(page: Page, address: str) -> None:
    """From now on the server does what it is asked there, and nobody hears of it."""

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route(address, lose)


def try_to_leave(reviewer: Visitor) -> None:
    """The page asks, and one stays."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    reviewer.page.on("dialog", stay)
    reviewer.page.close(run_before_unload=True)
    reviewer.until(lambda: asked == ["beforeunload"])
    reviewer.page.remove_listener("dialog", stay)


def enter(page: Page, target: str, value: str) -> None:
    page.locator(f"{target} button").first.click()
    page.keyboard.press("e")
    page.locator(f"{target} input").fill(value)
    page.keyboard.press("Enter")


def test_an_entry_stands_in_its_cell_at_once_and_nobody_signs_before_it_is_saved(reviewer: Visitor) -> None:
    page, held = reviewer.page, hold(reviewer.page, "**/edits")
    total, right = cell(page, "bbps_total"), cell(page, "bbps_right")
    enter(page, total, "7")
    expect(page.locator(total)).to_have_attribute("data-status", "saving")
    expect(page.locator(total)).to_have_text("7 ↻ being saved")
    expect(page.locator(f"{total} .es-pending")).to_be_focused()
    page.locator("#signer").fill("Dr. Example")
    page.keyboard.press("Enter")
    reviewer.sees("#status", "still being saved")
    reviewer.click("#export-json")
    reviewer.sees("#status", "still being saved")
    page.locator(f"{right} .es-play").click()
    page.keyboard.press("e")
    expect(page.locator(right)).to_have_attribute("data-chosen", "")
    expect(page.locator("#record .editor")).to_have_count(0)
    reviewer.until(lambda: len(held) == 1)
    held[0].continue_()
    expect(page.locator(total)).to_have_attribute("data-status", "edited")
    expect(page.locator(f"{right} .editor")).to_be_visible()  # asked for meanwhile
    expect(page.locator("#signer")).to_have_value("Dr. Example")
    page.keyboard.press("Escape")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#review .sign button").click()
    reviewer.sees("#review", "Signed by Dr. Example")


def test_an_entry_that_cannot_be_sent_comes_back_in_its_form(reviewer: Visitor) -> None:
    page, total = reviewer.page, cell(reviewer.page, "bbps_total")
    page.context.set_offline(True)
    enter(page, total, "7")
    reviewer.sees(f"{total} .fault", "This is not saved, or not for certain.")
    reviewer.sees("#status", "cannot be reached")
    expect(page.locator(f"{total} input")).to_have_value("7")
    expect(page.locator(f"{total} input")).to_be_focused()
    try_to_leave(reviewer)
    page.context.set_offline(False)
    page.locator("#signer").fill("Dr. Example")
    page.keyboard.press("Enter")
    reviewer.sees("#status", "A cell is still open.")
    expect(page.locator(f"{total} input")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(total)).to_have_attribute("data-status", "edited")
    reviewer.sees(total, "read as 8")
    reviewer.click("[data-review=undo]")
    expect(page.locator(total)).to_have_attribute("data-status", "ok")
    reviewer.sees(total, "8")
    reviewer.sees("#status", "Undone.")
    page.context.set_offline(True)
    enter(page, total, "7")
    reviewer.sees(f"{total} .fault", "This is not saved")
    page.keyboard.press("Escape")
    expect(page.locator(f"{total} .es-play")).to_have_text("8")
    page.context.set_offline(False)


def test_nobody_leaves_unasked_while_an_entry_is_saved(reviewer: Visitor) -> None:
    page, total = reviewer.page, cell(reviewer.page, "bbps_total")
    held = hold(page, "**/edits")
    enter(page, total, "7")
    reviewer.until(lambda: len(held) == 1)
    try_to_leave(reviewer)
    held[0].continue_()
    expect(page.locator(total)).to_have_attribute("data-status", "edited")


def test_an_entry_whose_answer_was_lost_is_made_once_however_often_it_is_sent(reviewer: Visitor) -> None:
    page, total = reviewer.page, cell(reviewer.page, "bbps_total")
    add_row = "#record [data-table=polyps].es-add-row"
    lose_answers(page, "**/edits")
    enter(page, total, "7")
    reviewer.sees(f"{total} .fault", "not for certain")
    page.unroute("**/edits")
    page.keyboard.press("Enter")
    expect(page.locator(total)).to_have_attribute("data-status", "edited")
    reviewer.sees("#status", "Saved.")
    reviewer.sees("#review .standing", "1 edit")
    lose_answers(page, "**/edits")
    reviewer.click(add_row)
    reviewer.sees("#status", "cannot be reached")
    page.unroute("**/edits")
    reviewer.click(add_row)
    expect(page.locator(cell(page, "polyps.segment", "1"))).to_be_visible()
    reviewer.sees("#review .standing", "2 edits")
    expect(page.locator(cell(page, "polyps.segment", "2"))).to_have_count(0)


def test_a_change_that_waited_is_not_made_to_another_report(reviewer: Visitor) -> None:
    page, held = reviewer.page, hold(reviewer.page, "**/edits")
    hold(page, "**/sessions/another/closeups")  # of which there are none
    enter(page, cell(page, "bbps_total"), "7")
    page.locator(cell(page, "bbps_right") + " .es-play").click()
    reviewer.click("#evidence [data-card-do=confirm]")
    reviewer.until(lambda: len(held) == 1)
    page.evaluate(
        """() => new MutationObserver((_, first) => {
          first.disconnect();
          document.querySelector('#review section.review').dataset.session = 'another';
        }).observe(document.querySelector('#review'), { childList: true, subtree: true })"""
    )
    held[0].continue_()
    reviewer.sees("#status", "Another report is on the screen now")
    assert len(held) == 1


def test_a_search_shows_at_once_where_it_looks(reviewer: Visitor) -> None:
    page = reviewer.page
    row = page.locator(f"#history tr:has([data-session='{reviewer.session()}'])")
    reviewer.click("#earlier button")
    expect(row).to_be_visible()
    held = hold(page, "**/sessions/list")
    page.locator("#history-search").fill("colono")
    reviewer.until(lambda: len(held) == 1)
    expect(row).not_to_have_class("unsure")
    page.locator("#history-search").fill("sigmoid")
    expect(row).to_have_class("unsure")  # what was spoken only the server knows
    for number in range(2):
        reviewer.until(lambda number=number: len(held) > number)  # type: ignore[misc]
        held[number].continue_()
    expect(row).not_to_have_class("unsure")
    expect(row).to_be_visible()


def unfold(page: Page) -> None:
    for fold in page.locator("#record details").all():
        fold.evaluate("(fold) => { fold.open = true; }")


def test_a_report_is_corrected_in_place(reviewer: Visitor) -> None:
    page = reviewer.page
    total = cell(page, "bbps_total")
    page.locator(f"{total} button").click()
    page.keyboard.press("e")
    page.locator(f"{total} input").fill("99")
    page.locator(f"{total} input").evaluate("(input) => { input.max = ''; }")
    page.keyboard.press("Enter")
    reviewer.sees(f"{total} .fault", "99 is outside 0 to 9")
    page.locator(f"{total} input").fill("7")
    page.keyboard.press("Enter")
    reviewer.sees(total, "read as 8")
    reviewer.sees("#checks", "8 by calculation, 7 entered by hand")
    reviewer.sees("#evidence", "Read by the offline reader")
    enter(page, total, "7")  # once more the same, after which the report looks as before
    reviewer.sees("#review .standing", "2 edits")
    expect(page.locator(total)).to_have_attribute("data-status", "edited")
    page.locator(f"{total} .es-play").click()
    reviewer.click("[data-review=undo]")
    reviewer.sees("#review .standing", "1 edit")
    reviewer.click("[data-review=undo]")
    expect(page.locator(total)).to_have_attribute("data-status", "ok")
    unfold(page)
    page.locator(cell(page, "patient_sex") + " .es-fill").click()
    page.locator(cell(page, "patient_sex") + " select").select_option(index=1)
    page.locator(cell(page, "patient_sex") + " button[type=submit]").click()
    expect(page.locator(cell(page, "patient_sex"))).to_have_attribute("data-status", "edited")
    unfold(page)  # the patient's section, until now a line, has become a card
    page.locator(cell(page, "asa_class") + " .es-fill").click()
    page.locator(cell(page, "asa_class") + " [data-kind=not_done]").click()
    reviewer.sees(cell(page, "asa_class"), "not done")
    expect(page.locator("#checklist [data-gap=asa_class]")).to_have_count(0)
    reviewer.click("#record [data-table=polyps].es-add-row")
    expect(page.locator(cell(page, "polyps.segment", "1"))).to_be_visible()
    page.locator("#record .es-remove-row[data-table=polyps][data-table-row='1']").click()
    expect(page.locator(cell(page, "polyps.segment", "1"))).to_have_count(0)


def test_whoever_signs_although_something_is_open_is_asked_once_more(reviewer: Visitor) -> None:
    page, asked = reviewer.page, list[str]()

    def think_again(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    enter(page, cell(page, "bbps_total"), "7")
    expect(page.locator(cell(page, "bbps_total"))).to_have_attribute("data-status", "edited")
    eyes = page.locator("#checks .es-eyes-title").inner_text().split(" ")[0]
    missing = page.locator("#checklist .es-gap-item").count()
    page.on("dialog", think_again)
    page.locator("#signer").fill("Dr. Example")
    page.keyboard.press("Enter")
    needs = "is" if eyes == "1" else "are"
    unfiled = page.locator("#unfiled .es-said-item").count()
    reviewer.until(
        lambda: (
            asked
            == [
                f"Sign although {missing} required items are not stated, {eyes} {needs} to check, "
                f"and {unfiled} sentences stand in no field?"
            ]
        )
    )
    expect(page.locator("#review .sign")).to_be_visible()
    page.evaluate(
        """() => document.querySelectorAll('#checklist .es-gap-item, #checks .es-checks > li, .es-said-item')
          .forEach((each) => each.remove())"""
    )
    page.keyboard.press("Enter")
    reviewer.sees("#review", "Signed by Dr. Example")
    assert len(asked) == 1


def test_a_report_is_signed_and_taken_away_and_goes_on_as_a_new_version(reviewer: Visitor) -> None:
    page = reviewer.page
    total = cell(page, "bbps_total")
    page.locator("#signer").fill("Dr. Example")
    page.once("dialog", lambda dialog: dialog.accept())
    page.keyboard.press("Enter")
    reviewer.sees("#review", "Signed by Dr. Example")
    with page.expect_download() as download:
        reviewer.click("#export-json")
    report = json.loads(Path(download.value.path()).read_text())
    assert (report["status"], report["signature"]["name"]) == ("signed", "Dr. Example")
    with page.expect_download() as download:
        reviewer.click("#export-xlsx")
    assert download.value.suggested_filename.startswith("signed-col-")
    assert openpyxl.load_workbook(BytesIO(Path(download.value.path()).read_bytes())).sheetnames[:2] == [
        "Report",
        "Polyps",
    ]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reviewer.click("#copy-note")
    reviewer.sees("#status", "in the clipboard")
    assert "Signed by Dr. Example" in page.evaluate("navigator.clipboard.readText()")
    page.locator(f"{total} button").first.dblclick()
    page.locator(f"{total} input").fill("6")
    page.keyboard.press("Enter")
    reviewer.sees("#review", "Version 2")
    reviewer.click("#review .versions summary")
    reviewer.click("#review .compare button")
    reviewer.sees("#review .comparison", "BBPS total")


def test_on_a_phone_the_card_leaves_its_cell_in_sight_and_can_be_closed(browser: Browser, app: App) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        visitor = Visitor(context.new_page(), app)
        page = visitor.page
        visitor.click("#example button >> nth=0")
        visitor.sees("#status", "Draft report ready")
        size = page.locator(cell(page, "polyps.size_mm", "0"))
        size.evaluate("(cell) => cell.scrollIntoView({ block: 'end', behavior: 'instant' })")
        size.locator("button").first.focus()
        page.keyboard.press("Enter")
        visitor.sees("#evidence", "Hear again")
        bottom = "(part) => part.getBoundingClientRect().bottom"
        top = "(part) => part.getBoundingClientRect().top"
        visitor.until(lambda: size.evaluate(bottom) <= page.locator("#listening").evaluate(top))
        page.locator("#evidence [data-card-do=close]").click()
        expect(page.locator("#evidence .card")).to_have_count(0)
        expect(size).not_to_have_attribute("data-chosen", "")
        expect(size.locator("button").first).to_be_focused()


def test_reading_anew_asks_before_it_takes_the_place_of_edits(reviewer: Visitor) -> None:
    page = reviewer.page
    page.locator(cell(page, "bbps_right") + " button").first.dblclick()
    page.locator(cell(page, "bbps_right") + " input").fill("1")
    page.keyboard.press("Enter")
    expect(page.locator(cell(page, "bbps_right"))).to_have_attribute("data-status", "edited")
    page.locator("#procedure input").click()
    page.get_by_role("option", name="EGD").click()
    reviewer.click("#submit")
    page.get_by_role("button", name="Stay with EGD").click()
    reviewer.sees("#review .waiting", "Nothing was changed")
    reviewer.sees(cell(page, "bbps_right"), "1")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("[data-choice=leave]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#procedure input")).to_have_value("Colonoscopy")  # as the report that stays
    page.locator("#procedure input").click()
    page.get_by_role("option", name="EGD").click()
    reviewer.click("#submit")
    page.get_by_role("button", name="Stay with EGD").click()
    reviewer.click("[data-choice=drop_edits]")
    expect(page.locator("#record .es-record")).to_have_attribute("data-procedure", "egd")


def test_an_edit_that_was_kept_over_a_new_reading_asks_for_eyes(reviewer: Visitor) -> None:
    page, right = reviewer.page, cell(reviewer.page, "bbps_right")
    page.locator(f"{right} button").first.dblclick()
    page.locator(f"{right} input").fill("1")
    page.keyboard.press("Enter")
    expect(page.locator(right)).to_have_attribute("data-status", "edited")
    sessions, session = reviewer.app.sessions, reviewer.session()
    review = sessions.review(session)
    assert review
    record = review.latest.reading.record
    anew = replace(record, fields={**record.fields, "bbps_right": replace(record.fields["bbps_right"], value=0)})
    sessions.save_review(session, replace(review, waiting=Reading(anew)), len(anew.gaps))  # as another reader would
    page.reload()
    reviewer.sees("#review .waiting", "differs in 1 cell from your report. Nothing was changed.")
    reviewer.click("[data-choice=keep_edits]")
    reviewer.sees("#checks", "BBPS right colon: 1")
    reviewer.sees("#checks", "This is your value, entered before. The new reading says: 0.")
    page.get_by_role("button", name="Show BBPS right colon").click()
    reviewer.sees("#evidence", "by hand on an earlier reading")
    reviewer.sees("#evidence", "Read anew by the offline reader")
    page.get_by_role("button", name="Confirm BBPS right colon").click()
    expect(page.locator("#checks")).not_to_contain_text("The new reading says")
    reviewer.sees(right, "1")


def test_a_reload_brings_the_work_back_and_history_finds_and_deletes_it(reviewer: Visitor) -> None:
    page, session = reviewer.page, reviewer.session()
    page.reload()
    reviewer.sees("#transcript", "This is a screening colonoscopy.")
    reviewer.sees(cell(page, "bbps_total"), "8")
    expect(page.locator("#player audio")).to_have_attribute("data-recording", session)
    other = page.context.new_page()
    other.goto(reviewer.app.url)
    expect(other.locator("#transcript")).to_contain_text("This is a screening colonoscopy.", timeout=20_000)
    other.close()
    reviewer.click("#earlier button")
    page.locator("#history-search").fill("pancreas")
    expect(page.locator(f"#history [data-session='{session}']")).to_have_count(0)
    page.locator("#history-search").fill("colonoscopy sigmoid")
    expect(page.locator(f"#history [data-session='{session}']")).to_be_visible()
    when = f"{reviewer.app.sessions.get(session).created.astimezone(ZoneInfo(ZONE)):%Y-%m-%d %H:%M}"
    page.locator("#history-search").fill(when)
    expect(page.locator(f"#history tr:has([data-session='{session}']) td").first).to_have_text(when)
    expect(page.locator(f"#history [data-session='{session}']")).to_have_accessible_name(f"Open {when}")
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator(f"#history [data-delete='{session}']").click()
    expect(page.locator(f"#history [data-session='{session}']")).to_have_count(0)
    expect(page.locator("#record .es-record")).to_have_count(0)
    assert session not in {each.id for each in reviewer.app.sessions.sessions()}


def test_a_reload_while_recording_goes_on_in_the_same_recording(visitor: Visitor) -> None:
    page = visitor.page
    page.on("dialog", lambda dialog: dialog.accept())
    page.keyboard.press("Space")
    visitor.sees("#live-text .committed", "This is a screening")
    visitor.until(lambda: visitor.recorded_s() >= 2)
    visitor.until(lambda: visitor.session() != "")
    session = visitor.session()
    page.reload()
    visitor.sees("#status", "interrupted; all of it is here")
    visitor.sees("#live-text .committed", "This is a screening")
    visitor.until(lambda: visitor.recorded_s() >= 2)
    visitor.click("#pause")
    visitor.until(lambda: visitor.recorded_s() >= 5)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    visitor.sees("#status", "Press Submit")
    assert visitor.session() == session
    assert visitor.app.sessions.duration_s(visitor.app.sessions.get(session)) >= 5


def test_a_reload_finds_a_recording_that_python_has_not_heard_of_yet(visitor: Visitor) -> None:
    page = visitor.page
    page.on("dialog", lambda dialog: dialog.accept())
    held = hold(page, "**/queue/join**")
    visitor.start.click()
    visitor.sees("#live-text .committed", "This is a screening")
    assert held
    assert visitor.session() == ""
    page.unroute("**/queue/join**")
    page.reload()
    visitor.sees("#status", "interrupted; all of it is here")
    visitor.sees("#live-text .committed", "This is a screening")


def test_after_a_reload_speech_follows_all_that_the_server_has(visitor: Visitor) -> None:
    page = visitor.page
    page.on("dialog", lambda dialog: dialog.accept())
    visitor.start.click()
    visitor.until(lambda: visitor.recorded_s() >= 3)
    visitor.click("#pause")
    visitor.sees("#status", "Paused")
    expect(page.locator("#microphone .unsaved")).to_have_text("saved")
    paused_s = visitor.recorded_s()

    def as_before_the_last_second(route: Route) -> None:
        standing = route.fetch().json()
        route.fulfill(json={**standing, "samples": standing["samples"] - 16_000})

    page.route(re.compile("/sessions/[0-9a-f]+$"), as_before_the_last_second)
    page.reload()
    visitor.sees("#status", "interrupted; all of it is here")
    visitor.until(lambda: visitor.recorded_s() == paused_s)


def test_space_and_escape_leave_a_typing_person_alone(reviewer: Visitor) -> None:
    page = reviewer.page
    page.locator("#signer").fill("Dr.")
    page.keyboard.press("Space")
    page.keyboard.type("X")
    assert page.locator("#signer").input_value() == "Dr. X"
    expect(page.locator("#microphone .microphone")).to_have_attribute("data-state", "idle")


def test_many_dictations_become_one_table(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("Colonoscopy. The cecum was reached.")
    page.goto(f"{visitor.app.url}research")
    expect(page.locator("#research-run")).to_be_visible(timeout=30_000)
    page.locator("#research-files input[type=file]").set_input_files([tmp_path / "a.txt", tmp_path / "b.txt"])
    expect(page.locator("#research-files")).to_contain_text("b", timeout=10_000)
    visitor.click("#research-run")
    visitor.sees("#research-results", "2 dictations")
    visitor.sees("#research-results .bars", "Extent reached")
    with page.expect_download() as download:
        page.locator("#research-results a[download='research.csv']").click()
    assert Path(download.value.path()).read_text().count(",cecum,") == 2


def test_a_folder_is_read_and_a_long_run_is_cancelled_with_what_was_done(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    folder = tmp_path / "dictations"
    folder.mkdir()
    (folder / "a.txt").write_text("Colonoscopy. The cecum was reached.")
    (folder / "empty.txt").write_text(" ")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(4000):
            archive.writestr(f"week/{number}.txt", "Colonoscopy. The cecum was reached.")
    page.goto(f"{visitor.app.url}research")
    expect(page.locator("#research-run")).to_be_visible(timeout=30_000)
    page.locator("#research-folder input[type=file]").set_input_files(folder)
    expect(page.locator("#research-folder")).to_contain_text("empty", timeout=10_000)
    visitor.click("#research-run")
    visitor.sees("#research-results", "2 dictations, 1 could not be read.")
    expect(page.locator("#research-cancel")).to_be_disabled()
    page.locator("#research-files input[type=file]").set_input_files(tmp_path / "many.zip")
    expect(page.locator("#research-files")).to_contain_text("many", timeout=10_000)
    visitor.click("#research-run")
    expect(page.locator("#research-results progress:not([value='0'])")).to_be_visible(timeout=60_000)
    visitor.click("#research-cancel")
    visitor.sees("#research-results", "of 4000 dictations done; the others were not read.", timeout_s=60)
    with page.expect_download() as download:
        page.locator("#research-results a[download='research.csv']").click()
    done = int(page.locator("#research-results p[role=status]").inner_text().split()[1])
    assert Path(download.value.path()).read_text().count(",cecum,") == done
    assert 0 < done < 4000


def test_what_stands_in_no_cell_is_listed_marked_and_heard(reviewer: Visitor) -> None:
    page, sessions, session = reviewer.page, reviewer.app.sessions, reviewer.session()
    review, transcript = sessions.review(session), sessions.transcript(session)
    assert review
    assert transcript
    words = "removed with a cold snare."
    start = transcript.text.index(words)
    place = transcript.span_seconds(start, start + len(words))
    assert place
    unfiled = (UnfiledSentence(words, start, start + len(words), *place),)
    anew = replace(review.latest.reading.record, unfiled=unfiled)
    sessions.save_review(session, replace(review, waiting=Reading(anew)), len(anew.gaps))  # as another reader would
    page.reload()
    reviewer.click("[data-choice=drop_edits]")
    reviewer.sees("#unfiled", "Said, but not in the report")
    expect(page.locator("#transcript .unfiled")).to_have_text(words.split())
    sentence = page.locator("#unfiled").get_by_role("button", name=words)
    sentence.focus()
    assert reviewer.played_from_s(lambda: page.keyboard.press("Enter")) == pytest.approx(place[0] - 0.5, abs=0.1)
    expect(page.locator("#transcript .lit")).to_have_text(words.split())
    page.locator("#transcript .lit").first.evaluate("(word) => word.classList.remove('lit')")  # as Gradio renders anew
    expect(page.locator("#transcript .lit")).to_have_text(words.split())  # though it was rendered anew
    assert reviewer.played_from_s(sentence.click) == pytest.approx(place[0] - 0.5, abs=0.1)
