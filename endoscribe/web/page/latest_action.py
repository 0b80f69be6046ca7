"""Whose turn it is on a page: only the action that was begun last may write there.

Two patients must never meet on one screen, so an earlier action that still works loses its voice at once.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import TypeVar

S = TypeVar("S")

log = logging.getLogger(__name__)


class PageAction:
    """One action of one page."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        #: Nobody wants the action's work either.
        self.is_cancelled = False

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def end(self) -> None:
        self._over.set()

    async def ended(self) -> None:
        await self._over.wait()


class LatestAction:
    """The newest action of each page; pages are told apart by Gradio's session hash."""

    def __init__(self) -> None:
        self._newest: dict[str | None, PageAction] = {}
        self._left: set[asyncio.Task[None]] = set()

    def begin(self, page: str | None) -> PageAction:
        """A turn for this page, which ends the one before."""
        if before := self._newest.get(page):
            before.end()
        action = self._newest[page] = PageAction()
        return action

    def cancel(self, page: str | None) -> None:
        """The page's newest action is to stop, one that would work on unseen included."""
        if newest := self._newest.get(page):
            newest.is_cancelled = True
            newest.end()

    def forget(self, page: str | None) -> None:
        """The page was closed."""
        self._newest.pop(page, None)

    async def during(
        self, action: PageAction, updates: AsyncGenerator[S, None], *, works_on: bool
    ) -> AsyncGenerator[S, None]:
        """The screens until the turn ends; an action that `works_on` then goes to its end unseen, others stop.

        A turn that is cancelled stops every action.
        """
        ended = asyncio.create_task(action.ended())
        following = asyncio.create_task(_next(updates))
        try:
            while True:
                await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
                if action.is_over or (update := following.result()) is None:
                    break
                yield update
                following = asyncio.create_task(_next(updates))
        finally:
            ended.cancel()
            if action.is_over and works_on and not action.is_cancelled:
                self._work_on(following, updates)
            else:
                await _stop(following, updates)

    def _work_on(self, following: "asyncio.Task[S | None]", updates: AsyncGenerator[S, None]) -> None:
        """Let an action finish, and hold on to it meanwhile."""
        task = asyncio.create_task(_finish(following, updates))
        self._left.add(task)
        task.add_done_callback(self._left.discard)


async def _next(updates: AsyncGenerator[S, None]) -> S | None:
    return await anext(updates, None)


async def _stop(following: "asyncio.Task[S | None]", updates: AsyncGenerator[S, None]) -> None:
    following.cancel()
    await asyncio.wait({following})
    await updates.aclose()


async def _finish(following: "asyncio.Task[S | None]", updates: AsyncGenerator[S, None]) -> None:
    try:
        await following
        async for _ in updates:
            pass
    except Exception as error:  # noqa: BLE001  (nobody looks any more)
        log.error("An action that was left failed: %s", type(error).__name__)
