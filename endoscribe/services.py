"""The resident parts of a running EndoScribe: models, schemas, sessions, extractors, and how they are."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from endoscribe.errors import EndoscribeError, EngineError, ExtractionError, RefusalError
from endoscribe.extraction.claims import OnClaims
from endoscribe.extraction.extractor import Extractor, UnavailableExtractor, read_transcript
from endoscribe.extraction.llm.conversation import LanguageModel, ModelExtractor
from endoscribe.extraction.llm.identifiers import MaskingExtractor
from endoscribe.extraction.llm.parts import PartwiseExtractor
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Record
from endoscribe.extraction.verification.second_reading import with_hints
from endoscribe.metrics import Metrics, SpeechMetrics
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR, Settings
from endoscribe.speech.guard import GuardedEngine
from endoscribe.speech.scheduler import Scheduler
from endoscribe.storage.sessions import SessionStore
from endoscribe.storage.uploads import Uploads
from endoscribe.transcript import Transcript

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Health:
    """What `/health` answers; `problem` is a sentence when something failed to start."""

    status: Literal["starting", "healthy", "unhealthy"]
    whisper_loaded: bool
    llm_initialized: bool
    supported_procedures: tuple[str, ...]
    whisper_model: str | None = None
    extractor: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Report:
    """A record, what the offline reader made of the text beside a model, and a sentence where all went otherwise."""

    record: Record
    notice: str | None = None
    second: Record | None = None


class Services:
    """Built once by `app.py`; `start` returns at once and the models warm up in the background."""

    def __init__(self, settings: Settings) -> None:
        """Raises SchemaError when a schema folder is missing, StorageError when the data folder cannot be written.

        A procedure's file that is wrong is left out, and `schemas.problems` says why.
        """
        self.settings = settings
        folders = [SHIPPED_SCHEMA_DIR] + ([settings.schema_dir] if settings.schema_dir else [])
        self.schemas = SchemaLibrary(*folders, jurisdiction=settings.jurisdiction, tolerant=True)
        self.sessions = open_store(settings)
        self.uploads = Uploads()
        self.metrics = Metrics(settings.uploads_dir)
        self.metrics.ready.set_function(lambda: self.health.status == "healthy")
        self.metrics.speakers.set_function(lambda: self._scheduler.present if self._scheduler else 0)
        self._offline = OfflineExtractor()
        self._extractor: Extractor | None = None
        self._scheduler: Scheduler | None = None
        self._health = Health("starting", False, False, ())

    def start(self, load: "Callable[[Settings], Scheduler] | None" = None) -> None:
        """Load the models on a thread of their own; `load` takes the place of the real loading in tests."""
        threading.Thread(target=self._warm_up, args=(load or load_scheduler,), name="warm-up", daemon=True).start()

    def close(self) -> None:
        """Stop the engine's threads; speakers that are still open lose nothing, their audio is on disk."""
        if self._scheduler:
            self._scheduler.engine.close()
            self._scheduler.close()
        self.sessions.close()

    @property
    def health(self) -> Health:
        health = replace(self._health, supported_procedures=tuple(schema.id for schema in self.schemas))
        return replace(health, status="unhealthy", problem=problem) if (problem := self.speech_problem) else health

    @property
    def speech_problem(self) -> str | None:
        """Why there is no text at present although the model is loaded, as a sentence."""
        return self._scheduler.engine.problem if self._scheduler else None

    @property
    def scheduler(self) -> Scheduler:
        """The owner of the speech engine; raises EngineError while it loads or when it failed to."""
        if self._scheduler is None:
            raise EngineError(self._health.problem or "The speech model is still loading; it will be ready shortly.")
        return self._scheduler

    def report(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Report:
        """Read and verify a transcript with the configured extractor.

        Where the offline reader hears something else than a language model, the cell says so; when the model cannot
        answer, the offline reader takes its place and the notice says so. Takes seconds with a model.
        """
        extractor = self._extractor or self._offline
        reader, began_s = self.settings.extractor_name, time.monotonic()
        offline = self.preview(transcript, schema)
        if isinstance(extractor, OfflineExtractor):
            self.metrics.read(reader, "offline", time.monotonic() - began_s)
            return Report(offline)
        try:
            record = read_transcript(extractor, transcript, schema, on_claims)
        except ExtractionError as error:
            outcome = "refused" if isinstance(error, RefusalError) else "failed"
            self.metrics.read(reader, outcome, time.monotonic() - began_s, error.bill)
            notice = f"{error} The offline reader filled the table instead; press Submit to try again."
            return Report(replace(offline, bill=error.bill), notice)
        self.metrics.read(reader, reader, time.monotonic() - began_s, record.bill)
        return Report(with_hints(record, offline, schema), second=offline)

    def preview(self, transcript: Transcript, schema: ProcedureSchema) -> Record:
        """What the offline reader makes of the text so far: the table and the gaps while somebody speaks."""
        return read_transcript(self._offline, transcript, schema)

    def _warm_up(self, load: Callable[[Settings], Scheduler]) -> None:
        try:
            self._extractor = self._build_extractor()
            self._probe(self._extractor)
            self._scheduler = load(self.settings)
            self._scheduler.observer = SpeechMetrics(self.metrics)
            self._health = replace(
                self._health, status="healthy", whisper_loaded=True, whisper_model=self._scheduler.engine.name
            )
            log.info("All processors initialized successfully")
        except EndoscribeError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001  (whatever it was, /health must not say "starting" for ever)
            self._fail(f"The speech model could not be started ({type(error).__name__}).")

    def _build_extractor(self) -> Extractor:
        try:
            return build_extractor(self.settings)
        except ExtractionError as error:
            return UnavailableExtractor(self.settings.extractor_name, str(error))

    def _fail(self, problem: str) -> None:
        log.error("Start-up failed: %s", problem)
        self._health = replace(self._health, status="unhealthy", problem=problem)

    def _probe(self, extractor: Extractor) -> None:
        """An extractor that cannot read now stays configured: Submit tries it, says why it failed, and falls back."""
        problem = extractor.probe()
        if problem:
            log.warning("%s Until then the offline reader fills the table.", problem)
        else:
            log.info("LLM handler initialized successfully (%s)", extractor.name)
        self._health = replace(self._health, llm_initialized=problem is None, extractor=extractor.name)


def open_store(settings: Settings) -> SessionStore:
    """Where sessions are kept; raises StorageError when that cannot be used."""
    database, audio = (url.get_secret_value() if url else None for url in (settings.database_url, settings.audio_url))
    return SessionStore(settings.uploads_dir, settings.results_dir, database, audio)


def build_extractor(settings: Settings) -> Extractor:
    """The configured reader of transcripts; one that lacks a key or a network says so when it is probed or used.

    Raises ExtractionError when a package or a setting is missing without which it cannot be built.
    """
    if settings.extractor_name == "offline":
        return OfflineExtractor()
    reader: Extractor = ModelExtractor(_language_model(settings))
    return PartwiseExtractor(MaskingExtractor(reader) if settings.mask_identifiers else reader)


def _language_model(settings: Settings) -> LanguageModel:
    """The configured model; its SDK is imported only here, when it is wanted. Raises ExtractionError."""
    if settings.extractor_name == "openai":
        from endoscribe.extraction.llm.compatible import CompatibleModel

        return CompatibleModel.from_settings(settings)
    from endoscribe.extraction.llm.claude import Claude

    return Claude.from_settings(settings)


def load_scheduler(settings: Settings) -> Scheduler:
    """Find the weights, load WhisperX and start the threads that own it; raises WeightsError or EngineError."""
    from endoscribe.speech.loading import load_engine

    return Scheduler(GuardedEngine(load_engine(settings), settings.hung_after_s))
