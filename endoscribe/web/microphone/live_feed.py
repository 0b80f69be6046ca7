"""The speech engine's side of a recording: a speaker as soon as one is to be had, fed each sample once."""

import logging
import time
from collections.abc import Callable

from endoscribe.audio import BYTES_PER_SAMPLE, Resampler, pcm16_to_float
from endoscribe.errors import BusyError, EngineError
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.services import Services
from endoscribe.speech.live_session import LiveSession
from endoscribe.storage.sessions import Session
from endoscribe.transcript import LiveTranscript, Transcript

log = logging.getLogger(__name__)

#: How often a recording without live text asks whether the engine can hear it now.
RETRY_EVERY_S = 2.0
SAVED = "Your dictation is being saved; its text comes later."


class LiveFeed:
    """Hears what is stored. While no speaker is to be had nothing is lost: the first one hears all of it."""

    def __init__(self, services: Services, session: Session, on_live: Callable[[LiveTranscript], None]) -> None:
        self._services = services
        self._session = session
        self._on_live = on_live
        self._schema = services.schemas.get(session.procedure)
        self._live_session: LiveSession | None = None
        self._resampler = Resampler(session.sample_rate)
        self._heard = 0
        self._asked_s = float("-inf")
        self._has_given_up = False
        self._has_waited = False
        #: Why there is no live text, as a sentence.
        self.excuse: str | None = None
        #: What the final text lacks, as a sentence.
        self.problem: str | None = None

    def hear(self, pcm: bytes, end_sample: int) -> None:
        """Pass on the samples up to `end_sample`, of which `pcm` holds the last; they are stored already.

        Raises nothing: what goes wrong here must not keep the next samples from the disk.
        """
        try:
            self._hear(pcm, end_sample)
        except Exception as error:  # noqa: BLE001
            log.error("A speaker is not heard any more: %s", type(error).__name__)
            self.close()
            self._has_given_up = True
            self.excuse = f"{SAVED} Press Stop to get it when you are done."

    def _hear(self, pcm: bytes, end_sample: int) -> None:
        if self._live_session:
            if self._live_session.finished.is_set():
                raise EngineError("The engine has given up on this speaker.")
            new = min(end_sample - self._heard, len(pcm) // BYTES_PER_SAMPLE)
            if new > 0:
                samples = pcm16_to_float(pcm[len(pcm) - new * BYTES_PER_SAMPLE :])
                self._live_session.insert(self._resampler.insert(samples))
                self._heard = end_sample
            problem = self._services.speech_problem
            self.excuse = f"{SAVED} {problem}" if problem else None
        elif not self._has_given_up and time.monotonic() - self._asked_s >= RETRY_EVERY_S:
            self._asked_s = time.monotonic()
            self._ask_for_speaker(end_sample)

    def change_procedure(self, schema: ProcedureSchema) -> None:
        self._schema = schema
        if self._live_session:
            self._live_session.change_procedure(schema)

    def finish(self) -> Transcript | None:
        """The final text; None when no speaker heard the recording. Raises EngineError."""
        if self._live_session is None:
            return None
        live_session, self._live_session = self._live_session, None
        live_session.insert(self._resampler.flush())
        transcript = live_session.finish()
        self.problem = live_session.problem
        return transcript

    def close(self) -> None:
        if self._live_session:
            self._live_session.close()
            self._live_session = None

    def _ask_for_speaker(self, end_sample: int) -> None:
        try:
            live_session = self._services.scheduler.open_session(self._schema, self._on_live)
        except EngineError as error:
            self.excuse = f"{SAVED} {error}"
            if isinstance(error, BusyError) and not self._has_waited:
                self._has_waited = True
                self._services.metrics.speakers_refused.inc()
            return
        self._live_session = live_session
        stored = self._services.sessions.audio(self._session.id)[:end_sample]
        live_session.insert(self._resampler.insert(stored))
        self._heard, self.excuse = end_sample, None
