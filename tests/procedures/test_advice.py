"""Advice while findings are open, and once they are known."""

import pytest

from endoscribe.procedures.advice import advise, interval_text, withheld
from endoscribe.procedures.expressions import Spoken, Stated, Value
from endoscribe.procedures.schema import Advice

RULE = Advice.model_validate(
    {
        "label": "Next",
        "when": "complete",
        "rows": {
            "small": {"finding": "a small one", "when": "size<10 and kind=='a'", "interval": [60, 120], "source": ""},
            "large": {"finding": "a large one", "when": "size >= 10", "interval": 36, "source": ""},
            "bad": {"finding": "a bad one", "when": "kind == 'b'", "interval": 6, "source": ""},
        },
    }
)  # fmt: skip


def told(**fields: Value) -> str | None:
    advised = advise(RULE, Stated(fields))
    return advised.sentence if advised else None


def test_all_that_may_hold_is_listed_shortest_first_while_something_is_open() -> None:
    assert told(complete=True, size=4) == (
        "Next depends on what is not known yet: 6 months if a bad one; 5 to 10 years if a small one. "
        "The shortest that applies counts."
    )


def test_the_shortest_is_advised_once_everything_is_known() -> None:
    assert told(complete=True, size=4, kind="a") == "Next: 5 to 10 years (a small one)."
    assert told(complete=True, size=12, kind="b") == "Next: 6 months (a bad one)."


def test_nothing_is_advised_where_the_table_is_not_meant_or_holds_nothing() -> None:
    assert told(size=4, kind="a") is None
    assert told(complete=False, size=4, kind="a") is None
    assert told(complete=True, size=4, kind="c") is None


def test_an_interval_must_lie_in_a_row_that_may_hold() -> None:
    advised = advise(RULE, Stated({"complete": True, "size": 4}))
    assert advised is not None
    assert [advised.allows(months) for months in (6, 12, 60, 120, 121)] == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("interval", "unit", "text"),
    [
        ((84, 120), "months", "7 to 10 years"),
        ((36, 36), "months", "3 years"),
        ((12, 12), "months", "1 year"),
        ((6, 12), "months", "6 to 12 months"),
        ((1, 1), "months", "1 month"),
        ((4, 4), "weeks", "4 weeks"),
        ((0, 12), "months", "within 1 year"),
    ],
)
def test_intervals_are_told_as_people_say_them(interval: tuple[float, float], unit: str, text: str) -> None:
    assert interval_text(interval, unit) == text


SCREENING = RULE.model_copy(
    update={
        "only_with": ("average risk", "cancer screening", "screening"),
        "entered": "contains(reason, 'screening_average_risk')",
        "not_with": ("lynch|polyposis|colitis|mother", "family history", "cancer"),
        "lacking": "average risk is not stated",
    }
)


def why_not(*said: str, start_s: float | None = None, **fields: Value) -> str | None:
    return withheld(SCREENING, Stated(fields, spoken=tuple(Spoken(text, start_s) for text in said)))


@pytest.mark.parametrize(
    "said",
    [
        "Average risk patient.",
        "Here for colon cancer screening.",
        "Screening, no family history of colon cancer.",
        "Screening; she denies any family history.",
        "Screening. Family history: negative.",
        "Screening, no known lynch syndrome, polyposis or colitis.",
        "Screening, no first degree relatives with cancer.",
    ],
)
def test_average_risk_said_and_nothing_against_it_lets_an_interval_stand(said: str) -> None:
    assert why_not(said) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Screening colonoscopy. Family history of colon cancer.", "Family history"),
        ("Average risk screening, known Lynch syndrome.", "Lynch"),
        ("Screening, her mother died of it.", "mother"),
        ("Screening, no polyps, Lynch syndrome.", "Lynch"),
        ("Screening, no polyps lynch syndrome", "lynch"),
        ("Screening. Serrated polyposis last year.", "polyposis"),
        ("Colitis for ten years, colon cancer screening.", "Colitis"),
        ("Screening, Lynch syndrome, negative margins last time.", "Lynch"),
    ],
)
def test_what_speaks_against_it_is_named(said: str, words: str) -> None:
    assert why_not(said, start_s=64.2) == f"Next: not given, since “{words}” is mentioned at 1:04."
    assert why_not("Average risk.", said) == f"Next: not given, since “{words}” is mentioned."


@pytest.mark.parametrize("said", ["Rectal bleeding.", "Colonoscopy for anemia.", "", "Not average risk."])
def test_without_a_word_on_risk_nothing_is_told(said: str) -> None:
    assert why_not(said) == "Next: not given, since average risk is not stated."
    assert why_not(said, reason=("screening_average_risk",)) is None
