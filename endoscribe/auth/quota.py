"""How much somebody may ask for in an hour. What was used comes back evenly, so that nobody waits for a full hour."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from endoscribe.auth.password_throttle import MOST_KEYS

HOUR_S = 3600.0


@dataclass(frozen=True)
class QuotaShare:
    """So many times an hour for whom the key names."""

    key: str
    per_hour: int


@dataclass
class _Used:
    """How much of an hour's share was used at a moment; it becomes less with time."""

    amount: float
    at_s: float


class Quota:
    """What was taken of each share; who has taken nothing for an hour is forgotten by and by."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: OrderedDict[str, _Used] = OrderedDict()
        self._lock = Lock()

    def take(self, shares: Sequence[QuotaShare]) -> float:
        """Take one of each share and return 0, or take nothing and return how many seconds are to wait."""
        with self._lock:
            now_s = self._clock()
            used = {share: self._amount(share, now_s) for share in shares}
            waits = [(amount + 1 - share.per_hour) * HOUR_S / share.per_hour for share, amount in used.items()]
            if max(waits, default=0.0) > 0:
                return max(waits)
            for share, amount in used.items():
                self._used[share.key] = _Used(amount + 1, now_s)
                self._used.move_to_end(share.key)
            while len(self._used) > MOST_KEYS:
                self._used.popitem(last=False)
        return 0.0

    def left(self, shares: Sequence[QuotaShare]) -> int | None:
        """How often it can be taken now; None without a limit."""
        with self._lock:
            now_s = self._clock()
            rests = [share.per_hour - self._amount(share, now_s) for share in shares]
        return max(0, math.floor(min(rests) + 1e-9)) if rests else None

    def _amount(self, share: QuotaShare, now_s: float) -> float:
        used = self._used.get(share.key)
        return max(0.0, used.amount - (now_s - used.at_s) * share.per_hour / HOUR_S) if used else 0.0
