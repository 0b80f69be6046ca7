"""A server that is killed at random moments loses nothing that it acknowledged, and every dictation is completed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import Nursery, kill_once

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
