"""Schema files that change while the app runs, seen in a real Chromium after a reload of the page."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import SAMPLES, Visitor, needs_chromium
from tests.support.paths import SUPPORT
from tests.support.program import running

STARTER = """\
title: Laryngoscopy
version: "1"
position: 9
sections: {findings: Findings}
fields:
  cords_normal: {label: Vocal cords normal, type: boolean, section: findings}
note: "{{ title }}"
"""

pytestmark = [pytest.mark.slow, needs_chromium]


def choices(visitor: Visitor, chosen: str = "Colonoscopy") -> list[str]:
    """What the list offers; one of it is chosen."""
    visitor.page.locator("#procedure input").click()
    options = visitor.page.locator("li[role=option]")  # and not those of the microphones
    expect(options.first).to_be_visible()
    found = [text.strip().lstrip("✓").strip() for text in options.all_inner_texts()]
    visitor.page.get_by_role("option", name=chosen, exact=True).click()
    return found


def test_a_new_file_is_in_the_list_after_a_reload_and_a_broken_one_is_told_with_its_line(
    browser: Browser, tmp_path: Path
) -> None:
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    file = schemas / "laryngoscopy.yaml"
    settings = {"ENDOSCRIBE_SCHEMA_DIR": str(schemas)}
    with (
        running(tmp_path / "data", SUPPORT / "scripted_app.py", **settings) as app,
        browser.new_context() as context,
    ):
        visitor = Visitor(context.new_page(), app)
        assert choices(visitor) == ["Colonoscopy", "EUS", "ERCP", "EGD"]
        file.write_text(STARTER, encoding="utf-8")
        visitor.page.reload()
        expect(visitor.start).to_be_enabled(timeout=30_000)
        visitor.until(lambda: "Laryngoscopy" in choices(visitor))  # the list is read anew after the page is there
        offered = choices(visitor, "Laryngoscopy")
        assert offered == ["Colonoscopy", "EUS", "ERCP", "EGD", "Laryngoscopy"]
        visitor.page.set_input_files("#upload input[type=file]", SAMPLES / "egd-reflux.flac")
        visitor.sees("#status", "Press Submit")
        visitor.click("#submit")
        visitor.page.get_by_role("button", name="Laryngoscopy").click()  # the words are a colonoscopy's
        expect(visitor.page.locator("#record .es-record")).to_have_attribute("data-procedure", "laryngoscopy")
        file.write_text(STARTER.replace("boolean", "boolan"), encoding="utf-8")
        visitor.page.reload()
        visitor.sees("#status", "laryngoscopy.yaml, line 6, fields.cords_normal.type: 'boolan' is not one of")
        visitor.sees("#status", "did you mean 'boolean'?")
        assert choices(visitor)[-1] == "Laryngoscopy"
        assert not visitor.errors
