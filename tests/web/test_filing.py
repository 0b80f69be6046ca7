"""What was said and stands in no cell: where it could go, what a decision does, and that undo takes it back."""

from collections.abc import Iterator
from typing import Any

import pytest

from endoscribe.extraction.record import cell_at
from endoscribe.review.filing import destinations, undecided
from tests.support.reviewing import change, closeups, finished
from tests.support.scripted import ScriptedScheduler, Server

SAID = "In the sigmoid colon is a 6 millimeter sessile polyp."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data"), ScriptedScheduler()) as server:
        yield server


@pytest.fixture
def session(server: Server) -> str:
    return finished(server)


def said(server: Server, session: str, text: str = SAID) -> dict[str, int]:
    record = server.reviews.record(server.reviews.review(session))
    found = next(each for each in record.unfiled if each.text == text)
    return {"start": found.start, "end": found.end}


def texts(server: Server, session: str) -> list[str]:
    return [each.text for each in undecided(server.reviews.record(server.reviews.review(session)))]


def decide(server: Server, session: str, kind: str, **body: object) -> Any:
    answer = change(server, session, "filing", kind=kind, **said(server, session), **body)
    assert answer.status_code == 200
    return answer.json()["panels"]


def test_a_sentence_that_is_filed_fills_a_new_row_and_leaves_the_list_until_it_is_undone(
    server: Server, session: str
) -> None:
    before = server.reviews.record(server.reviews.review(session)).tables["polyps"]
    filed = [{"target": "polyps.size_mm", "value": "6"}, {"target": "polyps.segment", "value": "sigmoid"}]
    decide(server, session, "file", cells=filed)
    record = server.reviews.record(server.reviews.review(session))
    cell = cell_at(record, "polyps.size_mm", len(before))
    assert cell
    assert cell.evidence
    assert (cell.value, cell.status, cell.evidence.quote) == (6, "edited", SAID)
    assert SAID not in texts(server, session)
    assert change(server, session, "undo").status_code == 200
    assert server.reviews.record(server.reviews.review(session)).tables["polyps"] == before
    assert SAID in texts(server, session)


def test_a_sentence_whose_cell_is_emptied_again_comes_back(server: Server, session: str) -> None:
    decide(server, session, "file", cells=[{"target": "impression", "value": SAID}])
    assert SAID not in texts(server, session)
    change(server, session, "edits", kind="not_stated", target="impression", row=None, value=None)
    assert SAID in texts(server, session)


def test_a_sentence_kept_as_text_stands_under_its_section_and_in_the_note(server: Server, session: str) -> None:
    panels = decide(server, session, "keep_text", target="findings")
    assert SAID not in panels["unfiled"]
    assert SAID in panels["record"]
    (kept,) = [e for e in server.reviews.record(server.reviews.review(session)).unfiled if e.text == SAID]
    assert kept.section == "findings"
    assert SAID in server.client.get(f"/download/{session}/md").text.replace("\\", "")


def test_a_sentence_that_is_not_for_the_report_is_in_no_panel(server: Server, session: str) -> None:
    panels = decide(server, session, "dismiss")
    assert SAID not in panels["unfiled"] + panels["record"]
    assert SAID not in server.client.get(f"/download/{session}/md").text.replace("\\", "")


def test_what_cannot_be_is_refused(server: Server, session: str) -> None:
    place = said(server, session)
    refused = (
        {"kind": "keep_text", "target": "nowhere", **place},
        {"kind": "file", "cells": [], **place},
        {"kind": "file", "cells": [{"target": "polyps.size_mm", "value": "large"}], **place},
        {"kind": "file", "row": 9, "cells": [{"target": "polyps.size_mm", "value": "6"}], **place},
        {"kind": "dismiss", "start": place["start"] + 1, "end": place["end"]},
    )
    for body in refused:
        assert change(server, session, "filing", **body).status_code == 422
    assert SAID in texts(server, session)


def test_only_what_the_report_lacks_is_proposed_and_any_field_is_offered(server: Server, session: str) -> None:
    review = server.reviews.review(session)
    transcript = server.services.sessions.transcript(session)
    assert transcript
    record = server.reviews.record(review)
    for where in destinations(record, transcript, server.reviews.schema(review)):
        for proposal in where.proposals:
            assert all(cell_at(record, cell.target, proposal.row) is None for cell in proposal.cells)
        assert where.section in server.reviews.schema(review).sections
    found = closeups(server, session)
    place = said(server, session)
    assert "Not for the report" in found["filing"][f"{place['start']}-{place['end']}"]
    assert 'value="impression/"' in found["choices"]
    assert "polyps.size_mm" in found["columns"]
