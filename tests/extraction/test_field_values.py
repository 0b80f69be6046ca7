"""Single values as clinicians say them: what is taken back, planned, denied or told of another time is no value."""

from typing import Any

import pytest

from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
CECUM = "The scope was inserted and advanced to the cecum. "
GASTROSCOPE = "The gastroscope was inserted. "
DUODENOSCOPE = "The duodenoscope was advanced. "
ECHOENDOSCOPE = "The echoendoscope was advanced. "


def value(procedure: str, text: str, field: str) -> Any:
    record = read_transcript(OfflineExtractor(), Transcript(text), LIBRARY.get(procedure))
    cell = record.fields.get(field)
    return cell.value if cell else None


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("Boston one on the right, two transverse and two on the left.", (1, 2, 2)),
        ("Boston 1 right 2 transverse 2 left, 5 altogether.", (1, 2, 2)),
        ("Bowel prep Boston 2 left 1 right 3 transverse, 6 altogether.", (1, 3, 2)),
        ("Boston prep score right 2, transverse 3, left 3.", (2, 3, 3)),
        ("Boston bowel prep score: 3 on the right, transverse 2, left 3.", (3, 2, 3)),
    ],
)
def test_a_score_stands_before_or_behind_its_segment(text: str, scores: tuple[int, int, int]) -> None:
    said = tuple(value("col", text, f"bbps_{part}") for part in ("right", "transverse", "left"))
    assert said == scores


@pytest.mark.parametrize(
    ("text", "extent"),
    [
        ("At first I thought we were in the caecum, but no, this is the hepatic flexure.", "hepatic_flexure"),
        ("I thought this was the ascending colon but actually we are in the sigmoid.", "sigmoid"),
        ("The scope could not be advanced beyond the sigmoid because of a stricture.", "sigmoid"),
        ("Aborted at the hepatic flexure. I would have liked to biopsy the terminal ileum.", "hepatic_flexure"),
    ],
)
def test_a_stated_end_beats_a_mention(text: str, extent: str) -> None:
    assert value("col", "The colonoscope was inserted. " + text, "extent_reached") == extent


@pytest.mark.parametrize(
    ("procedure", "field", "expected", "text"),
    [
        ("col", "urgency", "routine", "Elective outpatient colonoscopy. " + CECUM),
        ("egd", "urgency", "emergency", "Emergent EGD for GI bleed. " + GASTROSCOPE),
        ("egd", "patient_status", "icu", "Bedside endoscopy in the ICU. " + GASTROSCOPE),
        ("col", "sedation_level", "none", "The patient declined sedation. " + CECUM),
        ("col", "sedation_provider", "anaesthesia", "Propofol by the anesthesia service. " + CECUM),
        ("col", "insufflation", "co2", CECUM + "CO2 insufflation was used."),
        ("ercp", "antibiotic_given", True, "Received 1 g of ceftriaxone. " + DUODENOSCOPE),
        ("ercp", "antibiotic_given", False, DUODENOSCOPE + "No antibiotics were given."),
        ("ercp", "pd_injections", 0, DUODENOSCOPE + "The pancreatic duct was not injected."),
        ("ercp", "pd_wire_passages", 2, DUODENOSCOPE + "The wire went into the pancreatic duct twice."),
        ("ercp", "completed", None, DUODENOSCOPE + "Good drainage, but some fragments are left."),
        ("egd", "specimens_obtained", False, GASTROSCOPE + "Specimens: none."),
        ("egd", "gej_cm", None, GASTROSCOPE + "The squamocolumnar junction was at 38 cm."),
        ("egd", "gej_cm", 40, GASTROSCOPE + "The Z line is at 38 and the top of the gastric folds at 40."),
        ("egd", "stomach_normal", None, GASTROSCOPE + "There was a polyp in the stomach, otherwise it was normal."),
        ("eus", "t_stage", "T3", ECHOENDOSCOPE + "EUS stage T3 N1."),
        ("eus", "samples_taken", False, ECHOENDOSCOPE + "No FNA was done."),
        ("col", "adverse_event", "other", CECUM + "She became hypotensive and was given fluid."),
        ("col", "adverse_event", "other", CECUM + "The patient aspirated during withdrawal."),
        ("egd", "adverse_event", "desaturation", GASTROSCOPE + "He dropped his saturation to 84 percent."),
        ("ercp", "adverse_event", "bleeding", DUODENOSCOPE + "Oozing from the sphincterotomy was injected."),
        ("col", "follow_up_interval_months", None, CECUM + "If adenomatous five years, otherwise ten."),
        ("col", "follow_up_interval_months", None, CECUM + "Repeat in three years if there are adenomas."),
        ("col", "follow_up_interval_months", 60, CECUM + "Repeat colonoscopy in 5 years or sooner if he bleeds."),
    ],
)
def test_a_field_is_heard(procedure: str, field: str, expected: Any, text: str) -> None:
    assert value(procedure, text, field) == expected


@pytest.mark.parametrize(
    ("procedure", "field", "text"),
    [
        ("col", "sedation_level", "Last colonoscopy three years ago was under general anesthesia. " + CECUM),
        ("col", "sedation_level", CECUM + "Next time consider general anesthesia."),
        ("col", "antibiotic_given", "He is allergic to ciprofloxacin. " + CECUM),
        ("col", "urgency", CECUM + "Urgent CT of the abdomen and referral to surgery."),
        ("egd", "varices", "A man with a history of esophageal varices. " + GASTROSCOPE + "The stomach was normal."),
        ("egd", "ulcer", "She had an ulcer two years ago, on omeprazole since. " + GASTROSCOPE),
        ("egd", "ulcer", GASTROSCOPE + "Not clear whether this is a healing ulcer in the antrum."),
        ("ercp", "cholangioscopy", DUODENOSCOPE + "Repeat ERCP in six weeks with SpyGlass if needed."),
        ("ercp", "fasting_adequate", DUODENOSCOPE + "NPO except ice chips today."),
        ("eus", "t_stage", "CT showed a T3 lesion. " + ECHOENDOSCOPE + "No mass was seen."),
        ("eus", "fna_performed", ECHOENDOSCOPE + "We will consider FNA if the cyst grows."),
        ("eus", "stomach_normal", ECHOENDOSCOPE + "I have not resected the nodule in the stomach."),
        ("col", "relevant_history", "50 year old man, no family history of colon cancer. " + CECUM),
        ("col", "ibd_disease", "No history of IBD. " + CECUM),
        ("egd", "tube_action", GASTROSCOPE + "PEG was considered but not placed."),
        ("col", "tattoo_placed", CECUM + "PLAN: tattoo if a mass is found."),
    ],
)
def test_what_was_not_said_of_today_stays_empty(procedure: str, field: str, text: str) -> None:
    assert value(procedure, text, field) is None


def test_every_field_is_heard_or_says_why_not() -> None:
    for schema in LIBRARY:
        unheard = dict(schema.deaf_targets())
        assert all(unheard[name] for name in unheard.keys() & schema.fields.keys())
