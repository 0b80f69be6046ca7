"""Windows of several speakers decoded one after the other and together: seconds of each.

python -m benchmarks.together tiny.en base
python -m benchmarks.together --device cuda base

On the CPU these are CPU seconds, which other programs hardly change; on a GPU seconds on the clock.
"""

import argparse
import time
from collections.abc import Callable

from benchmarks.audio import dictation_of
from endoscribe.audio import SAMPLE_RATE, Samples
from endoscribe.settings import Settings
from endoscribe.speech.engine import FINAL, PREVIEW, Decoding, WhisperXEngine, Window
from endoscribe.speech.loading import load_engine

PROMPT = "Colonoscopy, cecum, appendiceal orifice, ileocecal valve, sessile polyp, cold snare, retroflexion"
ROUNDS = 3
#: Length of the windows in seconds, and how many speakers.
SIZES = {"cpu": ((4, 2), (4, 4), (4, 8), (8, 4)), "cuda": ((4, 1), (4, 4), (4, 8), (4, 16), (4, 32), (8, 32), (4, 64))}
#: The final pass takes the last 30 s at most, aligned; these many speakers stop at once.
FINAL_SIZES = {"cpu": ((22, 2), (22, 4)), "cuda": ((20, 1), (20, 8), (20, 32))}
CLOCKS = {"cpu": time.process_time, "cuda": time.perf_counter}


def least_s(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """The least of a few rounds: other programs only ever add to it."""
    spent_s = []
    for _ in range(ROUNDS):
        began_s = clock()
        work()
        spent_s.append(clock() - began_s)
    return min(spent_s)


def windows_of(samples: Samples, seconds: int, speakers: int) -> list[Window]:
    """One window of each speaker, from different places of a recording that begins anew at its end."""
    starts = [at * 5 * SAMPLE_RATE % (len(samples) - seconds * SAMPLE_RATE) for at in range(speakers)]
    return [Window(samples[at : at + seconds * SAMPLE_RATE], 0.0, PROMPT) for at in starts]


def compare(engine: WhisperXEngine, windows: list[Window], decoding: Decoding, device: str) -> str:
    clock = CLOCKS[device]
    apart_s = least_s(lambda: [engine.decode(window, decoding) for window in windows], clock)
    together_s = least_s(lambda: engine.decode_all(windows, decoding), clock)
    return f"{windows[0].duration_s:4.0f} s {len(windows):8} {apart_s:11.3f} {together_s:9.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--device", choices=tuple(SIZES), default="cpu")
    options = parser.parse_args()
    samples = dictation_of(4).samples
    print("model    pass    window speakers  one by one  together")
    for model in options.models:
        settings = {"ENDOSCRIBE_WHISPER_MODEL": model, "ENDOSCRIBE_DEVICE": options.device}
        engine = load_engine(Settings.from_environment(settings))
        for name, decoding, sizes in (("live", PREVIEW, SIZES), ("final", FINAL, FINAL_SIZES)):
            for seconds, speakers in sizes[options.device]:
                windows = windows_of(samples, seconds, speakers)
                print(f"{model:8} {name:6} {compare(engine, windows, decoding, options.device)}", flush=True)


if __name__ == "__main__":
    main()
