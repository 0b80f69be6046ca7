"""Many guesses at the same moment: each of them counts, few are hashed, and nobody else waits for them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from endoscribe.auth.authenticator import Authenticator, TooManyAttemptsError
from endoscribe.auth.hashing_pool import MAX_PARALLEL_HASHES, MAX_PENDING_HASHES
from endoscribe.auth.password_throttle import FREE_FAILURES, PasswordThrottle
from endoscribe.errors import EntryError
from endoscribe.metrics import Metrics
from endoscribe.settings import Settings

RIGHT, HERE, ELSEWHERE = "a long enough password", "203.0.113.1", "203.0.113.2"
LONGEST_S = 30


class PlayedUsers:
    """Users whose passwords all are RIGHT; each hash waits for `go`, and is noted."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()
        self.hashed: list[str] = []
        self.parallel = self.most_parallel = 0
        self.error: EntryError | None = None
        self._lock = threading.Lock()

    def is_right(self, name: str, password: str) -> bool:
        with self._lock:
            self.hashed.append(name)
            self.parallel += 1
            self.most_parallel = max(self.most_parallel, self.parallel)
        self.begun.set()
        assert self.go.wait(LONGEST_S)
        with self._lock:
            self.parallel -= 1
        if self.error:
            raise self.error
        return password == RIGHT


@pytest.fixture
def users() -> PlayedUsers:
    return PlayedUsers()


@pytest.fixture
def authenticator(tmp_path: Path, users: PlayedUsers) -> Authenticator:
    environ = {"ENDOSCRIBE_AUTH": f"users:{tmp_path / 'users.txt'}", "ENDOSCRIBE_DATA_DIR": str(tmp_path)}
    made = Authenticator.of(Settings.from_environment(environ, None), Metrics())
    made.users = users  # type: ignore[assignment]
    made.password_throttle = PasswordThrottle(lambda: 0.0)  # however long a test takes
    return made


async def tried(authenticator: Authenticator, name: str, password: str, address: str) -> bool | str:
    try:
        return await authenticator.is_right(name, password, address)
    except TooManyAttemptsError:
        return "wait"


def together(*tries: Coroutine[Any, Any, bool | str]) -> list[bool | str]:
    async def run() -> list[bool | str]:
        return await asyncio.gather(*tries)

    return asyncio.run(asyncio.wait_for(run(), LONGEST_S))


def test_guesses_at_the_same_moment_all_count(authenticator: Authenticator, users: PlayedUsers) -> None:
    told = together(*(tried(authenticator, "ada", f"guess {number}", HERE) for number in range(400)))
    assert told == [False] * (FREE_FAILURES + 1) + ["wait"] * (399 - FREE_FAILURES)
    assert len(users.hashed) == FREE_FAILURES + 1


@pytest.mark.parametrize("names", [["mallory"] * 100, [f"made up {number}" for number in range(100)]])
def test_a_right_password_does_not_wait_for_anothers_guesses(
    authenticator: Authenticator, users: PlayedUsers, names: list[str]
) -> None:
    guesses = [tried(authenticator, name, "wrong", HERE) for name in names]
    assert together(*guesses, tried(authenticator, "ada", RIGHT, ELSEWHERE))[-1] is True
    assert users.hashed.index("ada") <= FREE_FAILURES + 1


def test_people_at_one_address_sign_in_at_the_same_moment(authenticator: Authenticator, users: PlayedUsers) -> None:
    assert together(*(tried(authenticator, f"user {number}", RIGHT, HERE) for number in range(20))) == [True] * 20
    assert together(*(tried(authenticator, "ada", RIGHT, HERE) for _ in range(20))) == [True] * 20


def test_a_right_password_changes_nothing_for_its_address(authenticator: Authenticator) -> None:
    now = [0.0]
    limiter = authenticator.password_throttle = PasswordThrottle(lambda: now[0])
    for number in range(FREE_FAILURES + 1):
        together(tried(authenticator, f"made up {number}", "wrong", HERE))
    now[0] = 10.0
    assert together(tried(authenticator, "ada", RIGHT, HERE)) == [True]
    assert limiter.wait_s([f"address {HERE}"]) == 0
    together(tried(authenticator, "ben", "wrong", HERE))
    assert limiter.wait_s([f"address {HERE}"]) == 4


def test_hashes_take_threads_of_their_own(authenticator: Authenticator, users: PlayedUsers) -> None:
    """As many as wait at once; what else needs a thread gets one meanwhile."""

    async def run() -> int:
        users.go.clear()
        guesses = [
            asyncio.create_task(tried(authenticator, f"made up {number}", "wrong", f"10.0.0.{number}"))
            for number in range(MAX_PENDING_HASHES)
        ]
        await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(asyncio.to_thread(lambda: 42), LONGEST_S / 3)
        finally:
            users.go.set()
            await asyncio.gather(*guesses)

    assert asyncio.run(run()) == 42
    assert users.most_parallel <= MAX_PARALLEL_HASHES


def test_when_too_many_wait_the_next_is_told_and_not_counted(authenticator: Authenticator, users: PlayedUsers) -> None:
    async def run() -> list[bool | str]:
        users.go.clear()
        guesses = [
            asyncio.create_task(tried(authenticator, f"made up {number}", "wrong", f"10.0.0.{number}"))
            for number in range(MAX_PENDING_HASHES)
        ]
        for _ in range(2 * FREE_FAILURES):
            await asyncio.sleep(0)
        told = [await tried(authenticator, "ada", RIGHT, HERE) for _ in range(FREE_FAILURES + 2)]
        users.go.set()
        await asyncio.gather(*guesses)
        return [*told, await tried(authenticator, "ada", RIGHT, HERE)]

    assert asyncio.run(run()) == ["wait"] * (FREE_FAILURES + 2) + [True]


def interrupted(authenticator: Authenticator, users: PlayedUsers) -> None:
    """A try whose browser goes away while its password is hashed."""

    async def run() -> None:
        users.go.clear()
        users.begun.clear()
        guess = asyncio.create_task(tried(authenticator, "ada", "wrong", HERE))
        assert await asyncio.to_thread(users.begun.wait, LONGEST_S)
        guess.cancel()
        with pytest.raises(asyncio.CancelledError):
            await guess
        users.go.set()

    asyncio.run(run())


def failing(authenticator: Authenticator, users: PlayedUsers) -> None:
    """A try that cannot be answered, as the file of users cannot be read."""
    users.error = EntryError("The users' file cannot be read.")
    with pytest.raises(EntryError):
        together(tried(authenticator, "ada", RIGHT, HERE))
    users.error = None


@pytest.mark.parametrize(("how", "told"), [(interrupted, "wait"), (failing, True)])
def test_a_try_that_was_given_up_counts_and_one_that_failed_does_not(
    authenticator: Authenticator,
    users: PlayedUsers,
    how: Callable[[Authenticator, PlayedUsers], None],
    told: bool | str,
) -> None:
    for _ in range(FREE_FAILURES + 1):
        how(authenticator, users)
    assert together(tried(authenticator, "ada", RIGHT, HERE)) == [told]


def test_nothing_is_kept_of_turns_that_are_over(authenticator: Authenticator) -> None:
    together(*(tried(authenticator, f"user {number}", RIGHT, HERE) for number in range(5)))
    assert authenticator.password_throttle._turns == {}
