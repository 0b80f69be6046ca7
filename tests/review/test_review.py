"""Edits over a reading: typed, undone, signed, versioned, and never lost to a later reading."""

import csv
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from endoscribe.errors import ReviewError
from endoscribe.extraction.claims import Claim
from endoscribe.extraction.record import Record, cell_at
from endoscribe.extraction.verification.grounding import verify
from endoscribe.outputs.outline import as_written
from endoscribe.outputs.tabular import record_csv
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.library import load_schema
from endoscribe.review.carried import carried_flags
from endoscribe.review.differences import differences
from endoscribe.review.edits import Edit, EditKind, is_not_done
from endoscribe.review.flags import flags
from endoscribe.review.signature import digest, signed_digest
from endoscribe.review.versions import (
    Reading,
    Review,
    add_edit,
    current_record,
    leave_waiting,
    original_row,
    receive,
    sign,
    take_waiting,
    undo,
    without_broken_signatures,
    without_places,
)
from endoscribe.transcript import Transcript
from endoscribe.web.page.cell_card import closeups
from endoscribe.web.page.panels import report_panels
from tests.support.paths import DATA

MINI = load_schema(DATA / "schemas" / "mini.yaml")
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
TEXT = (
    "Boston was three on the right, three in the transverse and two on the left. Reached the caecum. In the sigmoid a "
    "four millimeter polyp, cold snare. Another in the rectum, twelve millimeters, biopsy forceps."
)
CLAIMS = (
    Claim("bbps_right", "3", "three on the right"),
    Claim("bbps_left", "2", "two on the left"),
    Claim("extent_reached", "cecum", "Reached the caecum"),
    Claim("polyps.segment", "sigmoid", "In the sigmoid", 0),
    Claim("polyps.size_mm", "4", "four millimeter", 0),
    Claim("polyps.segment", "rectum", "in the rectum", 1),
    Claim("polyps.size_mm", "12", "twelve millimeters", 1),
)


def read(*claims: Claim) -> Record:
    return verify(claims, Transcript(TEXT), MINI, "offline")


RECORD = read(*CLAIMS)


def steps(review: Review, *changes: tuple[EditKind, str, int | None, Value | None]) -> Review:
    for kind, target, row, value in changes:
        review = add_edit(review, Edit(kind, target, NOW, row, value), MINI)
    return review


def opened(record: Record = RECORD) -> Review:
    return receive(None, Reading(record))


def shown(review: Review) -> Record:
    return current_record(review.latest, MINI)


def test_an_edit_is_typed_keeps_what_was_heard_and_names_what_was_read() -> None:
    cell = shown(steps(opened(), ("set", "bbps_right", None, "2"))).fields["bbps_right"]
    assert (cell.value, cell.status, cell.problem) == (2, "edited", "read as 3")
    assert cell.evidence
    assert cell.evidence.quote == "three on the right"
    assert opened().latest.reading.record.fields["bbps_right"].value == 3


@pytest.mark.parametrize(
    ("target", "row", "value"),
    [("bbps_right", None, "7"), ("bbps_right", None, "many"), ("extent_reached", None, "the moon"),
     ("polyps.size_mm", 0, "big"), ("bbps_right", None, ""), ("bbps_right", None, "not stated")],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_with_a_sentence(target: str, row: int | None, value: str) -> None:
    with pytest.raises(ReviewError, match=r"\.$"):
        steps(opened(), ("set", target, row, value))


@pytest.mark.parametrize(
    ("kind", "target", "row"),
    [("set", "horoscope", None), ("set", "polyps.size_mm", None), ("set", "bbps_right", 0),
     ("set", "polyps.size_mm", 9), ("add_row", "bbps_right", None), ("remove_row", "polyps", 2),
     ("confirm", "bbps_transverse", None)],
)  # fmt: skip
def test_a_step_on_what_is_not_there_is_refused(kind: EditKind, target: str, row: int | None) -> None:
    with pytest.raises(ReviewError):
        steps(opened(), (kind, target, row, "1"))


def test_checks_gaps_and_derived_values_follow_the_edits() -> None:
    assert "bbps_transverse" in RECORD.gaps
    edited = shown(steps(opened(), ("set", "bbps_transverse", None, "3")))
    assert "bbps_transverse" not in edited.gaps
    assert "bbps_transverse" in shown(steps(opened(), ("not_stated", "bbps_transverse", None, None))).gaps


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ((), "7 as dictated"),
        ((("confirm", "bbps_total", None, None),), "7 as dictated"),
        ((("set", "bbps_total", None, "9"),), "9 entered by hand"),
        ((("not_stated", "bbps_total", None, None), ("set", "bbps_total", None, "7")), "7 entered by hand"),
        ((("not_done", "bbps_left", None, None), ("set", "bbps_left", None, "2")), "7 as dictated"),
    ],
)
def test_a_contradiction_says_whether_a_value_was_dictated_or_entered(
    changes: tuple[tuple[EditKind, str, int | None, Value | None], ...], origin: str
) -> None:
    said = "Boston was three on the right, three in the transverse, two on the left, seven in total."
    values = {"bbps_right": "3", "bbps_transverse": "3", "bbps_left": "2", "bbps_total": "7"}
    quotes = ("three on the right", "three in the transverse", "two on the left", "seven in total")
    claims = [Claim(target, value, quote) for (target, value), quote in zip(values.items(), quotes, strict=True)]
    record = verify(claims, Transcript(said), MINI, "offline")
    messages = {check.id: check.message for check in shown(steps(opened(record), *changes)).checks}
    assert messages["bbps_sum"] == f"Boston score: 8 by calculation, {origin}."


def test_a_value_that_takes_the_place_of_not_done_was_not_dictated() -> None:
    cell = shown(steps(opened(), ("not_done", "bbps_transverse", None, None), ("set", "bbps_transverse", None, "3")))
    assert cell.fields["bbps_transverse"].as_dictated == ""


def test_not_done_is_said_and_no_gap_and_not_stated_is_nothing() -> None:
    not_done = shown(steps(opened(), ("not_done", "bbps_transverse", None, None)))
    assert is_not_done(not_done.fields["bbps_transverse"])
    assert "bbps_transverse" not in not_done.gaps
    assert "bbps_right" not in shown(steps(opened(), ("not_stated", "bbps_right", None, None))).fields


def test_rows_come_and_go_and_know_where_they_come_from() -> None:
    review = steps(opened(), ("remove_row", "polyps", 0, None), ("add_row", "polyps", None, None))
    review = steps(review, ("set", "polyps.size_mm", 1, "7 mm"))
    rows = shown(review).tables["polyps"]
    assert [row["size_mm"].value for row in rows] == [12, 7]
    assert [original_row(review.latest, "polyps", row) for row in (0, 1)] == [1, None]
    review = steps(review, ("remove_row", "polyps", 0, None), ("remove_row", "polyps", 0, None))
    assert "polyps" not in shown(review).tables


def test_a_row_in_which_nothing_stands_is_counted_by_no_rule() -> None:
    added = shown(steps(opened(), ("add_row", "polyps", None, None)))
    assert len(added.tables["polyps"]) == 3  # it can still be filled
    assert (added.checks, added.gaps, added.derived) == (RECORD.checks, RECORD.gaps, RECORD.derived)
    lacking = read(*CLAIMS[:-1])
    assert "polyps.size_mm" in lacking.gaps
    said = shown(steps(opened(lacking), ("add_row", "polyps", None, None), ("not_done", "polyps.size_mm", 1, None)))
    assert "polyps.size_mm" not in said.gaps
    emptied = steps(opened(), ("not_stated", "polyps.segment", 0, None), ("not_stated", "polyps.size_mm", 0, None))
    assert [len(row) for row in as_written(shown(emptied), MINI).tables["polyps"]] == [2]


def test_undo_takes_back_one_step_at_a_time() -> None:
    review = steps(opened(), ("set", "bbps_right", None, "2"), ("remove_row", "polyps", 0, None))
    assert shown(undo(undo(review))) == RECORD
    with pytest.raises(ReviewError, match="nothing to undo"):
        undo(undo(undo(review)))


KINDS = st.sampled_from(["set", "confirm", "not_stated", "not_done", "add_row", "remove_row"])
TARGETS = st.sampled_from(["bbps_right", "extent_reached", "polyps", "polyps.size_mm", "polyps.segment"])


@given(
    st.lists(st.tuples(KINDS, TARGETS, st.none() | st.integers(-1, 3), st.sampled_from(["1", "cecum", ""])), max_size=8)
)
def test_whatever_is_tried_can_be_undone_and_stored(tried: list[tuple[EditKind, str, int | None, str]]) -> None:
    review, made = opened(), 0
    for kind, target, row, value in tried:
        try:
            review = add_edit(review, Edit(kind, target, NOW, row, value), MINI)
            made += 1
        except ReviewError:
            continue
    adapter = TypeAdapter(Review)
    assert shown(adapter.validate_json(adapter.dump_json(review))) == shown(review)
    for _ in range(made):
        review = undo(review)
    assert shown(review) == RECORD


def test_a_signature_holds_who_when_and_the_hash_of_what_was_signed() -> None:
    review = sign(steps(opened(), ("set", "bbps_right", None, "2")), "  Dr.  Example ", NOW, MINI)
    signature = review.latest.signature
    assert signature
    assert (signature.name, signature.at) == ("Dr. Example", NOW)
    assert signature.sha256 == signed_digest(shown(review), "Dr. Example", NOW)
    assert signed_digest(RECORD, "Dr. Example", NOW) != signature.sha256
    assert signature.is_intact
    for name in ("", "  ", "x" * 500):
        with pytest.raises(ReviewError):
            sign(opened(), name, NOW, MINI)
    with pytest.raises(ReviewError, match="signed already"):
        sign(review, "Dr. Example", NOW, MINI)


def test_an_edit_after_the_signature_is_a_new_version_and_the_old_one_stays() -> None:
    signed = sign(steps(opened(), ("set", "bbps_right", None, "2")), "Dr. Example", NOW, MINI)
    review = steps(signed, ("set", "bbps_right", None, "1"))
    assert [version.number for version in review.versions] == [1, 2]
    assert review.versions[0] == signed.latest
    assert shown(review).fields["bbps_right"].value == 1
    (only,) = differences(current_record(review.version(1), MINI), shown(review))
    assert (only.target, only.left and only.left.value, only.right and only.right.value) == ("bbps_right", 2, 1)
    with pytest.raises(ReviewError):
        undo(undo(review))  # not into what was signed


def test_a_later_reading_overwrites_nothing_without_being_asked() -> None:
    later = Reading(read(*CLAIMS[:1], Claim("bbps_left", "2", "two on the left")))
    assert receive(opened(), later).latest.reading == later  # nobody had touched the first
    edited = steps(opened(), ("set", "extent_reached", None, "cecum"), ("set", "polyps.size_mm", 1, "11"))
    review = receive(edited, later)
    assert shown(review) == shown(edited)
    with pytest.raises(ReviewError, match="new reading"):
        sign(review, "Dr. Example", NOW, MINI)
    assert leave_waiting(review) == edited
    mine = shown(take_waiting(review, keep_edits=True))
    assert mine.fields["extent_reached"].status == "edited"
    assert [row["size_mm"].value for row in mine.tables["polyps"]] == [4, 11]
    assert shown(take_waiting(review, keep_edits=False)) == later.record
    assert take_waiting(review, keep_edits=False).versions[0] == edited.latest
    assert receive(review, Reading(RECORD)).waiting is None  # the same as what was read before


def reread() -> Review:
    """Edits that were kept over a new reading, which says something else of every one of them but `bbps_left`."""
    edited = steps(
        opened(), ("set", "bbps_right", None, "1"), ("set", "bbps_left", None, "3"),
        ("not_stated", "extent_reached", None, None), ("set", "polyps.size_mm", 1, "11"),
    )  # fmt: skip
    left = replace(RECORD.fields["bbps_left"], value=3)
    rows = (RECORD.tables["polyps"][0],)
    record = replace(RECORD, fields={**RECORD.fields, "bbps_left": left}, tables={"polyps": rows})
    return take_waiting(receive(edited, Reading(record)), keep_edits=True)


def test_a_kept_edit_needs_eyes_where_the_new_reading_says_something_else() -> None:
    review = reread()
    found = {doubt.target: doubt.message for doubt in carried_flags(review.latest, MINI)}
    assert found["bbps_right"] == "This is your value, entered before. The new reading says: 3."
    assert found["extent_reached"].startswith("You had set this to “not stated”. The new reading says: ")
    assert found["polyps"].startswith("These rows are yours, from before. The new reading says: ")
    assert "(2) not stated" in found["polyps"]
    assert len(found) == 3
    decided = steps(
        review, ("confirm", "bbps_right", None, None), ("not_stated", "extent_reached", None, None),
        ("confirm", "polyps.size_mm", 1, None),
    )  # fmt: skip
    assert carried_flags(decided.latest, MINI) == ()
    assert carried_flags(undo(decided).latest, MINI) != ()
    signed = sign(review, "Dr. Example", NOW, MINI)
    assert carried_flags(signed.latest, MINI) == ()
    assert carried_flags(steps(signed, ("set", "bbps_left", None, "2")).latest, MINI) == ()
    stored: TypeAdapter[Review] = TypeAdapter(Review)
    assert carried_flags(stored.validate_json(stored.dump_json(review)).latest, MINI)


def test_a_kept_edit_is_shown_as_the_persons_beside_the_new_readings_words() -> None:
    review = reread()
    panels = report_panels(review, "0" * 32, MINI)
    assert "The new reading says: 3." in panels["checks"]
    assert "Entered by hand. Said: three on the right" in panels["record"]
    card = closeups(review.latest, MINI)["cards"]["bbps_right/"]
    assert "by hand on an earlier reading, <local-time" in card
    assert ">2026-01-02 03:04 UTC</local-time>" in card
    assert "<dt>Read anew by the offline reader</dt><dd>3</dd>" in card
    mine = steps(review, ("set", "bbps_right", None, "2"))
    assert "<dt>Entered</dt><dd>by hand. The quote" in closeups(mine.latest, MINI)["cards"]["bbps_right/"]


def test_the_words_that_another_value_was_read_from_are_not_the_entered_ones() -> None:
    review = steps(opened(), ("set", "bbps_right", None, "2"), ("confirm", "bbps_left", None, None))
    cards = closeups(review.latest, MINI)["cards"]
    told = "by hand. The quote and its source belong to the value that was read, 3."
    assert f"<dt>Entered</dt><dd>{told}</dd>" in cards["bbps_right/"]
    assert "<dt>Source of what was read</dt><dd>Exact" in cards["bbps_right/"]
    assert "<dt>Entered</dt><dd>by hand</dd>" in cards["bbps_left/"]
    assert "<dt>Source</dt><dd>Exact" in cards["bbps_left/"]
    lines = csv.DictReader(StringIO(record_csv(shown(review), MINI), newline=""))
    grounding = {line["field"]: line["grounding"] for line in lines}
    assert (grounding["bbps_right"], grounding["bbps_left"]) == ("entered by hand", "exact")


def test_edits_of_one_procedure_are_not_carried_into_another() -> None:
    other = Reading(replace(RECORD, procedure="other"))
    review = receive(steps(opened(), ("set", "extent_reached", None, "cecum")), other)
    with pytest.raises(ReviewError, match="another procedure"):
        take_waiting(review, keep_edits=True)
    assert take_waiting(review, keep_edits=False).latest.reading == other
    assert "keep_edits" not in report_panels(review, "0" * 32, MINI)["review"]


def test_the_list_of_doubts_has_invalid_unsupported_and_conflicting_cells() -> None:
    doubtful = read(
        *CLAIMS,
        Claim("bbps_transverse", "9", "three in the transverse"),
        Claim("prep_adequate", "true", "was adequate"),
    )
    second = read(*CLAIMS[1:], Claim("bbps_right", "2", "two on the left"))
    found = {doubt.target: doubt for doubt in flags(doubtful, MINI, replace(second, extractor="claude"))}
    assert found["bbps_transverse"].severity == "error"
    assert found["prep_adequate"].severity == "warning"
    kept = shown(steps(opened(doubtful), ("confirm", "prep_adequate", None, None)))
    assert "prep_adequate" not in {doubt.target for doubt in flags(kept, MINI)}
    assert kept.fields["prep_adequate"].value is True


def test_two_readers_that_disagree_are_a_doubt() -> None:
    left = RECORD.fields["bbps_right"]
    second = replace(RECORD, fields={**RECORD.fields, "bbps_right": replace(left, value=2)})
    (doubt,) = [each for each in flags(RECORD, MINI, second) if each.target == "bbps_right"]
    assert doubt.message == "The other reader read 2."


def test_another_transcript_takes_the_places_away_and_nothing_else() -> None:
    review = without_places(sign(opened(), "Dr. Example", NOW, MINI))
    cell = cell_at(review.latest.reading.record, "polyps.size_mm", 1)
    assert cell
    assert (cell.value, cell.evidence) == (12, None)
    assert review.latest.signature
    assert review.latest.signature.is_intact


def test_a_signature_of_the_first_kind_is_still_one() -> None:
    """It covered the record alone."""
    review = sign(opened(), "Dr. Example", NOW, MINI)
    assert review.latest.signature
    old = replace(review.latest.signature, sha256=digest(RECORD))
    assert (
        without_broken_signatures(replace(review, versions=(replace(review.latest, signature=old),))).latest.signature
        == old
    )


def test_the_revision_outlives_storage_and_tells_every_two_states_apart() -> None:
    stored: TypeAdapter[Review] = TypeAdapter(Review)
    first = opened()
    edited = steps(first, ("set", "bbps_total", None, 7))
    otherwise = steps(first, ("set", "bbps_total", None, 6))
    states = (first, edited, otherwise, receive(edited, Reading(read())))
    assert len({state.revision for state in states}) == len(states)
    for state in states:
        assert stored.validate_json(stored.dump_json(state)).revision == state.revision
