"""What a model that is too large to be at hand would cost: windows decoded together by random weights of its shape.

python -m benchmarks.shape large-v3 --device cuda

A decode costs what its shape and its tokens cost, whatever the weights: the encoder runs, so many tokens as dictation
has are generated and timed. What is not measured is the text, and how often a loop is decoded again.
"""

import argparse
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.audio import dictation_of
from benchmarks.together import CLOCKS, FINAL_SIZES, SIZES, least_s, windows_of
from endoscribe.settings import Settings
from endoscribe.speech.engine import FINAL, PREVIEW, Decoding, WhisperXEngine, Window
from endoscribe.speech.loading import load_engine

#: Encoder and decoder layers, heads, width, mel bands: from the models' published configurations.
SHAPES = {
    "tiny": (4, 4, 6, 384, 80),
    "small": (12, 12, 12, 768, 80),
    "medium": (24, 24, 16, 1024, 80),
    "large-v3": (32, 32, 20, 1280, 128),
    "large-v3-turbo": (32, 4, 20, 1280, 128),
}
#: Dictation runs at 3 to 5 tokens a second.
TOKENS_PER_S = 5
#: One more language than the first multilingual models have.
VOCABULARY_OF_128_BANDS = 51_866


def write_random(shape: str, tokenizer: Path, folder: Path) -> None:
    """A model folder for CTranslate2 with random weights and the tokenizer of another multilingual model."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    encoder, decoder, heads, width, bands = SHAPES[shape]
    config = WhisperConfig(
        vocab_size=VOCABULARY_OF_128_BANDS if bands == 128 else VOCABULARY_OF_128_BANDS - 1,
        num_mel_bins=bands,
        d_model=width,
        encoder_layers=encoder,
        decoder_layers=decoder,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
    )
    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        with torch.no_grad():
            WhisperForConditionalGeneration(config).half().save_pretrained(source)
        WhisperTokenizerFast(tokenizer_file=str(tokenizer)).save_pretrained(source)
        WhisperFeatureExtractor(feature_size=bands).save_pretrained(source)
        shutil.copyfile(tokenizer, source / "tokenizer.json")
        files = ["tokenizer.json", "preprocessor_config.json"]
        TransformersConverter(str(source), copy_files=files).convert(str(folder), quantization="float16", force=True)
    path = folder / "config.json"
    heads_for_times = [[layer, head] for layer in range(decoder // 2, decoder) for head in range(2)]
    path.write_text(json.dumps({**json.loads(path.read_text()), "alignment_heads": heads_for_times}))


def decode(engine: WhisperXEngine, windows: list[Window], decoding: Decoding) -> None:
    """One pass of the encoder, as many tokens as dictation has, and their times."""
    model: Any = engine._model
    encoded = engine._encode(windows, decoding.tail_s)
    prompts = engine._prompts(windows)
    tokens = int(TOKENS_PER_S * windows[0].duration_s)
    results = model.model.generate(
        encoded,
        prompts,
        beam_size=decoding.beam_size,
        max_length=max(2 * tokens, len(prompts[0]) + tokens),
        suppress_tokens=[engine._tokenizer.eot],
    )
    said = [[token for token in result.sequences_ids[0] if token < engine._tokenizer.eot] for result in results]
    model.find_alignment(engine._tokenizer, said, encoded, [int(100 * each.duration_s) for each in windows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=tuple(SHAPES))
    parser.add_argument("--device", choices=tuple(SIZES), default="cpu")
    options = parser.parse_args()
    samples = dictation_of(4).samples
    with tempfile.TemporaryDirectory() as name:
        tokenizer = Settings.from_environment().models_dir / "base" / "tokenizer.json"
        write_random(options.shape, tokenizer, Path(name))
        engine = load_engine(
            Settings.from_environment({"ENDOSCRIBE_WHISPER_MODEL": name, "ENDOSCRIBE_DEVICE": options.device})
        )
        print("shape           pass    window speakers  together", flush=True)
        for kind, decoding, sizes in (("live", PREVIEW, SIZES), ("final", FINAL, FINAL_SIZES)):
            for seconds, speakers in sizes[options.device]:
                windows = windows_of(samples, seconds, speakers)
                took_s = least_s(partial(decode, engine, windows, decoding), CLOCKS[options.device])
                print(f"{options.shape:15} {kind:6} {seconds:4} s {speakers:8} {took_s:9.3f}", flush=True)


if __name__ == "__main__":
    main()
