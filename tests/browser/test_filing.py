"""Every dictated sentence finds its place: filed, kept or dismissed with a click, and asked about before signing."""

import pytest
from playwright.sync_api import Dialog, expect

from tests.support.browser import Visitor, cell, needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]

SAID = "sessile polyp"


@pytest.fixture
def reviewer(visitor: Visitor) -> Visitor:
    visitor.click("#example button >> nth=0")
    visitor.sees("#status", "Draft report ready")
    expect(visitor.page.locator("#unfiled .es-filing").first).to_be_visible(timeout=20_000)
    return visitor


def test_a_sentence_is_kept_dismissed_and_filed_and_undo_brings_it_back(reviewer: Visitor) -> None:
    page = reviewer.page
    items = page.locator("#unfiled .es-said-item")
    item = items.filter(has_text=SAID)
    count = items.count()
    item.get_by_role("button", name="Not for the report").click()
    reviewer.sees("#status", "Filed.")
    expect(items).to_have_count(count - 1)
    page.keyboard.press("Control+z")
    expect(items).to_have_count(count)
    reviewer.sees("#status", "Undone.")
    item.get_by_role("button", name="Keep as text").click()
    expect(items).to_have_count(count - 1)
    reviewer.sees("#record .es-kept", SAID)
    expect(page.locator("#transcript .unfiled", has_text="sessile")).to_have_count(0)
    reviewer.click("[data-review=undo]")
    expect(items).to_have_count(count)
    item.locator("select.es-other-field").focus()
    item.locator("select.es-other-field").select_option("impression/")
    expect(item.locator("textarea")).to_have_value("In the sigmoid colon is a 6 millimeter sessile polyp.")
    item.locator("textarea").fill("One sessile polyp, removed.")
    page.keyboard.press("Enter")
    reviewer.sees(cell(page, "impression"), "One sessile polyp, removed.")
    expect(items).to_have_count(count - 1)
    page.locator(cell(page, "impression") + " .es-play").click()
    reviewer.sees("#evidence", "In the sigmoid colon is a 6 millimeter sessile polyp.")


def test_whoever_signs_with_unfiled_sentences_is_asked_once(reviewer: Visitor) -> None:
    page, asked = reviewer.page, list[str]()

    def agree(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", agree)
    page.locator("#signer").fill("Dr. Example")
    page.keyboard.press("Enter")
    reviewer.sees("#review", "Signed by Dr. Example")
    assert len(asked) == 1
    assert "sentences stand in no field" in asked[0]
