"""The language of checks and conditions: three-valued, over tables, and closed to everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endoscribe.procedures.expressions import (
    ExpressionError,
    Names,
    Spoken,
    Stated,
    Value,
    expression,
    validate_expression,
)

POLYPS: list[dict[str, Value | None]] = [
    {"segment": "sigmoid", "size_mm": 25, "method": "cold_forceps", "count": 1},
    {"segment": "cecum", "size_mm": 4, "method": "cold_snare", "count": 3},
    {"segment": "cecum", "size_mm": None, "method": None, "count": 1},
]
STATED = Stated(
    {
        "right": 3, "left": 2, "total": 9, "adequate": True, "normal": False, "extent": "cecum", "silent": None,
        "start": "10:02", "end": "10:14", "indication": ("screening", "bleeding"), "history": "Cholecystectomy in 2006",
        "day": "2024-09-16",
    },
    {"polyps": POLYPS, "stents": []},
)  # fmt: skip
NAMES = Names(
    {**dict.fromkeys(STATED.fields), "extent": frozenset({"cecum", "rectum"})},
    {"polyps": {"segment": None, "size_mm": None, "method": frozenset({"cold_snare", "cold_forceps"}), "count": None}},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("total != right + left", True),
        ("right + left * 2", 7),
        ("(right + left) / 2", 2.5),
        ("0 <= right <= 3", True),
        ("0 <= total <= 3", False),
        ("extent in ('cecum', 'rectum')", True),
        ("extent not in ['rectum']", True),
        ("adequate and not normal", True),
        ("adequate == true and normal == false", True),
        ("'bleeding' in indication", True),
        ("contains(indication, 'polyps', 'screening')", True),
        ("contains(history, 'cholecystectomy')", True),
        ("contains(history, 'splenectomy')", False),
        ("minutes_between(start, end)", 12),
        ("minutes_between(end, start) < 0", True),
        ("days_between('2024-09-01', day)", 15),
        ("max(right, left, 1)", 3),
        ("abs(left - total)", 7),
        ("round(10 / 3, 1)", 3.3),
        ("'good' if adequate else 'poor'", "good"),
        ("any_row(polyps, size_mm >= 20 and method == 'cold_forceps')", True),
        ("any_row('polyps', size_mm > right and segment == extent)", True),
        ("all_rows(polyps, count >= 1)", True),
        ("count_rows(polyps)", 3),
        ("count_rows(polyps, segment == 'cecum')", 2),
        ("sum_rows(polyps, count)", 5),
        ("max_rows(polyps, count)", 3),
        ("min_rows(polyps, count)", 1),
        ("sum_rows(polyps, default(size_mm, 0))", 29),
        ("stated(polyps) and missing(stents)", True),
        ("any_row(stents, true)", False),
        ("count_rows(stents)", 0),
    ],
)
def test_values(text: str, value: Value) -> None:
    assert expression(text).evaluate(STATED).value == value


@pytest.mark.parametrize(
    "text",
    [
        "silent",
        "silent == 1",
        "silent != 1",
        "not silent",
        "silent + right > 0",
        "silent in ('a', 'b')",
        "1 <= silent <= 3",
        "adequate and silent",
        "normal or silent",
        "abs(silent)",
        "contains(silent, 'x')",
        "'a' if silent else 'b'",
        "count_rows(polyps, size_mm >= 10)",
        "max_rows(polyps, size_mm)",
        "all_rows(polyps, size_mm > 0)",
        "sum_rows(stents, 1)",
        "all_rows(stents, true)",
        "unheard_of > 3",
        "extent > 3",  # a text and a number have no order
        "right / 0 > 1",
        "minutes_between(extent, end)",
        "(right + 0.0) * 1e308 * 1e308",
    ],
)
def test_what_rests_on_something_not_stated_has_no_value(text: str) -> None:
    assert expression(text).evaluate(STATED).value is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("normal and silent", False),
        ("silent and normal", False),
        ("adequate or silent", True),
        ("silent or adequate", True),
        ("any_row(polyps, size_mm > 20)", True),
        ("all_rows(polyps, size_mm > 20)", False),
        ("default(silent, 7)", 7),
        ("missing(silent)", True),
        ("stated(silent)", False),
        ("missing(silent) and stated(right)", True),
        ("any_row(polyps, missing(size_mm))", True),
    ],
)
def test_one_side_decides_where_it_can(text: str, value: Value) -> None:
    assert expression(text).evaluate(STATED).value == value


def test_a_column_that_is_not_stated_is_not_the_field_of_the_same_name() -> None:
    stated = Stated({"size_mm": 50}, {"polyps": [{"size_mm": None}]})
    assert expression("any_row(polyps, size_mm > 20)").evaluate(stated).value is None


def test_the_rows_that_made_it_true_are_told() -> None:
    outcome = expression("any_row(polyps, segment == 'cecum') and adequate").evaluate(STATED)
    assert outcome.rows == (("polyps", 1), ("polyps", 2))


def test_names_are_listed_with_their_table() -> None:
    text = "stated(right) and any_row(polyps, size_mm > left) and count_rows(polyps) > 1"
    assert expression(text).names == ("right", "polyps", "polyps.size_mm", "polyps.left")


@pytest.mark.parametrize(
    "text",
    [
        "().__class__.__bases__[0]",
        "right.real",
        "polyps[0]",
        "open('secrets')",
        "__import__('os')",
        "stated.__globals__",
        "(lambda: 1)()",
        "[x for x in polyps]",
        "f'{right}'",
        "right ** 99999999",
        "right << 9999",
        "right := 3",
        "right = 3",
        "right; left",
        "None == right",
        "b'x' == right",
        "right is left",
        "count_rows(1 + 1)",
        "stated()",
        "stated(right, left)",
        "round(number=right)",
        "contains(*indication)",
        "",
        "right >",
        "1 + " * 1000 + "1",
        "-" * 1900 + "1",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        validate_expression(text, NAMES)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("totl > 3", "did you mean 'total'"),
        ("any_row(polyp, size_mm > 3)", "did you mean 'polyps'"),
        ("any_row(polyps, size > 3)", "did you mean 'size_mm'"),
        ("size_mm > 3", "no field 'size_mm'"),
        ("any_rows(polyps, size_mm > 3)", "did you mean 'any_row'"),
        ("extent == 'caecum'", "did you mean 'cecum'"),
        ("'caecum' != extent", "did you mean 'cecum'"),
        ("extent in ('rectum', 'caecum')", "did you mean 'cecum'"),
        ("any_row(polyps, method == 'cold_snar')", "did you mean 'cold_snare'"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(ExpressionError, match=hint):
        validate_expression(text, NAMES)


def test_a_good_expression_is_accepted() -> None:
    validate_expression("any_row(polyps, size_mm > right and method == 'cold_snare') or extent == 'rectum'", NAMES)
    validate_expression("stated(polyps) and missing(silent)", NAMES)


TRUTH = st.sampled_from([True, False, None])


@given(TRUTH, TRUTH, TRUTH)
def test_knowing_more_never_overturns_an_answer(a: bool | None, b: bool | None, c: bool | None) -> None:
    """Kleene logic is monotone: an answer given while something was not stated stands whatever it turns out to be."""
    text = "(a and b) or (not b and c) or not (a or c)"
    known = expression(text).evaluate(Stated({"a": a, "b": b, "c": c})).value
    for truth in (True, False):
        filled = {name: truth if value is None else value for name, value in {"a": a, "b": b, "c": c}.items()}
        later = expression(text).evaluate(Stated(filled)).value
        assert known is None or known == later


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("at_least(polyps, 1, histology == 'adenoma')", None),  # two of unknown histology
        ("at_least(polyps, 3, histology == 'adenoma')", False),
        ("at_most(polyps, 2, histology == 'adenoma')", True),
        ("at_most(polyps, 1, histology == 'adenoma')", None),
        ("at_least(polyps, 4, size_mm >= 10)", True),
        ("at_most(polyps, 3, size_mm >= 10)", False),
        ("at_least(polyps, 5, size_mm >= 10)", False),
        ("at_least(polyps, age, size_mm >= 10)", None),
        ("at_least(stents, 1, true)", True),
        ("at_least(stents, 2, true)", None),  # a row that does not say how many it holds
        ("at_most(stents, 1, true)", None),
        ("at_most(stents, 0, true)", False),
        ("how_many(signs, 'a', 'b', 'c')", 2),
        ("how_many(unknown, 'a')", None),
    ],
)
def test_things_are_counted_as_far_as_they_are_known(text: str, value: object) -> None:
    polyps: list[dict[str, Value | None]] = [
        {"count": 2, "histology": None, "size_mm": 4},
        {"count": 4, "histology": "polyp", "size_mm": 12},
    ]
    stated = Stated({"signs": ("a", "c")}, {"polyps": polyps, "stents": [{"count": None}]})
    assert expression(text).evaluate(stated).value == value


def test_a_word_that_a_multi_field_does_not_have_is_refused() -> None:
    names = Names({"signs": frozenset({"early", "late"})})
    with pytest.raises(ExpressionError, match="signs is never 'ealry'; did you mean 'early'"):
        validate_expression("how_many(signs, 'ealry') > 0", names)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("missing(size)", None),
        ("stated(size)", None),
        ("default(size, 3) > 1", None),
        ("missing(size) and extent == 'rectum'", False),
        ("missing(size) or extent == 'cecum'", True),
        ("missing(polyps)", None),
        ("count_rows(polyps) == 0", None),
        ("default(any_row(polyps, size_mm > 3), false)", None),
        ("at_most(polyps, 0, size_mm > 3)", None),
        ("any_row(stents, missing(length))", None),
        ("any_row(stents, missing(length) or width == 7)", True),
        ("any_row(stents, missing(width))", False),
        ("missing(other)", True),
    ],
)
def test_silence_tells_nothing_of_what_nobody_listened_for(text: str, value: Value | None) -> None:
    tables = {"polyps": [], "stents": [{"length": None, "width": 7}]}
    deaf = Stated({"extent": "cecum"}, tables, unheard=frozenset({"size", "polyps", "stents.length"}))
    assert expression(text).evaluate(deaf).value is value


SAID = Stated(
    {"bbps_total": None}, unheard=frozenset({"bbps_total"}), spoken=(Spoken("Right hemicolectomy. No stoma."),)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('mentioned("hemicolectomy|colectomy")', True),
        ('mentioned("stoma")', False),  # denied
        ('mentioned("sigmoidectomy", "right hemicolectomy")', True),
        ("filed(bbps_total)", False),  # nobody listened for it, and still no cell holds it
        ("missing(bbps_total)", None),
    ],
)
def test_what_words_name_and_what_cells_hold_needs_no_listener(text: str, value: bool | None) -> None:
    assert expression(text).evaluate(SAID).value is value


@pytest.mark.parametrize("text", ["mentioned(bbps_total)", 'mentioned("a (b")', "filed()"])
def test_what_is_looked_for_is_written_out(text: str) -> None:
    with pytest.raises(ExpressionError):
        validate_expression(text, Names({"bbps_total": None}))
