"""Two readers: hints where they differ, never a change."""

from endoscribe.extraction.claims import Claim
from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.verification.grounding import verify
from endoscribe.extraction.verification.second_reading import with_hints
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript
from endoscribe.web.page.report import render_record

COL = SchemaLibrary(SHIPPED_SCHEMA_DIR).get("col")
HEARD = Transcript(
    "Boston bowel prep score right colon 2, transverse colon 3, left colon 3. There is a 4 mm polyp in the cecum "
    "removed with cold snare. In the rectum there is a 9 mm polyp, hot snare. No hemorrhoids."
)


def hints(*claims: Claim) -> dict[str, str | None]:
    record = verify(claims, HEARD, COL, "claude")
    offline = read_transcript(OfflineExtractor(), HEARD, COL)
    hinted = with_hints(record, offline, COL)
    found = {name: cell.heard_also for name, cell in hinted.fields.items()}
    for index, row in enumerate(hinted.tables.get("polyps", ())):
        found |= {f"{index}.{name}": cell.heard_also for name, cell in row.items()}
    return found


def test_a_disagreement_is_a_hint_on_the_cell() -> None:
    found = hints(
        Claim("bbps_right", "3", "right colon 2, transverse colon 3"),
        Claim("bbps_left", "3", "left colon 3"),
        Claim("hemorrhoids", "true", "No hemorrhoids"),
    )
    assert found == {"bbps_right": "2", "bbps_left": None, "hemorrhoids": "no"}


def test_rows_are_compared_where_they_rest_on_the_same_words() -> None:
    found = hints(
        Claim("polyps.segment", "rectum", "In the rectum", 0),
        Claim("polyps.size_mm", "9", "9 mm polyp", 0),
        Claim("polyps.method", "cold_snare", "a 9 mm polyp, hot snare", 0),
        Claim("polyps.size_mm", "4", "4 mm polyp", 1),
    )
    assert found == {"0.segment": None, "0.size_mm": None, "0.method": "hot snare", "1.size_mm": None}


def test_the_hint_is_shown_and_goes_into_the_json() -> None:
    record = verify([Claim("bbps_right", "3", "transverse colon 3")], HEARD, COL, "claude")
    offline = read_transcript(OfflineExtractor(), HEARD, COL)
    hinted = with_hints(record, offline, COL)
    assert "heard also: 2" in render_record(hinted, COL)
    cell = hinted.to_json()["fields"]["bbps_right"]
    assert (cell["heard_also"], cell["value"]) == ("2", 3)
