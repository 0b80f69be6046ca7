"""What to do when a GPU has no memory left: the same work in ways that need less and less of it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Half the memory of float16 on a GPU; on a CPU int8 is the default already.
SMALLEST_COMPUTE_TYPE = "int8_float16"


@dataclass(frozen=True)
class Attempt(Generic[T]):
    """One way to do a piece of work; `how` completes "trying ..."."""

    how: str
    work: Callable[[], T]


def is_out_of_memory(error: RuntimeError) -> bool:
    """CTranslate2 and torch raise RuntimeErrors that differ in their words only."""
    text = str(error).casefold()
    return "out of memory" in text or "cublas_status_alloc_failed" in text


def first_that_fits(attempts: Sequence[Attempt[T]]) -> T:
    """The first result that memory suffices for, a log line for each step down; any other error is raised."""
    *others, last = attempts
    for attempt, following in zip(others, attempts[1:], strict=True):
        try:
            return attempt.work()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            log.warning("The GPU is out of memory with %s: trying %s.", attempt.how, following.how)
    return last.work()


def compute_types(wanted: str, device: str) -> tuple[str, ...]:
    """The precisions to load a model in, until one fits."""
    if device == "cuda" and not wanted.startswith("int8"):
        return wanted, SMALLEST_COMPUTE_TYPE
    return (wanted,)
