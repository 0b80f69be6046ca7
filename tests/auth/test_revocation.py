"""What is open is heard for as long as its sign-in lasts, and no message is lost by asking."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from endoscribe.auth import revocation
from endoscribe.auth.revocation import RevocableReceive
from endoscribe.auth.users import UsersFile
from tests.support.sign_in import QUICK, log_in, served

LAST: Message = {"type": "http.disconnect"}


class Line:
    """Messages as they come, and a sign-in."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.is_signed_in, self.asked = True, 0
        self.was_asked_often = asyncio.Event()

    async def holds(self) -> bool:
        self.asked += 1
        if self.asked == 3:
            self.was_asked_often.set()
        return self.is_signed_in

    def receiver(self) -> RevocableReceive:
        return RevocableReceive(self.messages.get, self.holds, LAST)

    def say(self, *words: str) -> None:
        for word in words:
            self.messages.put_nowait({"type": word})


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(steps)


async def cancelled_at_once(receiving: RevocableReceive) -> Message | None:
    """As a stream asks whether its listener has gone."""
    task = asyncio.ensure_future(receiving.receive())
    await asyncio.sleep(0)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None


def test_it_ends_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "RECHECK_EVERY_S", 0.001)

    async def steps() -> None:
        line = Line()
        held = line.receiver()
        receiving = asyncio.ensure_future(held.receive())
        await line.was_asked_often.wait()
        assert not receiving.done()
        line.is_signed_in = False
        assert await receiving == LAST
        line.say("too late")
        assert await held.receive() == LAST
        held.close()

    run(steps())


def test_it_ends_while_messages_come_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "RECHECK_EVERY_S", 0.0)

    async def steps() -> None:
        line = Line()
        line.say("one", "two")
        held = line.receiver()
        assert await held.receive() == {"type": "one"}
        line.is_signed_in = False
        assert await held.receive() == LAST

    run(steps())


def test_no_message_is_lost_or_given_twice_by_those_who_only_look() -> None:
    async def steps() -> None:
        line = Line()
        held = line.receiver()
        assert await cancelled_at_once(held) is None
        receivers = [asyncio.ensure_future(held.receive()) for _ in range(3)]
        line.say("one", "two", "three")
        assert sorted(message["type"] for message in await asyncio.gather(*receivers)) == ["one", "three", "two"]
        assert line.asked == 0

    run(steps())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["signed out", "taken out"])
def test_a_stream_of_events_ends_with_its_sign_in(tmp_path: Path, how: str) -> None:
    with served(tmp_path) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        assert log_in(client, "ada").status_code == 303
        with client.stream("GET", "/gradio_api/heartbeat/page") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "data: ALIVE"
            if how == "signed out":
                assert client.post("/logout").status_code == 303
            else:
                UsersFile(tmp_path / "users.txt", QUICK).remove("ada")
            assert set(lines) <= {"", "data: ALIVE"}  # and then its proper end
        assert client.get("/gradio_api/heartbeat/page").status_code == 401
