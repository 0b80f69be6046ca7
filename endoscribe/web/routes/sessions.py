"""The list of dictations over HTTP: search it, ask how one stands, delete one for good."""

from datetime import UTC, date, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from endoscribe.errors import StorageError
from endoscribe.services import Services
from endoscribe.storage.session import Session
from endoscribe.web.access import Access
from endoscribe.web.headers import UNCACHED
from endoscribe.web.page.panels import history_html

MOST_LISTED = 200


class ListBody(BaseModel):
    """What to look for, and where on earth: a day begins at its midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    search: str = Field("", max_length=200)
    #: As the browser names it, "Europe/Berlin".
    zone: str = Field("UTC", max_length=64)
    procedure: str = Field("", max_length=64)
    state: Literal["", "signed", "unsigned", "open"] = ""
    since: date | None = None

    def takes(self, session: Session) -> bool:
        """Whether the filters beside the words leave a session in the list."""
        states = {"signed": bool(session.signed_by), "open": session.gaps is None}
        states["unsigned"] = not (states["signed"] or states["open"])
        is_late = self.since is None or session.created.astimezone(self.time_zone).date() >= self.since
        return self.procedure in ("", session.procedure) and states.get(self.state, True) and is_late

    @property
    def time_zone(self) -> tzinfo:
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):  # what is no zone, or unknown here
            return UTC


def list_routes(services: Services, access: Access) -> APIRouter:
    router = APIRouter(prefix="/sessions", include_in_schema=False)

    @router.post("/list")
    def listed(request: Request, body: ListBody) -> Response:
        try:
            return HTMLResponse(_list_html(services, body, access.owner(request)), headers=UNCACHED)
        except StorageError as error:
            return JSONResponse({"problem": str(error)}, 503, UNCACHED)

    return router


def session_routes(services: Services) -> APIRouter:
    """What concerns one session; it is known to be the caller's."""
    router = APIRouter(prefix="/sessions", include_in_schema=False)

    @router.get("/{session_id}")
    def standing(request: Request, session_id: str) -> Response:
        sessions = services.sessions
        try:
            session, samples = sessions.get(session_id), sessions.sample_count(session_id)
        except StorageError as error:
            return JSONResponse({"problem": str(error)}, 404, UNCACHED)
        body = {
            "session": session.id,
            "procedure": session.procedure,
            "state": session.state,
            "complete": session.complete,
            "open": request.app.state.recordings.is_open(session_id),
            "sample_rate": session.sample_rate,
            "samples": samples,
        }
        return JSONResponse(body, headers=UNCACHED)

    @router.delete("/{session_id}")
    def delete(session_id: str) -> Response:
        try:
            is_recording = services.sessions.get(session_id).state == "recording"
            if is_recording and services.sessions.is_held(session_id):
                return JSONResponse({"problem": "This dictation is being recorded; stop it first."}, 409)
            services.sessions.discard(session_id)
        except StorageError as error:
            return JSONResponse({"problem": str(error)}, 404, UNCACHED)
        return Response(status_code=204)

    return router


def _list_html(services: Services, body: ListBody, owner: str | None) -> str:
    """What is found of an owner's, as rows."""
    sessions = services.sessions
    searched = sessions.search(_with_titles(services, body.search), owner, body.time_zone)
    found = [session for session in searched if body.takes(session)]
    with_audio = [(session, sessions.duration_s(session)) for session in found[:MOST_LISTED]]
    return history_html([pair for pair in with_audio if pair[1]], services.schemas)


def _with_titles(services: Services, search: str) -> str:
    """The search with a procedure's title replaced by its id, by which sessions are kept."""
    words = search.casefold()
    for schema in services.schemas:
        words = words.replace(schema.title.casefold(), schema.id)
    return words
