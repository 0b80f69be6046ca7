"""Figures from what a system showed and when, the same for every system.

A word's latency is counted from its spoken end. *Shown*: it stands on the screen for the first time. *Committed*: the
system says that it will not change. *Settled*: from here on it did not change, whatever the system says. Words that
were never got right have no latency; the error rate counts them.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

from benchmarks.scoring import matches, tokens
from benchmarks.session import Shown

Tokens = tuple[str, ...]

#: A word may stand so many places from where it ends up: words before it may still be added or dropped.
SLACK = 3


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds; None where there is nothing to measure."""

    first_word_s: float | None
    shown_p50_s: float | None
    commit_p50_s: float | None
    commit_p95_s: float | None
    settled_p50_s: float | None
    settled_p95_s: float | None


def spoken_ends(reference: str, clock: Sequence[tuple[str, float]]) -> dict[int, float]:
    """When each token of the reference ends, by its place, as far as the clock heard it."""
    timed = [(token, end_s) for text, end_s in clock for token in tokens(text)]
    heard = tuple(token for token, _ in timed)
    return {place: timed[at][1] for place, at in matches(tokens(reference), heard)}


def latencies(reference: str, ends_s: dict[int, float], shown: Sequence[Shown]) -> Latencies:
    if not shown:
        return Latencies(None, None, None, None, None, None)
    times = [each.wall_s for each in shown]
    screens = [_all_tokens(each) for each in shown]
    committed = [tokens(each.committed) for each in shown]
    last = screens[-1]
    words = [(last[at], at, ends_s[place]) for place, at in matches(tokens(reference), last) if place in ends_s]
    first_shown = [times[_first(screens, word, at)] - end_s for word, at, end_s in words]
    settled = [times[_settled(screens, word, at)] - end_s for word, at, end_s in words]
    kept = [(word, at, end_s) for word, at, end_s in words if _stands(committed[-1], word, at)]
    commits = [times[_first(committed, word, at)] - end_s for word, at, end_s in kept]
    return Latencies(
        first_word_s=_rounded(first_shown[0]) if first_shown else None,
        shown_p50_s=percentile(first_shown, 50),
        commit_p50_s=percentile(commits, 50),
        commit_p95_s=percentile(commits, 95),
        settled_p50_s=percentile(settled, 50),
        settled_p95_s=percentile(settled, 95),
    )


def flicker(shown: Sequence[Shown], final: str) -> float:
    """Displayed words that were changed or taken away later, over the words of the final text."""
    screens = [_all_tokens(each) for each in shown]
    changed = sum(_lost(before, after) for before, after in pairwise(screens))
    return round(changed / max(1, len(tokens(final))), 3)


def rewrites(shown: Sequence[Shown]) -> int:
    """Words that were committed and changed all the same."""
    committed = [tokens(each.committed) for each in shown]
    return sum(_lost(before, after) for before, after in pairwise(committed))


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The smallest value that so many per cent of the values do not exceed; the median for 50."""
    if not values:
        return None
    if percent == 50:
        return _rounded(statistics.median(values))
    ranked = sorted(values)
    return _rounded(ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)])


def _all_tokens(shown: Shown) -> Tokens:
    return tokens(shown.committed) + tokens(shown.tentative)


def _stands(screen: Tokens, word: str, at: int) -> bool:
    return word in screen[max(0, at - SLACK) : at + SLACK + 1]


def _first(screens: Sequence[Tokens], word: str, at: int) -> int:
    """Index of the first screen that shows the word in its place; the last one does."""
    return next(index for index, screen in enumerate(screens) if _stands(screen, word, at))


def _settled(screens: Sequence[Tokens], word: str, at: int) -> int:
    """Index of the first screen from which on the word stands in its place on every one."""
    missing = (index for index in range(len(screens) - 1, -1, -1) if not _stands(screens[index], word, at))
    return next(missing, -1) + 1


def _lost(before: Tokens, after: Tokens) -> int:
    if after[: len(before)] == before:
        return 0
    return sum(block.src_end - block.src_start for block in Levenshtein.opcodes(before, after) if block.tag != "equal")


def _rounded(value: float) -> float:
    return round(value, 3)
