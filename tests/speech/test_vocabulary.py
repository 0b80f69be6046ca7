"""The glossary that biases recognition."""

import pytest

from endoscribe.procedures.library import load_schema
from endoscribe.speech.terms.vocabulary import SEPARATOR, prompt_terms
from tests.support.paths import DATA

MINI = load_schema(DATA / "schemas" / "mini.yaml")
HEADING = "Dictated Mini colonoscopy report. "


def terms_of(prompt: str) -> list[str]:
    return prompt.removeprefix(HEADING).removesuffix(".").split(SEPARATOR)


def test_the_title_and_the_schemas_own_vocabulary_come_first() -> None:
    prompt = prompt_terms(MINI, 1000)
    terms = terms_of(prompt)
    assert prompt.startswith(HEADING)
    assert terms[:2] == ["appendiceal orifice", "Boston bowel preparation score"]
    assert "cold snare" in terms
    assert len(terms) == len({term.casefold() for term in terms})


@pytest.mark.parametrize("limit_chars", [0, 5, 17, 40, 77, 200])
def test_the_limit_holds_and_no_term_is_cut(limit_chars: int) -> None:
    prompt = prompt_terms(MINI, limit_chars)
    assert len(prompt) <= limit_chars
    assert set(terms_of(prompt)) - {""} <= set(terms_of(prompt_terms(MINI, 10_000)))
