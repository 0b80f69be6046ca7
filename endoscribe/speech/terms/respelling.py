"""Recognised words written otherwise: what was heard stays beside what is shown."""

import re
from collections.abc import Sequence
from dataclasses import replace

from endoscribe.transcript import Word


def is_one_phrase(span: Sequence[Word]) -> bool:
    """Whether nothing but the last word ends with a mark, and nothing was respelled already."""
    return all(word.text[-1:].isalnum() for word in span[:-1]) and not any(word.heard for word in span)


def respelled(span: Sequence[Word], meant: Sequence[str]) -> list[Word]:
    """The meant words in the time of the heard ones, with their mark at the end and their first letter's case."""
    heard = " ".join(word.text for word in span)
    mark = re.search(r"[^\w]*$", heard)
    probabilities = [word.probability for word in span if word.probability is not None]
    start_s, length_s = span[0].start_s, span[-1].end_s - span[0].start_s
    letters, sounded = sum(map(len, meant)), 0
    words: list[Word] = []
    for text in meant:
        from_s, sounded = start_s + length_s * sounded / letters, sounded + len(text)
        until_s = start_s + length_s * sounded / letters
        words.append(Word(text, from_s, until_s, min(probabilities, default=None), heard))
    if heard[:1].isupper():
        words[0] = replace(words[0], text=words[0].text[:1].upper() + words[0].text[1:])
    words[-1] = replace(words[-1], text=words[-1].text + (mark[0] if mark else ""))
    return words
