"""Recordings played as microphones, and the figures of it."""

from pathlib import Path

import numpy as np
import pytest

from endoscribe.errors import BusyError
from endoscribe.procedures.library import load_schema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.speech.live import LiveOptions
from endoscribe.speech.playback import LiveEvent, Observer, play
from endoscribe.speech.scheduler import Scheduler, SchedulerLimits
from endoscribe.transcript import LiveTranscript, Word
from tests.support.speech_script import HearingEngine, LevelDetector, audio_of, words_at

TEXT = "the cecum was reached today. withdrawal took nine minutes"
WORDS = words_at(TEXT, pause_after={"today.": 1.2})


def played(speed: float, speakers: int = 1) -> tuple[list[LiveEvent], list[dict[str, object]]]:
    scheduler = Scheduler(HearingEngine(WORDS), options=LiveOptions(catch_up=speed > 0), new_detector=LevelDetector)
    events: list[LiveEvent] = []
    try:
        recordings = [(Path(f"speaker{number}.wav"), audio_of(WORDS)) for number in range(speakers)]
        summaries = play(scheduler, recordings, None, speed, events.append)
    finally:
        scheduler.close()
    return events, [{name: getattr(summary, name) for name in summary.__slots__} for summary in summaries]


def test_as_fast_as_possible_there_are_no_latencies() -> None:
    events, (summary,) = played(speed=0)
    assert summary["text"] == TEXT
    assert summary["rewrites"] == 0
    assert summary["first_word_s"] is summary["commit_p50_s"] is summary["stop_to_final_s"] is None
    assert events[-1].committed == TEXT


def test_the_same_audio_gives_the_same_live_text_each_time() -> None:
    first, second = played(speed=0), played(speed=0)
    assert [event.committed for event in first[0]] == [event.committed for event in second[0]]


def test_played_in_time_the_latencies_are_those_of_the_clock() -> None:
    events, (summary,) = played(speed=8)
    assert summary["text"] == TEXT
    assert all(isinstance(summary[name], float) for name in ("first_word_s", "commit_p50_s", "commit_p95_s"))
    assert summary["commit_p50_s"] <= summary["commit_p95_s"]  # type: ignore[operator]
    assert [event.audio_s for event in events] == sorted(event.audio_s for event in events)


def test_another_procedure_is_listened_for_where_it_was_chosen() -> None:
    engine, schema = HearingEngine(WORDS), load_schema(SHIPPED_SCHEMA_DIR / "egd.yaml")
    scheduler = Scheduler(engine, options=LiveOptions(catch_up=False), new_detector=LevelDetector)
    try:
        play(scheduler, [(Path("speaker.wav"), audio_of(WORDS))], None, 0, lambda _: None, [(2.0, schema)])
    finally:
        scheduler.close()
    prompts = [(window.start_s + window.duration_s, window.prompt) for window, _ in engine.decoded]
    assert all(not prompt for end_s, prompt in prompts if end_s < 2.0)
    assert "hiatal hernia" in prompts[-1][1]


def test_speakers_at_once_share_the_cost() -> None:
    _, summaries = played(speed=0, speakers=3)
    assert [summary["text"] for summary in summaries] == [TEXT] * 3
    assert len({summary["cpu_s"] for summary in summaries}) == 1


def test_a_speaker_that_is_refused_is_reported() -> None:
    scheduler = Scheduler(HearingEngine(WORDS), SchedulerLimits(max_wait_s=-1.0), new_detector=LevelDetector)
    recordings = [(Path("a.wav"), audio_of(WORDS)), (Path("b.wav"), np.zeros(16_000, np.float32))]
    with pytest.raises(BusyError):
        play(scheduler, recordings, None, 0, lambda _event: None)
    scheduler.close()


def test_what_was_shown_and_changed_is_counted() -> None:
    said = [Word(text, number, number + 0.5) for number, text in enumerate(["the", "seam", "was", "cecum"])]
    observer = Observer()
    observer.see(LiveTranscript((), tuple(said[:2])), 2.0)  # the seam
    observer.see(LiveTranscript((said[0],), (said[3],)), 3.0)  # the | cecum: one word changed
    observer.see(LiveTranscript((said[2], said[3]), ()), 4.0)  # "the" was committed and is now "was"
    assert observer.first_word_s == pytest.approx(2.0 - 0.5)
    assert observer.changed == 1
    assert observer.rewrites == 1
    assert observer.commit_latencies_s == [pytest.approx(3.0 - 0.5), pytest.approx(4.0 - 3.5)]
