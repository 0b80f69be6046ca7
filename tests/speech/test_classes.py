"""Classes are written as their classification writes them, and only where a class was named."""

import pytest

from endoscribe.procedures.library import load_schema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.speech.terms.lexicon import Lexicon
from endoscribe.transcript import Word

LEXICONS = {name: Lexicon.of(load_schema(SHIPPED_SCHEMA_DIR / f"{name}.yaml")) for name in ("col", "egd")}


def repaired(procedure: str, text: str) -> tuple[Word, ...]:
    """However clearly it was heard: it is only written otherwise."""
    words = [Word(word, n / 2, (n + 1) / 2, 0.97) for n, word in enumerate(text.split())]
    return LEXICONS[procedure].repair(words)


@pytest.mark.parametrize(
    ("procedure", "said", "meant"),
    [
        ("col", "a sessile polyp, Paris 1S.", "a sessile polyp, Paris 0-Is."),
        ("col", "Paris one S, NICE 2", "Paris 0-Is, NICE 2"),
        ("col", "sessile Paris class 1SP polyp", "sessile Paris class 0-Isp polyp"),
        ("col", "Paris 2a. I lift it", "Paris 0-IIa. I lift it"),
        ("col", "Paris 0-2a", "Paris 0-IIa"),
        ("col", "flat polyp parish 0 2B NICE", "flat polyp Paris 0-IIb NICE"),
        ("col", "polyp paders 0 to be Nice 1", "polyp Paris 0-IIb Nice 1"),
        ("col", "G-net 2A", "JNET 2A"),
        ("egd", "an ulcer, forest 2a, was clipped", "an ulcer, Forrest IIa, was clipped"),
        ("egd", "LA grade be esophagitis", "LA grade B esophagitis"),
        ("egd", "Ellie grade D esophagitis", "LA grade D esophagitis"),
        ("egd", "spiegelman stage 4", "Spigelman stage IV"),
    ],
)
def test_a_class_is_written_as_its_classification_writes_it(procedure: str, said: str, meant: str) -> None:
    assert " ".join(word.text for word in repaired(procedure, said)) == meant


@pytest.mark.parametrize(
    "said",
    [
        "We went to Paris 3 times a year, Paris is nice, Paris to be seen.",
        "She flew to Paris 2 a day, or Paris two be it",
        "the Paris class is what it is, the Paris class to be determined",
        "in the parish 2 children and Janette 2 or 3 times",
        "the forest 3 miles away, the forest was dark. The forest is a park",
        "the LA grade is low, LA grade a bit",
        "In Paris. 2A is the seat.",
        "Paris 0-Is, Paris 0-IIa+Is, Forrest IIa, LA grade B",
    ],
)
@pytest.mark.parametrize("procedure", LEXICONS)
def test_what_names_no_class_is_left_alone(procedure: str, said: str) -> None:
    assert " ".join(word.text for word in repaired(procedure, said)) == said


def test_the_heard_form_is_kept_and_the_times_too() -> None:
    paris, written, seen = repaired("col", "Paris 1S seen")
    assert (paris.heard, written.heard, seen.heard) == (None, "1S", None)
    assert (written.text, written.start_s, written.end_s) == ("0-Is", 0.5, 1.0)


def test_a_class_spoken_in_several_words_becomes_one() -> None:
    _, written = repaired("col", "Paris zero 2 B.")
    assert (written.text, written.heard, written.end_s) == ("0-IIb.", "zero 2 B.", 2.0)
