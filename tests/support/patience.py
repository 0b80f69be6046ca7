"""How long a test waits for what another thread or program does, and how often it looks."""

import time
from collections.abc import Callable

#: Says nothing of how fast something has to be: a machine may be very busy.
PATIENCE_S = 300
LOOK_EVERY_S = 0.01


def wait_until(holds: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Look again and again, and leave the processor to those who are waited for; `what` is told of a wait in vain."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"after {patience_s:.0f} s still not: {what}"
        time.sleep(LOOK_EVERY_S)
