"""What passes between the microphone in the browser and the server, as `docs/PROTOCOL.md` describes it.

Frames of samples are binary, everything else is JSON. This module knows the form of messages and nothing of sockets.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from endoscribe.audio import BYTES_PER_SAMPLE

PROTOCOL_VERSION = 1

#: version u8, reserved u8, sample count u16, sequence u32, first sample u64; then the samples as s16le.
FRAME_HEADER = struct.Struct("<BBHIQ")
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 192_000
LONGEST_NAME, LONGEST_KEY = 128, 64


class FrameError(ValueError):
    """Bytes that are not a frame of this protocol."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A run of samples; `first_sample` counts the recorded samples before it, `sequence` the frames."""

    sequence: int
    first_sample: int
    pcm: bytes

    @property
    def end_sample(self) -> int:
        return self.first_sample + len(self.pcm) // BYTES_PER_SAMPLE

    def encode(self) -> bytes:
        count = len(self.pcm) // BYTES_PER_SAMPLE
        return FRAME_HEADER.pack(PROTOCOL_VERSION, 0, count, self.sequence, self.first_sample) + self.pcm


def decode_frames(data: bytes) -> Iterator[Frame]:
    """The frames that stand one after another in `data`; raises FrameError at the first that is not whole."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < FRAME_HEADER.size:
            raise FrameError("a frame is shorter than its header")
        version, _, count, sequence, first_sample = FRAME_HEADER.unpack_from(data, offset)
        offset += FRAME_HEADER.size
        end = offset + count * BYTES_PER_SAMPLE
        if version != PROTOCOL_VERSION:
            raise FrameError(f"frames of version {version} are not understood")
        if count == 0 or end > len(data):
            raise FrameError("a frame does not hold the samples that it announces")
        yield Frame(sequence, first_sample, data[offset:end])
        offset = end


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hello(_Message):
    """First on every connection: `session` is None for a new one, else the one to go on with.

    `key` is the browser's own name for a new one, so that a hello whose answer was lost begins no second session.
    `user` is who speaks, as the page knows them, where people sign in: it must never become somebody else's.
    """

    type: Literal["hello"] = "hello"
    protocol: Literal[1]
    session: str | None = None
    procedure: str
    sample_rate: int = Field(ge=MIN_SAMPLE_RATE, le=MAX_SAMPLE_RATE)
    key: str | None = Field(None, max_length=LONGEST_KEY)
    user: str | None = Field(None, max_length=LONGEST_NAME)


class ProcedureChosen(_Message):
    """Another procedure was chosen while speaking."""

    type: Literal["procedure"] = "procedure"
    procedure: str


class Paused(_Message):
    """The speaker paused after this many samples."""

    type: Literal["pause"] = "pause"
    sample: int = Field(ge=0)


class Stop(_Message):
    """The recording is over; it is complete when `samples` samples have come."""

    type: Literal["stop"] = "stop"
    samples: int = Field(ge=0)


ClientMessage = Annotated[Hello | ProcedureChosen | Paused | Stop, Field(discriminator="type")]
CLIENT_MESSAGE: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


class Welcome(_Message):
    """Answer to Hello: which session this is and how many of its samples are safe already."""

    type: Literal["welcome"] = "welcome"
    protocol: Literal[1] = 1
    session: str
    samples: int


class Ack(_Message):
    """All frames up to `sequence`, `samples` samples in all, are safe on disk; None when no frame came yet."""

    type: Literal["ack"] = "ack"
    sequence: int | None
    samples: int


class Live(_Message):
    """The text so far: `committed` are the words from the `from_word`-th on, `tentative` replaces what was."""

    type: Literal["live"] = "live"
    from_word: int
    committed: tuple[str, ...]
    tentative: str


class PreviewPanels(TypedDict):
    """The HTML of the parts of the page that fill while somebody speaks; the page makes it."""

    record: str
    checklist: str
    checks: str


class Preview(_Message):
    """HTML of the table, the checklist and the checks for the committed text; safe to insert as it is."""

    type: Literal["preview"] = "preview"
    number: int
    record: str
    checklist: str
    checks: str


class Notice(_Message):
    """A sentence on how things are, None when there is nothing more to say."""

    type: Literal["notice"] = "notice"
    text: str | None


class Stopped(_Message):
    """The recording is over and `samples` samples of it are safe; the browser may forget those."""

    type: Literal["stopped"] = "stopped"
    samples: int


class Final(_Message):
    """The last message: the transcript is stored, or `problem` says why there is none yet."""

    type: Literal["final"] = "final"
    session: str
    problem: str | None


class Problem(_Message):
    """The connection ends; `again`: come back with the same frames; `gone`: the session does not exist any more.

    `sign_in`: the speaker has to sign in first, for somebody else has done so meanwhile.
    """

    type: Literal["problem"] = "problem"
    text: str
    again: bool
    gone: bool = False
    sign_in: bool = False


ServerMessage = Welcome | Ack | Live | Preview | Notice | Stopped | Final | Problem
