"""Threads that hash passwords and do nothing else: guesses take none from what reads and writes files."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

#: Each hash takes 64 MB of memory for a moment.
MAX_PARALLEL_HASHES = 2
#: More would keep somebody with the right password waiting for seconds.
MAX_PENDING_HASHES = 32


class HashingPool:
    """Few hashes at a time, and not many that wait."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_PARALLEL_HASHES, thread_name_prefix="password")
        self._pending = 0

    @property
    def is_full(self) -> bool:
        """Whether it takes no more at present."""
        return self._pending >= MAX_PENDING_HASHES

    async def run(self, is_right: Callable[[], bool]) -> bool:
        """What `is_right` answers, as soon as a thread is free for it."""
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, is_right)
        finally:
            self._pending -= 1
