"""Who was examined where, typed or filled from the page's address; organs called normal by a click."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import ZONE, Visitor, needs_chromium
from tests.support.program import App

pytestmark = [pytest.mark.slow, needs_chromium]


def test_context_and_normal_sentences_are_one_step_each(browser: Browser, app: App) -> None:
    with browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id=ZONE) as context:
        address = f"http://127.0.0.1:{app.port}/?name=Jane+%3Cb%3EExample&room=2&other=x"
        visitor = Visitor(context.new_page(), app, address)
        page = visitor.page
        visitor.click("#example button >> nth=0")
        visitor.sees("#status", "Draft report ready")
        visitor.click("#review .context summary")
        expect(page.locator("#context-name")).to_have_value("Jane <b>Example")
        expect(page.locator("#record")).not_to_contain_text("Jane")  # nothing is saved by an address
        visitor.sees("#review .context", "not saved yet")
        page.locator("#context-record_number").fill("MRN 7")
        visitor.click("#review .context-form button")
        visitor.sees("#record .es-head", "Jane <b>Example")
        visitor.sees("#record .es-head", "MRN 7")
        expect(page.locator("#context-room")).to_have_value("2")
        visitor.click("#record [data-normal=rectum]")
        visitor.sees("#record [data-field=hemorrhoids]", "stated as normal by the clinician")
        visitor.click("#review [data-review=undo]")
        expect(page.locator("#record [data-field=hemorrhoids]")).not_to_contain_text("stated as normal")
        visitor.sees("#record .es-head", "MRN 7")
        visitor.click("#review [data-review=undo]")
        expect(page.locator("#record")).not_to_contain_text("MRN 7")
        assert visitor.errors == []
