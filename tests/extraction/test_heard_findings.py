"""Findings of daily work that the offline reader hears, in several wordings, and where it must not hear them."""

import pytest

from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Record
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)


def read(procedure: str, text: str) -> Record:
    return read_transcript(OfflineExtractor(), Transcript(text), LIBRARY.get(procedure))


def heard(procedure: str, text: str, field: str) -> object:
    cell = read(procedure, text).fields.get(field)
    return cell.value if cell and cell.status == "ok" else None


@pytest.mark.parametrize(
    ("procedure", "text", "field", "value"),
    [
        ("egd", "There is gastritis in the antrum.", "gastritis", True),
        ("egd", "Mild patchy gastritis was seen in the body.", "gastritis", True),
        ("egd", "No gastritis.", "gastritis", False),
        ("egd", "Erosive gastritis in the antrum.", "gastritis_type", "erosive"),
        ("egd", "There was a nonerosive gastritis.", "gastritis_type", "nonerosive"),
        ("egd", "The bulb shows duodenitis.", "duodenitis", True),
        ("egd", "No duodenitis and no ulcer.", "duodenitis", False),
        ("egd", "Several gastric erosions.", "erosions", ("stomach",)),
        ("egd", "There are erosions in the duodenum.", "erosions", ("duodenum",)),
        ("egd", "A few erosions were noted in the antrum.", "erosions", ("stomach",)),
        ("egd", "A Mallory-Weiss tear at the junction.", "mallory_weiss", True),
        ("egd", "No Mallory Weiss tear.", "mallory_weiss", False),
        ("egd", "A Dieulafoy lesion in the fundus was clipped.", "dieulafoy", True),
        ("egd", "There is an angiodysplasia in the second portion.", "angiodysplasia", True),
        ("egd", "Two angioectasias in the duodenum.", "angiodysplasia", True),
        ("egd", "An AVM was seen in the body.", "angiodysplasia", True),
        ("egd", "No angiodysplasia.", "angiodysplasia", False),
        ("egd", "Status post sleeve gastrectomy.", "surgical_anatomy", ("sleeve",)),
        ("egd", "She had a gastric bypass in 2012.", "surgical_anatomy", ("bypass",)),
        ("egd", "The Nissen fundoplication is intact.", "surgical_anatomy", ("fundoplication",)),
        ("egd", "The gastrojejunal anastomosis looks healthy.", "surgical_anatomy", ("anastomosis",)),
        ("egd", "Octreotide was running.", "vasoactive_drug", "octreotide"),
        ("egd", "She received terlipressin before the procedure.", "vasoactive_drug", "terlipressin"),
        ("egd", "There is a family history of gastric cancer.", "gastric_cancer_relative", True),
        ("egd", "Estimated blood loss 200 mL.", "blood_loss_ml", 200),
        ("egd", "Blood loss was about fifty milliliters.", "blood_loss_ml", 50),
        ("col", "EBL 5 mL.", "blood_loss_ml", 5),
        ("egd", "Blood loss maybe 200 mL.", "blood_loss_ml", 200),
        ("egd", "Mild erythema and erosions in the bulb.", "erosions", ("duodenum",)),
        ("egd", "The antrum shows a few erosions.", "erosions", ("stomach",)),
        ("ercp", "The gallbladder is still in place.", "gallbladder_in_situ", True),
        ("eus", "The cytotech in the room says malignant cells.", "rose", "malignant"),
        ("col", "Ischemic colitis of the splenic flexure.", "other_colitis", "ischemic"),
        ("col", "The picture is that of pseudomembranous colitis.", "other_colitis", "pseudomembranous"),
        ("col", "Radiation proctitis in the rectum.", "other_colitis", "radiation"),
        ("col", "Melanosis coli throughout.", "melanosis", True),
        ("col", "No melanosis.", "melanosis", False),
        ("col", "There is an anal fissure.", "anal_fissure", True),
        ("col", "No fissure, no hemorrhoids.", "anal_fissure", False),
        ("col", "The pouch was entered and examined.", "pouch_examined", True),
        ("col", "Pouchitis with ulcers in the pouch.", "pouch_findings", ("pouchitis", "ulcers")),
        ("col", "Mild cuffitis.", "pouch_findings", ("cuffitis",)),
        ("col", "He took NuLYTELY.", "prep_agent", "nulytely"),
        ("col", "The preparation was magnesium citrate.", "prep_agent", "magnesium_citrate"),
        ("col", "Rutgeerts i2.", "rutgeerts", "i2"),
        ("col", "Rutgeerts score i 2 b.", "rutgeerts", "i2b"),
        ("col", "His father had colon cancer at fifty two.", "relative_crc_age", 52),
        ("col", "Two first degree relatives with colon cancer.", "relatives_crc_n", 2),
        ("ercp", "A perforation, Stapfer type 2.", "stapfer", "II"),
        ("ercp", "Stapfer class four.", "stapfer", "IV"),
        ("ercp", "The gallbladder is in situ.", "gallbladder_in_situ", True),
        ("ercp", "Gallbladder in place.", "gallbladder_in_situ", True),
        ("ercp", "The gallbladder is surgically absent.", "gallbladder_in_situ", False),
        ("ercp", "Two plastic stents were placed.", "stents_placed_n", 2),
        ("ercp", "We placed two biliary stents.", "stents_placed_n", 2),
        ("eus", "On site cytology was malignant.", "rose", "malignant"),
        ("eus", "The cytopathologist in the room saw atypical cells.", "rose", "atypical"),
        ("eus", "On-site evaluation was benign.", "rose", "benign"),
    ],
)
def test_it_is_heard(procedure: str, text: str, field: str, value: object) -> None:
    assert heard(procedure, text, field) == value


@pytest.mark.parametrize(
    ("procedure", "text", "field"),
    [
        ("egd", "History of gastritis.", "gastritis"),
        ("egd", "Biopsies were taken for gastritis.", "gastritis"),
        ("egd", "No erosions in the stomach.", "erosions"),
        ("egd", "Her mother had a gastric bypass.", "surgical_anatomy"),
        ("egd", "I would recommend a sleeve gastrectomy.", "surgical_anatomy"),
        ("egd", "No octreotide was given.", "blood_loss_ml"),
        ("egd", "Blood loss was minimal.", "blood_loss_ml"),
        ("col", "EBL less than 5 mL.", "blood_loss_ml"),  # a bound is no volume
        ("ercp", "I placed a stent.", "stapfer"),
        ("col", "Biopsies to rule out microscopic colitis.", "other_colitis"),
        ("col", "Ulcerative colitis.", "other_colitis"),
        ("col", "The patient has an ileal pouch.", "pouch_findings"),
        ("col", "His father had a heart attack at fifty two.", "relative_crc_age"),
        ("ercp", "Two stents were removed.", "stents_placed_n"),
        ("ercp", "Two previously placed stents were seen.", "stents_placed_n"),
        ("ercp", "The gallbladder filled with contrast.", "gallbladder_in_situ"),
        ("eus", "Benign looking nodes.", "rose"),
        ("eus", "A malignant looking mass.", "rose"),
    ],
)
def test_it_is_not_heard_in_what_says_something_else(procedure: str, text: str, field: str) -> None:
    assert heard(procedure, text, field) is None


@pytest.mark.parametrize(
    ("said", "value"),
    [("Kudo five", "V"), ("Kudo pit pattern 3 L", "IIIL"), ("Kudo type four", "IV"), ("Kudo 2", "II")],
)
def test_pit_patterns_are_heard_in_the_row_of_their_polyp(said: str, value: str) -> None:
    (polyp,) = read("col", f"In the sigmoid there is a 12 mm polyp, {said}.").tables["polyps"]
    assert polyp["kudo"].value == value


def test_the_wall_of_a_cyst_is_heard_in_its_row() -> None:
    (lesion,) = read("eus", "There is a 20 mm cyst in the body of the pancreas with a thick wall.").tables["lesions"]
    assert lesion["cyst_wall"].value == "thick"
