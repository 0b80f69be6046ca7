"""Real Ray Serve replicas on CPU: how many serve, one that is killed in mid-dictation, and waking from none."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from endoscribe.audio import SAMPLE_RATE
from endoscribe.errors import EngineError
from endoscribe.speech.engine import PREVIEW, Decoding, Engine, Window
from endoscribe.speech.replicas import APPLICATION, Fleet, RemoteEngine, Replica, cluster, deploy
from endoscribe.speech.scheduler import Scheduler
from endoscribe.transcript import Word
from tests.support.paths import TESTS
from tests.support.patience import wait_until
from tests.support.speech_script import HearingEngine, LevelDetector, Samples, audio_of, words_at

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # how long a busy machine takes to start Ray says nothing of the replicas
    # what Ray says of itself
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings(r"ignore:::ray\b"),
]

TEXT = "the cecum was reached today. withdrawal took nine minutes and there were no further findings at all"
WORDS = words_at(TEXT, pause_after={"today.": 1.2})
WINDOW = Window(audio_of(WORDS), 0.0)
WORK_S = 0.2


class TellingEngine(HearingEngine):
    """Takes its time, and leaves its process number where the test finds it."""

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        folder = Path(os.environ["TELLING_FOLDER"])
        (folder / str(os.getpid())).touch()
        if window.prompt == "fail":
            raise EngineError("This window fails.")
        time.sleep(WORK_S)
        return super().decode(window, decoding)


def load_telling_engine() -> Engine:
    return TellingEngine(WORDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where replicas leave their numbers. They inherit the environment, and find the tests' modules through it."""
    folder = tmp_path_factory.mktemp("replicas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLING_FOLDER", str(folder))
        patch.setenv("PYTHONPATH", f"{TESTS.parent}:{TESTS}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with cluster(2):
                yield folder


@contextmanager
def replicas(folder: Path, at_most: int, at_least: int) -> Iterator[RemoteEngine]:
    from ray import serve

    for each in folder.iterdir():
        each.unlink()
    try:
        engine = deploy(load_telling_engine, Fleet(at_most, at_least), "telling")
        while len(list(folder.iterdir())) < at_least:  # until the way to each of them is known here
            engine.decode(WINDOW, PREVIEW)
        yield engine
    finally:
        serve.delete(APPLICATION)


def test_a_replica_that_hangs_says_so_and_is_replaced_by_ray() -> None:
    gate = threading.Event()
    engine = HearingEngine(WORDS, gate=gate)
    gate.clear()
    replica = Replica(lambda: engine, hung_after_s=0.05)
    with pytest.raises(EngineError, match="hangs on a stretch"):
        replica.decode(WINDOW, PREVIEW)
    with pytest.raises(EngineError, match="hangs"):
        replica.check_health()
    gate.set()
    wait_until(lambda: replica._engine.problem is None, "the call has come back")
    replica.check_health()


def test_the_first_window_wakes_a_replica_and_a_failure_comes_back_as_what_it_is(folder: Path) -> None:
    with replicas(folder, 1, 0) as engine:
        assert not list(folder.iterdir())
        assert engine.decode(WINDOW, PREVIEW) == WORDS
        assert engine.decode_all([WINDOW, WINDOW], PREVIEW) == [WORDS, WORDS]
        assert len(engine.split(WINDOW.samples)) > 1
        with pytest.raises(EngineError, match="This window fails"):
            engine.decode(Window(WINDOW.samples, 0.0, "fail"), PREVIEW)


def test_two_replicas_share_the_work_and_one_that_is_killed_costs_no_word(folder: Path) -> None:
    with replicas(folder, 2, 2) as engine:
        victims = [int(each.name) for each in folder.iterdir()]
        assert len(victims) == 2
        _dictate_and_kill(engine, victims[0])


def _dictate_and_kill(engine: RemoteEngine, victim: int) -> None:
    """Two people speak; both live texts and both final ones are whole although a replica dies meanwhile."""
    scheduler = Scheduler(engine, new_detector=LevelDetector, parallel=2)
    heard = threading.Event()
    try:
        sessions = [scheduler.open_session(None, lambda _: heard.set()) for _ in range(2)]
        audio: Samples = WINDOW.samples
        half = len(audio) // 2
        for first, last in ((0, half), (half, len(audio))):
            for session in sessions:
                for piece in np.array_split(audio[first:last], (last - first) // (SAMPLE_RATE // 10)):
                    session.insert(piece)
            if first == 0:
                heard.wait()
                os.kill(victim, signal.SIGKILL)
        assert [session.finish(timeout_s=1200).text for session in sessions] == [TEXT, TEXT]
        assert [session.problem for session in sessions] == [None, None]
    finally:
        scheduler.close()
