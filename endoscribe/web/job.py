"""The two slow steps on a stored session: audio to transcript, transcript to report. Blocking; run them on a thread."""

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from endoscribe.audio import Resampler
from endoscribe.errors import StorageError
from endoscribe.extraction.claims import OnClaims
from endoscribe.review.versions import Reading
from endoscribe.services import Report, Services
from endoscribe.storage.sessions import SessionStore
from endoscribe.transcript import Transcript
from endoscribe.web.review_service import ReviewService


def stored_audio(sessions: SessionStore, session_id: str) -> NDArray[np.float32]:
    """All audio of a session, float32 mono at 16 kHz; raises StorageError."""
    samples = sessions.audio(session_id)
    resampler = Resampler(sessions.get(session_id).sample_rate)
    return np.concatenate([resampler.insert(samples), resampler.flush()])


def transcribe(
    services: Services,
    session_id: str,
    on_progress: Callable[[float], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Transcript:
    """Transcribe a session's stored audio and keep the text; raises EngineError or StorageError."""
    count = services.sessions.sample_count(session_id)
    samples = stored_audio(services.sessions, session_id)
    if not len(samples):
        raise StorageError("This session holds no audio.")
    schema = services.schemas.get(services.sessions.get(session_id).procedure)
    transcript = services.scheduler.transcribe(samples, schema, on_progress, cancelled)
    if services.sessions.sample_count(session_id) != count:
        raise StorageError("This dictation is still coming in; open it again when it has ended.")
    services.sessions.save_transcript(session_id, transcript)
    return transcript


def report(
    services: Services, reviews: ReviewService, session_id: str, procedure: str, on_claims: OnClaims | None = None
) -> Report:
    """Read a session's transcript as `procedure` and keep the reading; raises ExtractionError or StorageError.

    Where a model has read it, the offline reader reads it, too: what they disagree on needs a person's eyes.
    """
    schema = services.schemas.get(procedure)
    transcript = services.sessions.transcript(session_id)
    if transcript is None:
        raise StorageError("This session has no transcript yet.")
    made = services.report(transcript, schema, on_claims)
    sessions = services.sessions
    with sessions.exclusive(session_id):
        now = sessions.transcript(session_id)
        if now is None or now.text != transcript.text:  # its places would point into another text
            raise StorageError("The text of this dictation changed while it was read; press Submit again.")
        reviews.receive(session_id, Reading(made.record, made.second))
        sessions.save_record(session_id, made.record)
        sessions.set_state(session_id, "done")
    return made
