"""Who watches speech recognition: how long things wait, how long they are decoded.

Called on the engine's own threads, so that whatever takes its place must answer within microseconds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from endoscribe.speech.engine import Window

#: `live` text, `final` text of somebody who speaks, or an `upload`.
Work = Literal["live", "final", "upload"]


@dataclass(frozen=True)
class DecodeRequest:
    """Windows that the engine decodes in one go."""

    work: Work
    windows: Sequence[Window]

    @property
    def audio_s(self) -> float:
        return sum(window.duration_s for window in self.windows)


class SpeechObserver:
    """This one does not look."""

    def waited(self, work: Work, wait_s: float) -> None:
        """A task got its turn after so long."""

    @contextmanager
    def decoding(self, decoded: DecodeRequest) -> Iterator[None]:  # noqa: ARG002
        """While windows are decoded; what is raised goes through."""
        yield

    def finished(self, wait_s: float) -> None:
        """A speaker got the final text so long after Stop."""
