"""Uploaded files while somebody works on them: each is deleted when the last one is done with it.

Gradio names an upload by its content, so that two people who send the same file have the same path.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


class Uploads:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: Counter[Path] = Counter()

    @contextmanager
    def held(self, paths: Collection[Path]) -> Iterator[None]:
        """The files stay while this lasts, and are gone after the last who holds them."""
        with self._lock:
            self._users.update(paths)
        try:
            yield
        finally:
            with self._lock:
                self._users.subtract(paths)
                for path in set(paths):
                    if self._users[path] <= 0:
                        del self._users[path]
                        path.unlink(missing_ok=True)
