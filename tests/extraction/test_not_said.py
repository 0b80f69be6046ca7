"""What was not said: denials of the rest, events from elsewhere, what was taken back. Each kind in several wordings."""

import pytest

from endoscribe.extraction.claims import Claim, Value
from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Record
from endoscribe.extraction.verification.grounding import verify
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
BEGUN = "The scope was inserted and advanced. "
TO_CECUM = "The scope was inserted and advanced to the cecum. "


def read(procedure: str, text: str) -> Record:
    return read_transcript(OfflineExtractor(), Transcript(text), LIBRARY.get(procedure))


def value(procedure: str, field: str, text: str) -> Value | None:
    cell = read(procedure, text).fields.get(field)
    return cell.value if cell else None


def status(procedure: str, field: str, claimed: Value, quote: str, text: str) -> str:
    record = verify([Claim(field, claimed, quote)], Transcript(text), LIBRARY.get(procedure), "a-model")
    return record.fields[field].status


REMAINDERS = [
    ("No other complications", "A perforation in the sigmoid was closed with a clip. No other complications."),
    ("No further complications", "The bleeding was treated. No further complications."),
    ("no additional complications", "The patient had hypoxia. There were no additional complications."),
    ("No more complications", "No more complications occurred."),
    ("no complications", "She coughed for a while. There were otherwise no complications."),
    ("no immediate complications", "Otherwise, there were no immediate complications."),
    ("No complications", "No complications otherwise."),
    ("no complication", "Apart from that no complication."),
    ("no complications", "Aside from the tear there were no complications."),
    ("no adverse events", "Besides this, we had no adverse events."),
    ("no complications", "Except for the bleeding there were no complications."),
    ("No complications", "No complications other than a small bleed."),
    ("uncomplicated", "Apart from this the procedure was uncomplicated."),
]


@pytest.mark.parametrize(("quote", "said"), REMAINDERS)
@pytest.mark.parametrize("procedure", ["col", "ercp"])
def test_what_denies_only_the_rest_tells_of_an_event(procedure: str, quote: str, said: str) -> None:
    assert value(procedure, "adverse_event", BEGUN + said) != "none"
    assert status(procedure, "adverse_event", "none", quote, BEGUN + said) == "unsupported"


@pytest.mark.parametrize(
    ("quote", "said"),
    [
        ("No complications", "No complications."),
        ("no immediate complications", "There were no immediate complications and no other findings."),
        ("no complications", "There were no other findings and no complications."),
        ("no immediate complications", "No other polyps were seen. There were no immediate complications."),
        ("no complications", "The mucosa was otherwise normal. There were no complications."),
        ("No perforation or other complication", "No perforation or other complication occurred."),
        (
            "no bleeding, perforation or other complications",
            "There were no bleeding, perforation or other complications.",
        ),
    ],
)
def test_what_denies_all_is_still_none(quote: str, said: str) -> None:
    assert value("col", "adverse_event", TO_CECUM + said) == "none"
    assert status("col", "adverse_event", "none", quote, TO_CECUM + said) == "ok"


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ("A perforation occurred and was closed. No other complications.", "perforation"),
        ("The patient desaturated to 82 percent. Otherwise no complications.", "desaturation"),
        ("There were no complications except for brief hypoxia.", "desaturation"),
    ],
)
def test_the_event_itself_stands_when_the_rest_is_denied(said: str, event: str) -> None:
    assert value("col", "adverse_event", BEGUN + said) == event


def test_no_other_polyps_does_not_count_none() -> None:
    for said in ("No other polyps were seen.", "There were no further polyps.", "No additional polyps."):
        assert value("col", "polyp_count", TO_CECUM + said) is None


ELSEWHERE = [
    ("bleeding", "Preoperative diagnosis: rectal bleeding. " + TO_CECUM + "The mucosa was inspected on withdrawal."),
    ("bleeding", "Indication: significant bleeding occurred. " + TO_CECUM + "The mucosa was inspected on withdrawal."),
    ("bleeding", "Admitting diagnosis is significant bleeding. " + TO_CECUM + "The mucosa was inspected."),
    ("perforation", "The risks including bleeding, perforation and infection were discussed. " + TO_CECUM),
    ("bleeding", TO_CECUM + "Risks of bleeding and perforation were explained."),
    ("perforation", TO_CECUM + "I warned of bleeding, perforation and missed lesions."),
    ("desaturation", TO_CECUM + "Possible complications such as desaturation were mentioned."),
    ("bleeding", TO_CECUM + "Call if you develop bleeding."),
    ("bleeding", TO_CECUM + "Return to the emergency room if there is significant bleeding."),
    ("bleeding", TO_CECUM + "She was told to come back if significant bleeding occurred."),
    ("desaturation", TO_CECUM + "In case of desaturation call the team."),
    ("bleeding", TO_CECUM + "Watch for bleeding as complication."),
    ("perforation", TO_CECUM + "Should you develop perforation or bleeding go to the hospital."),
]


@pytest.mark.parametrize(("event", "text"), ELSEWHERE)
def test_an_event_from_elsewhere_is_none_of_this_examination(event: str, text: str) -> None:
    assert value("col", "adverse_event", text) is None
    assert status("col", "adverse_event", event, event, text) == "unsupported"


@pytest.mark.parametrize(
    "said",
    [
        "After explaining the risks and potential complications of bleeding and perforation, the patient was given ",
        "The risks of bleeding and perforation were explained and she was sedated with ",
        "He was told of possible complications such as bleeding; consent was obtained, and we gave ",
    ],
)
def test_what_was_done_after_the_risks_were_explained_is_of_today(said: str) -> None:
    record = read("col", f"{said}75 mcg of fentanyl. {TO_CECUM}")
    assert [row["drug"].value for row in record.tables["sedation_drugs"]] == ["fentanyl"]
    assert status("col", "adverse_event", "bleeding", "bleeding", said + TO_CECUM) == "unsupported"


@pytest.mark.parametrize(
    "said",
    [
        "There is no family history of colon cancer. ",
        "He denies any family history of colorectal cancer. ",
        "She has no known history of polyps. ",
        "No personal or family history of inflammatory bowel disease. ",
    ],
)
def test_a_denied_history_is_no_history(said: str) -> None:
    assert value("col", "relevant_history", said + TO_CECUM + "The mucosa was inspected on withdrawal.") is None


@pytest.mark.parametrize(
    ("said", "extent"),
    [
        ("At first I thought we were in the cecum, but no, this is the hepatic flexure.", (None, "hepatic_flexure")),
        ("I thought this was the cecum but it is the ascending colon.", ("ascending",)),
        ("Initially it looked like we had reached the cecum. No, this is the splenic flexure.",
         (None, "splenic_flexure")),
        ("I believed I was in the terminal ileum, but this turned out to be the cecum.", ("cecum",)),
        ("I would have liked to take biopsies of the terminal ileum. Aborted at the hepatic flexure.",
         ("hepatic_flexure",)),
        ("We wanted to reach the cecum.", (None,)),
        ("I was hoping to see the terminal ileum.", (None,)),
    ],
)  # fmt: skip
def test_a_place_that_was_taken_back_was_not_reached(said: str, extent: tuple[str | None, ...]) -> None:
    assert value("col", "extent_reached", BEGUN + said) in extent


@pytest.mark.parametrize(
    ("said", "extent"),
    [
        ("We saw the cecum on the screen of the CT. The procedure was aborted at the hepatic flexure.",
         "hepatic_flexure"),
        ("We could not pass the stricture in the sigmoid colon. The cecum stays unseen.", "sigmoid"),
        ("I was unable to advance beyond the splenic flexure, the cecum is for another day.", "splenic_flexure"),
        ("The exam was terminated in the transverse colon, cecum next time.", "transverse"),
        ("I failed to get past the descending colon. The terminal ileum was inflamed on MRI.", "descending"),
    ],
)  # fmt: skip
def test_a_stated_end_beats_a_mention(said: str, extent: str) -> None:
    assert value("col", "extent_reached", BEGUN + said) == extent


@pytest.mark.parametrize(
    "said",
    [
        "A 5 mm polyp in the ascending colon was removed with a cold snare.",
        "There was a mass in the sigmoid.",
        "In the transverse colon there was a 3 mm polyp.",
        "There were diverticula in the sigmoid and descending colon.",
    ],
)
def test_an_extent_does_not_follow_from_a_lesions_site(said: str) -> None:
    assert value("col", "extent_reached", BEGUN + said) is None


@pytest.mark.parametrize(
    "said",
    [
        "I thought I saw a tiny polyp, just a suction artifact.",
        "There is a polyp in the transverse, no, washed off, it was stool.",
        "What looked like a polyp in the rectum washed off, it was stool.",
        "I thought there was a 5 mm polyp in the ascending colon but it was just a bubble.",
        "I saw a polyp in the sigmoid. It was only stool.",
        "A small polyp in the descending colon turned out to be a fold.",
    ],
)
def test_a_polyp_that_was_none_makes_no_row(said: str) -> None:
    record = read("col", TO_CECUM + said)
    assert not record.tables.get("polyps")
    assert "polyp_count" not in record.fields
    assert record.fields["extent_reached"].value == "cecum"


def test_a_polyp_after_a_mistake_is_one() -> None:
    record = read("col", TO_CECUM + "I thought it would be hard. A 4 mm polyp in the sigmoid was removed.")
    assert [row["size_mm"].value for row in record.tables["polyps"]] == [4]


@pytest.mark.parametrize("said", ["Specimens: none.", "Biopsies: none.", "Specimens taken: none.", "Specimens nil."])
def test_none_behind_a_colon_is_a_no(said: str) -> None:
    assert value("egd", "specimens_obtained", BEGUN + said) is not True
    assert status("egd", "specimens_obtained", True, said[:-1], BEGUN + said) == "unsupported"
