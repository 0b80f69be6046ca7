"""An engine that raises, runs out of memory or never comes back costs words, not the others and not the recording."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from endoscribe.errors import EngineError
from endoscribe.speech.endpointing import SpeechDetector
from endoscribe.speech.engine import PREVIEW, Decoding, Window
from endoscribe.speech.guard import MOST_FAILURES, GuardedEngine
from endoscribe.speech.scheduler import Scheduler
from endoscribe.transcript import LiveTranscript, Word
from endoscribe.web.job import report, transcribe
from tests.support.patience import wait_until
from tests.support.protocol import PCM, SAMPLES, Socket, connect, even_frames
from tests.support.scripted import ScriptedScheduler, Server
from tests.support.speech_script import HearingEngine, LevelDetector, Samples, audio_of, ignore, words_at

WORDS = words_at("the cecum was reached today")
AUDIO = audio_of(WORDS)
WINDOW = Window(AUDIO, 0.0)


@dataclass
class FaultyEngine(HearingEngine):
    """Its first decodes go wrong in the given ways; one that hangs is let go by `gate`."""

    faults: list[BaseException | str] = field(default_factory=list)

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, BaseException):
            raise fault
        if fault == "hang":
            self.started.set()
            self.gate.wait(60)
        return super().decode(window, decoding)


@pytest.fixture
def guarded() -> Iterator[Callable[..., GuardedEngine]]:
    made: list[GuardedEngine] = []

    def guard(engine: HearingEngine, hung_after_s: float = 30, parallel: int = 1) -> GuardedEngine:
        made.append(GuardedEngine(engine, hung_after_s, parallel))
        return made[-1]

    yield guard
    for engine in made:
        engine.close()


MakeGuard = Callable[..., GuardedEngine]


def be_patient(engine: GuardedEngine) -> None:
    """From now on a busy machine must not be taken for an engine that hangs."""
    engine._hung_after_s = 60


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (MemoryError("std::bad_alloc"), "not enough memory"),
        (RuntimeError("CUDA failed with error out of memory"), "failed on a stretch of audio"),
        (KeyError("what the patient said"), "failed on a stretch of audio"),
        (EngineError("A window is too long."), "A window is too long"),
    ],
)
def test_whatever_is_raised_is_a_sentence(
    guarded: MakeGuard, fault: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = guarded(FaultyEngine(WORDS, faults=[fault]))
    with pytest.raises(EngineError, match=sentence):
        engine.decode(WINDOW, PREVIEW)
    assert engine.decode(WINDOW, PREVIEW) == WORDS
    assert engine.problem is None
    assert "patient" not in caplog.text


def test_failure_after_failure_is_told_until_one_succeeds(guarded: MakeGuard) -> None:
    engine = guarded(FaultyEngine(WORDS, faults=[RuntimeError("an illegal memory access")] * MOST_FAILURES))
    for _ in range(MOST_FAILURES):
        assert engine.problem is None
        with pytest.raises(EngineError):
            engine.decode(WINDOW, PREVIEW)
    assert engine.problem
    engine.decode(WINDOW, PREVIEW)
    assert engine.problem is None


def test_a_call_that_hangs_is_left_and_the_next_is_answered(guarded: MakeGuard) -> None:
    inner = FaultyEngine(WORDS, faults=["hang"])
    inner.gate.clear()
    engine = guarded(inner, 0.05)
    with pytest.raises(EngineError, match="hangs"):
        engine.decode(WINDOW, PREVIEW)
    assert "started again" in str(engine.problem)
    be_patient(engine)
    assert engine.split(AUDIO)
    inner.gate.set()
    wait_until(lambda: engine.problem is None, "it was only slow")
    assert engine.decode(WINDOW, PREVIEW) == WORDS


def test_an_engine_that_hangs_altogether_is_not_asked_any_more(guarded: MakeGuard) -> None:
    inner = FaultyEngine(WORDS)
    inner.gate.clear()
    engine = guarded(inner, 0.05)
    for _ in range(2):
        with pytest.raises(EngineError, match="on a stretch"):
            engine.decode(WINDOW, PREVIEW)
    with pytest.raises(EngineError, match="started again"):
        engine.split(AUDIO)
    inner.gate.set()


def test_a_replica_that_hangs_leaves_the_others_to_be_asked(guarded: MakeGuard) -> None:
    """Three replicas work on six calls: with two that hang one replica is lost, with three half of them may be."""
    inner = FaultyEngine(WORDS, faults=["hang"] * 6)
    inner.gate.clear()
    engine = guarded(inner, 0.05, 3)
    problems = []
    for _ in range(6):
        problems.append(engine.problem)
        with pytest.raises(EngineError, match="on a stretch"):
            engine.decode(WINDOW, PREVIEW)
    assert [bool(problem) for problem in problems] == [False, False, False, True, True, True]
    with pytest.raises(EngineError, match="started again"):
        engine.split(AUDIO)
    inner.gate.set()


def test_the_end_of_the_program_does_not_wait_for_a_call_that_hangs(
    guarded: MakeGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("endoscribe.speech.guard.LAST_WAIT_S", 0.05)
    inner = FaultyEngine(WORDS)
    inner.gate.clear()
    engine = guarded(inner, 3600)
    scheduler = Scheduler(engine, new_detector=LevelDetector)
    scheduler.open_session(None, ignore).insert(AUDIO)
    assert inner.started.wait(30)
    engine.close()
    scheduler.close()
    inner.gate.set()


def test_one_speaker_whose_decode_hangs_does_not_stop_the_others(guarded: MakeGuard) -> None:
    inner = FaultyEngine(WORDS, faults=["hang"])
    inner.gate.clear()
    engine = guarded(inner, 0.5)
    scheduler = Scheduler(engine, new_detector=LevelDetector)
    first, second = (scheduler.open_session(None, ignore) for _ in range(2))
    first.insert(AUDIO)
    assert inner.started.wait(30)
    wait_until(lambda: engine.problem, "the call is left to itself")
    be_patient(engine)
    inner.gate = threading.Event()
    inner.gate.set()  # whoever comes now is answered
    second.insert(AUDIO)
    assert second.finish().text == first.finish().text == "the cecum was reached today"
    scheduler.close()


class BrokenDetector:
    def insert(self, samples: Samples) -> list[float]:
        raise ZeroDivisionError


def test_a_fault_that_nobody_foresaw_costs_one_speaker_the_text(caplog: pytest.LogCaptureFixture) -> None:
    detectors: Iterator[SpeechDetector] = iter([BrokenDetector(), LevelDetector()])
    scheduler = Scheduler(HearingEngine(WORDS), new_detector=lambda: next(detectors))
    first, second = (scheduler.open_session(None, ignore) for _ in range(2))
    first.insert(AUDIO)
    assert first.finished.wait(30)
    second.insert(AUDIO)
    assert second.finish().text == "the cecum was reached today"
    with pytest.raises(EngineError, match="kept"):
        first.finish()
    scheduler.close()
    assert "ZeroDivisionError" in caplog.text


def test_an_upload_meets_a_fault_that_nobody_foresaw() -> None:
    scheduler = Scheduler(FaultyEngine(WORDS, faults=[KeyError()]), new_detector=LevelDetector)
    with pytest.raises(EngineError, match="it is kept"):
        scheduler.transcribe(AUDIO)
    assert scheduler.transcribe(AUDIO).text == "the cecum was reached today"
    scheduler.close()


# -- with the server before it ---------------------------------------------------------------------------------------


def test_a_hung_engine_keeps_the_audio_says_so_and_one_click_later_there_is_a_report(tmp_path: Path) -> None:
    inner = FaultyEngine(WORDS)
    inner.gate.clear()
    engine = GuardedEngine(inner, 0.2)
    scheduler = Scheduler(engine, new_detector=LevelDetector)
    with Server(tmp_path, scheduler) as server:  # type: ignore[arg-type]
        with connect(server) as connection:
            socket = Socket(connection)
            session = socket.hello()["session"]
            frames = even_frames()
            socket.send(*frames[:10])
            assert inner.started.wait(30)
            wait_until(lambda: engine.problem, "the call is left to itself")
            socket.send(*frames[10:])
            assert "being saved" in socket.until("notice")["text"]
            socket.say(type="stop", samples=SAMPLES)
            assert socket.until("final")["session"] == session
        assert server.stored(session) == PCM
        health = server.client.get("/health")
        assert health.status_code == 503
        assert "started again" in health.json()["problem"]
        inner.gate.set()
        wait_until(lambda: engine.problem is None, "the call has come back")
        be_patient(engine)
        assert server.client.get("/health").json()["status"] == "healthy"
        assert transcribe(server.services, session).text
        report(server.services, server.reviews, session, "col")
        assert server.services.sessions.get(session).state == "done"


class DeafScheduler(ScriptedScheduler):
    """Takes a speaker, and then something in it breaks."""

    def open_session(self, schema: object, on_live: Callable[[LiveTranscript], None]) -> object:
        session = super().open_session(None, on_live)

        def insert(_samples: Samples) -> None:
            raise ZeroDivisionError

        session.insert = insert
        return session


def test_a_speaker_that_breaks_keeps_no_frame_from_the_disk(tmp_path: Path) -> None:
    with Server(tmp_path, DeafScheduler()) as server, connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*even_frames())
        assert "being saved" in socket.until("notice")["text"]
        socket.say(type="stop", samples=SAMPLES)
        assert socket.until("final")["problem"] is None  # the whole of it was transcribed after Stop
        assert server.stored(session) == PCM
        assert server.services.sessions.transcript(session)
