"""Finding a quote in a transcript: word for word, nearly, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endoscribe.extraction.verification.quotes import SpokenText

DICTATION = (
    "Okay so we are in the cecum now. I see the appendiceal lawifies, and the ileocecal valve. "
    "There is a six millimeter cecilile polyp in the sigmole colon; it was removed with a cold snare. "
    "Another 2.5 cm polyp, Paris 0-Is, is in the rectum. It's removed with a hot snare in fifteen pieces. "
    "No diverticulosis was seen. The prep was inadequate. The right colon wasn't clean. "
    "Barrett\u2019s esophagus isn't present. Um withdrawal time was uh six and a half minutes."
)
SPOKEN = SpokenText(DICTATION)


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        ("the ileocecal valve", "the ileocecal valve"),
        ("THE ILEOCECAL, VALVE!", "the ileocecal valve"),
        ("  in the\ncecum ", "in the cecum"),
        ("lawifies and the", "lawifies, and the"),
        ("Barretts esophagus", "Barrett\u2019s esophagus"),
        ("2.5cm polyp", "2.5 cm polyp"),
        ("Paris 0 Is", "Paris 0-Is"),
        ("Okay", "Okay"),
        ("half minutes", "half minutes"),
    ],
)
def test_the_same_words_are_found_exactly(quote: str, words: str) -> None:
    (place,) = SPOKEN.find(quote)
    assert (DICTATION[place.start : place.end], place.grounding) == (words, "exact")


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        ("6 mm cecilile polyp", "six millimeter cecilile polyp"),
        ("6 mm sessile polyp", "six millimeter cecilile polyp"),
        ("6.5 minutes", "six and a half minutes"),
        ("withdrawal time was six and a half minutes", "withdrawal time was uh six and a half minutes"),
        ("the right colon was not clean", "The right colon wasn't clean"),
        ("polyp in the sigmoid colon", "polyp in the sigmole colon"),
        ("the appendiceal orifice and the ileocecal valve", "the appendiceal lawifies, and the ileocecal valve"),
        ("removed with hot snare in 15 pieces", "removed with a hot snare in fifteen pieces"),
        ("six millimeter cecilile polyp ... removed with a cold snare",
         "six millimeter cecilile polyp in the sigmole colon; it was removed with a cold snare"),
        ("6 mm sessile polyp \u2026 cold snare",
         "six millimeter cecilile polyp in the sigmole colon; it was removed with a cold snare"),
    ],
)  # fmt: skip
def test_recognition_noise_and_number_words_are_near(quote: str, words: str) -> None:
    (place,) = SPOKEN.find(quote)
    assert (DICTATION[place.start : place.end], place.grounding) == (words, "fuzzy")


@pytest.mark.parametrize(
    "quote",
    [
        "",
        " .,! ",
        "the patient has a colostomy",
        "8 millimeter cecilile polyp in the sigmole colon",
        "fifty pieces",
        "removed with a hot snare in fifty pieces",
        "25 cm polyp",
        "diverticulosis was seen in the sigmoid",
        "the prep was adequate",
        "the prep was not inadequate",
        "right colon was clean",
        "a polyp in the cecum was removed with a cold snare",
        "there was no six millimeter cecilile polyp",
        "in the rectum ... in the cecum now",  # the parts in the wrong order
        "hot snare " * 200,
        "\u2026",
        "...",
    ],
)
def test_what_was_not_said_is_not_found(quote: str) -> None:
    assert SPOKEN.find(quote) == ()


def test_a_negation_inside_a_near_quote_is_kept() -> None:
    assert (
        SpokenText("there were no polypz seen today in the colon").find("there were polyps seen today in the colon")
        == ()
    )


def test_every_place_of_a_repeated_quote_is_given() -> None:
    text = "a 5 mm polyp, cold snare. Then a 7 mm polyp, cold snare."
    assert [place.start for place in SpokenText(text).find("cold snare")] == [14, 45]


def test_a_start_that_is_right_is_honoured() -> None:
    text = "a 5 mm polyp, cold snare. Then a 7 mm polyp, cold snare."
    (place,) = SpokenText(text).find("cold snare", 45)
    assert (place.start, place.end) == (45, 55)


@pytest.mark.parametrize("start", [-3, 3, 44, 900])
def test_a_start_that_is_wrong_is_ignored(start: int) -> None:
    assert [place.start for place in SpokenText("one cold snare").find("cold snare", start)] == [4]


def test_a_start_in_the_middle_of_a_word_is_wrong() -> None:
    assert SpokenText("a 25 mm polyp").find("5 mm polyp", 3) == ()


def test_the_wrong_region_does_not_hide_the_right_one() -> None:
    text = "a 6 mm sessile polyp in the sigmoid colon. Then there is a 7 mm cecile polyp in the sigmoyd colon."
    (place,) = SpokenText(text).find("7 mm sessile polyp in the sigmoid colon")
    assert text[place.start : place.end] == "7 mm cecile polyp in the sigmoyd colon"


def test_an_empty_transcript_holds_nothing() -> None:
    assert SpokenText("").find("polyp") == ()


VOCABULARY = (
    "the a polyp six 6 mm sigmoid cecum removed with snare cold hot no not Paris NICE two 2.5 It's wasn't \u00e9tat"
)
WORDS = st.sampled_from(VOCABULARY.split())
TEXTS = st.lists(WORDS, min_size=1, max_size=60)


@given(TEXTS, st.data())
def test_any_run_of_words_is_found_where_it_stands(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    after = data.draw(st.integers(first + 1, len(words)))
    quote = " ".join(words[first:after])
    start = len(" ".join(words[:first])) + (first > 0)
    places = SpokenText(text).find(quote)
    assert start in [place.start for place in places]
    for place in places:
        assert place.grounding == "exact"
        assert text[place.start : place.end].casefold() == quote.casefold()
    (hinted,) = SpokenText(text).find(quote, start)
    assert (hinted.start, hinted.end) == (start, start + len(quote))


@given(TEXTS, st.text(max_size=40))
def test_any_answer_is_a_span_at_word_edges(words: list[str], quote: str) -> None:
    text = " ".join(words)
    for place in SpokenText(text).find(quote):
        assert 0 <= place.start < place.end <= len(text)
        assert place.start == 0 or not (text[place.start - 1].isalpha() and text[place.start].isalpha())


@given(TEXTS, st.integers(7, 999))
def test_a_number_that_was_not_said_is_never_found(words: list[str], number: int) -> None:
    text = " ".join(words)
    assert SpokenText(text).find(f"{text} {number} mm polyp") == ()
    assert SpokenText(text).find(f"{number} {words[0]}") == ()
