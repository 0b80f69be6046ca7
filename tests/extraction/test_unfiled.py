"""What was dictated and stands in no cell is shown, in the speaker's words, and small talk is not."""

from time import process_time

import pytest

from endoscribe.extraction.claims import Claim
from endoscribe.extraction.unfiled import sentence_spans
from endoscribe.extraction.verification.grounding import verify
from endoscribe.procedures.library import load_schema
from endoscribe.transcript import Segment, Transcript, Word
from tests.support.paths import ROOT

COLONOSCOPY = load_schema(ROOT / "procedure_schemas" / "col.yaml")
EUS = load_schema(ROOT / "procedure_schemas" / "eus.yaml")


def unfiled(text: str, *claims: Claim) -> list[str]:
    """The texts of what stays unfiled when these claims fill the report."""
    return [sentence.text for sentence in verify(claims, Transcript(text), COLONOSCOPY, "scripted").unfiled]


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Prep was good. No polyps.", ["Prep was good.", "No polyps."]),
        ("A 4.5 mm polyp. Dr. Smith assisted.", ["A 4.5 mm polyp.", "Dr. Smith assisted."]),
        ("FINDINGS:\n1. Normal colon.\n2. Piles.", ["FINDINGS:", "1. Normal colon.", "2. Piles."]),
        ("  \n ", []),
        ("Boston total 8. In the sigmoid a polyp.", ["Boston total 8.", "In the sigmoid a polyp."]),
        ("Vitamin K. was given", ["Vitamin K. was given"]),
    ],
)
def test_a_text_is_taken_apart_into_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_speech_without_stops_is_cut_where_clauses_begin() -> None:
    text = "now i am in the cecum " * 10 + "there is a lipoma in the sigmoid and i am now in the rectum"
    assert len(sentences(text)) > 5
    assert "".join(sentences(text)).replace(" ", "") == text.replace(" ", "")


def test_what_no_cell_rests_on_is_shown() -> None:
    text = "The cecum was reached. He takes apixaban. A lipoma was left alone in the sigmoid."
    reached = Claim("extent_reached", "cecum", "The cecum was reached")
    assert unfiled(text, reached) == ["He takes apixaban.", "A lipoma was left alone in the sigmoid."]


@pytest.mark.parametrize(
    "text",
    ["Okay, can you hear me?", "Thank you everybody.", "Um, let me see.", "Hang on a second, please.", "FINDINGS:"],
)
def test_small_talk_and_headings_are_left_out(text: str) -> None:
    assert unfiled(text) == []


@pytest.mark.parametrize(
    "text",
    ["No stricture.", "Apixaban continues.", "I could not get past it.", "Call me if it bleeds.", "Unable to complete.",
     "Three of them were lost."],
)  # fmt: skip
def test_clinical_content_is_never_left_out(text: str) -> None:
    assert unfiled(text) == [text]


def test_a_clause_that_a_cell_does_not_account_for_is_shown_without_the_rest_of_its_sentence() -> None:
    text = "A 4 mm sessile polyp in the cecum, removed by cold snare, with brisk oozing afterwards."
    claims = (
        Claim("polyps.size_mm", 4, "4 mm", 0),
        Claim("polyps.paris", "0-Is", "sessile", 0),
        Claim("polyps.segment", "cecum", "cecum", 0),
        Claim("polyps.method", "cold_snare", "cold snare", 0),
    )
    assert unfiled(text, *claims) == ["with brisk oozing afterwards."]


def test_words_that_were_claimed_but_not_found_file_nothing() -> None:
    text = "The appendix orifice was photographed."
    assert unfiled(text, Claim("appendiceal_orifice_seen", True, "I saw the appendiceal orifice well")) == [text]


def test_places_on_the_way_are_filed_with_the_extent() -> None:
    text = "Now moving through the transverse colon. I have reached the cecum."
    assert unfiled(text, Claim("extent_reached", "cecum", "reached the cecum")) == []
    assert unfiled(text)[0] == "Now moving through the transverse colon."


def test_each_stretch_knows_its_place_and_its_second() -> None:
    words = tuple(Word(text, at, at + 0.4) for at, text in enumerate(["Okay.", "He", "takes", "apixaban."]))
    transcript = Transcript.from_segments((Segment(words),), 4.0)
    (sentence,) = verify((), transcript, COLONOSCOPY, "scripted").unfiled
    assert (sentence.text, sentence.start_s, sentence.end_s) == ("He takes apixaban.", 1.0, 3.4)
    assert transcript.text[sentence.start : sentence.end] == sentence.text


def test_the_record_tells_it() -> None:
    record = verify((), Transcript("A simple cyst in the left kidney."), EUS, "scripted").to_json()
    assert record["unfiled"] == [
        {"text": "A simple cyst in the left kidney.", "start": 0, "end": 33, "start_s": None, "end_s": None}
    ]


@pytest.mark.parametrize(
    "unit", ["a. ", "1. ", "   ", "polyp ", ", ", "- ", "\n", "and ", "no polyp. ", "e.g. ", "x: ", "'\")] ", "5 mm. "]
)
def test_the_cost_grows_no_faster_than_the_text(unit: str) -> None:
    def cost_s(times: int) -> float:
        text = unit * times
        began_s = process_time()
        verify((Claim("polyp_count", 1, unit.strip() or "x"),), Transcript(text), COLONOSCOPY, "scripted")
        return process_time() - began_s

    cost_s(100)
    # Doubling may at most triple the time, twice over: a single doubling is too near to a busy machine's noise.
    once_s, four_times_s = (min(cost_s(times) for _ in range(3)) for times in (750, 3000))
    assert four_times_s < 9 * once_s + 0.05
