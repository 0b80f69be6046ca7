"""How often somebody may try: each wrong password makes the next try wait longer.

A try is counted before its password is hashed and given back when it was right: what is tried at the same moment, or
given up before the answer, counts as well.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
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


@dataclass
class _Turn:
    """Whose turn it is at a key; forgotten when nobody tries or waits there."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tries: int = 0


@dataclass
class PasswordAttempt:
    """One try. Where it has to wait nothing was counted, and it must not be made."""

    wait_s: float = 0.0
    was_right: bool = False


class PasswordThrottle:
    """Failures by whatever tells triers apart: a name, an address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = Lock()
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def attempt(self, keys: Iterable[str]) -> AsyncIterator[PasswordAttempt]:
        """A try that is the only one of each key, and counts as failed unless `was_right` is set or it raises.

        One that is cancelled stays counted: its password may have been hashed all the same.
        """
        ordered = sorted(set(keys))  # the same order for everybody, so that no two wait for each other
        async with AsyncExitStack() as turns:
            for key in ordered:
                await turns.enter_async_context(self._turn(key))
            if (wait_s := self.wait_s(ordered)) > 0:
                yield PasswordAttempt(wait_s)
                return
            before = self._snapshot(ordered)
            self.failed(ordered)
            attempt = PasswordAttempt()
            try:
                yield attempt
            except Exception:
                self._restore(before)
                raise
            if attempt.was_right:
                self._restore(before)

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(key, _Turn())
        turn.tries += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.tries -= 1
            if not turn.tries:
                del self._turns[key]

    def _snapshot(self, keys: Iterable[str]) -> dict[str, _Failures | None]:
        with self._lock:
            return {key: self._failures.get(key) for key in keys}

    def _restore(self, before: dict[str, _Failures | None]) -> None:
        """As it was: nobody else has tried at these keys meanwhile."""
        with self._lock:
            for key, failures in before.items():
                if failures is None:
                    self._failures.pop(key, None)
                else:
                    self._failures[key] = failures

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
