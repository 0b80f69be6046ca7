"""What an operator watches: counts, durations and states, as Prometheus reads them.

Everything is kept in a registry of its own, one for each running EndoScribe. No label holds a name, a session or a
dictated word, and every label takes values from a closed set, all of which are there from the start: an alert on a rate
must not wait for the first failure. What another part knows already, such as how many recordings are open, is not
counted again: it is asked when somebody looks.
"""

import math
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from endoscribe import __version__
from endoscribe.speech.observer import DecodeRequest, SpeechObserver, Work
from endoscribe.usage import Bill

#: Upper ends of buckets, in seconds. Live text that waits for 2.5 s is late (`contrib/alerts.yaml`), a decode of 30 s
#: of audio is cut off after 120 s (`ENDOSCRIBE_HUNG_AFTER_S`), a model has 60 s (`conversation.DEADLINE_S`).
WAIT_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
DECODE_BUCKETS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 30.0, 120.0)
FINAL_TEXT_BUCKETS_S = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 120.0)
READ_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0)
SYNC_BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

#: `upload` is a request with recordings, `dictation` one that is spoken, `extraction` a text that is read.
LimitedWork = Literal["upload", "transcription", "dictation", "extraction"]
LIMITED: tuple[LimitedWork, ...] = ("upload", "transcription", "dictation", "extraction")
WORK: tuple[Work, ...] = ("live", "final", "upload")
READERS = ("offline", "claude", "openai")
READ_OUTCOMES = (*READERS, "failed", "refused")
TOKEN_KINDS = ("fresh", "cached", "written_to_cache", "answered")
SIGN_IN_OUTCOMES = ("entered", "wrong", "made_to_wait")
RECORDING_OUTCOMES = ("complete", "interrupted")
STATUS_CLASSES = ("2xx", "3xx", "4xx", "5xx")

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each series began: many lines, and nobody asks


class Metrics:
    """All that is measured; safe to use from any thread, and a measurement takes microseconds."""

    def __init__(self, data_dir: Path | None = None) -> None:
        """`data_dir` is where recordings lie: how full its disk is is asked when somebody looks."""
        self.registry = CollectorRegistry()
        self._measure_speech()
        self._measure_recordings()
        self._measure_reading()
        self._measure_server()
        if data_dir:
            self._watch_disk(data_dir)
        ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format; asks the owners of states, so it may read the disk."""
        return generate_latest(self.registry)

    def _measure_speech(self) -> None:
        self.queue_wait = self._histogram(
            "queue_wait_seconds", "How long a task waited for the engine.", WAIT_BUCKETS_S, "work", ("live", "upload")
        )
        self.decode = self._histogram(
            "decode_seconds", "How long the engine worked on what it decoded in one go.", DECODE_BUCKETS_S, "work", WORK
        )
        self.decoded_audio = self._counter("decoded_audio_seconds", "Audio that was decoded.", "work", WORK)
        self.decoded_windows = self._counter("decoded_windows", "Windows of audio that were decoded.", "work", WORK)
        self.decode_failures = self._counter("decode_failures", "Decodes that failed.", "work", WORK)
        self.final_text = self._histogram("final_text_seconds", "From Stop to the final text.", FINAL_TEXT_BUCKETS_S)
        self.speakers = self._gauge("speakers", "Recordings that the engine hears now.")
        self.speakers_refused = self._counter(
            "speakers_refused", "Recordings that began without live text because too many people were dictating."
        )
        self.ready = self._gauge("ready", "1 when a dictation can be taken, else 0.")

    def _measure_recordings(self) -> None:
        self.recordings_open = self._gauge("recordings_open", "Recordings that are open now.")
        self.recordings = self._counter("recordings", "Recordings that ended.", "outcome", RECORDING_OUTCOMES)
        self.frames = self._counter("frames_received", "Frames of microphone audio that came, repetitions too.")
        self.frame_bytes = self._counter("frame_bytes_received", "Microphone audio that came, repetitions too.")
        self.disk_sync = self._histogram(
            "disk_sync_seconds", "How long it took until received audio was safe on the disk.", SYNC_BUCKETS_S
        )
        self.storage_failures = self._counter("storage_failures", "Times that audio could not be stored; it is resent.")
        self.transcripts_missing = self._counter(
            "transcripts_missing", "Recordings that were kept without a transcript, which Submit makes."
        )

    def _measure_reading(self) -> None:
        self.extractions = self._counter(
            "extractions", "Dictations that were read, by who filled the table or why no model did.", "outcome",
            READ_OUTCOMES,
        )  # fmt: skip
        self.extraction = self._histogram(
            "extraction_seconds",
            "How long a reading took, by the configured reader.",
            READ_BUCKETS_S,
            "reader",
            READERS,
        )
        self.model_requests = self._counter("model_requests", "Requests to a language model that were answered.")
        self.model_tokens = self._counter(
            "model_tokens", "Tokens of readings, also where no report came of them.", "kind", TOKEN_KINDS
        )
        self.model_cost = self._counter(
            "model_cost_dollars", "About what readings cost, at list prices, also where no report came of them."
        )

    def _measure_server(self) -> None:
        self.pages_open = self._gauge("pages_open", "Pages that are open in browsers now.")
        self.responses = self._counter("http_responses", "HTTP answers.", "status", STATUS_CLASSES)
        self.sign_ins = self._counter("sign_ins", "Tries to sign in.", "outcome", SIGN_IN_OUTCOMES)
        self.limited = self._counter(
            "limited", "Times that somebody was told to wait, having asked too often.", "work", LIMITED
        )
        Info("endoscribe_build", "Which release runs.", registry=self.registry).info({"version": __version__})

    def _watch_disk(self, folder: Path) -> None:
        free = self._gauge("disk_free_bytes", "Free space where recordings lie.")
        size = self._gauge("disk_size_bytes", "Size of the disk where recordings lie.")
        free.set_function(lambda: _disk_bytes(folder, "free"))
        size.set_function(lambda: _disk_bytes(folder, "total"))

    def read(self, reader: str, outcome: str, took_s: float, bill: Bill | None = None) -> None:
        """A dictation was read: by whom it should have been, what came of it, and what a model took."""
        self.extractions.labels(outcome).inc()
        self.extraction.labels(reader).observe(took_s)
        if bill:
            self.model_requests.inc(bill.usage.requests)
            for kind in TOKEN_KINDS:
                self.model_tokens.labels(kind).inc(getattr(bill.usage, kind))
            self.model_cost.inc(bill.cost_usd or 0.0)

    def _counter(self, name: str, meaning: str, label: str | None = None, values: Iterable[str] = ()) -> Counter:
        made = Counter(f"endoscribe_{name}", meaning, [label] if label else [], registry=self.registry)
        for value in values:
            made.labels(value)
        return made

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"endoscribe_{name}", meaning, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, buckets: tuple[float, ...], label: str | None = None, values: Iterable[str] = ()
    ) -> Histogram:
        labels = [label] if label else []
        made = Histogram(f"endoscribe_{name}", meaning, labels, registry=self.registry, buckets=buckets)
        for value in values:
            made.labels(value)
        return made


def _disk_bytes(folder: Path, what: Literal["free", "total"]) -> float:
    """Not a number when the disk does not answer: the other figures are needed then more than ever."""
    try:
        return float(getattr(shutil.disk_usage(folder), what))
    except OSError:
        return math.nan


class SpeechMetrics(SpeechObserver):
    """Speech recognition, measured."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def waited(self, work: Work, wait_s: float) -> None:
        self._metrics.queue_wait.labels(work).observe(wait_s)

    @contextmanager
    def decoding(self, decoded: DecodeRequest) -> Iterator[None]:
        began_s = time.monotonic()
        try:
            yield
        except Exception:
            self._metrics.decode_failures.labels(decoded.work).inc()
            raise
        self._metrics.decode.labels(decoded.work).observe(time.monotonic() - began_s)
        self._metrics.decoded_windows.labels(decoded.work).inc(len(decoded.windows))
        self._metrics.decoded_audio.labels(decoded.work).inc(decoded.audio_s)

    def finished(self, wait_s: float) -> None:
        self._metrics.final_text.observe(wait_s)
