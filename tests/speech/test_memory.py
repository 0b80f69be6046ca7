"""A GPU without memory: fewer beams, then int8, and a log line for each step."""

import ctypes
import platform
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from endoscribe.audio import SAMPLE_RATE
from endoscribe.errors import EngineError
from endoscribe.settings import Settings
from endoscribe.speech import loading
from endoscribe.speech.engine import FINAL, Decoding, WhisperXEngine, Window
from endoscribe.speech.loading import load_engine
from endoscribe.speech.memory import Attempt, compute_types, first_that_fits, give_back, is_out_of_memory
from endoscribe.transcript import Word

WORDS = (Word("cecum", 0.0, 0.4, 0.9),)


class Gpu:
    """Stands for the GPU beneath the real engine: says no until little enough is asked for."""

    def __init__(self, fits: set[tuple[str, int]]) -> None:
        self.fits = fits
        self.asked: list[tuple[str, int]] = []
        self.engine = WhisperXEngine(self.pipeline("float16"), "large-v3", "cuda", None, lambda: self.model("int8"))

    def model(self, precision: str) -> Any:
        return type("Model", (), {"precision": precision, "model": self})()

    def pipeline(self, precision: str) -> Any:
        return type("Pipeline", (), {"model": self.model(precision), "tokenizer": None})()

    def unload_model(self) -> None:
        self.asked.append(("unload", 0))

    def recognise(
        self, engine: WhisperXEngine, windows: Sequence[Window], decoding: Decoding
    ) -> list[tuple[Word, ...]]:
        asked = (engine._model.precision, decoding.beam_size)
        self.asked.append(asked)
        if asked not in self.fits or len(windows) > 1:
            raise RuntimeError("CUDA failed with error out of memory")
        return [WORDS]


WINDOW = Window(np.ones(SAMPLE_RATE, np.float32), 0.0)


def decode(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> tuple[Word, ...]:
    return decode_all(gpu, monkeypatch, 1)[0]


def decode_all(gpu: Gpu, monkeypatch: pytest.MonkeyPatch, count: int) -> list[tuple[Word, ...]]:
    def recognise(engine: WhisperXEngine, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        return gpu.recognise(engine, windows, decoding)

    monkeypatch.setattr(WhisperXEngine, "_recognise", recognise)
    return gpu.engine.decode_all([WINDOW] * count, FINAL)


def test_several_windows_are_decoded_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu({("float16", 5)})
    assert decode_all(gpu, monkeypatch, 2) == [WORDS, WORDS]
    assert gpu.asked == [("float16", 5)] * 3


def test_fewer_beams_are_tried_before_int8(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    gpu = Gpu({("float16", 1)})
    assert decode(gpu, monkeypatch) == WORDS
    assert gpu.asked == [("float16", 5), ("float16", 1)]
    assert [record.getMessage() for record in caplog.records] == [
        "The GPU is out of memory with 5 beams: trying one beam."
    ]


def test_int8_comes_last_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu({("int8", 1), ("int8", 5)})
    assert decode(gpu, monkeypatch) == WORDS
    assert gpu.asked == [("float16", 5), ("float16", 1), ("unload", 0), ("int8", 1)]
    gpu.asked.clear()
    assert decode(gpu, monkeypatch) == WORDS
    assert gpu.asked == [("int8", 5)]


def test_a_gpu_that_is_full_for_good_costs_one_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError):
        decode(Gpu(set()), monkeypatch)


def test_a_decode_whose_model_another_thread_takes_away_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu({("int8", 5)})

    def recognise(engine: WhisperXEngine, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        if engine._model.precision == "float16":
            engine._model = gpu.model("int8")
            raise RuntimeError("the model is unloaded")
        return gpu.recognise(engine, windows, decoding)

    monkeypatch.setattr(WhisperXEngine, "_recognise", recognise)
    assert gpu.engine.decode(Window(np.ones(SAMPLE_RATE, np.float32), 0.0), FINAL) == WORDS


def test_other_errors_are_not_tried_again() -> None:
    tried: list[str] = []

    def fail() -> None:
        tried.append("once")
        raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="assert"):
        first_that_fits([Attempt("5 beams", fail), Attempt("one beam", fail)])
    assert tried == ["once"]


def test_torch_and_ctranslate2_say_it_in_their_own_words() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"))
    assert is_out_of_memory(RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"))


def test_the_precisions_to_try() -> None:
    assert compute_types("float16", "cuda") == ("float16", "int8_float16")
    assert compute_types("int8_float16", "cuda") == ("int8_float16",)
    assert compute_types("int8", "cpu") == ("int8",)


def test_a_model_that_does_not_fit_is_loaded_in_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(folder: Any, device: str, settings: Settings, compute_type: str) -> str:
        asked.append(compute_type)
        if compute_type == "float16":
            raise RuntimeError("CUDA failed with error out of memory")
        return "pipeline"

    monkeypatch.setattr(loading, "_load_pipeline", load)
    settings = Settings.from_environment({}, None)
    assert loading._load_what_fits(settings.models_dir, "cuda", settings, ("float16", "int8_float16")) == (
        "pipeline",
        None,
    )
    assert asked == ["float16", "int8_float16"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library keeps its heap otherwise")
def test_what_was_freed_between_what_is_in_use_is_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    blocks = [libc.malloc(64 * 1024) for _ in range(1600)]
    for block in blocks:
        ctypes.memset(block, 1, 64 * 1024)
    for block in blocks[:-1]:
        libc.free(block)
    before = resident_bytes()
    assert give_back()
    assert before - resident_bytes() > 50 * 2**20
    libc.free(blocks[-1])


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.requires_cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_a_gpu_that_somebody_else_fills_still_gives_words(colonoscopy_speech: Any) -> None:
    engine = load_engine(
        Settings.from_environment({"ENDOSCRIBE_WHISPER_MODEL": "tiny.en", "ENDOSCRIBE_DEVICE": "cuda"})
    )
    free, _ = torch.cuda.mem_get_info()
    filler = torch.empty(max(0, free - (64 << 20)), dtype=torch.uint8, device="cuda")
    try:
        assert engine.decode(Window(colonoscopy_speech[: 8 * SAMPLE_RATE], 0.0), FINAL)
    finally:
        del filler
        torch.cuda.empty_cache()
