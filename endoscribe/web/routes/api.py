"""The steps for programs: REST with OpenAPI, and the same as named end points for `gradio_client` and as MCP tools.

All of it is stateless: what comes in is worked on, answered and forgotten. docs/API.md shows how each is used.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any, Literal, TypeVar

import gradio as gr
from fastapi import APIRouter, File, Form, HTTPException, Request, UploadFile
from gradio.events import api
from gradio.utils import get_upload_folder
from pydantic import BaseModel, ConfigDict, Field

from endoscribe import __version__
from endoscribe.audio import load_audio
from endoscribe.errors import (
    AudioError,
    BusyError,
    EndoscribeError,
    ExtractionError,
    LimitError,
    ReviewError,
    SchemaError,
)
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.services import Services
from endoscribe.transcript import Transcript
from endoscribe.web.gradio.blocks import NOT_UPLOADED
from endoscribe.web.limits import RequestLimits, RequestQuota, retry_after

ABOUT: dict[str, Any] = {
    "title": "EndoScribe",
    "version": __version__,
    "summary": "Dictated endoscopies to transcripts and structured, evidenced records. Every record is a draft.",
}
MOST_TEXT_CHARS = 200_000
UPLOAD_BLOCK_BYTES = 1 << 20

_R = TypeVar("_R")


class WordAnswer(BaseModel):
    text: str
    start: float = Field(description="seconds")
    end: float = Field(description="seconds")
    probability: float | None


class SegmentAnswer(BaseModel):
    text: str
    start: float
    end: float
    words: list[WordAnswer]


class TranscriptAnswer(BaseModel):
    """A recording as text, with the seconds of every word."""

    text: str
    duration: float | None
    language: str
    segments: list[SegmentAnswer]


class EvidenceAnswer(BaseModel):
    quote: str
    start: int = Field(description="character in the text")
    end: int
    start_s: float | None
    end_s: float | None


class CellAnswer(BaseModel):
    value: bool | int | float | str | list[str] | None
    unit: str | None
    as_dictated: str
    evidence: EvidenceAnswer | None
    grounding: Literal["exact", "fuzzy", "absent"]
    support: Literal["confirmed", "plausible", "contradicted"] | None = Field(
        None, description="whether the value follows from its words; plausible: nothing speaks against it"
    )
    status: Literal["ok", "unsupported", "invalid", "edited"]
    problem: str | None


class UnfiledAnswer(BaseModel):
    """A stretch of the text on which no value rests."""

    text: str
    start: int = Field(description="character in the text")
    end: int
    start_s: float | None
    end_s: float | None


class VerdictAnswer(BaseModel):
    id: str
    severity: Literal["error", "warning", "info"]
    message: str
    fields: list[str]
    source: str


class RecordAnswer(BaseModel):
    """A draft report: what was not stated is absent, what was not heard is marked."""

    procedure: str
    schema_version: str
    extractor: str
    fields: dict[str, CellAnswer]
    tables: dict[str, list[dict[str, CellAnswer]]]
    unfiled: list[UnfiledAnswer] = Field(description="said, but in no value: shown, so that nothing disappears")
    checks: list[VerdictAnswer]
    gaps: list[str]
    derived: dict[str, bool | int | float | str | list[str]]
    notice: str | None = Field(None, description="set where the record came about otherwise than configured")


class ProcessAnswer(BaseModel):
    transcript: TranscriptAnswer
    record: RecordAnswer


class ProcedureAnswer(BaseModel):
    id: str
    title: str
    version: str


class FaultAnswer(BaseModel):
    """What is wrong with one part of a request; what was sent is not repeated."""

    loc: list[str | int] = Field(description="where, from the outside in", examples=[["body", "procedure"]])
    msg: str
    type: str


class ProblemAnswer(BaseModel):
    """Why there is no other answer."""

    detail: str = Field(description="a sentence")
    faults: list[FaultAnswer] | None = Field(None, description="only where the request was not of its form")


#: Every status besides 200 that a step can answer with.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "description": meaning}
    for status, meaning in {
        400: "The body cannot be taken apart",
        401: "Sign in first",
        403: "Not from here",
        411: "The length of the body is not told",
        413: "The body is too large",
        421: "This is not the name of this server",
        422: "A recording, procedure or body that cannot be used",
        429: "Too much at once; come back",
        502: "The reader cannot answer",
        503: "Speech is not ready",
    }.items()
}


class ExtractBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=MOST_TEXT_CHARS, description="a dictation")
    procedure: str = Field(description="one of /api/procedures", examples=["col"])


class Steps:
    """What both kinds of end points call; blocking, run on threads."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def procedures(self) -> list[dict[str, str]]:
        return [{"id": each.id, "title": each.title, "version": each.version} for each in self._services.schemas]

    def hear(self, path: Path, procedure: str | None, quota: RequestQuota) -> Transcript:
        schema = self._services.schemas.get(procedure) if procedure else None
        quota.take("transcription")
        return self._hear(path, schema)

    def read(self, transcript: Transcript, procedure: str, quota: RequestQuota) -> dict[str, Any]:
        schema = self._services.schemas.get(procedure)
        quota.take("extraction")
        return self._read(transcript, schema)

    def process(self, path: Path, procedure: str, quota: RequestQuota) -> dict[str, Any]:
        """A slip or a limit is told before minutes are spent."""
        schema = self._services.schemas.get(procedure)
        quota.take("transcription")
        quota.take("extraction")
        transcript = self._hear(path, schema)
        return {"transcript": transcript.to_json(), "record": self._read(transcript, schema)}

    def _hear(self, path: Path, schema: ProcedureSchema | None) -> Transcript:
        samples = load_audio(path, self._services.settings.longest_audio_minutes)
        return self._services.scheduler.transcribe(samples, schema)

    def _read(self, transcript: Transcript, schema: ProcedureSchema) -> dict[str, Any]:
        report = self._services.report(transcript, schema)
        made = report.record.to_json()
        del made["file"]
        return {**made, "notice": report.notice}


# -- REST ------------------------------------------------------------------------------------------------------------


UploadedRecording = Annotated[UploadFile, File(description="wav, mp3, m4a, flac, ogg or webm")]


def api_routes(services: Services, limits: RequestLimits) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["steps"], responses=PROBLEMS)
    steps = Steps(services)

    @router.get("/procedures", summary="The procedures that can be dictated")
    def procedures() -> list[ProcedureAnswer]:
        return [ProcedureAnswer.model_validate(each) for each in steps.procedures()]

    @router.post("/transcribe", summary="A recording to text with the time of every word")
    async def transcribe(
        request: Request, file: UploadedRecording, procedure: Annotated[str | None, Form()] = None
    ) -> TranscriptAnswer:
        transcript = await _with_file(file, lambda path: steps.hear(path, procedure, limits.of(request)))
        return TranscriptAnswer.model_validate(transcript.to_json())

    @router.post("/extract", summary="A text to a draft record")
    async def extract(request: Request, body: ExtractBody) -> RecordAnswer:
        made = await _step(lambda: steps.read(Transcript(body.text), body.procedure, limits.of(request)))
        return RecordAnswer.model_validate(made)

    @router.post("/process", summary="A recording to text and draft record")
    async def process(request: Request, file: UploadedRecording, procedure: Annotated[str, Form()]) -> ProcessAnswer:
        made = await _with_file(file, lambda path: steps.process(path, procedure, limits.of(request)))
        return ProcessAnswer.model_validate(made)

    return router


async def _with_file(file: UploadFile, work: Callable[[Path], _R]) -> _R:
    """Run a step on the uploaded file, which is removed afterwards."""
    with NamedTemporaryFile(suffix=Path(file.filename or "").suffix[:10]) as kept:
        while block := await file.read(UPLOAD_BLOCK_BYTES):
            kept.write(block)
        kept.flush()
        return await _step(lambda: work(Path(kept.name)))


async def _step(work: Callable[[], _R]) -> _R:
    """Run a step on a thread; what was foreseen becomes a status and a sentence."""
    try:
        return await asyncio.to_thread(work)
    except LimitError as error:
        raise HTTPException(429, str(error), retry_after(error)) from error
    except EndoscribeError as error:
        raise HTTPException(_status(error), str(error)) from error


def _status(error: EndoscribeError) -> int:
    if isinstance(error, AudioError | SchemaError | ReviewError):
        return 422
    if isinstance(error, BusyError):
        return 429
    return 502 if isinstance(error, ExtractionError) else 503


# -- gradio_client and MCP -------------------------------------------------------------------------------------------


def add_named_steps(services: Services, limits: RequestLimits) -> None:
    """End points `/procedures`, `/transcribe`, `/extract`, `/process` in the Blocks that are being built."""
    steps = Steps(services)

    async def procedures() -> list[dict[str, str]]:
        """List the procedures that can be dictated.

        Returns:
            One entry a procedure: its id (col, egd, ercp, eus), title and schema version.
        """
        return steps.procedures()

    async def transcribe(audio: gr.FileData, request: gr.Request, procedure: str = "col") -> dict[str, Any]:
        """Turn a recorded dictation into text, with the seconds of every word.

        Args:
            audio: A recording: wav, mp3, m4a, flac, ogg or webm.
            procedure: The procedure whose words to expect: col, egd, ercp or eus.

        Returns:
            text, duration in seconds, language, and segments with words that have text, start, end and probability.
        """
        transcript = await _named(lambda: steps.hear(_path(audio), procedure, _request_quota(limits, request)))
        return transcript.to_json()

    async def extract(text: str, request: gr.Request, procedure: str = "col") -> dict[str, Any]:
        """Read a dictation's text into a structured draft record, each value with the words that it rests on.

        Args:
            text: What was dictated.
            procedure: The procedure whose schema to fill: col, egd, ercp or eus.

        Returns:
            fields, tables, checks that fired, gaps that a complete report would fill, and computed values.
        """
        if len(text) > MOST_TEXT_CHARS:
            raise gr.Error(f"A text may have {MOST_TEXT_CHARS} characters.", print_exception=False)
        return await _named(lambda: steps.read(Transcript(text), procedure, _request_quota(limits, request)))

    async def process(audio: gr.FileData, request: gr.Request, procedure: str = "col") -> dict[str, Any]:
        """Turn a recorded dictation into text and a structured draft record.

        Args:
            audio: A recording: wav, mp3, m4a, flac, ogg or webm.
            procedure: The procedure: col, egd, ercp or eus.

        Returns:
            transcript as by `transcribe` and record as by `extract`.
        """
        return await _named(lambda: steps.process(_path(audio), procedure, _request_quota(limits, request)))

    for step in (procedures, transcribe, extract, process):
        api(step, api_name=step.__name__, concurrency_limit=None)


def _request_quota(limits: RequestLimits, request: gr.Request) -> RequestQuota:
    if request.request is None:
        raise LimitError("Ask as a request over HTTP does.", 0.0)
    return limits.of(request.request)


def _path(audio: gr.FileData | dict[str, str]) -> Path:
    """Where Gradio has put an upload; raises gr.Error for a path of anything else on this machine.

    Gradio itself looks only at what calls itself an upload, so a caller could name any file.
    """
    path = Path(str(audio["path"] if isinstance(audio, dict) else audio.path)).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()):
        raise gr.Error(NOT_UPLOADED, print_exception=False)
    return path


async def _named(work: Callable[[], _R]) -> _R:
    try:
        return await asyncio.to_thread(work)
    except EndoscribeError as error:
        raise gr.Error(str(error), print_exception=False) from error
