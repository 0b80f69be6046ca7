"""Typed reports, dictations that sound like them, and two examinations told in one."""

import pytest

from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Record
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.normalize import plain_words
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
TYPED = """PREOPERATIVE DIAGNOSIS: Rectal bleeding.
POSTOPERATIVE DIAGNOSES:
1. Sigmoid diverticulosis.
2. Internal hemorrhoids.
ANESTHESIA: MAC
INSTRUMENT: Olympus CF-H180AL.
COMPLICATIONS: None.
ESTIMATED BLOOD LOSS: Minimal.
PROCEDURE: After informed consent was obtained, the colonoscope was inserted into the rectum and advanced to the cecum.
RECOMMENDATIONS:
1. High-fiber diet.
2. Repeat colonoscopy in 5 years.
"""


def record_of(procedure: str, text: str) -> Record:
    return read_transcript(OfflineExtractor(), Transcript(text), LIBRARY.get(procedure))


def value(procedure: str, text: str, field: str) -> object:
    cell = record_of(procedure, text).fields.get(field)
    return cell.value if cell else None


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("adverse_event", "none"),
        ("estimated_blood_loss", "minimal"),
        ("sedation_provider", "anaesthesia"),
        ("scope_model", "Olympus CF-H180AL"),
        ("consent_documented", True),
        ("diverticulosis", True),
        ("hemorrhoids", True),
        ("impression", "Sigmoid diverticulosis. Internal hemorrhoids"),
        ("recommendations", "High-fiber diet. Repeat colonoscopy in 5 years"),
        ("follow_up_interval_months", 60),
    ],
)
def test_a_typed_report_is_read_under_its_headings(field: str, expected: object) -> None:
    assert value("col", TYPED, field) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The scope was advanced to the cecum. Impression. Normal colonoscopy.",
        "The scope was advanced to the cecum. Impression: 1. Normal colonoscopy.",
        "The scope was advanced to the cecum.\nIMPRESSION:\n1. Normal colonoscopy.\n",
        "The scope was advanced to the cecum period impression period normal colonoscopy period",
    ],
)
def test_an_impression_is_heard_however_it_is_headed(text: str) -> None:
    said = str(value("col", text, "impression"))
    assert said.casefold().removesuffix(".") == "normal colonoscopy"


@pytest.mark.parametrize(
    "text",
    [
        "Preoperative diagnosis: rectal bleeding. The scope was advanced to the cecum.",
        "PREOPERATIVE DIAGNOSIS:\n1. Rectal bleeding.\n2. Perforation in 2019.\nPROCEDURE: The scope was inserted.",
        "Risks including bleeding, perforation and pancreatitis were discussed. The scope was advanced to the cecum.",
        "The scope was advanced to the cecum. Call if you develop bleeding or fever.",
        "The scope was advanced to the cecum. Return to the emergency department if you develop bleeding.",
    ],
)
def test_events_from_elsewhere_are_none_of_the_examination(text: str) -> None:
    assert value("col", text, "adverse_event") is None


@pytest.mark.parametrize("text", ["Recommendations:", "Recommendations: 1.", "The scope was inserted.\nPLAN:\n1.\n"])
def test_a_text_is_never_a_stop_or_a_number(text: str) -> None:
    assert value("col", text, "recommendations") is None


def test_a_text_holds_what_answers_it() -> None:
    text = "The scope was advanced to the cecum. Recommendations: hold aspirin? No, continue aspirin."
    assert "continue aspirin" in str(value("col", text, "recommendations"))


BOTH = (
    "The gastroscope was inserted into the esophagus and advanced to the second portion of the duodenum. "
    "There was an ulcer in the antrum. "
    "Attention was then turned to the colonoscopy. The colonoscope was inserted and advanced to the cecum. "
    "There were scattered diverticula in the sigmoid colon. Retroflexion was normal."
)


def test_of_two_examinations_each_takes_its_part() -> None:
    upper, lower = record_of("egd", BOTH).fields, record_of("col", BOTH).fields
    assert upper["extent_reached"].value == "second_part_duodenum"
    assert upper["ulcer"].value is True
    assert "retroflexion_stomach" not in upper
    assert lower["extent_reached"].value == "cecum"
    assert lower["diverticulosis"].value is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("to the cecum period no polyps period", "to the cecum . no polyps ."),
        ("no polyps full stop new paragraph plan", "no polyps . . plan"),
        ("cecum comma ascending comma and transverse", "cecum , ascending , and transverse"),
        ("over a period of two weeks", "over a period of 2 weeks"),
        ("after the recovery period he ate", "after the recovery period he ate"),
        ("ANESTHESIA: MAC\nPROCEDURE: done", "anesthesia , mac . procedure , done"),
        ("a polyp of 3\nmm in size", "a polyp of 3 mm in size"),
    ],
)
def test_stops_are_heard_where_they_stand_like_stops(text: str, words: str) -> None:
    assert " ".join(plain_words(text)) == words
