"""Windows decoded by one replica behind Ray Serve and by two, with real weights: windows a second.

python -m benchmarks.replicas tiny.en

One thread a replica, so that each has a core of its own; a round of each number after the other, so that what else the
machine does falls on both.
"""

import os
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.audio import dictation_of
from endoscribe.audio import SAMPLE_RATE
from endoscribe.speech.engine import PREVIEW, Window
from endoscribe.speech.replicas import APPLICATION, Fleet, RemoteEngine, cluster, deploy, load_from_environment

ROUNDS = 3
WINDOW_S = 4
WINDOWS = 48
#: A replica decodes two at a time; so many askers keep both replicas busy.
ASKERS = 8


def windows() -> list[Window]:
    samples = dictation_of(4).samples
    starts = range(0, WINDOWS * WINDOW_S * SAMPLE_RATE, WINDOW_S * SAMPLE_RATE)
    return [Window(samples[at : at + WINDOW_S * SAMPLE_RATE], 0.0) for at in starts]


def seconds_for(engine: RemoteEngine, work: list[Window]) -> float:
    """After a first round, in which threads start and find their way to all the replicas."""
    with ThreadPoolExecutor(ASKERS) as pool:
        for measured in (False, True):
            began_s = time.perf_counter()
            list(pool.map(partial(engine.decode, decoding=PREVIEW), work))
            if measured:
                return time.perf_counter() - began_s
    raise AssertionError("one round is measured")


def measured(replicas: int, work: list[Window]) -> float:
    from ray import serve

    try:
        return len(work) / seconds_for(deploy(load_from_environment, Fleet(replicas, replicas), ""), work)
    finally:
        serve.delete(APPLICATION)


def main() -> None:
    warnings.simplefilter("ignore")
    os.environ |= {"ENDOSCRIBE_WHISPER_MODEL": sys.argv[1], "ENDOSCRIBE_DEVICE": "cpu", "ENDOSCRIBE_THREADS": "1"}
    work = windows()
    with cluster(2):
        for _ in range(ROUNDS):
            one, two = (measured(replicas, work) for replicas in (1, 2))
            print(
                f"{sys.argv[1]}: 1 replica {one:.2f} windows/s, 2 replicas {two:.2f}, ratio {two / one:.2f}", flush=True
            )


if __name__ == "__main__":
    main()
