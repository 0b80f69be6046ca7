"""Logging to stderr, one line a message, with nothing of a patient in it."""

import logging
import sys
import warnings

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

#: Libraries that narrate their own work, some with transcript text; only their warnings are of use.
CHATTY_LIBRARIES = (
    "anthropic", "faster_whisper", "httpcore", "httpx", "httpx2", "lightning", "lightning_fabric", "matplotlib",
    "pyannote", "pytorch_lightning", "speechbrain", "torio", "torch", "transformers", "urllib3", "whisperx",
)  # fmt: skip


def configure_logging(level: int = logging.INFO) -> None:
    """Send EndoScribe's log to stderr and quieten the libraries beneath it; stdout stays free for JSON."""
    logging.basicConfig(level=level, format=LOG_FORMAT, stream=sys.stderr, force=True)
    for name in CHATTY_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    warnings.filterwarnings("ignore", module=r"(pyannote|torchaudio|lightning|speechbrain|transformers)\b")
