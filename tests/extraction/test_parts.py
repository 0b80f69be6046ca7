"""Long dictations: where they are cut, and that nothing is lost or doubled when the parts come together."""

import re
import threading
from itertools import pairwise

import pytest

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.extractor import Answer
from endoscribe.extraction.llm.parts import OVERLAP_S, PART_S, PartwiseExtractor, cut
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.verification.grounding import verify
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Segment, Transcript, Word
from endoscribe.usage import Bill, Usage

COL = SchemaLibrary(SHIPPED_SCHEMA_DIR).get("col")
PLACES = ("cecum", "ascending colon", "hepatic flexure", "transverse colon", "splenic flexure", "descending colon",
          "sigmoid colon", "rectum")  # fmt: skip
NOTHING = "I am looking around carefully and washing the wall and there is nothing to say about this part. "


def spoken(text: str, words_a_second: float = 2.5) -> Transcript:
    """The text said at a steady pace, ten words a segment."""
    words = [Word(word, n / words_a_second, (n + 1) / words_a_second) for n, word in enumerate(text.split())]
    segments = [Segment(tuple(words[n : n + 10])) for n in range(0, len(words), 10)]
    return Transcript.from_segments(segments, len(words) / words_a_second)


def hour() -> Transcript:
    """An hour with a polyp every seven minutes; the cecum is reached early, the withdrawal told at the end."""
    findings = [f"In the {place} there is a {size} mm polyp removed with cold snare. "
                for size, place in enumerate(PLACES, start=3)]  # fmt: skip
    body = "".join(finding + NOTHING * 60 for finding in findings)
    return spoken(f"The scope is inserted. The cecum is reached. {body} Withdrawal time is 50 minutes.")


class Part:
    """Reads as the offline reader does, claims nothing of places, and remembers what it was given."""

    name = "part"

    def __init__(self, fails_at: str | None = None) -> None:
        self.given: list[str] = []
        self.fails_at = fails_at
        self.lock = threading.Lock()

    def probe(self) -> str | None:
        return None

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        with self.lock:
            self.given.append(transcript.text)
        if self.fails_at and self.fails_at in transcript.text:
            error = ExtractionError("Claude cannot be reached.")
            error.bill = Bill(Usage(50, 0, 0, 1, 1), 0.0005)
            raise error
        claims = OfflineExtractor().read(transcript, schema).claims
        claims = tuple(Claim(claim.target, claim.value, claim.quote, claim.row) for claim in claims)
        if on_claims:
            on_claims(claims)
        return Answer(claims, Bill(Usage(100, 0, 0, 10, 1), 0.001))


def test_a_dictation_of_usual_length_stays_whole() -> None:
    transcript = spoken(NOTHING * 60)
    assert [(part.start, part.end) for part in cut(transcript)] == [(0, len(transcript.text))]
    assert [(part.start, part.end) for part in cut(Transcript(""))] == [(0, 0)]


@pytest.mark.parametrize("timed", [True, False])
def test_the_parts_cover_everything_and_overlap(timed: bool) -> None:
    transcript = hour()
    parts = cut(transcript if timed else Transcript(transcript.text))
    assert len(parts) == 4
    assert (parts[0].start, parts[-1].end) == (0, len(transcript.text))
    for before, after in pairwise(parts):
        shared = transcript.text[after.start : before.end].split()
        assert 200 <= len(shared) <= 400
        assert transcript.text[after.start - 1] == " "


def test_no_part_is_longer_than_a_quarter_of_an_hour_and_its_overlaps() -> None:
    transcript = hour()
    for part in cut(transcript):
        seconds = transcript.span_seconds(part.start, part.end)
        assert seconds is not None
        assert seconds[1] - seconds[0] <= 1.2 * PART_S + 2 * OVERLAP_S


def test_an_hour_read_in_parts_is_the_hour_read_at_once() -> None:
    transcript, inner = hour(), Part()
    whole = verify(OfflineExtractor().read(transcript, COL).claims, transcript, COL, "whole")
    answer = PartwiseExtractor(inner).read(transcript, COL)
    merged = verify(answer.claims, transcript, COL, "parts")
    assert len(inner.given) == 4
    sizes = [row["size_mm"].value for row in merged.tables["polyps"]]
    assert sizes == [3, 4, 5, 6, 7, 8, 9, 10]
    assert [row["segment"].value for row in merged.tables["polyps"]] == [
        row["segment"].value for row in whole.tables["polyps"]
    ]
    for name in ("extent_reached", "withdrawal_time_min", "polyp_count"):
        assert merged.fields[name].value == whole.fields[name].value, name
        assert merged.fields[name].status == "ok"
    assert answer.bill is not None
    assert answer.bill.usage == Usage(400, 0, 0, 40, 4)
    assert answer.bill.cost_usd == pytest.approx(0.004)


def test_what_is_said_in_an_overlap_is_not_doubled() -> None:
    transcript = hour()
    parts = cut(transcript)
    middle = transcript.text.index(". ", parts[1].start + 200) + 2
    text = f"{transcript.text[:middle]}In the anus there is a 25 mm polyp. {transcript.text[middle:]}"
    doubled = spoken(text)
    assert sum("25 mm" in text[part.start : part.end] for part in cut(doubled)) == 2
    claims = PartwiseExtractor(Part()).read(doubled, COL).claims
    assert [claim.value for claim in claims if claim.target == "polyps.size_mm"].count(25) == 1


def test_the_table_fills_while_the_parts_come_in() -> None:
    seen: list[tuple[Claim, ...]] = []
    PartwiseExtractor(Part()).read(hour(), COL, seen.append)
    assert len(seen) == 4
    assert max(len({c.row for c in claims if c.target == "polyps.size_mm"}) for claims in seen) == 8


def test_a_part_that_fails_fails_the_whole() -> None:
    with pytest.raises(ExtractionError, match="cannot be reached") as caught:
        PartwiseExtractor(Part(fails_at="10 mm")).read(hour(), COL)
    assert caught.value.bill is not None
    assert caught.value.bill.usage == Usage(350, 0, 0, 31, 4)


def test_a_short_dictation_is_given_on_as_it_is() -> None:
    inner = Part()
    transcript = Transcript("A 6 mm polyp in the cecum.")
    PartwiseExtractor(inner).read(transcript, COL)
    assert inner.given == [transcript.text]
    assert not re.search(r"\[", inner.given[0])
