"""A connection that stays open, a socket or a stream of events, is held only for as long as its sign-in lasts."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive

#: How soon a sign-out, here or at another page, and a change of the users' file reach what is open.
RECHECK_EVERY_S = 1.0


class RevocableReceive:
    """Receives what comes until the sign-in has ended, then `last` for ever; also asks while nothing comes."""

    def __init__(self, receive: Receive, is_valid: Callable[[], Awaitable[bool]], last: Message) -> None:
        self.has_ended = False
        self._receive, self._is_valid, self._last = receive, is_valid, last
        self._asked_s = time.monotonic()
        self._coming: asyncio.Future[Message] | None = None

    async def receive(self) -> Message:
        """May be cancelled and called by several at once, as streams do; no message is lost or given twice."""
        while not await self._is_over():
            coming = self._coming = self._coming or asyncio.ensure_future(self._receive())
            if not coming.done():
                rest_s = self._asked_s + RECHECK_EVERY_S - time.monotonic()
                await asyncio.wait({coming}, timeout=max(0.0, rest_s))
            if coming.done() and self._coming is coming:
                self._coming = None
                return coming.result()
        return self._last

    def close(self) -> None:
        """Nobody receives any more."""
        if self._coming:
            self._coming.cancel()

    async def _is_over(self) -> bool:
        if not self.has_ended and time.monotonic() - self._asked_s >= RECHECK_EVERY_S:
            self._asked_s = time.monotonic()
            self.has_ended = not await self._is_valid()
        return self.has_ended
