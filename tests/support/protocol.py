"""The browser's end of the microphone's protocol, without a browser."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np
from starlette.testclient import WebSocketTestSession

from endoscribe.web.microphone.protocol import Frame
from tests.support.scripted import Server

RATE = 16_000
#: Four seconds of noise: any sample that is lost, doubled or moved shows.
PCM = np.random.default_rng(1).integers(-20_000, 20_000, 4 * RATE, dtype="<i2").tobytes()
SAMPLES = len(PCM) // 2

Message = dict[str, Any]


def frames_of(pcm: bytes, lengths: Iterator[int]) -> list[Frame]:
    frames: list[Frame] = []
    start = 0
    while start < len(pcm) // 2:
        length = next(lengths)
        frames.append(Frame(len(frames), start, pcm[2 * start : 2 * (start + length)]))
        start += length
    return frames


def even_frames(pcm: bytes = PCM, length: int = 3200) -> list[Frame]:
    return frames_of(pcm, iter(lambda: length, None))


def odd_frames(seed: int) -> list[Frame]:
    random = Random(seed)
    return frames_of(PCM, iter(lambda: random.choice([1, 7, 320, 3200, 9001]), None))


class Socket:
    """The browser's end of one connection; it remembers everything that it was told."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self._socket = socket
        self.told: list[Message] = []

    def hello(self, session: str | None = None, sample_rate: int = RATE, procedure: str = "col") -> Message:
        self.say(type="hello", protocol=1, session=session, procedure=procedure, sample_rate=sample_rate)
        return self.until("welcome")

    def say(self, **message: object) -> None:
        self._socket.send_text(json.dumps(message))

    def send(self, *frames: Frame) -> None:
        for frame in frames:
            self._socket.send_bytes(frame.encode())

    def raw(self, data: bytes) -> None:
        self._socket.send_bytes(data)

    def until(self, kind: str, holds: Callable[[Message], bool] = lambda _: True) -> Message:
        while True:
            message: Message = json.loads(self._socket.receive_text())
            self.told.append(message)
            if message["type"] == kind and holds(message):
                return message

    def until_safe(self, samples: int) -> Message:
        return self.until("ack", lambda ack: ack["samples"] == samples)

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.told]


def connect(server: Server) -> WebSocketTestSession:
    return server.client.websocket_connect("/ws/microphone")


def record(socket: Socket, frames: list[Frame], samples: int = SAMPLES) -> Message:
    socket.send(*frames)
    socket.say(type="stop", samples=samples)
    return socket.until("final")
