"""Every error that EndoScribe raises on purpose.

A message is one sentence for the person at the page or the command line: what happened and what to do. It never holds
dictated words, a model's answer or a key.
"""

from endoscribe.usage import Bill


class EndoscribeError(Exception):
    """The root; `except EndoscribeError` at the page and the command line catches all that was foreseen."""


class SettingsError(EndoscribeError):
    """The environment or `.env` holds something unusable."""


class AudioError(EndoscribeError):
    """A recording cannot be decoded, is empty, silent or too long."""


class WeightsError(EndoscribeError):
    """Model weights cannot be found, fetched or trusted."""


class EngineError(EndoscribeError):
    """Speech recognition failed or is not ready."""


class BusyError(EngineError):
    """The machine hears as many speakers as it can; try again later."""


class SchemaError(EndoscribeError):
    """A procedure's YAML file is wrong, or there is no such procedure."""


class ExtractionError(EndoscribeError):
    """The reader of a transcript (Claude or the offline reader) failed; `bill` is what that cost all the same."""

    bill: Bill | None = None


class RefusalError(ExtractionError):
    """A language model declined to read a dictation."""


class StorageError(EndoscribeError):
    """A session cannot be found, read or written."""


class HeldError(StorageError):
    """Another program has what is asked for; it will let go of it."""


class UnknownSessionError(StorageError):
    """There is no session of this id; it may have been deleted."""


class BackupError(EndoscribeError):
    """A backup cannot be written, or is not whole."""


class AuditError(EndoscribeError):
    """The audit trail is not what was written."""


class ReviewError(EndoscribeError):
    """A report cannot be edited or signed in this way."""


class BatchError(EndoscribeError):
    """Several dictations cannot be taken at once."""


class ShareError(EndoscribeError):
    """There is no public link."""


class LimitError(EndoscribeError):
    """Somebody has asked for something too often; the next time can be in `wait_s` seconds."""

    def __init__(self, sentence: str, wait_s: float) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


class EntryError(EndoscribeError):
    """Somebody may not come in, or the file of those who may cannot be used."""
