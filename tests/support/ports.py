"""Ports of this machine that a test's program may listen on."""

import os
import secrets
import socket
from contextlib import suppress

#: Linux gives out 32768 and more to whoever asks for any port (`ip_local_port_range`), Ray's workers take 10002 to
#: 19999; what lies between is the tests'.
FIRST, END = 20_000, 32_000


def _own() -> range:
    """The share of this process among the workers of pytest-xdist, so that no two are given the same port."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = (END - FIRST) // workers
    return range(FIRST + number * share, FIRST + (number + 1) * share)


def free_port() -> int:
    """A port that nobody uses, and that nobody who asks for any port is given before the program listens on it."""
    own = _own()
    while True:
        port = own[secrets.randbelow(len(own))]
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
