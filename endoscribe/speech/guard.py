"""A guard before the engine: whatever goes wrong in there, even if it never comes back, is an EngineError.

Native code cannot be interrupted. A call that hangs is left to itself on its thread, and whoever asked for it goes on
with another thread, as long as there is hope that the engine still answers.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

from endoscribe.audio import Samples
from endoscribe.errors import EngineError
from endoscribe.speech.engine import Decoding, Engine, Window
from endoscribe.transcript import Word

log = logging.getLogger(__name__)

#: What one engine, or each replica behind it, works on at a time: a live and a final text.
CALLS_EACH = 2
#: So many failures one after another are no accident of one stretch of audio.
MOST_FAILURES = 6
#: When the program ends, a call that is not done after so long is taken for one that hangs.
LAST_WAIT_S = 10.0
#: How often a call that waits looks whether the program ends.
LOOK_EVERY_S = 0.5

HANGS = "Speech recognition hangs; what is dictated is kept, but EndoScribe has to be started again."
FAILS = "Speech recognition fails; what is dictated is kept. If this stays so, start EndoScribe again."


class GuardedEngine:
    """An `Engine` that always answers within `hung_after_s`."""

    def __init__(self, engine: Engine, hung_after_s: float, parallel: int = 1) -> None:
        """`parallel` is the scheduler's: with several replicas one that hangs leaves the others to be asked."""
        self._engine = engine
        #: So many calls may hang before the engine is not asked any more: all that it works on.
        self._most_hung = CALLS_EACH * parallel
        self._hung_after_s = hung_after_s
        self._own = threading.local()
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._hung: list[_Call] = []
        self._failures = 0
        self._closing = threading.Event()

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def problem(self) -> str | None:
        """Why there is no text, as a sentence; None while all is well."""
        if self._still_hung() * 2 >= self._most_hung:
            return HANGS
        return FAILS if self._failures >= MOST_FAILURES else self._engine.problem

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        """See `Engine.decode`."""
        words: tuple[Word, ...] = self._ask(lambda: self._engine.decode(window, decoding))
        return words

    def decode_all(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        """See `Engine.decode_all`."""
        heard: list[tuple[Word, ...]] = self._ask(lambda: self._engine.decode_all(windows, decoding))
        return heard

    def split(self, samples: Samples) -> list[tuple[float, float]]:
        """See `Engine.split`."""
        parts: list[tuple[float, float]] = self._ask(lambda: self._engine.split(samples))
        return parts

    def close(self) -> None:
        """Let go of the threads; whoever still waits for a call that hangs waits no longer."""
        self._closing.set()
        with self._lock:
            for worker in self._workers:
                worker.end()
        self._engine.close()

    def _ask(self, work: Callable[[], Any]) -> Any:
        if self._still_hung() >= self._most_hung:
            raise EngineError(HANGS)
        call = _Call(work)
        self._worker().calls.put(call)
        if not self._is_done_in_time(call):
            self._leave(call)
            raise EngineError("Speech recognition hangs on a stretch of audio; the recording is kept.")
        self._failures = self._failures + 1 if call.error else 0
        if call.error:
            raise _as_engine_error(call.error) from call.error
        return call.result

    def _is_done_in_time(self, call: "_Call") -> bool:
        waited_s, step_s = 0.0, min(LOOK_EVERY_S, self._hung_after_s)
        while waited_s < (min(LAST_WAIT_S, self._hung_after_s) if self._closing.is_set() else self._hung_after_s):
            if call.done.wait(step_s):
                return True
            waited_s += step_s
        return False

    def _leave(self, call: "_Call") -> None:
        """Go on without the thread that hangs; should it ever come back, it ends."""
        log.error("Speech recognition has not answered for %.0f s.", self._hung_after_s)
        with self._lock:
            self._hung.append(call)
            self._own.worker.end()
            self._workers.remove(self._own.worker)
        self._own.worker = None

    def _still_hung(self) -> int:
        with self._lock:
            self._hung = [call for call in self._hung if not call.done.is_set()]
            return len(self._hung)

    def _worker(self) -> "_Worker":
        """Each thread that asks keeps one of its own: native libraries set up every thread that uses them."""
        worker: _Worker | None = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = _Worker()
            with self._lock:
                self._workers.append(worker)
        return worker


class _Call:
    """One piece of work and what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self.result: Any = None
        self.error: Exception | None = None
        self.done = threading.Event()

    def run(self) -> None:
        try:
            self.result = self._work()
        except Exception as error:  # noqa: BLE001  (whatever it was, everybody else must go on)
            self.error = error
        self.done.set()


class _Worker(threading.Thread):
    """Does one call after another until it is told to end."""

    def __init__(self) -> None:
        super().__init__(name="recognition", daemon=True)
        self.calls: SimpleQueue[_Call | None] = SimpleQueue()
        self.start()

    def end(self) -> None:
        self.calls.put(None)

    def run(self) -> None:
        while call := self.calls.get():
            call.run()
            del call  # it holds a stretch of audio


def _as_engine_error(error: Exception) -> EngineError:
    if isinstance(error, EngineError):
        return error
    log.error("Speech recognition failed: %s", type(error).__name__)
    if isinstance(error, MemoryError):
        return EngineError("There is not enough memory to recognise a stretch of audio; the recording is kept.")
    return EngineError(f"Speech recognition failed on a stretch of audio ({type(error).__name__}).")
