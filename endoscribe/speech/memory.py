"""Too little memory: on a GPU the same work in ways that need less and less of it; on the heap what can go back."""

import ctypes
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Half the memory of float16 on a GPU; on a CPU int8 is the default already.
SMALLEST_COMPUTE_TYPE = "int8_float16"


#: How often freed memory is given back. Each time costs some 30 ms of CPU: what is needed again has to be asked for.
GIVE_BACK_EVERY_S = 30.0


@dataclass(frozen=True)
class Attempt(Generic[_T]):
    """One way to do a piece of work; `how` completes "trying ..."."""

    how: str
    work: Callable[[], _T]


def is_out_of_memory(error: RuntimeError) -> bool:
    """CTranslate2 and torch raise RuntimeErrors that differ in their words only."""
    text = str(error).casefold()
    return "out of memory" in text or "cublas_status_alloc_failed" in text


def first_that_fits(attempts: Sequence[Attempt[_T]]) -> _T:
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


def give_back() -> bool:
    """Hand the heap's free pages to the system; whether there were any. Does nothing where the library is not glibc.

    Windows of all lengths come and go on several threads, and glibc keeps what they free in between in each thread's
    part of the heap, which frays: without this, half an hour of speech costs 100 MB that nobody uses.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return bool(trim and trim(0))


def compute_types(wanted: str, device: str) -> tuple[str, ...]:
    """The precisions to load a model in, until one fits."""
    if device == "cuda" and not wanted.startswith("int8"):
        return wanted, SMALLEST_COMPUTE_TYPE
    return (wanted,)
