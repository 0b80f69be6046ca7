"""Live text: what is committed, what is final, and that neither depends on how the audio arrives."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endoscribe.speech.engine import FINAL
from endoscribe.speech.live import LiveOptions, LiveTranscriber
from endoscribe.transcript import LiveTranscript, Word
from tests.support.speech_script import HearingEngine, LevelDetector, Samples, audio_of, words_at

TEXT = "the cecum was reached today. withdrawal took nine minutes and there were no further findings at all"
WORDS = words_at(TEXT, pause_after={"today.": 1.2})
REPLAY = LiveOptions(catch_up=False)


def listen(
    engine: HearingEngine, audio: Samples, sizes: list[int], options: LiveOptions = REPLAY
) -> tuple[LiveTranscriber, list[LiveTranscript]]:
    """Insert the audio in pieces of these sizes, over and over, and decode all that is due after each."""
    transcriber, shown, first, turn = (
        LiveTranscriber(options=options, detector=LevelDetector()),
        [LiveTranscript()],
        0,
        0,
    )
    while not transcriber.is_finished:
        size = sizes[turn % len(sizes)]
        transcriber.insert(audio[first : first + size])
        first, turn = first + size, turn + 1
        if first >= len(audio):
            transcriber.stop()
        while task := transcriber.next_task() or transcriber.next_chunk():
            transcriber.accept(task, engine.decode(task.window, task.decoding))
            shown.append(transcriber.live)
    return transcriber, shown


def test_every_word_is_committed_and_final() -> None:
    transcriber, _ = listen(HearingEngine(WORDS), audio_of(WORDS), [1600])
    assert transcriber.live.committed_text == TEXT
    assert transcriber.live.tentative == ()
    assert transcriber.transcript.text == TEXT
    assert transcriber.transcript.duration_s == pytest.approx(len(audio_of(WORDS)) / 16_000)


def test_words_are_committed_while_somebody_still_speaks() -> None:
    _, shown = listen(HearingEngine(WORDS), audio_of(WORDS), [1600])
    early = next(live for live in shown if live.committed)
    assert len(early.committed) < len(WORDS) / 2


def test_committed_words_never_change() -> None:
    _, shown = listen(HearingEngine(WORDS), audio_of(WORDS), [1600])
    for before, after in pairwise(shown):
        assert after.committed[: len(before.committed)] == before.committed


def test_a_word_cut_by_the_newest_sample_is_not_committed() -> None:
    """Nor is it shown: what it will be is heard in the next decode."""
    _, shown = listen(HearingEngine(WORDS), audio_of(WORDS), [1600])
    assert not any("..." in word.text for live in shown for word in (*live.committed, *live.tentative))


def test_a_silence_ends_a_chunk_of_the_final_text() -> None:
    words = words_at(TEXT, pause_after={"today.": 3.0})
    transcriber, _ = listen(HearingEngine(words), audio_of(words), [1600])
    assert [segment.text for segment in transcriber.transcript.segments] == [
        "the cecum was reached today.",
        "withdrawal took nine minutes and there were no further findings at all",
    ]


def test_short_windows_are_gathered_into_chunks_with_their_times() -> None:
    """Sentences apart by a second are decoded together for the final text; each word keeps its place in time."""
    text = " ".join(f"sentence{number} ends." for number in range(12))
    words = words_at(text, word_s=0.6, pause_after={"ends.": 1.2})
    engine = HearingEngine(words)
    transcriber, _ = listen(engine, audio_of(words), [1600])
    finals = [window for window, decoding in engine.decoded if decoding == FINAL]
    assert 2 <= len(finals) <= 4
    assert all(window.duration_s <= LiveOptions().max_chunk_s for window in finals)
    assert [word for segment in transcriber.transcript.segments for word in segment.words] == list(words)


def test_long_speech_without_a_pause_is_cut_all_the_same() -> None:
    words = words_at(" ".join(f"word{number}" for number in range(120)))
    engine = HearingEngine(words)
    transcriber, _ = listen(engine, audio_of(words), [1600])
    assert transcriber.transcript.text.split() == [word.text for word in words]
    assert max(window.duration_s for window, _ in engine.decoded) < LiveOptions().max_chunk_s + 1


def test_silence_is_never_decoded() -> None:
    engine = HearingEngine(WORDS)
    transcriber, _ = listen(engine, np.zeros(16_000 * 20, np.float32), [1600])
    assert engine.decoded == []
    assert transcriber.transcript.text == ""


def test_a_click_is_not_decoded() -> None:
    engine = HearingEngine(WORDS)
    audio = np.zeros(16_000 * 4, np.float32)
    audio[16_000 : 16_000 + 900] = 0.8
    listen(engine, audio, [1600])
    assert engine.decoded == []


def test_the_first_and_last_words_are_kept_without_any_silence_around_them() -> None:
    words = words_at("yes polyps everywhere no", start_s=0.0)
    transcriber, _ = listen(HearingEngine(words), audio_of(words, tail_s=0.0), [1600])
    assert transcriber.transcript.text == "yes polyps everywhere no"


def test_stop_without_any_audio_gives_an_empty_text() -> None:
    transcriber, _ = listen(HearingEngine(WORDS), np.zeros(0, np.float32), [1600])
    assert transcriber.transcript.text == ""


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=6))
def test_the_size_of_the_pieces_does_not_matter(sizes: list[int]) -> None:
    expected, _ = listen(HearingEngine(WORDS), audio_of(WORDS), [1600])
    transcriber, _ = listen(HearingEngine(WORDS), audio_of(WORDS), [max(64, size) for size in sizes])
    assert transcriber.live == expected.live
    assert transcriber.transcript == expected.transcript


def test_the_final_text_is_the_same_on_a_machine_that_comes_late() -> None:
    """Previews that happen seldom change what is shown meanwhile, never what is final."""
    late, _ = listen(HearingEngine(WORDS), audio_of(WORDS), [40_000], LiveOptions(catch_up=True))
    prompt, _ = listen(HearingEngine(WORDS), audio_of(WORDS), [800], LiveOptions(catch_up=True))
    assert late.transcript == prompt.transcript


def test_a_new_vocabulary_counts_from_the_next_window() -> None:
    """Also where all of it arrives at once: what was said before the change keeps the words of its time."""
    engine, audio = HearingEngine(WORDS), audio_of(WORDS)
    at = int((WORDS[4].end_s + 0.6) * 16_000)  # in the pause after "today."
    transcriber = LiveTranscriber("first words", REPLAY, LevelDetector())
    transcriber.insert(audio[:at])
    transcriber.change_vocabulary("second words")
    transcriber.insert(audio[at:])
    transcriber.stop()
    while task := transcriber.next_task() or transcriber.next_chunk():
        transcriber.accept(task, engine.decode(task.window, task.decoding))
    prompts = [(window.prompt, window.start_s) for window, _ in engine.decoded]
    assert {prompt for prompt, start_s in prompts if start_s * 16_000 < at} == {"first words"}
    assert {prompt for prompt, start_s in prompts if start_s * 16_000 >= at} == {"second words"}
    assert transcriber.transcript.text == TEXT


def test_words_of_a_noise_that_turned_out_empty_leave_no_trace() -> None:
    transcriber = LiveTranscriber("", REPLAY, LevelDetector())
    audio = np.zeros(16_000 * 5, np.float32)
    audio[8_000:24_000] = 0.5
    transcriber.insert(audio)
    transcriber.stop()
    turn = 0
    while task := transcriber.next_task() or transcriber.next_chunk():
        turn += 1
        transcriber.accept(task, (Word(f"Thanks{turn}.", 0.6, 1.0, 0.2),) if task.kind == "preview" else ())
    assert transcriber.live == LiveTranscript()
    assert transcriber.transcript.text == ""


def previews(finals_are_decoded: bool) -> int:
    """How often somebody is previewed who says four sentences with silences between, on a machine that needs 1 s."""
    words = words_at(f"{'so ' * 19}on. " * 4, pause_after={"on.": 4.0})
    engine, transcriber = HearingEngine(words), LiveTranscriber(detector=LevelDetector())
    count, audio = 0, audio_of(words)
    for first in range(0, len(audio), 1600):
        transcriber.insert(audio[first : first + 1600])
        while task := transcriber.next_task() or (transcriber.next_chunk() if finals_are_decoded else None):
            transcriber.slow_down(1.0)
            transcriber.accept(task, engine.decode(task.window, task.decoding))
            count += task.kind == "preview"
    return count


def test_previews_leave_the_engine_to_final_text_that_waits() -> None:
    assert previews(finals_are_decoded=False) < previews(finals_are_decoded=True)
