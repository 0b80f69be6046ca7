"""The recordings that are open now: begun, found again, given up, closed."""

import asyncio
import logging

from endoscribe.errors import StorageError
from endoscribe.services import Services
from endoscribe.storage.sessions import Session
from endoscribe.web.access import Access
from endoscribe.web.microphone.protocol import Hello
from endoscribe.web.microphone.recording import Presenter, Recording, on_disk

log = logging.getLogger(__name__)


class NotOpenError(StorageError):
    """The session is not being recorded here; a new hello opens it again."""


class Recordings:
    """By session."""

    def __init__(self, services: Services, present: Presenter) -> None:
        """`present` makes what is shown of a recording's record while it comes in."""
        self._services = services
        self._present = present
        self._open: dict[str, Recording] = {}
        self._begun: dict[tuple[str | None, str], asyncio.Task[Recording]] = {}
        self._lock = asyncio.Lock()
        services.metrics.recordings_open.set_function(self._count)

    async def open(self, hello: Hello, owner: str | None, access: Access) -> Recording:
        """A new recording, or the owner's of the named session; raises StorageError or SchemaError."""
        async with self._lock:
            if hello.session is None:
                return await self._begin(hello, access.checked(owner))
            await on_disk(access.session, owner, hello.session)
            if found := self._open.get(hello.session):
                return found
            return await self._add(await on_disk(self._services.sessions.get, hello.session))

    def find(self, session_id: str, owner: str | None, access: Access) -> Recording:
        """An open recording of the owner; raises StorageError."""
        found = self._open.get(session_id)
        if found is None or not access.is_own(owner, found.session):
            raise NotOpenError("This recording is not open here; say hello again.")
        return found

    def is_open(self, session_id: str) -> bool:
        return session_id in self._open

    def _count(self) -> float:
        """How many are being spoken; those that have ended stay open until their browser has left."""
        return sum(not recording.is_stopped for recording in list(self._open.values()))

    async def close_abandoned(self) -> None:
        """Give back what recordings hold that nobody is connected to any more."""
        async with self._lock:
            for session_id, recording in list(self._open.items()):
                if recording.is_abandoned:
                    del self._open[session_id]
                    await _close_quietly(recording)
            self._begun = {key: begun for key, begun in self._begun.items() if not self._is_over(begun)}

    async def close(self) -> None:
        """Keep every recording as it is, for the end of the program."""
        async with self._lock:
            await asyncio.gather(*self._begun.values(), return_exceptions=True)
            for recording in self._open.values():
                await _close_quietly(recording)
            self._open.clear()
            self._begun.clear()

    def has_begun(self, hello: Hello, owner: str | None) -> bool:
        """Whether this browser has begun this recording already, without hearing of it."""
        begun = self._begun.get((owner, hello.key)) if hello.session is None and hello.key is not None else None
        return begun is not None and not self._is_over(begun)

    async def _begin(self, hello: Hello, owner: str | None) -> Recording:
        """A new recording, or the one that this browser has begun already without hearing of it."""
        if hello.key is None:
            return await self._create(hello, owner)
        if not self.has_begun(hello, owner):
            self._begun[owner, hello.key] = asyncio.create_task(self._create(hello, owner))
        # A connection that breaks meanwhile does not undo it half way.
        return await asyncio.shield(self._begun[owner, hello.key])

    def _is_over(self, begun: asyncio.Task[Recording]) -> bool:
        if not begun.done():
            return False
        return begun.cancelled() or bool(begun.exception()) or begun.result().session.id not in self._open

    async def _create(self, hello: Hello, owner: str | None) -> Recording:
        schema = self._services.schemas.get(hello.procedure)
        create = self._services.sessions.create
        session = await on_disk(create, schema.id, hello.sample_rate, "microphone", owner)
        return await self._add(session)

    async def _add(self, session: Session) -> Recording:
        recording = Recording(session, self._services, self._present)
        try:
            recording.session = await on_disk(self._go_on, session.id)
        except StorageError:
            await recording.let_go_of_audio()
            raise
        self._open[session.id] = recording
        return recording

    def _go_on(self, session_id: str) -> Session:
        """Now that nobody else can have it: somebody may have used, or taken for interrupted, what never got a Stop."""
        session = self._services.sessions.get(session_id)
        if session.complete or session.state == "recording":
            return session
        return self._services.sessions.set_state(session_id, "recording")


async def _close_quietly(recording: Recording) -> None:
    """One that cannot be closed must not keep the others open; its samples stay acknowledged only if safe."""
    try:
        await recording.close()
    except StorageError as error:
        log.warning("A recording could not be closed cleanly: %s", error)
