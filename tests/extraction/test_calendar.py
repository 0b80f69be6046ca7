import pytest

from endoscribe.extraction.reading.calendar import spoken_time
from endoscribe.procedures.normalize import plain_words


@pytest.mark.parametrize(
    ("said", "moment", "length"),
    [
        ("10:02, cecum", "10:02", 2),
        ("ten thirty", "10:30", 2),
        ("eleven oh five", "11:05", 3),
        ("9.45 and", "09:45", 1),
        ("1014", "10:14", 1),
        ("2:15 pm", "14:15", 3),
        ("12:30 a.m.", "00:30", 5),
        ("eight am", "08:00", 2),
        ("12 pm", "12:00", 2),
    ],
)
def test_times_of_day_are_read(said: str, moment: str, length: int) -> None:
    found, words = spoken_time(plain_words(said))
    assert found is not None
    assert (found.isoformat("minutes"), words) == (moment, length)


@pytest.mark.parametrize("said", ["", "ten", "10 minutes", "10, 20", "25:30", "10:75", "14:30 pm", "early", "3 mm"])
def test_what_is_no_time_of_day_is_none(said: str) -> None:
    assert spoken_time(plain_words(said)) == (None, 0)
