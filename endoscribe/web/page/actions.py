"""What the page does when something happens on it: services in, the panels' new contents out.

Each action yields or returns a `PageUpdate`, which names only the panels that change.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from endoscribe.audio import SAMPLE_RATE, decode_recording
from endoscribe.errors import EndoscribeError, StorageError
from endoscribe.extraction.claims import Claim
from endoscribe.extraction.verification.grounding import verify
from endoscribe.outputs.note import render_note
from endoscribe.outputs.outline import as_written
from endoscribe.review.context import dictated_context
from endoscribe.review.versions import Review, context_of
from endoscribe.services import Report, Services
from endoscribe.storage.sessions import Session
from endoscribe.transcript import Transcript
from endoscribe.web import job
from endoscribe.web.access import Access
from endoscribe.web.limits import RequestQuota
from endoscribe.web.page.panels import StatusKind, report_panels, status_html, transcript_html
from endoscribe.web.page.player import player_html
from endoscribe.web.page.report import render_record
from endoscribe.web.review_service import ReviewService

_R = TypeVar("_R")
P = TypeVar("P")

REFRESH_S = 0.25
#: A shorter wait needs no estimate.
SECONDS_WORTH_SAYING = 2
WELCOME = "Choose the procedure and press Start Recording, or choose a sample."
NEXT_IS_SUBMIT = "The text is ready. Press Submit to make the report."

#: So many dictations before a visitor's last one the page begins to say how many there are left.
FEW_LEFT = 3


@dataclass(frozen=True)
class PageUpdate:
    """New contents by panel; None leaves a panel as it is."""

    status: str | None = None
    session: str | None = None
    procedure: str | None = None
    record: str | None = None
    checklist: str | None = None
    checks: str | None = None
    unfiled: str | None = None
    transcript: str | None = None
    player: str | None = None
    note: str | None = None
    review: str | None = None
    exports: str | None = None
    #: Something runs that can be cancelled.
    busy: bool = False
    #: Whether Submit can be pressed.
    can_submit: bool | None = None


#: Nothing of any patient: first whenever another session takes the page.
BLANK = PageUpdate(
    session="",
    record="",
    checklist="",
    checks="",
    unfiled="",
    transcript="",
    player="",
    note="",
    review="",
    exports="",
    can_submit=False,
)


@dataclass
class LatestValue(Generic[P]):
    """The newest thing that a worker thread has told; older ones do not matter."""

    value: P | None = None
    count: int = field(default=0)

    def tell(self, value: P) -> None:
        self.value = value
        self.count += 1


class Actions:
    """The page's actions on the services; one object serves every visitor."""

    def __init__(self, services: Services, reviews: ReviewService, access: Access) -> None:
        self._services = services
        self._reviews = reviews
        self._access = access

    def closed(self) -> PageUpdate:
        """The dictation was put away."""
        return merged(BLANK, _says(WELCOME))

    async def edited(self, session_id: str, owner: str | None = None, *, decided: bool = False) -> PageUpdate:
        """The report was changed beside Gradio: the note follows; procedure and transcript follow a new reading."""
        try:
            session = await asyncio.to_thread(self._access.session, owner, session_id)
            return await asyncio.to_thread(self._after_edit, session, decided)
        except EndoscribeError as error:
            return _says(str(error), "error")

    def _after_edit(self, session: Session, decided: bool) -> PageUpdate:
        review = self._reviews.review(session.id)
        if not decided:
            return PageUpdate(note=self._note(review))
        transcript = self._marked_transcript(session.id, review)
        return PageUpdate(note=self._note(review), procedure=session.procedure, transcript=transcript)

    async def opened_page(self) -> PageUpdate:
        """Schema files that changed are read anew; one that is broken is told, with its line."""
        await asyncio.to_thread(self._services.schemas.refresh)
        problem = self._schema_problem()
        return PageUpdate(status=status_html(problem, "error") if problem else None)

    def _schema_problem(self) -> str | None:
        problems = self._services.schemas.problems
        return " ".join([*problems, "Where there was one, the last good version stays in use."]) if problems else None

    async def began(self, session_id: str, owner: str | None = None) -> PageUpdate:
        """The microphone has a session now; after a reload the page takes over its procedure."""
        try:
            session = await asyncio.to_thread(self._access.session, owner, session_id)
        except EndoscribeError as error:
            return merged(BLANK, _says(str(error), "error"))
        return merged(BLANK, PageUpdate(session=session_id, procedure=session.procedure, can_submit=True))

    async def recorded(
        self,
        session_id: str,
        problem: str | None,
        notice: str | None = None,
        owner: str | None = None,
        dictations_left: int | None = None,
    ) -> PageUpdate:
        """The microphone has stopped; its transcript is stored unless there was a problem; a notice tells of loss."""
        try:
            await asyncio.to_thread(self._access.session, owner, session_id)
        except EndoscribeError as error:
            return merged(BLANK, _says(str(error), "error"))
        if not await asyncio.to_thread(self._services.sessions.sample_count, session_id):
            shown = merged(BLANK, _says("Nothing was recorded. Press Start Recording and speak.", "error"))
        elif problem:
            text = f"{problem} Your recording is kept; press Submit to transcribe it and make the report."
            shown = PageUpdate(status=status_html(text, "error"), session=session_id, can_submit=True)
        else:
            shown = await self._with_transcript(session_id, next_step(dictations_left))
            if notice:
                shown = merged(shown, _says(f"{notice} {NEXT_IS_SUBMIT}", "error"))
        return shown

    async def upload(
        self, path: Path, procedure: str, owner: str | None = None, quota: RequestQuota | None = None
    ) -> AsyncGenerator[PageUpdate, None]:
        """Store and transcribe an uploaded recording, then remove the upload."""
        with self._services.uploads.held([path]):
            yield _says("Reading the recording.", busy=True)
            try:
                if quota:
                    quota.take("transcription")
                session = await asyncio.to_thread(self._store_upload, owner, path, procedure)
            except EndoscribeError as error:
                yield _says(str(error), "error")
                return
        async for update in self._stored_upload(session.id, quota.left("dictation") if quota else None):
            yield update

    async def submit(
        self, session_id: str, procedure: str | None, owner: str | None = None, quota: RequestQuota | None = None
    ) -> AsyncGenerator[PageUpdate, None]:
        """Make the report of a session, transcribing it first if that is still to be done."""
        if not session_id:
            yield _says("There is nothing to report on yet: record, upload or choose a sample first.", "error")
            return
        try:
            await asyncio.to_thread(self._access.session, owner, session_id)
            if procedure is None:
                says = "No report was made. Choose the procedure, then press Submit."
                yield await self._with_transcript(session_id, says)
                return
            if await asyncio.to_thread(self._services.sessions.transcript, session_id) is None:
                async for update in self._transcribed(session_id):
                    yield update
            if quota:
                quota.take("extraction")
            shown = await self._with_transcript(session_id, "Reading the text.", busy=True)
            yield merged(shown, PageUpdate(procedure=procedure, busy=True))
            async for update in self._reported(session_id, procedure):
                yield update
        except EndoscribeError as error:
            yield _says(f"{error} Your text is kept; press Submit to try again.", "error")

    async def reopen(self, session_id: str, owner: str | None = None) -> AsyncGenerator[PageUpdate, None]:
        """Show a session of the history; one without a transcript is transcribed first."""
        sessions = self._services.sessions
        yield merged(BLANK, _says("Opening the dictation.", busy=True))
        try:
            session = await asyncio.to_thread(self._access.session, owner, session_id)
            await asyncio.to_thread(self._reviews.note, "opened", session_id)
            yield PageUpdate(session=session_id, procedure=session.procedure, can_submit=True, busy=True)
            if await asyncio.to_thread(sessions.transcript, session_id) is None:
                async for update in self._transcribed(session_id):
                    yield update
            yield await self._with_transcript(session_id)
            if review := await asyncio.to_thread(self._reviews.find, session_id):
                shown = await asyncio.to_thread(self._with_report, session_id, review)
                text = "This report was made before. Press Submit to read the text anew."
                troubles = [trouble for trouble in (self._schema_problem(), session.notice) if trouble]
                yield merged(shown, _says(" ".join([*troubles, text]), "error" if troubles else "info"))
        except EndoscribeError as error:
            yield _says(str(error), "error")

    async def _stored_upload(self, session_id: str, dictations_left: int | None) -> AsyncIterator[PageUpdate]:
        """From here on nothing is lost: what cannot be transcribed now is kept for Submit."""
        yield merged(BLANK, PageUpdate(session=session_id, can_submit=True, busy=True))
        try:
            async for update in self._transcribed(session_id):
                yield update
            yield await self._with_transcript(session_id, next_step(dictations_left))
        except EndoscribeError as error:
            text = f"{error} Your recording is kept; press Submit to transcribe it and make the report."
            yield _says(text, "error")

    def _store_upload(self, owner: str | None, path: Path, procedure: str) -> Session:
        recording = decode_recording(path, self._services.settings.longest_audio_minutes)
        sessions = self._services.sessions
        schema = self._services.schemas.get(procedure)
        session = sessions.create(schema.id, SAMPLE_RATE, "upload", self._access.checked(owner))
        audio = sessions.open_audio(session.id)
        try:
            audio.append(np.round(np.clip(recording.samples, -1, 1) * 32767).astype("<i2").tobytes())
            audio.sync()
        finally:
            audio.close()
        if recording.damage:
            sessions.set_audio_notice(session.id, recording.damage)
        return sessions.set_state(session.id, "stopped")

    async def _transcribed(self, session_id: str) -> AsyncIterator[PageUpdate]:
        progress: LatestValue[float] = LatestValue()
        cancelled = threading.Event()
        began_s = time.monotonic()
        yield _says("Transcribing.", busy=True)
        work = asyncio.create_task(
            asyncio.to_thread(job.transcribe, self._services, session_id, progress.tell, cancelled)
        )
        try:
            async for done in _follow(work, progress):
                yield PageUpdate(status=_transcribing(done, time.monotonic() - began_s), busy=True)
            await work
        finally:
            cancelled.set()
            work.add_done_callback(_noticed)

    async def _reported(self, session_id: str, procedure: str) -> AsyncIterator[PageUpdate]:
        """The report, filling as it is read; the work goes on and is stored even if nobody looks any more."""
        schema = self._services.schemas.get(procedure)
        transcript = await asyncio.to_thread(self._services.sessions.transcript, session_id)
        claims: LatestValue[tuple[Claim, ...]] = LatestValue()
        work = asyncio.create_task(
            asyncio.to_thread(job.report, self._services, self._reviews, session_id, procedure, claims.tell)
        )
        async for found in _follow(work, claims):
            if transcript:
                record = await asyncio.to_thread(verify, found, transcript, schema, "in progress")
                text = f"Reading the text: {len(found)} values so far."
                yield PageUpdate(status=status_html(text), record=render_record(record, schema), busy=True)
        made = await work
        session = await asyncio.to_thread(self._services.sessions.get, session_id)
        review = await asyncio.to_thread(self._reviews.review, session_id)
        status = _report_status(made, session.notice, review)
        yield merged(await asyncio.to_thread(self._with_report, session_id, review), PageUpdate(status=status))

    async def _with_transcript(self, session_id: str, says: str = NEXT_IS_SUBMIT, *, busy: bool = False) -> PageUpdate:
        transcript = await asyncio.to_thread(self._services.sessions.transcript, session_id)
        if transcript is None:
            raise StorageError("This session has no transcript yet.")
        notice = (await asyncio.to_thread(self._services.sessions.get, session_id)).notice
        says = says if transcript.text.strip() else _nothing_heard(transcript)
        return PageUpdate(
            status=status_html(f"{notice} {says}", "error") if notice else status_html(says),
            session=session_id,
            transcript=transcript_html(transcript),
            player=player_html(session_id),
            can_submit=True,
            busy=busy,
        )

    def _with_report(self, session_id: str, review: Review) -> PageUpdate:
        panels = report_panels(
            review,
            session_id,
            self._reviews.schema(review),
            self._access.signer(session_id),
            takes_context=self._access.takes_context,
        )
        transcript = self._marked_transcript(session_id, review)
        return PageUpdate(note=self._note(review), transcript=transcript, **panels)

    def _marked_transcript(self, session_id: str, review: Review) -> str | None:
        """The text with what stands in no cell of the report marked."""
        transcript = self._services.sessions.transcript(session_id)
        return transcript_html(transcript, self._reviews.record(review).unfiled) if transcript else None

    def _note(self, review: Review) -> str:
        schema = self._reviews.schema(review)
        record = as_written(self._reviews.record(review), schema)
        known = context_of(review.latest).over(dictated_context(record))
        return render_note(record, schema, review.latest.signature, known)


def next_step(dictations_left: int | None) -> str:
    """What to do with a text; whoever can make only a few more dictations is told so before there are none."""
    if dictations_left is None or dictations_left > FEW_LEFT:
        return NEXT_IS_SUBMIT
    more = "1 more dictation" if dictations_left == 1 else f"{dictations_left or 'no'} more dictations"
    return f"{NEXT_IS_SUBMIT} In this demonstration you can make {more} at present."


def merged(first: PageUpdate, second: PageUpdate) -> PageUpdate:
    """Both changes at once; the second wins where they meet."""
    changes = {name: value for name, value in vars(second).items() if value is not None}
    return PageUpdate(**{**vars(first), **changes})


async def _follow(work: "asyncio.Task[_R]", latest: LatestValue[P]) -> AsyncIterator[P]:
    """What the worker tells while it works, as often as a screen can use."""
    seen = 0
    while not work.done():
        await asyncio.wait({work}, timeout=REFRESH_S)
        if latest.count != seen and latest.value is not None and not work.done():
            seen = latest.count
            yield latest.value


def _noticed(work: "asyncio.Task[Transcript]") -> None:
    """How a cancelled transcription ends interests nobody; asyncio would report it as an error that was overlooked."""
    if not work.cancelled():
        work.exception()


def _transcribing(done: float, elapsed_s: float) -> str:
    """How far the text is, and about how long it still takes once that can be told."""
    left_s = elapsed_s * (1 - done) / done if done > 0 else 0
    about = f" About {left_s:.0f} s left." if left_s >= SECONDS_WORTH_SAYING else ""
    return status_html(f"Transcribing: {done:.0%}.{about}", progress=done)


def _says(text: str, kind: StatusKind = "info", *, busy: bool = False) -> PageUpdate:
    return PageUpdate(status=status_html(text, kind), busy=busy)


def _nothing_heard(transcript: Transcript) -> str:
    return f"No words were heard in {transcript.duration_s or 0:.0f} s of audio. Check the microphone and record again."


def _report_status(made: Report, session_notice: str | None, review: Review) -> str:
    waiting = "Your edits were kept. Decide below the report whether to take the new reading." if review.waiting else ""
    if notices := [notice for notice in (session_notice, made.notice) if notice]:
        return status_html(" ".join([*notices, waiting]).rstrip(), "error")
    if waiting:
        return status_html(waiting)
    return status_html("Draft report ready. Click a value to hear it. Not reviewed yet.")
