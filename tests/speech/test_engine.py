"""The real WhisperX engine on real weights, and the guards around it."""

import ctypes
import platform
from types import SimpleNamespace
from typing import cast

import nltk
import numpy as np
import numpy.typing as npt
import pytest
import torch

from endoscribe.audio import SAMPLE_RATE
from endoscribe.errors import EngineError
from endoscribe.settings import Settings
from endoscribe.speech.alignment import NLTK_DATA, Aligner
from endoscribe.speech.engine import FINAL, PREVIEW, Decoding, Engine, WhisperXEngine, Window, fit_together
from endoscribe.speech.loading import DEFAULT_COMPUTE_TYPES, DEFAULT_MODELS, choose_device, load_engine, warm_up
from endoscribe.transcript import Word

Samples = npt.NDArray[np.float32]


def text_of(words: tuple[Word, ...]) -> str:
    return " ".join(word.text for word in words).casefold()


@pytest.fixture
def window(colonoscopy_speech: Samples) -> Window:
    return Window(colonoscopy_speech[: 8 * SAMPLE_RATE], 100.0, "Colonoscopy, cecum, appendiceal orifice")


@pytest.mark.parametrize("decoding", [PREVIEW, FINAL])
def test_words_are_heard_and_timed_in_the_recording(
    tiny_engine: WhisperXEngine, window: Window, decoding: Decoding
) -> None:
    words = tiny_engine.decode(window, decoding)
    assert "screening colonoscopy" in text_of(words)
    assert all(100.0 <= word.start_s <= word.end_s <= 108.0 for word in words)
    assert [word.start_s for word in words] == sorted(word.start_s for word in words)
    assert all(word.probability is not None and 0 < word.probability <= 1 for word in words)
    assert not any(" " in word.text for word in words)


def test_windows_of_several_speakers_are_heard_together(tiny_engine: WhisperXEngine, window: Window) -> None:
    """Prompts of other lengths or none, silence among them: everybody gets their own words, at their own times."""
    silence = Window(np.zeros(SAMPLE_RATE, np.float32), 0.0)
    other = Window(window.samples[: 6 * SAMPLE_RATE], 20.0, "ERCP, common bile duct, sphincterotomy, stone")
    plain = Window(window.samples, 0.0)
    heard = tiny_engine.decode_all([window, silence, other, plain], PREVIEW)
    assert heard[1] == ()
    for words, each in zip(heard, (window, silence, other, plain), strict=True):
        assert all(each.start_s <= word.start_s <= word.end_s <= each.start_s + each.duration_s for word in words)
        assert each is silence or "screening colonoscopy" in text_of(words)
    assert tiny_engine.decode_all([window, window], PREVIEW)[1] == tiny_engine.decode(window, PREVIEW)
    assert tiny_engine.decode_all([], PREVIEW) == []


def test_windows_go_together_that_are_about_as_long() -> None:
    four, six, eighteen = (Window(np.zeros(seconds * SAMPLE_RATE, np.float32), 0.0) for seconds in (4, 6, 18))
    assert fit_together(four, six, PREVIEW)
    assert not fit_together(four, eighteen, PREVIEW)
    assert fit_together(four, eighteen, FINAL)


@pytest.mark.slow
def test_a_glossary_helps_with_rare_words(tiny_engine: WhisperXEngine, colonoscopy_speech: Samples) -> None:
    """Over the whole recording, because processors round differently and a single word may go either way."""
    terms = ("cecum", "appendiceal orifice", "ileocecal valve", "flat polyp", "sigmoid colon", "retroflexion")

    def terms_heard(glossary: str) -> int:
        parts = tiny_engine.split(colonoscopy_speech)
        cut = [colonoscopy_speech[int(begin * SAMPLE_RATE) : int(end * SAMPLE_RATE)] for begin, end in parts]
        text = " ".join(text_of(tiny_engine.decode(Window(samples, 0.0, glossary), FINAL)) for samples in cut)
        return sum(term in text for term in terms)

    assert terms_heard("Colonoscopy, " + ", ".join(terms)) > terms_heard("")


@pytest.mark.parametrize("loudness", [0.0, 0.001, 0.02])
def test_silence_and_noise_give_no_words(tiny_engine: WhisperXEngine, loudness: float) -> None:
    noise = np.random.default_rng(3).normal(0, 1, 5 * SAMPLE_RATE).astype(np.float32) * loudness
    assert tiny_engine.decode(Window(noise, 0.0), FINAL) == ()


def test_a_window_longer_than_whisper_hears_is_refused(tiny_engine: WhisperXEngine) -> None:
    with pytest.raises(EngineError, match="30 s"):
        tiny_engine.decode(Window(np.zeros(31 * SAMPLE_RATE, np.float32), 0.0), FINAL)


def test_a_prompt_longer_than_its_room_is_cut(tiny_engine: WhisperXEngine, window: Window) -> None:
    words = tiny_engine.decode(Window(window.samples, 0.0, "sigmoid colon, cold snare, " * 200), PREVIEW)
    assert "screening" in text_of(words)


def test_a_recording_is_split_into_stretches_that_whisper_can_hear(
    tiny_engine: WhisperXEngine, colonoscopy_speech: Samples
) -> None:
    parts = tiny_engine.split(colonoscopy_speech)
    assert all(0 < end_s - start_s <= 30 for start_s, end_s in parts)
    assert parts[0][0] < 1
    assert parts[-1][1] > len(colonoscopy_speech) / SAMPLE_RATE - 3


def test_a_silent_recording_has_no_stretches(tiny_engine: WhisperXEngine) -> None:
    assert tiny_engine.split(np.zeros(20 * SAMPLE_RATE, np.float32)) == []


def test_a_loop_is_decoded_again_or_left_out(tiny_engine: WhisperXEngine, colonoscopy_speech: Samples) -> None:
    """Without any tail the decoder tends to loop: whatever comes out is not one."""
    for start_s in range(0, 20, 2):
        samples = colonoscopy_speech[start_s * SAMPLE_RATE : (start_s + 3) * SAMPLE_RATE]
        words = tiny_engine.decode(Window(samples, 0.0), Decoding(beam_size=1, tail_s=0.0, refine_times=False))
        assert len(words) <= 3 * 6


class HeapUse(ctypes.Structure):
    """What glibc's mallinfo2(3) tells."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"
    )]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library counts memory otherwise")
def test_windows_of_ever_new_lengths_leave_nothing_behind(tiny_engine: WhisperXEngine) -> None:
    """Less than a tenth of what each of them left when oneDNN kept the code for it."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = HeapUse
    noise = np.random.default_rng(5).normal(0, 0.02, 8 * SAMPLE_RATE).astype(np.float32)
    in_use: list[int] = []
    for number in range(60):
        tiny_engine.decode(Window(noise[: SAMPLE_RATE + number * 1600], 0.0), PREVIEW)
        in_use.append(libc.mallinfo2().uordblks)
    assert in_use[-1] - in_use[20] < 4 * 2**20


class OneLetterAligner(torch.nn.Module):
    """In place of wav2vec2: every 20 ms it hears each letter alike."""

    def forward(self, samples: torch.Tensor, lengths: torch.Tensor | None = None) -> tuple[torch.Tensor, None]:
        return torch.zeros(1, samples.shape[1] // 320, 29), None


def test_whisperx_alignment_gives_the_same_words_other_times(window: Window) -> None:
    nltk.data.path.insert(0, str(NLTK_DATA))
    letters = {letter: index for index, letter in enumerate("-|etaonihsrdlumwcfgypbvk'xjqz")}
    aligner = Aligner(OneLetterAligner(), {"language": "en", "dictionary": letters, "type": "torchaudio"}, "cpu")
    words = (Word("The", 100.0, 100.1, 0.9), Word("cecum", 100.1, 100.2, 0.8), Word("58-year-old.", 100.2, 100.3, 0.7))
    # With the sentence model that ships: there is no network.
    refined = aligner.refine(words, window.samples, window.start_s)
    assert [word.text for word in refined] == ["The", "cecum", "58-year-old."]
    assert [word.probability for word in refined] == [0.9, 0.8, 0.7]
    assert refined != words
    assert all(100.0 <= word.start_s <= word.end_s <= 108.1 for word in refined)


def test_without_an_alignment_model_the_decoder_times_the_words(caplog: pytest.LogCaptureFixture) -> None:
    engine = load_engine(Settings.from_environment({"ENDOSCRIBE_WHISPER_MODEL": "tiny.en", "ENDOSCRIBE_DEVICE": "cpu"}))
    assert "alignment model cannot be had" in caplog.text
    assert "WhisperX model loaded successfully!" in caplog.text or caplog.handler.level == 0
    assert engine.name == "tiny.en"


def test_the_device_is_the_gpu_where_there_is_one() -> None:
    assert choose_device("auto", cuda_available=True) == "cuda"
    assert choose_device("auto", cuda_available=False) == "cpu"
    assert choose_device("cpu", cuda_available=True) == "cpu"
    assert (DEFAULT_MODELS["cuda"], DEFAULT_COMPUTE_TYPES["cuda"]) == ("large-v3", "float16")
    assert (DEFAULT_MODELS["cpu"], DEFAULT_COMPUTE_TYPES["cpu"]) == ("base", "int8")
    with pytest.raises(EngineError, match="ENDOSCRIBE_DEVICE"):
        choose_device("cuda", cuda_available=False)


def test_a_gpu_decodes_a_sentence_before_anybody_waits_for_it() -> None:
    """Speech, not silence, which would be left out, and both ways in which speech is decoded later."""
    asked: list[tuple[Window, Decoding]] = []

    def decode(window: Window, decoding: Decoding) -> tuple[Word, ...]:
        asked.append((window, decoding))
        return ()

    warm_up(cast("Engine", SimpleNamespace(decode=decode)))
    assert [decoding for _, decoding in asked] == [PREVIEW, FINAL]
    assert all(np.abs(window.samples).max() > 0.1 for window, _ in asked)


@pytest.mark.requires_cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_the_pipeline_runs_on_a_gpu(window: Window) -> None:
    settings = Settings.from_environment({"ENDOSCRIBE_WHISPER_MODEL": "tiny.en", "ENDOSCRIBE_DEVICE": "cuda"})
    assert "screening colonoscopy" in text_of(load_engine(settings).decode(window, FINAL))
