"""One recording being spoken: its samples go in, its live text comes out, and in the end its final text."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from endoscribe.audio import Samples
from endoscribe.errors import EngineError
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.speech.live import LiveTranscriber
from endoscribe.speech.observer import SpeechObserver
from endoscribe.speech.terms.lexicon import Lexicon
from endoscribe.speech.terms.vocabulary import prompt_terms
from endoscribe.transcript import LiveTranscript, Transcript

log = logging.getLogger(__name__)

#: About 110 of the 224 tokens that Whisper has for a prompt; each one costs time at every decode.
PROMPT_CHARS = 400

OnLive = Callable[[LiveTranscript], None]


class Rounds(Protocol):
    """Whoever serves the sessions in turn."""

    @property
    def observer(self) -> SpeechObserver: ...

    def wake(self) -> None:
        """There is something new to look at."""
        ...

    def remove(self, session: "LiveSession") -> None:
        """Nothing more is decoded for this one."""
        ...


class LiveSession:
    """One recording being spoken; made by `Scheduler.open_session`."""

    def __init__(self, rounds: Rounds, transcriber: LiveTranscriber, lexicon: Lexicon, on_live: OnLive) -> None:
        self._rounds = rounds
        self.lexicon = lexicon
        self._on_live = on_live
        self._shown = LiveTranscript()
        self.transcriber = transcriber
        self.problem: str | None = None
        self.finished = threading.Event()

    @property
    def live(self) -> LiveTranscript:
        return self.transcriber.live

    @property
    def audio_s(self) -> float:
        return self.transcriber.audio_s

    def insert(self, samples: Samples) -> None:
        """Hand over float32 mono 16 kHz samples; returns at once."""
        self.transcriber.insert(samples)
        self._rounds.wake()

    def change_procedure(self, schema: ProcedureSchema | None) -> None:
        """Listen for another procedure's words from now on."""
        self.transcriber.change_vocabulary(vocabulary_of(schema))
        self.lexicon = lexicon_of(schema)

    def finish(self, timeout_s: float = 120) -> Transcript:
        """The final text, after the last sample has been inserted.

        Blocks for as long as there is progress, on a busy machine for minutes. Raises EngineError when the engine has
        stopped, or when `timeout_s` pass in which nothing of this recording was decoded.
        """
        began_s = time.monotonic()
        self.transcriber.stop()
        self._rounds.wake()
        taken = self.transcriber.taken
        while not self.finished.wait(timeout_s):
            if taken == (taken := self.transcriber.taken):
                self.close()
                raise EngineError(
                    "The final text is taking too long; the recording is kept and can be transcribed again."
                )
        if not self.transcriber.is_finished:
            raise EngineError("Speech recognition was stopped; the recording is kept and can be transcribed again.")
        self._rounds.observer.finished(time.monotonic() - began_s)
        return self.transcriber.transcript

    def close(self) -> None:
        """Give up on this speaker; nothing more is decoded for it."""
        self._rounds.remove(self)

    def show(self) -> None:
        """Tell the listener what is new; its errors are its own."""
        live = self.live
        if live == self._shown:
            return
        self._shown = live
        try:
            self._on_live(live)
        except Exception:  # a listener's fault must not stop the engine for everybody
            log.exception("A listener to live text failed")


def vocabulary_of(schema: ProcedureSchema | None) -> str:
    return prompt_terms(schema, PROMPT_CHARS) if schema else ""


def lexicon_of(schema: ProcedureSchema | None) -> Lexicon:
    return Lexicon.of(schema) if schema else Lexicon((), {})
