"""The pure parts of the benchmarks: what they count and how."""

import argparse
import asyncio
from pathlib import Path

import numpy as np
import pytest

from benchmarks.audio import PAUSE_S, SHORTFALL_S, dictation_of, speakers
from benchmarks.load import measure
from benchmarks.metrics import flicker, latencies, percentile, rewrites, spoken_ends
from benchmarks.noise import NOISES
from benchmarks.report import ONE_SPEAKER, keep, load, page, per_minute, stop_to_final, table, where_others_are_better
from benchmarks.scoring import term_recall, tokens, word_error_rate
from benchmarks.session import Shown, chunks


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("twelve millimeters", "12mm"),
        ("a 6 millimeter polyp", "A six-millimetre polyp."),
        ("Twenty-four minutes", "24 minutes"),
        ("thirty and five", "30 and 5"),
        ("Barrett's mucosa, 2nd portion", "barretts mucosa 2 portion"),
        ("36 centimeters", "36 cm"),
    ],
)
def test_numbers_and_units_are_the_same_however_they_are_written(said: str, written: str) -> None:
    assert tokens(said) == tokens(written)


def test_different_numbers_and_words_stay_different() -> None:
    assert tokens("12 millimeters") != tokens("13 millimeters")
    assert tokens("3 mm") != tokens("3 cm")
    assert tokens("twenty four") != tokens("20")


def test_error_rate_counts_changed_missing_and_added_words() -> None:
    assert word_error_rate("the cecum was reached", "The cecum was reached.") == 0
    assert word_error_rate("the cecum was reached", "the seam was") == 2 / 4
    assert word_error_rate("reached", "it was reached") == 2


def test_a_term_is_recalled_only_whole_and_once_for_each_time_it_is_said() -> None:
    said = "the ileocecal valve and the common bile duct, then the bile duct again"
    terms = ["ileocecal valve", "bile duct", "common bile duct"]
    assert term_recall(said, said, terms) == 1
    assert term_recall(said, "the ileus valve and the common bile duct, then the bile duct again", terms) == 2 / 3
    assert term_recall(said, "", terms) == 0
    assert term_recall("nothing of the kind", "nothing", terms) is None


CLOCK = [("The", 1.0), ("seam", 2.0), ("was", 3.0), ("reached.", 4.0)]
SCREENS = [
    Shown(1.5, "", "the"),
    Shown(2.5, "", "the seam"),
    Shown(3.5, "the", "cecum was"),
    Shown(5.0, "the cecum was", "reached"),
    Shown(6.0, "the cecum was reached", ""),
]


def test_the_clock_times_the_words_that_it_heard() -> None:
    assert spoken_ends("the cecum was reached", CLOCK) == {0: 1.0, 2: 3.0, 3: 4.0}


def test_latencies_are_counted_from_the_spoken_end() -> None:
    found = latencies("the cecum was reached", spoken_ends("the cecum was reached", CLOCK), SCREENS)
    assert found.first_word_s == 0.5  # the 0.5, was 0.5, reached 1
    assert found.shown_p50_s == 0.5
    assert found.commit_p50_s == 2.0  # the 2.5, was 2, reached 2
    assert found.commit_p95_s == 2.5
    assert found.settled_p50_s == 0.5


def test_a_word_that_goes_away_settles_when_it_is_back() -> None:
    screens = [Shown(1.0, "", "the cecum"), Shown(2.0, "", "the"), Shown(3.0, "", "the cecum")]
    found = latencies("the cecum", {0: 0.5, 1: 1.0}, screens)
    assert (found.shown_p50_s, found.settled_p95_s) == (0.25, 2.0)
    assert found.commit_p50_s is found.commit_p95_s is None


def test_a_system_without_live_text_has_no_latencies() -> None:
    assert latencies("the cecum", {0: 0.5}, []).first_word_s is None


def test_flicker_and_rewrites_count_words_not_shifts() -> None:
    assert flicker(SCREENS, "the cecum was reached") == 0.25  # seam became cecum
    assert rewrites(SCREENS) == 0
    assert flicker([Shown(1, "", "the cecum was"), Shown(2, "", "and the cecum was")], "and the cecum was") == 0
    assert rewrites([Shown(1, "the seam", ""), Shown(2, "the cecum", "")]) == 1


@pytest.mark.parametrize(("percent", "expected"), [(50, 50.5), (95, 95), (100, 100)])
def test_percentiles(percent: int, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 101)], percent) == expected
    assert percentile([], percent) is None


def test_joined_dictations_are_as_long_as_they_say() -> None:
    joined = dictation_of(16)
    assert 16 * 60 - SHORTFALL_S < joined.duration_s < 17 * 60
    assert len(joined.text) > 4 * len(dictation_of(1).text)
    assert [each.procedures[0][1] for each in speakers(5)] == ["col", "egd", "ercp", "eus", "col"]


def test_a_joined_dictation_changes_its_procedure_where_each_part_begins() -> None:
    one, joined = dictation_of(1), dictation_of(16)
    assert one.procedures == ((0.0, "col"),)
    assert joined.procedures[1] == (one.duration_s + PAUSE_S, "egd")
    seconds = [at_s for at_s, _ in joined.procedures]
    assert seconds == sorted(seconds)
    assert [procedure for _, procedure in joined.procedures[:8]] == ["col", "egd", "ercp", "eus"] * 2


def test_a_microphone_hands_over_everything() -> None:
    samples = np.arange(4_000, dtype=np.float32)
    assert np.array_equal(np.concatenate(list(chunks(samples))), samples)


@pytest.mark.parametrize("name", NOISES)
def test_noises_are_a_minute_of_audio_and_the_same_each_time(name: str) -> None:
    first, second = (NOISES[name](np.random.default_rng(1)) for _ in range(2))
    assert first.dtype == np.float32
    assert len(first) == 960_000
    assert np.array_equal(first, second)
    assert np.abs(first).max() < 1


def row_of(name: str, **changes: object) -> dict[str, object]:
    served = {
        "refused": False,
        **dict.fromkeys(("first_word_s", "shown_p50_s", "commit_p50_s", "commit_p95_s"), 1.25),
        **dict.fromkeys(("settled_p50_s", "settled_p95_s", "flicker"), 0.5),
        "stop_to_final_s": 2.0,
        "gave_up": False,
        "live_wer": 0.1,
        "final_wer": 0.05,
        "term_recall": None,
    }
    reading = {"wall_s": 60.0, "cpu_s": 30.0, "rss_mb": 800.0}
    row = {"case": name, "system": "endoscribe", "model": "base", "minutes": 1, "speakers": 1, "audio_s": 60.0}
    row |= {"cpu_per_audio_s": 0.5, "peak_rss_mb": 900.0, "readings": [reading], "machine": "2 cores", "command": "run"}
    return {**row, "served": [{**served, **changes}, {"refused": True}]}


def test_the_report_shows_what_is_missing_as_missing() -> None:
    line = table(ONE_SPEAKER, [row_of("a")]).splitlines()[-1]
    assert "| 5.0 % | - |" in line
    assert stop_to_final(row_of("a", gave_up=True)) == "> 60, incomplete"


def test_of_a_text_that_is_mostly_wrong_no_latency_is_told() -> None:
    line = table(ONE_SPEAKER, [row_of("a", final_wer=0.6)]).splitlines()[-1]
    assert "| 0.50 | - | - | - | - | 0.50 | 2.0 | 10.0 % | 60.0 % |" in line
    wrong = {**row_of("b", final_wer=0.6, commit_p50_s=-3.0, first_word_s=-3.0, flicker=0.9), "system": "naive"}
    assert "none" in where_others_are_better([row_of("a"), wrong])


def test_the_report_names_the_command_of_every_figure() -> None:
    text = page([row_of("a"), row_of("b")], peer="1.0")
    assert text.count("`run`") == 2


def test_minutes_are_told_from_the_meters_readings() -> None:
    readings = [
        {"wall_s": 60.0, "cpu_s": 30.0, "rss_mb": 800.0},
        {"wall_s": 120.0, "cpu_s": 66.0, "rss_mb": 810.0},
        {"wall_s": 121.0, "cpu_s": 67.0, "rss_mb": 810.0},
    ]
    assert per_minute(readings) == [(1.0, 0.5, 800.0), (2.0, 0.6, 810.0)]


def test_of_a_case_measured_twice_the_later_line_counts(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text('{"case": "a", "n": 1}\n{"case": "b", "n": 2}\n\n{"case": "a", "n": 3}\n')
    assert [row["n"] for row in load(results)] == [3, 2]


def test_what_was_measured_before_stays_in_the_report(tmp_path: Path) -> None:
    kept, new = tmp_path / "benchmarks.jsonl", tmp_path / "results.jsonl"
    keep([row_of("a"), row_of("b")], kept)
    keep([{**row_of("b"), "audio_s": 90.0}], new)
    assert [(row["case"], row["audio_s"]) for row in load(kept, new)] == [("a", 60.0), ("b", 90.0)]


def test_the_report_says_where_another_system_is_better() -> None:
    better = {**row_of("b", final_wer=0.04, flicker=0.9), "system": "naive", "cpu_per_audio_s": 0.6}
    assert where_others_are_better([row_of("a"), better]) == (
        "- naive page, base, 1 min: final WER 4.0 %, EndoScribe's 5.0 %."
    )
    assert "none" in where_others_are_better([row_of("a"), {**row_of("b"), "system": "naive"}])


@pytest.mark.slow
def test_many_pages_and_speakers_are_measured_on_a_real_server_here_on_few(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    options = argparse.Namespace(minutes=0.3, pages=2, browsers=0, speakers=1, model="tiny.en")
    measured = asyncio.run(measure(options, tmp_path))
    assert (measured["bit_exact"], measured["breaks"], measured["problems"]) == (1, 0, [])
    assert measured["page_answer_s"]
    assert measured["first_text_s"]
