"""A network between a browser and a server that loses, doubles, delays, reorders and cuts, as told.

It passes bytes on, and looks into what goes up a WebSocket: there it treats every binary message by itself.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, Literal

BINARY = 0x82  # the last frame of a binary message
LATEST_S = 0.5
CLOSED = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)

#: `bad` from time to time; with `cut` connections break and none can be made; with `silent` nothing comes through, and
#: nobody is told.
Weather = Literal["good", "bad", "cut", "silent"]


class BadNetwork:
    """Listens on `port` and passes on to the server; the weather may change at any time."""

    def __init__(self, server_port: int, seed: int = 0) -> None:
        self._server_port = server_port
        self._random = Random(seed)
        self._links: set[_Link] = set()
        self.weather: Weather = "good"
        self.refuses_sockets = False
        #: What was done to messages so far.
        self.lost = self.doubled = self.late = self.breaks = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]

    def turn(self, weather: Weather) -> None:
        """From now on; what was connected to a silent or cut network stays lost."""
        self.weather = weather
        if weather in ("cut", "silent"):
            self._run(self._drop_all(weather))

    def close(self) -> None:
        self._run(self._stop_listening())
        self._run(self._drop_all("cut"))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _stop_listening(self) -> None:
        """In the loop's own thread: closed from another one, a connection that ends at that moment breaks it."""
        self._server.close()

    async def _drop_all(self, weather: Weather) -> None:
        links = list(self._links)
        for link in links:
            link.is_dead = True
            if weather == "cut":
                link.abort()
        if weather == "cut":
            await asyncio.gather(*(link.ended.wait() for link in links))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            with suppress(*CLOSED):
                await link.serve()
        finally:
            link.abort()
            link.ended.set()
            self._links.discard(link)

    def happens(self, share: float) -> bool:
        return self.weather == "bad" and self._random.random() < share

    def delay_s(self) -> float:
        return self._random.uniform(0, LATEST_S)

    async def reach_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._server_port)


class _Link:
    """One connection through the network."""

    def __init__(self, network: BadNetwork, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._network = network
        self._reader, self._writer = reader, writer
        self._above: asyncio.StreamWriter | None = None
        self.is_dead = network.weather == "silent"
        self.ended = asyncio.Event()

    async def serve(self) -> None:
        if self._network.weather == "cut":
            return
        head = await self._reader.readuntil(b"\r\n\r\n")
        is_socket = b"upgrade: websocket" in head.lower()
        if is_socket and self._network.refuses_sockets:
            return
        above, self._above = await self._network.reach_server()
        # Compressed messages depend on those before them, and could not be treated one by one.
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"sec-websocket-extensions")]
        self._up(b"\r\n".join(lines))
        down = asyncio.create_task(self._pass_down(above))
        try:
            await (self._pass_messages() if is_socket else self._pass_bytes())
        finally:
            self.abort()
            await asyncio.gather(down, return_exceptions=True)

    def abort(self) -> None:
        for writer in (self._writer, self._above):
            if writer:
                writer.transport.abort()

    def _up(self, data: bytes) -> None:
        if self._above and not self.is_dead:
            self._above.write(data)

    async def _pass_down(self, above: asyncio.StreamReader) -> None:
        while data := await above.read(1 << 16):
            if not self.is_dead:
                self._writer.write(data)
        if not self.is_dead:
            self._writer.close()

    async def _pass_bytes(self) -> None:
        while data := await self._reader.read(1 << 16):
            self._up(data)
            if self._network.happens(0.1):  # what was asked may have been done, but nobody hears of it
                self._network.breaks += 1
                return

    async def _pass_messages(self) -> None:
        while True:
            message = await _read_frame(self._reader)
            if message[0] != BINARY or self._network.weather != "bad":
                self._up(message)
            elif self._network.happens(0.03):
                self._network.breaks += 1
                return
            else:
                self._mistreat(message)

    def _mistreat(self, message: bytes) -> None:
        if self._network.happens(0.03):
            self._network.lost += 1
            return
        copies = 2 if self._network.happens(0.2) else 1
        self._network.doubled += copies - 1
        for _ in range(copies):
            if self._network.happens(0.5):
                self._network.late += 1
                asyncio.get_running_loop().call_later(self._network.delay_s(), self._up, message)
            else:
                self._up(message)


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    """One frame of RFC 6455, whole: two bytes, a longer length where the short one says so, a mask, the content."""
    head = await reader.readexactly(2)
    size = head[1] & 0x7F
    if size > 125:
        longer = await reader.readexactly(2 if size == 126 else 8)
        head, size = head + longer, int.from_bytes(longer, "big")
    masked = 4 if head[1] & 0x80 else 0
    return head + await reader.readexactly(masked + size)


@contextmanager
def bad_network(server_port: int, seed: int = 0) -> Iterator[BadNetwork]:
    network = BadNetwork(server_port, seed)
    try:
        yield network
    finally:
        network.close()
