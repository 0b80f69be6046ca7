"""Words, times and places in the text."""

import pytest

from endoscribe.transcript import LiveTranscript, Segment, Transcript, Word

WORDS = (Word("The", 0.0, 0.2), Word("cecum", 0.3, 0.8), Word("was", 0.9, 1.0), Word("reached.", 1.0, 1.5))
SPOKEN = Transcript.from_segments([Segment(WORDS[:2]), Segment(WORDS[2:])], duration_s=2.0)


def test_segments_are_joined_with_a_space() -> None:
    assert SPOKEN.text == "The cecum was reached."
    assert [segment.text for segment in SPOKEN.segments] == ["The cecum", "was reached."]
    assert (SPOKEN.segments[1].start_s, SPOKEN.segments[1].end_s) == (0.9, 1.5)


def test_every_word_stands_where_the_text_has_it() -> None:
    assert [SPOKEN.text[placed.start : placed.end] for placed in SPOKEN.placed_words] == [word.text for word in WORDS]


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [(4, 9, (0.3, 0.8)), (5, 7, (0.3, 0.8)), (0, 22, (0.0, 1.5)), (4, 13, (0.3, 1.0)), (3, 4, None), (9, 9, None)],
)
def test_characters_lead_to_seconds(start: int, end: int, seconds: tuple[float, float] | None) -> None:
    assert SPOKEN.span_seconds(start, end) == seconds


def test_a_typed_text_has_no_seconds() -> None:
    assert Transcript("The cecum was reached.").span_seconds(4, 9) is None


def test_live_text_is_shown_in_two_parts() -> None:
    live = LiveTranscript(WORDS[:2], WORDS[2:])
    assert (live.committed_text, live.tentative_text) == ("The cecum", "was reached.")
