"""From settings to a resident engine: the device, the weights, the precision that fits, WhisperX's pipeline.

torch is imported before whisperx, so that CTranslate2 finds the cuBLAS that torch brings.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from endoscribe.audio import SAMPLE_RATE, load_audio
from endoscribe.errors import EngineError
from endoscribe.logs import quieten_libraries
from endoscribe.samples import shipped_samples
from endoscribe.settings import Settings
from endoscribe.speech.alignment import load_aligner
from endoscribe.speech.engine import FINAL, PREVIEW, Engine, WhisperXEngine, Window
from endoscribe.speech.memory import Attempt, compute_types, first_that_fits
from endoscribe.speech.weights import obtain_weights

log = logging.getLogger(__name__)

DEFAULT_MODELS = {"cuda": "large-v3", "cpu": "base"}
DEFAULT_COMPUTE_TYPES = {"cuda": "float16", "cpu": "int8"}

#: Live and final text are decoded side by side. On two cores one thread for each is faster than two for one: int8
#: decoding a token at a time does not gain from a second thread.
CPU_WORKERS = 2

#: oneDNN, beneath CTranslate2 and torch, keeps the machine code that it makes for a shape of its input, by default for
#: the last 1,024 shapes. Hardly two live windows are equally long: each left a megabyte behind, and memory grew for as
#: long as somebody spoke. Making the code anew costs less than can be measured.
SHAPES_KEPT = 16

#: numpy makes the spectrograms. Several threads of its BLAS wait for each other longer than they work: 23 ms of CPU
#: for a window of 12 s with two, 10 ms with one.
BLAS_THREADS = 1

WARM_UP_S = 4


def load_engine(settings: Settings) -> WhisperXEngine:
    """Find the weights and load the pipeline; takes seconds. Raises WeightsError or EngineError."""
    configure_libraries()
    import torch

    threadpool_limits(BLAS_THREADS, user_api="blas")
    device = choose_device(settings.device, torch.cuda.is_available())
    name = settings.whisper_model or DEFAULT_MODELS[device]
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    folder = obtain_weights(name, settings.models_dir, token)
    began_s = time.monotonic()
    wanted = settings.compute_type or DEFAULT_COMPUTE_TYPES[device]
    pipeline, lighter = _load_what_fits(folder, device, settings, compute_types(wanted, device))
    log.info("WhisperX model loaded successfully! (%s on %s, %.1f s)", folder.name, device, time.monotonic() - began_s)
    engine = WhisperXEngine(pipeline, folder.name, device, load_aligner(settings, device), lighter)
    if device == "cuda":
        warm_up(engine)
    return engine


def warm_up(engine: Engine) -> None:
    """Decode a sentence before anybody waits for it: the first decode compiles a GPU's kernels, 13 s on an H200.

    Raises EngineError: a GPU that cannot decode is found out before the page calls itself healthy.
    """
    began_s = time.monotonic()
    sentence = Window(load_audio(shipped_samples()[0].path)[: WARM_UP_S * SAMPLE_RATE], 0.0)
    for decoding in (PREVIEW, FINAL):
        engine.decode(sentence, decoding)
    log.info("The GPU has decoded a first sentence. (%.1f s)", time.monotonic() - began_s)


def choose_device(wanted: str, cuda_available: bool) -> str:
    """`auto` is the GPU where there is one; raises EngineError when CUDA is asked for and absent."""
    if wanted == "cuda" and not cuda_available:
        raise EngineError("ENDOSCRIBE_DEVICE is cuda, but no NVIDIA GPU can be used; set it to auto or cpu.")
    if wanted == "auto":
        return "cuda" if cuda_available else "cpu"
    return wanted


def configure_libraries() -> None:
    """Tell the libraries beneath not to phone home, to hoard nor to spin; they read these when they are first used.

    OpenMP's threads wait for each other by computing nothing as fast as they can. Where another program has one of two
    cores, finding the speech in 20 s of sound then took 10 s of CPU and 47 s of time; waiting asleep, 1.5 and 4 s.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(SHAPES_KEPT))


def _load_what_fits(
    folder: Path, device: str, settings: Settings, precisions: Sequence[str]
) -> tuple[Any, Callable[[], Any] | None]:
    """The pipeline in the first precision that memory suffices for, and how to load its model smaller, if it can be."""

    def attempt(precision: str) -> Attempt[tuple[Any, str]]:
        return Attempt(precision, lambda: (_load_pipeline(folder, device, settings, precision), precision))

    try:
        pipeline, loaded = first_that_fits([attempt(precision) for precision in precisions])
    except (RuntimeError, ValueError, OSError) as error:
        raise EngineError(f"WhisperX cannot load the model in {folder.name}: {type(error).__name__}.") from error
    if loaded == precisions[-1]:
        return pipeline, None
    return pipeline, lambda: _load_model(folder, device, settings, precisions[-1])


def _load_pipeline(folder: Path, device: str, settings: Settings, compute_type: str) -> Any:
    import torch
    from whisperx import asr

    quieten_libraries()
    if device == "cpu":
        torch.set_num_threads(settings.threads)
    return asr.load_model(
        str(folder),
        device,
        compute_type=compute_type,
        language=settings.language,
        vad_method="pyannote",
        model=_load_model(folder, device, settings, compute_type),
    )


def _load_model(folder: Path, device: str, settings: Settings, compute_type: str) -> Any:
    from whisperx import asr

    workers, threads = (CPU_WORKERS, settings.threads) if device == "cpu" else (1, 1)
    return asr.WhisperModel(
        str(folder),
        device=device,
        compute_type=compute_type,
        cpu_threads=max(1, threads // workers),
        num_workers=workers,
        local_files_only=True,
    )
