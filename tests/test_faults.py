"""A server that is killed at random moments loses nothing that it acknowledged, and every dictation is completed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import Nursery, kill_once

from benchmarks.load import pcm_of, speak

KILLS = 200
BATCH = 20

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("nursery"))
    yield nursery
    nursery.close()


@pytest.mark.parametrize("first", range(0, KILLS, BATCH))
def test_nothing_acknowledged_is_lost_by_a_kill(nursery: Nursery, tmp_path: Path, first: int) -> None:
    for seed in range(first, first + BATCH):
        kill_once(nursery, tmp_path / str(seed), seed)


def test_the_load_benchmark_sees_whether_a_dictation_is_whole(nursery: Nursery, tmp_path: Path) -> None:
    victim = nursery.serve(tmp_path)
    try:
        speaking = asyncio.run(speak(f"http://127.0.0.1:{victim.port}/", pcm_of(2 / 60, first=0), 0))
    finally:
        victim.kill()
    assert speaking.is_whole
    assert speaking.acknowledged == 32_000
    assert len(speaking.ack_delays_s) == 10
    assert speaking.first_text_s is not None
    assert speaking.problem is None
