"""Logging to stderr, one line a message, with nothing of a patient in it."""

import logging
import sys
import warnings
from typing import TextIO

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

#: Libraries that narrate their own work, some with transcript text; only their warnings are of use.
CHATTY_LIBRARIES = (
    "alembic", "anthropic", "faster_whisper", "httpcore", "httpx", "httpx2", "lightning", "lightning_fabric",
    "matplotlib", "pyannote", "pytorch_lightning", "speechbrain", "torio", "torch", "transformers", "urllib3",
    "websockets", "whisperx",
)  # fmt: skip


#: uvicorn 0.54 takes a refusal (the extension `websocket.http.response`) for a handshake that was forgotten.
REFUSED_SOCKET = "ASGI callable returned without completing handshake."


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is when something is logged: the one of before may have been closed."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure_logging(level: int = logging.INFO) -> None:
    """Send EndoScribe's log to stderr and quieten the libraries beneath it; stdout stays free for JSON."""
    logging.basicConfig(level=level, format=LOG_FORMAT, handlers=[StderrHandler()], force=True)
    logging.captureWarnings(True)
    warnings.filterwarnings("ignore", module=r"(pyannote|torchaudio|lightning|speechbrain|transformers)\b")
    quieten_libraries()


def quieten_refusals() -> None:
    """Drop what uvicorn says, as an error, of every socket that was refused with an answer, though all is in order."""
    logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)


def _is_no_refusal(record: logging.LogRecord) -> bool:
    return record.msg != REFUSED_SOCKET


def quieten_libraries() -> None:
    """Let only warnings of the chatty libraries through; called again after their import, which undoes it."""
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in CHATTY_LIBRARIES]
    for name in {*CHATTY_LIBRARIES, *known}:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.handlers.clear()
        logger.propagate = True
