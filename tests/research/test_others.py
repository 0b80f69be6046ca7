"""Forty dictations whose authors and labellers knew nothing but the schemas: what is asserted of them was said."""

import pytest

from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.research.answers import evaluate_answers
from endoscribe.research.evaluation import evaluate
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from tests.support.paths import TESTS

OTHERS = TESTS / "data" / "others"
LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)


def test_the_offline_reader_invents_little_on_texts_by_others() -> None:
    evaluation = evaluate(OTHERS, OfflineExtractor(), LIBRARY)
    fields, cells = evaluation.tallies["fields"]["all"], evaluation.tallies["cells"]["all"]
    assert evaluation.dictations == 40
    assert fields.false_value_rate <= 0.010
    assert fields.precision >= 0.93
    assert fields.recall >= 0.65
    assert cells.precision >= 0.84
    assert cells.recall >= 0.46


@pytest.mark.slow  # a minute of wrong claims
def test_verification_disowns_few_of_a_models_answers_to_texts_by_others() -> None:
    told = evaluate_answers(OTHERS, LIBRARY).to_json()
    assert told["alarms"]["all"]["rate"] <= 0.035
    assert told["caught"]["number"]["rate"] >= 0.97
    assert told["caught"]["allowed_value"]["rate"] >= 0.92
    assert told["caught"]["yes_no"]["rate"] >= 0.93
    assert told["caught"]["foreign_quote"]["rate"] >= 0.83
