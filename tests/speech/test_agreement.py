"""Which words of an open window are settled, shown, and kept on the screen."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endoscribe.speech.agreement import AgreementOptions, HypothesisBuffer
from endoscribe.transcript import Word

#: By the mark before a word.
PROBABILITIES = {"~": 0.2, "!": 0.95}


def heard(text: str) -> list[Word]:
    """Words half a second apart; `~` before a word makes it an unsure one, `!` one that is clear."""
    return [
        Word(each.lstrip("~!"), n / 2, (n + 1) / 2, PROBABILITIES.get(each[0], 0.7))
        for n, each in enumerate(text.split())
    ]


#: Nothing is settled because it is old.
PATIENT = AgreementOptions(overdue_s=60)


def text_of(words: tuple[Word, ...]) -> str:
    return " ".join(word.text for word in words)


def test_two_decodes_that_agree_settle_the_beginning() -> None:
    words = HypothesisBuffer()
    assert words.insert(heard("the cecum was"), 1.6, in_pause=False) == ()
    assert text_of(words.insert(heard("the cecum was reached"), 2.1, in_pause=False)) == "the cecum was"
    assert words.insert(heard("the cecum was reached"), 2.2, in_pause=False) == ()  # too near to the edge


def test_one_decode_settles_clear_words_up_to_the_first_that_is_not() -> None:
    words = HypothesisBuffer()
    assert text_of(words.insert(heard("!the !cecum was !reached !today"), 3.0, in_pause=False)) == "the cecum"
    assert text_of(words.tentative) == "was reached today"
    again = words.insert(heard("!the !cecum was !reached !today !and"), 3.2, in_pause=False)
    assert text_of(again) == "was reached today"  # "and" is too near to the edge


@pytest.mark.parametrize("first", ["1", "one", "One,", "twenty"])
def test_a_number_may_grow_and_is_settled_by_two_decodes_only(first: str) -> None:
    words = HypothesisBuffer(PATIENT)
    assert text_of(words.insert(heard(f"!a !polyp !of !{first}"), 2.4, in_pause=False)) == "a polyp of"
    assert words.insert(heard("!a !polyp !of !1.5 !centimeters"), 2.9, in_pause=False) == ()
    again = words.insert(heard("!a !polyp !of !1.5 !centimeters !is"), 3.4, in_pause=False)
    assert text_of(again) == "1.5 centimeters is"


def test_a_word_more_in_the_middle_does_not_shift_all_that_follow() -> None:
    words = HypothesisBuffer(PATIENT)
    words.insert(heard("the seam was reached today in full"), 4.0, in_pause=False)
    words.insert(heard("the old seam was reached today in full"), 4.5, in_pause=False)
    again = words.insert(heard("the old seam was reached today in full"), 5.0, in_pause=False)
    assert text_of(words.tentative) == ""
    assert text_of(again).endswith("seam was reached today in full")


def test_of_two_guesses_well_behind_the_edge_the_surer_one_stays() -> None:
    words = HypothesisBuffer(PATIENT)
    words.insert(heard("a polyp is here and more and more"), 6.0, in_pause=False)
    words.insert(heard("a ~pulp is here and more and more"), 6.5, in_pause=False)
    assert "polyp" in text_of(words.tentative)
    words.insert(heard("a ~pulp is here and more and more"), 7.0, in_pause=False)
    assert "pulp" not in text_of(words.tentative)


def test_a_word_without_agreement_holds_up_the_rest_only_for_so_long() -> None:
    words = HypothesisBuffer(AgreementOptions(overdue_s=2.0))
    settled: list[Word] = []
    for turn, name in enumerate(("one", "two", "three", "four", "five", "six")):
        settled += words.insert(heard(f"{name} polyp here"), 1.5 + turn / 2, in_pause=False)
    assert [word.text for word in settled][1:] == ["polyp", "here"]


def test_what_ends_at_the_edge_is_not_shown() -> None:
    words = HypothesisBuffer()
    words.insert(heard("the cecum was rea"), 2.05, in_pause=False)
    assert text_of(words.tentative) == "the cecum was"


def test_in_a_pause_sure_words_are_settled_at_once_and_doubtful_ones_wait() -> None:
    words = HypothesisBuffer()
    assert text_of(words.insert(heard("the cecum ~wad reached"), 2.4, in_pause=True)) == "the cecum"
    assert text_of(words.tentative) == "wad reached"
    assert not words.is_sure


def test_the_decode_of_the_whole_window_gives_what_is_not_settled() -> None:
    words = HypothesisBuffer()
    words.insert(heard("the cecum was"), 1.6, in_pause=False)
    words.insert(heard("the cecum was reached"), 2.1, in_pause=False)
    assert text_of(words.flush(heard("the cecum was reached today"))) == "reached today"
    assert words.tentative == ()


def test_a_decode_that_spells_settled_words_otherwise_neither_repeats_nor_loses_any() -> None:
    words = HypothesisBuffer(PATIENT)
    words.insert(heard("boston score is three three"), 4.0, in_pause=False)
    assert (
        text_of(words.insert(heard("boston score is three three"), 4.5, in_pause=False))
        == "boston score is three three"
    )
    assert text_of(words.flush(heard("Boston scores is 3 three total"))) == "total"


def test_settled_words_that_lose_their_hyphens_are_not_said_twice() -> None:
    words = HypothesisBuffer()
    first = heard("!a !man !with !biopsy-proven-cancer !now !is !treated")
    assert text_of(words.insert(first[:6], 2.9, in_pause=False)) == "a man with biopsy-proven-cancer now"
    apart = [Word("biopsy", 1.5, 1.7, 0.9), Word("proven", 1.7, 1.8, 0.9), Word("cancer", 1.8, 2.0, 0.9)]
    again = words.insert([*first[:3], *apart, *first[4:]], 3.5, in_pause=False)
    assert text_of(again) == "is"


def test_the_next_window_begins_with_what_was_heard_of_it() -> None:
    words = HypothesisBuffer(PATIENT)
    words.insert(heard("the cecum was reached"), 3.0, in_pause=False)
    assert text_of(words.flush_as_shown(1.0)) == "the cecum"
    assert text_of(words.after(1.0).tentative) == "was reached"


@given(st.lists(st.lists(st.sampled_from(["polyp", "seam", "cecum", "was"]), max_size=8), max_size=8))
def test_settled_words_are_never_taken_back(decodes: list[list[str]]) -> None:
    words, committed = HypothesisBuffer(), [""]
    for turn, decode in enumerate(decodes):
        settled = words.insert(heard(" ".join(decode)), 1.0 + turn / 2, in_pause=turn % 3 == 0)
        committed.append(f"{committed[-1]} {text_of(settled)}".strip())
    for before, after in pairwise(committed):
        assert after.startswith(before)


@pytest.mark.parametrize("in_pause", [True, False])
def test_no_words_settle_nothing(in_pause: bool) -> None:
    assert HypothesisBuffer().insert((), 1.0, in_pause) == ()
