"""One engine, many speakers: order, fairness, refusal and faults."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from endoscribe.audio import SAMPLE_RATE
from endoscribe.errors import BusyError, EngineError
from endoscribe.speech.engine import FINAL, Decoding, Window
from endoscribe.speech.live_session import LiveSession
from endoscribe.speech.observer import DecodeRequest, SpeechObserver, Work
from endoscribe.speech.scheduler import Scheduler, SchedulerLimits
from endoscribe.transcript import LiveTranscript, Word
from tests.support.patience import wait_until
from tests.support.speech_script import HearingEngine, LevelDetector, Samples, audio_of, ignore, words_at

TEXT = "the cecum was reached today. withdrawal took nine minutes and there were no further findings at all"
WORDS = words_at(TEXT, pause_after={"today.": 1.2})

MakeScheduler = Callable[..., Scheduler]


@pytest.fixture
def scheduler_of() -> Iterator[MakeScheduler]:
    opened: list[Scheduler] = []

    def make(engine: HearingEngine, limits: SchedulerLimits | None = None) -> Scheduler:
        opened.append(Scheduler(engine, limits, new_detector=LevelDetector))
        return opened[-1]

    yield make
    for scheduler in opened:
        scheduler.close()


def insert_in_pieces(insert: Callable[[Samples], None], audio: Samples) -> None:
    for first in range(0, len(audio), 1600):
        insert(audio[first : first + 1600])


def test_a_speaker_sees_live_text_and_gets_the_final_one(scheduler_of: MakeScheduler) -> None:
    shown: list[LiveTranscript] = []
    session = scheduler_of(HearingEngine(WORDS)).open_session(None, shown.append)
    insert_in_pieces(session.insert, audio_of(WORDS))
    assert session.finish().text == TEXT
    assert shown[-1].committed_text == TEXT


def test_many_speakers_at_once_all_get_their_text(scheduler_of: MakeScheduler) -> None:
    scheduler = scheduler_of(HearingEngine(WORDS))
    sessions = [scheduler.open_session(None, ignore) for _ in range(4)]
    for session in sessions:
        insert_in_pieces(session.insert, audio_of(WORDS))
    assert [session.finish().text for session in sessions] == [TEXT] * 4


def test_speakers_take_turns(scheduler_of: MakeScheduler) -> None:
    """While the engine is held up by one decode, two others line up; each is served before anyone is served twice."""
    engine = HearingEngine(WORDS)
    served: list[str] = []
    scheduler = scheduler_of(engine)
    sessions = [scheduler.open_session(None, lambda _live, name=name: served.append(name)) for name in "abc"]  # type: ignore[misc]
    engine.gate.clear()
    for session in sessions:
        insert_in_pieces(session.insert, audio_of(WORDS))
    assert engine.started.wait(30)
    engine.gate.set()
    for session in sessions:
        session.finish()
    rounds = len(served) // 3
    assert [set(served[3 * turn : 3 * turn + 3]) for turn in range(rounds)] == [set("abc")] * rounds


def held_up(scheduler: Scheduler, engine: HearingEngine) -> LiveSession:
    """Somebody whose first preview keeps the engine busy until its gate opens."""
    engine.gate.clear()
    first = scheduler.open_session(None, ignore)
    first.insert(audio_of(WORDS)[: 2 * SAMPLE_RATE])
    assert engine.started.wait(30)
    return first


def test_what_several_have_waiting_is_decoded_together(scheduler_of: MakeScheduler) -> None:
    engine = HearingEngine(WORDS)
    scheduler = scheduler_of(engine)
    held_up(scheduler, engine)
    sessions = [scheduler.open_session(None, ignore) for _ in range(3)]
    for session in sessions:
        session.insert(audio_of(WORDS))
    engine.gate.set()
    assert [session.finish().text for session in sessions] == [TEXT] * 3
    assert 3 in engine.batches


def test_a_lone_speaker_is_decoded_alone(scheduler_of: MakeScheduler) -> None:
    engine = HearingEngine(WORDS)
    session = scheduler_of(engine).open_session(None, ignore)
    insert_in_pieces(session.insert, audio_of(WORDS))
    assert session.finish().text == TEXT
    assert engine.batches == []


class ChokingEngine(HearingEngine):
    """Chokes on whatever is loud."""

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        words = super().decode(window, decoding)
        if window.samples.max() > 0.8:
            raise EngineError("Speech recognition failed on a stretch of audio.")
        return words


def test_a_window_that_fails_in_company_harms_nobody_else(scheduler_of: MakeScheduler) -> None:
    engine = ChokingEngine(WORDS)
    scheduler = scheduler_of(engine)
    held_up(scheduler, engine)
    loud, *others = (scheduler.open_session(None, ignore) for _ in range(3))
    loud.insert(audio_of(WORDS) * 2)
    for session in others:
        session.insert(audio_of(WORDS))
    engine.gate.set()
    assert [session.finish().text for session in others] == [TEXT] * 2
    assert [session.live.committed_text for session in others] == [TEXT] * 2
    assert loud.finish().text == ""
    assert 3 in engine.batches


class CarefulEngine(HearingEngine):
    """Takes its time over final text: `finals` holds it back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.finals, self.final_started, self.together = (threading.Event() for _ in range(3))

    def decode_all(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        if decoding == FINAL:
            self.batches.append(len(windows))
            self.together.set()
        return [self.decode(window, decoding) for window in windows]

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        if decoding == FINAL:
            self.final_started.set()
            if not self.finals.wait(30):
                raise EngineError("Nobody let the final text be decoded.")
        return super().decode(window, decoding)


def speak_a_chunk(scheduler: Scheduler, loudness: float = 0.5) -> LiveSession:
    """Somebody who falls silent for so long that all they said is a chunk of final text, and does not stop."""
    session = scheduler.open_session(None, ignore)
    session.insert(audio_of(WORDS, tail_s=4.0) * (loudness / 0.5))
    return session


def wait_for_chunks(sessions: Sequence[LiveSession]) -> None:
    wait_until(lambda: all(session.transcriber.next_chunk() for session in sessions), "a chunk is closed")


class Counting(SpeechObserver):
    def __init__(self) -> None:
        self.decoded: list[tuple[Work, int]] = []

    @contextmanager
    def decoding(self, decoded: DecodeRequest) -> Iterator[None]:
        self.decoded.append((decoded.work, len(decoded.windows)))
        yield


def test_chunks_of_those_who_still_speak_are_decoded_together(scheduler_of: MakeScheduler) -> None:
    engine, observer = CarefulEngine(WORDS), Counting()
    scheduler = scheduler_of(engine)
    scheduler.observer = observer
    first = speak_a_chunk(scheduler)
    assert engine.final_started.wait(30)
    others = [speak_a_chunk(scheduler) for _ in range(2)]
    wait_for_chunks(others)
    engine.finals.set()
    assert engine.together.wait(30)
    assert [session.finish().text for session in (first, *others)] == [TEXT] * 3
    assert engine.batches == [2]
    assert ("final", 2) in observer.decoded


def test_whoever_has_stopped_gets_the_final_text_first_and_alone(scheduler_of: MakeScheduler) -> None:
    engine = CarefulEngine(WORDS)
    scheduler = scheduler_of(engine)
    speak_a_chunk(scheduler)
    assert engine.final_started.wait(30)
    others = [speak_a_chunk(scheduler) for _ in range(2)]
    stopped = speak_a_chunk(scheduler, loudness=0.7)
    wait_for_chunks([*others, stopped])
    stopped.transcriber.stop()
    engine.finals.set()
    assert engine.together.wait(30)
    assert [session.finish().text for session in (stopped, *others)] == [TEXT] * 3
    finals = [window.samples.max() for window, decoding in engine.decoded if decoding == FINAL]
    assert finals[:2] == pytest.approx([0.5, 0.7])


def test_a_chunk_that_fails_in_company_harms_nobody_else(scheduler_of: MakeScheduler) -> None:
    class ChokingOnChunks(CarefulEngine):
        def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
            words = super().decode(window, decoding)
            if decoding == FINAL and window.samples.max() > 0.8:
                raise EngineError("Speech recognition failed on a stretch of audio.")
            return words

    engine = ChokingOnChunks(WORDS)
    scheduler = scheduler_of(engine)
    speak_a_chunk(scheduler)
    assert engine.final_started.wait(30)
    loud, quiet = speak_a_chunk(scheduler, loudness=1.0), speak_a_chunk(scheduler)
    wait_for_chunks([loud, quiet])
    engine.finals.set()
    assert engine.together.wait(30)
    assert quiet.finish().text == TEXT
    assert loud.finish().text == ""
    assert loud.problem
    assert engine.batches == [2]


def test_a_slow_engine_skips_previews_instead_of_falling_behind(scheduler_of: MakeScheduler) -> None:
    """Twenty seconds arrive during one decode: the next preview hears the newest audio, not twenty old windows."""
    words = words_at(" ".join(f"word{number}" for number in range(40)))
    engine = HearingEngine(words)
    session = scheduler_of(engine).open_session(None, ignore)
    engine.gate.clear()
    audio = audio_of(words)
    insert_in_pieces(session.insert, audio[: 16_000 * 2])
    assert engine.started.wait(30)
    insert_in_pieces(session.insert, audio[16_000 * 2 :])
    engine.gate.set()
    assert session.finish().text.split() == [word.text for word in words]
    assert sum(decoding.beam_size == 1 for _, decoding in engine.decoded) <= 3


def test_an_upload_gives_way_to_a_speaker_and_still_finishes(scheduler_of: MakeScheduler) -> None:
    scheduler = scheduler_of(HearingEngine(WORDS))
    progress: list[float] = []
    results: list[str] = []
    uploading = threading.Thread(
        target=lambda: results.append(scheduler.transcribe(audio_of(WORDS), on_progress=progress.append).text)
    )
    session = scheduler.open_session(None, ignore)
    uploading.start()
    insert_in_pieces(session.insert, audio_of(WORDS))
    assert session.finish().text == TEXT
    uploading.join(30)
    assert results == [TEXT]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1.0)


def test_an_upload_can_be_cancelled(scheduler_of: MakeScheduler) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(EngineError, match="cancelled"):
        scheduler_of(HearingEngine(WORDS)).transcribe(audio_of(WORDS), cancelled=cancelled)


def test_an_upload_whose_decode_fails_says_so(scheduler_of: MakeScheduler) -> None:
    with pytest.raises(EngineError, match="recognition failed"):
        scheduler_of(HearingEngine(WORDS, failures=1)).transcribe(audio_of(WORDS))


def test_a_preview_that_fails_costs_nothing(scheduler_of: MakeScheduler) -> None:
    session = scheduler_of(HearingEngine(WORDS, failures=1)).open_session(None, ignore)
    insert_in_pieces(session.insert, audio_of(WORDS)[:24_000])
    insert_in_pieces(session.insert, audio_of(WORDS)[24_000:])
    assert session.finish().text.endswith("no further findings at all")


def test_a_chunk_that_fails_is_decoded_again_and_then_named(scheduler_of: MakeScheduler) -> None:
    once, always = HearingEngine(WORDS, failures=1), HearingEngine(WORDS, failures=1000)
    chunk = audio_of(WORDS)
    for engine, text in ((once, TEXT), (always, "")):
        engine.gate.clear()
        session = scheduler_of(engine).open_session(None, ignore)
        session.insert(chunk)
        engine.gate.set()
        assert session.finish().text == text
        assert (session.problem is not None) == (text == "")
    assert session.problem
    assert "could not be recognised" in session.problem


def test_a_listener_that_fails_does_not_stop_the_engine(scheduler_of: MakeScheduler) -> None:
    def fail(_live: LiveTranscript) -> None:
        raise ValueError("the page is gone")

    session = scheduler_of(HearingEngine(WORDS)).open_session(None, fail)
    insert_in_pieces(session.insert, audio_of(WORDS))
    assert session.finish().text == TEXT


def test_beyond_capacity_a_new_speaker_is_told_to_wait(scheduler_of: MakeScheduler) -> None:
    engine = HearingEngine(WORDS)
    scheduler = scheduler_of(engine, SchedulerLimits(max_wait_s=-1.0))
    first = scheduler.open_session(None, ignore)
    with pytest.raises(BusyError, match="try again"):
        scheduler.open_session(None, ignore)
    first.close()
    scheduler.open_session(None, ignore)


def test_who_has_not_been_heard_yet_is_counted_before_another_is_let_in(
    scheduler_of: MakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One alone waits a second: four would wait for four, as long as nobody knows better."""
    monkeypatch.setattr(Scheduler, "wait_s", 1.0)
    scheduler = scheduler_of(HearingEngine(WORDS), SchedulerLimits(max_wait_s=3.5))
    first_shown, second_shown = threading.Event(), threading.Event()
    first = scheduler.open_session(None, lambda _live: first_shown.set())
    second = scheduler.open_session(None, lambda _live: second_shown.set())
    first.insert(audio_of(WORDS)[:24_000])
    assert first_shown.wait(30)
    scheduler.open_session(None, ignore)
    with pytest.raises(BusyError, match="try again"):
        scheduler.open_session(None, ignore)
    second.insert(audio_of(WORDS)[:24_000])
    assert second_shown.wait(30)
    scheduler.open_session(None, ignore)  # two wait a second: four would wait for two


def test_that_previews_became_rarer_counts_as_waiting(scheduler_of: MakeScheduler) -> None:
    words = words_at("a sentence of twenty words " * 4)
    scheduler = scheduler_of(HearingEngine(words), SchedulerLimits(max_wait_s=3.0, wait_smoothing=1.0))
    shown = threading.Event()
    first = scheduler.open_session(None, lambda _live: shown.set())
    first.transcriber.slow_down(5.0)
    first.insert(audio_of(words, tail_s=0.0))
    assert shown.wait(30)
    with pytest.raises(BusyError, match="try again"):
        scheduler.open_session(None, ignore)


def test_the_time_of_a_decode_counts_as_waiting(scheduler_of: MakeScheduler) -> None:
    """Eight who are decoded together wait for each other, although none of them stands in a queue."""

    class LeisurelyEngine(HearingEngine):
        def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
            threading.Event().wait(0.2)
            return super().decode(window, decoding)

    shown = threading.Event()
    scheduler = scheduler_of(LeisurelyEngine(WORDS), SchedulerLimits(max_wait_s=0.15, wait_smoothing=1.0))
    first = scheduler.open_session(None, lambda _live: shown.set())
    first.insert(audio_of(WORDS)[:24_000])
    assert shown.wait(30)
    with pytest.raises(BusyError, match="try again"):
        scheduler.open_session(None, ignore)
    first.close()
    scheduler.open_session(None, ignore)


def test_a_speaker_that_gave_up_is_not_decoded_any_more(scheduler_of: MakeScheduler) -> None:
    engine = HearingEngine(WORDS)
    scheduler = scheduler_of(engine)
    gone = scheduler.open_session(None, ignore)
    gone.close()
    gone.insert(audio_of(WORDS))
    assert scheduler.transcribe(np.zeros(12_800, np.float32)).text == WORDS[0].text
    assert len(engine.decoded) == 1
    with pytest.raises(EngineError, match="kept"):
        gone.finish()


def test_a_hung_decode_does_not_hang_the_speaker(scheduler_of: MakeScheduler) -> None:
    engine = HearingEngine(WORDS)
    engine.gate.clear()
    session = scheduler_of(engine).open_session(None, ignore)
    session.insert(audio_of(WORDS))
    with pytest.raises(EngineError, match="too long"):
        session.finish(timeout_s=0.05)
    engine.gate.set()


def test_final_text_is_waited_for_while_it_goes_on(scheduler_of: MakeScheduler) -> None:
    """Each time that patience ends another chunk has been decoded, until nothing is left to wait for."""

    class Rounds(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            taken = session.transcriber.taken
            engine.gate.set()
            wait_until(lambda: session.transcriber.taken != taken or self.is_set(), "another chunk is decoded")
            rounds.append(taken)
            return self.is_set()

    class OneByOne(HearingEngine):
        def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
            words = super().decode(window, decoding)
            self.gate.clear()
            return words

    words = words_at("one two three four. " * 4, pause_after={"four.": 4.0})
    engine, rounds = OneByOne(words), list[int]()
    engine.gate.clear()
    session = scheduler_of(engine).open_session(None, ignore)
    session.insert(audio_of(words))
    session.finished = Rounds()
    assert session.finish(timeout_s=0.0).text == " ".join(word.text for word in words)
    assert len(rounds) >= 4


def test_after_closing_everybody_is_told(scheduler_of: MakeScheduler) -> None:
    scheduler = scheduler_of(HearingEngine(WORDS))
    session = scheduler.open_session(None, ignore)
    scheduler.close()
    with pytest.raises(EngineError, match="stopped"):
        session.finish()
    with pytest.raises(EngineError, match="stopped"):
        scheduler.open_session(None, ignore)
    with pytest.raises(EngineError, match="stopped"):
        scheduler.transcribe(audio_of(WORDS))
