"""Two actions of one page: only the newest one writes there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from endoscribe.web.page.latest_action import LatestAction


class Action:
    """Says its name again and again, as often as it is let; remembers how it ended."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.may_go_on = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.ended: list[str] = []

    async def updates(self) -> AsyncGenerator[str, None]:
        try:
            yield f"{self.name} begins"
            await self.may_go_on.wait()
            yield f"{self.name} ends"
            self.ended.append("finished")
        finally:
            self.ended.append("closed")
            self.has_ended.set()


async def seen(latest_action: LatestAction, action: Action, *, works_on: bool) -> list[str]:
    async with aclosing(
        latest_action.during(latest_action.begin("page"), action.updates(), works_on=works_on)
    ) as updates:
        return [update async for update in updates]


@pytest.mark.parametrize("works_on", [True, False])
def test_an_action_that_was_left_says_nothing_more(works_on: bool) -> None:
    async def scene() -> None:
        latest_action, first, second = LatestAction(), Action("first"), Action("second")
        left = asyncio.create_task(seen(latest_action, first, works_on=works_on))
        await asyncio.sleep(0.01)
        second.may_go_on.set()
        assert await seen(latest_action, second, works_on=works_on) == ["second begins", "second ends"]
        assert await left == ["first begins"]
        first.may_go_on.set()
        await first.has_ended.wait()
        assert first.ended == (["finished", "closed"] if works_on else ["closed"])

    asyncio.run(scene())


def test_a_cancelled_action_does_not_work_on() -> None:
    async def scene() -> None:
        latest_action, action = LatestAction(), Action("first")
        cancelled = asyncio.create_task(seen(latest_action, action, works_on=True))
        await asyncio.sleep(0.01)
        latest_action.cancel("page")
        assert await cancelled == ["first begins"]
        assert action.ended == ["closed"]
        latest_action.cancel("another page")  # where nothing was begun

    asyncio.run(scene())


def test_pages_do_not_disturb_each_other() -> None:
    async def scene() -> None:
        latest_action = LatestAction()
        action = latest_action.begin("one page")
        latest_action.begin("another page")
        assert not action.is_over
        latest_action.begin("one page")
        assert action.is_over

    asyncio.run(scene())


def test_what_an_action_raises_is_raised() -> None:
    async def failing() -> AsyncGenerator[str, None]:
        yield "begins"
        raise ValueError("broken")

    async def scene() -> None:
        latest_action = LatestAction()
        with pytest.raises(ValueError, match="broken"):
            [_ async for _ in latest_action.during(latest_action.begin("page"), failing(), works_on=True)]

    asyncio.run(scene())
