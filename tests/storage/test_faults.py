"""A server that is killed at random moments loses nothing that it acknowledged, and every dictation is completed.

On SQLite as often as docs/RELIABILITY.md says; on Postgres, where the same code runs, less often.
"""

import asyncio
from pathlib import Path

import pytest

from benchmarks.load import pcm_of, speak
from tests.support.faults import Nursery, Place, kill_often, place_in

KILLS = 200
POSTGRES_KILLS = 32
BATCH = 20

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "first", [pytest.param(0, marks=pytest.mark.smoke), *range(BATCH, KILLS, BATCH)], ids="from {}".format
)
def test_nothing_acknowledged_is_lost_by_a_kill(nursery: Nursery, tmp_path: Path, first: int) -> None:
    rounds = [(seed, place_in(tmp_path, seed)) for seed in range(first, first + BATCH)]
    assert len(kill_often(nursery, rounds)) == BATCH


def test_nor_is_anything_on_postgres(nursery: Nursery, tmp_path: Path, postgres_server: str) -> None:
    rounds = [(seed, place_in(tmp_path, seed, postgres_server)) for seed in range(POSTGRES_KILLS)]
    assert len(kill_often(nursery, rounds)) == POSTGRES_KILLS


def test_the_load_benchmark_sees_whether_a_dictation_is_whole(nursery: Nursery, tmp_path: Path) -> None:
    victim = nursery.serve(Place(tmp_path))
    try:
        speaking = asyncio.run(speak(f"http://127.0.0.1:{victim.port}/", pcm_of(2 / 60, first=0), 0))
    finally:
        victim.kill()
    assert speaking.is_whole
    assert speaking.acknowledged == 32_000
    assert len(speaking.ack_delays_s) == 10
    assert speaking.first_text_s is not None
    assert speaking.problem is None
