"""How often somebody may try: each wrong password makes the next try wait longer."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock

#: Slips are free, guessing is not.
FREE_FAILURES = 3
LONGEST_WAIT_S = 300.0
FORGOTTEN_AFTER_S = 3600.0
MOST_KEYS = 10_000


@dataclass
class _Failures:
    count: int
    last_s: float

    @property
    def until_s(self) -> float:
        wait_s = 2.0 ** min(self.count - FREE_FAILURES, 20) if self.count > FREE_FAILURES else 0.0
        return self.last_s + min(wait_s, LONGEST_WAIT_S)


class RateLimiter:
    """Failures by whatever tells triers apart: a name, an address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = Lock()

    def wait_s(self, keys: Iterable[str]) -> float:
        """How long until the next try is allowed; 0 is now."""
        now = self._clock()
        with self._lock:
            return max([0.0, *(self._failures[key].until_s - now for key in keys if key in self._failures)])

    def failed(self, keys: Iterable[str]) -> None:
        now = self._clock()
        with self._lock:
            for key in keys:
                before = self._failures.pop(key, None)
                count = before.count if before and now - before.last_s < FORGOTTEN_AFTER_S else 0
                self._failures[key] = _Failures(count + 1, now)
            while len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        with self._lock:
            self._failures.pop(key, None)
