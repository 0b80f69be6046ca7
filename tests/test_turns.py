"""Two actions of one page: only the newest one writes there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from endoscribe.web.turns import Turns


class Action:
    """Says its name again and again, as often as it is let; remembers how it ended."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.may_go_on = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.ended: list[str] = []

    async def screens(self) -> AsyncGenerator[str, None]:
        try:
            yield f"{self.name} begins"
            await self.may_go_on.wait()
            yield f"{self.name} ends"
            self.ended.append("finished")
        finally:
            self.ended.append("closed")
            self.has_ended.set()


async def seen(turns: Turns, action: Action, *, works_on: bool) -> list[str]:
    async with aclosing(turns.during(turns.begin("page"), action.screens(), works_on=works_on)) as screens:
        return [screen async for screen in screens]


@pytest.mark.parametrize("works_on", [True, False])
def test_an_action_that_was_left_says_nothing_more(works_on: bool) -> None:
    async def scene() -> None:
        turns, first, second = Turns(), Action("first"), Action("second")
        left = asyncio.create_task(seen(turns, first, works_on=works_on))
        await asyncio.sleep(0.01)
        second.may_go_on.set()
        assert await seen(turns, second, works_on=works_on) == ["second begins", "second ends"]
        assert await left == ["first begins"]
        first.may_go_on.set()
        await first.has_ended.wait()
        assert first.ended == (["finished", "closed"] if works_on else ["closed"])

    asyncio.run(scene())


def test_a_cancelled_action_does_not_work_on() -> None:
    async def scene() -> None:
        turns, action = Turns(), Action("first")
        cancelled = asyncio.create_task(seen(turns, action, works_on=True))
        await asyncio.sleep(0.01)
        turns.cancel("page")
        assert await cancelled == ["first begins"]
        assert action.ended == ["closed"]
        turns.cancel("another page")  # where nothing was begun

    asyncio.run(scene())


def test_pages_do_not_disturb_each_other() -> None:
    async def scene() -> None:
        turns = Turns()
        turn = turns.begin("one page")
        turns.begin("another page")
        assert not turn.is_over
        turns.begin("one page")
        assert turn.is_over

    asyncio.run(scene())


def test_what_an_action_raises_is_raised() -> None:
    async def failing() -> AsyncGenerator[str, None]:
        yield "begins"
        raise ValueError("broken")

    async def scene() -> None:
        turns = Turns()
        with pytest.raises(ValueError, match="broken"):
            [_ async for _ in turns.during(turns.begin("page"), failing(), works_on=True)]

    asyncio.run(scene())
