"""Windows of several speakers decoded one after the other and together: CPU seconds of each.

python -m benchmarks.together tiny.en base
"""

import sys
import time
from collections.abc import Callable

from benchmarks.audio import dictation_of
from endoscribe.audio import SAMPLE_RATE
from endoscribe.settings import Settings
from endoscribe.speech.engine import FINAL, PREVIEW, Decoding, Samples, WhisperXEngine, Window
from endoscribe.speech.loading import load_engine

PROMPT = "Colonoscopy, cecum, appendiceal orifice, ileocecal valve, sessile polyp, cold snare, retroflexion"
ROUNDS = 3


def cpu_s(work: Callable[[], object]) -> float:
    """The least of a few rounds: other programs only ever add to it."""
    spent_s = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        work()
        spent_s.append(time.process_time() - began_s)
    return min(spent_s)


#: What is decoded, seconds of each window, and how many speakers have one.
CASES = (
    ("live", PREVIEW, 4, 2),
    ("live", PREVIEW, 4, 4),
    ("live", PREVIEW, 4, 8),
    ("live", PREVIEW, 8, 4),
    ("final", FINAL, 22, 2),
    ("final", FINAL, 22, 4),
)


def compared(
    engine: WhisperXEngine, samples: Samples, decoding: Decoding, seconds: int, speakers: int
) -> tuple[float, float]:
    """CPU seconds for one window of each speaker: one by one, and in one go."""
    starts = [at * 5 * SAMPLE_RATE for at in range(speakers)]
    windows = [Window(samples[at : at + seconds * SAMPLE_RATE], 0.0, PROMPT) for at in starts]
    apart_s = cpu_s(lambda: [engine.decode(window, decoding) for window in windows])
    return apart_s, cpu_s(lambda: engine.decode_all(windows, decoding))


def main() -> None:
    samples = dictation_of(60).samples
    print("model    text   window  speakers  one by one  together")
    for model in sys.argv[1:]:
        engine = load_engine(Settings.from_environment({"ENDOSCRIBE_WHISPER_MODEL": model, "ENDOSCRIBE_DEVICE": "cpu"}))
        for text, decoding, seconds, speakers in CASES:
            apart_s, together_s = compared(engine, samples, decoding, seconds, speakers)
            print(f"{model:8} {text:5} {seconds:5} s {speakers:9} {apart_s:11.2f} {together_s:9.2f}", flush=True)


if __name__ == "__main__":
    main()
