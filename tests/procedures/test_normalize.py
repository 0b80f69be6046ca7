import pytest
from hypothesis import given
from hypothesis import strategies as st

from endoscribe.procedures.normalize import plain_words, read_words


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("twenty-two gauge", "22 gauge"),
        ("six and a half minutes", "6.5 minutes"),
        ("two point two", "2.2"),
        ("one hundred and twenty five", "125"),
        ("zero one s", "0 1 s"),
        ("three three two", "3 3 2"),
        ("a couple of polyps", "a 2 of polyps"),
        ("0-IIb", "0 iib"),
        ("3-4 mm", "3 to 4 mm"),
        ("5mm", "5 mm"),
        ("1,200 mL", "1200 ml"),
        ("I can't see it", "i can not see it"),
        ("it's Barrett's", "it is barrett"),
        ("appears to be normal", "is normal"),
        ("has been removed", "is removed"),
        ("um the the scope", "the scope"),
        ("oesophagus, caecum and haemorrhoids", "esophagus , cecum and hemorrhoids"),
        ("visualised but otherwise fine", "visualized but otherwise fine"),
    ],
)
def test_words_come_to_one_form(said: str, plain: str) -> None:
    assert " ".join(plain_words(said)) == plain


@given(st.text(max_size=200))
def test_every_word_stands_where_it_says(text: str) -> None:
    last = 0
    for word in read_words(text):
        assert word.text
        assert 0 <= word.start < word.end <= len(text)
        assert word.start >= last or word.start >= 0
        last = word.start
