"""Windows of several speakers decoded one after the other and together: CPU seconds of each.

python -m benchmarks.together tiny.en base
"""

import sys
import time
from collections.abc import Callable

from benchmarks.audio import dictation_of
from endoscribe.audio import SAMPLE_RATE
from endoscribe.settings import Settings
from endoscribe.speech.engine import PREVIEW, Window, load_engine

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


def main() -> None:
    samples = dictation_of(60).samples
    print("model  window  speakers  one by one  together")
    for model in sys.argv[1:]:
        engine = load_engine(Settings.from_environment({"ENDOSCRIBE_WHISPER_MODEL": model, "ENDOSCRIBE_DEVICE": "cpu"}))
        for seconds, speakers in ((4, 2), (4, 4), (4, 8), (8, 4)):
            starts = [at * 5 for at in range(speakers)]
            cut = [samples[at * SAMPLE_RATE : (at + seconds) * SAMPLE_RATE] for at in starts]
            windows = [Window(each, 0.0, PROMPT) for each in cut]
            apart_s = cpu_s(lambda windows=windows: [engine.decode(each, PREVIEW) for each in windows])  # type: ignore[misc]
            together_s = cpu_s(lambda windows=windows: engine.decode_all(windows, PREVIEW))  # type: ignore[misc]
            print(f"{model:8} {seconds} s {speakers:8} {apart_s:10.2f} {together_s:10.2f}")


if __name__ == "__main__":
    main()
