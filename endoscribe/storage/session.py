"""What is known of a session besides its audio and what was made of it."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Literal

from pydantic import BaseModel, ConfigDict

#: `recording` while frames come in; `interrupted` when they stopped coming without a Stop.
State = Literal["recording", "stopped", "transcribed", "done", "interrupted"]

SESSION_ID = re.compile(r"[0-9a-f]{32}")


class Session(BaseModel):
    """One dictation; `sample_rate` in Hz is that of the stored samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    procedure: str
    created: datetime
    state: State
    #: Who dictated it and alone may see it; None where nobody has to say who they are.
    owner: str | None = None
    sample_rate: int
    source: Literal["microphone", "upload"] = "microphone"
    #: Where the speaker paused, in samples.
    pauses: tuple[int, ...] = ()
    #: All of the audio is here: uploaded, or ended by a Stop. Others may still get the rest from their browser.
    complete: bool = False
    #: How many samples lie on shared storage; None while the recording is on this machine.
    archived_samples: int | None = None
    #: A sentence on what the audio lacks, and one on what the transcript lacks.
    audio_notice: str | None = None
    transcript_notice: str | None = None
    #: How many required fields the report lacks; None without a report.
    gaps: int | None = None
    #: Who signed the latest version of the report.
    signed_by: str | None = None
    #: Whose examination it was, where that is known; the database alone holds it.
    patient: str | None = None

    @property
    def notice(self) -> str | None:
        """All that a reader must know of what is missing."""
        return " ".join(each for each in (self.audio_notice, self.transcript_notice) if each) or None

    def label(self, zone: tzinfo = UTC) -> str:
        """What a search finds of it besides the words that were spoken; its time by the clocks of `zone`."""
        signed = f"signed {self.signed_by}" if self.signed_by else ""
        when = f"{self.created.astimezone(zone):%Y-%m-%d %H:%M}"
        return f"{self.procedure} {when} {self.state} {signed} {self.patient or ''}".rstrip().casefold()
