import pytest

from endoscribe.procedures.normalize import plain_words
from endoscribe.procedures.phrases import compile_phrase


def matches(phrase: str, said: str) -> bool:
    return compile_phrase(phrase).pattern.search(" ".join(plain_words(said))) is not None


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("cold snare", "removed with a cold snare"),
        ("polyp|lesion", "the lesion"),
        ("diverticul*", "a few diverticula"),
        ("main (pancreatic) duct", "the main duct"),
        ("duct is dilated", "the duct appears to be dilated"),
        ("cecum ... reached", "the cecum was easily reached"),
        ("second portion ... duodenum", "the second portion of the duodenum"),
        ("<number> passes", "three passes"),
        ("right colon <number>", "right colon, two"),
        ("common_duct|cbd is normal", "the common duct was normal"),
        ("2 passes", "two passes"),
    ],
)
def test_phrases_match_what_they_are_meant_to(phrase: str, said: str) -> None:
    assert matches(phrase, said)


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("polyp", "the polypectomy"),
        ("cecum ... reached", "the cecum. It was reached"),
        ("cold snare", "cold forceps and snare"),
        ("<measure>", "three"),
        ("snare", "cold snared"),
    ],
)
def test_phrases_leave_other_words_alone(phrase: str, said: str) -> None:
    assert not matches(phrase, said)


@pytest.mark.parametrize("phrase", ["", "... polyp", "polyp ...", "(polyp", "(the) polyp", "polyp <size>"])
def test_a_phrase_that_cannot_work_is_refused(phrase: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_phrase(phrase)
