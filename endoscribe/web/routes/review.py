"""Reviewing over HTTP: cells up close, edits, undo, sign-off, versions. Answers are pieces of the page, escaped.

The page asks these routes itself, past Gradio's queue, so that a click is answered at once whoever else is dictating.
"""

import gzip
import json
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict

from endoscribe.errors import EndoscribeError
from endoscribe.extraction.offline.fit import better_fit
from endoscribe.review.differences import differences
from endoscribe.review.filing import sentence_at
from endoscribe.review.versions import Review, current_record
from endoscribe.services import Services
from endoscribe.web.access import Access
from endoscribe.web.headers import UNCACHED
from endoscribe.web.page.cell_card import closeups
from endoscribe.web.page.panels import differences_html, report_panels
from endoscribe.web.review_service import ReviewService, RevisionConflictError, edit_now, filing_now

#: Half of a character that takes two, which a browser may send, has no place in any file.
Typed = Annotated[str, AfterValidator(lambda text: text.encode("utf-8", "replace").decode())]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str


class UndoBody(_Body):
    """Nothing else."""


class EditBody(_Body):
    kind: Literal["set", "confirm", "not_stated", "not_done", "add_row", "remove_row", "normal", "context"]
    target: str
    row: int | None = None
    value: Typed | bool | list[Typed] | None = None


class FiledBody(BaseModel):
    """A value that a sentence gives to a field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    value: Typed | bool | list[Typed]


class FilingBody(_Body):
    """What becomes of the sentence between two characters of the transcript."""

    kind: Literal["file", "keep_text", "dismiss"]
    start: int
    end: int
    target: str = ""
    row: int | None = None
    cells: list[FiledBody] = []


class SignBody(_Body):
    name: Typed


class ReadingBody(_Body):
    choice: Literal["keep_edits", "drop_edits", "leave"]


def review_routes(services: Services, reviews: ReviewService, access: Access) -> APIRouter:
    """Everything under `/sessions/{session_id}` that concerns the report."""
    router = APIRouter(prefix="/sessions/{session_id}", include_in_schema=False)
    _add_views(router, services, reviews, access)
    _add_changes(router, reviews, access)
    return router


def _add_views(router: APIRouter, services: Services, reviews: ReviewService, access: Access) -> None:
    @router.get("/report")
    def report(session_id: str) -> Response:
        try:
            shown = _shown(reviews, access, session_id, reviews.review(session_id))
            reviews.note("opened", session_id)
        except EndoscribeError as error:
            return JSONResponse({"problem": str(error)}, 404, UNCACHED)
        return shown

    @router.get("/fit")
    def fit(session_id: str, procedure: str) -> Response:
        """The procedure that the words fit far better than the chosen one, where there is one."""
        try:
            transcript = services.sessions.transcript(session_id)
            better = better_fit(transcript, services.schemas.get(procedure), services.schemas) if transcript else None
        except EndoscribeError as error:
            return JSONResponse({"problem": str(error)}, 404, UNCACHED)
        return JSONResponse({"better": {"id": better.id, "title": better.title} if better else None}, 200, UNCACHED)

    @router.get("/closeups")
    def closeups_of(request: Request, session_id: str) -> Response:
        try:
            review = reviews.review(session_id)
            found = closeups(review.latest, reviews.schema(review), services.sessions.transcript(session_id))
        except EndoscribeError as error:
            return JSONResponse({"problem": str(error)}, 404, UNCACHED)
        return _compact(request, {"revision": review.revision, **found})

    @router.get("/comparison")
    def comparison(session_id: str, left: int, right: int) -> Response:
        try:
            html = _comparison(services, reviews.review(session_id), left, right)
        except EndoscribeError as error:
            return JSONResponse({"problem": str(error)}, 404, UNCACHED)
        return HTMLResponse(html, headers=UNCACHED)


def _add_changes(router: APIRouter, reviews: ReviewService, access: Access) -> None:
    @router.post("/edits")
    def edits(session_id: str, body: EditBody) -> Response:
        if body.kind == "context" and not access.takes_context:
            return JSONResponse({"problem": "There is no context in a demonstration."}, 403, UNCACHED)
        change = edit_now(body.kind, body.target, body.row, body.value)
        return _changed(reviews, access, session_id, lambda: reviews.add_edit(session_id, body.revision, change))

    @router.post("/filing")
    def filing(session_id: str, body: FilingBody) -> Response:
        def file() -> Review:
            said = sentence_at(reviews.review(session_id).latest.reading.record, body.start, body.end)
            filed = [(each.target, each.value) for each in body.cells]
            change = filing_now(body.kind, body.target, body.row, said, filed)
            return reviews.add_edit(session_id, body.revision, change)

        return _changed(reviews, access, session_id, file)

    @router.post("/undo")
    def undo(session_id: str, body: UndoBody) -> Response:
        return _changed(reviews, access, session_id, lambda: reviews.undo(session_id, body.revision))

    @router.post("/signature")
    def signature(session_id: str, body: SignBody) -> Response:
        name = access.signer(session_id) or body.name
        return _changed(reviews, access, session_id, lambda: reviews.sign(session_id, body.revision, name))

    @router.post("/reading")
    def reading(session_id: str, body: ReadingBody) -> Response:
        return _changed(reviews, access, session_id, lambda: reviews.decide(session_id, body.revision, body.choice))


def _changed(reviews: ReviewService, access: Access, session_id: str, change: Callable[[], Review]) -> Response:
    """Make a change and show what it gives; after somebody else's change show that, with a sentence."""
    try:
        return _shown(reviews, access, session_id, change())
    except RevisionConflictError as error:
        return _shown(reviews, access, session_id, reviews.review(session_id), str(error))
    except EndoscribeError as error:
        return JSONResponse({"problem": str(error)}, 422, UNCACHED)


def _shown(
    reviews: ReviewService, access: Access, session_id: str, review: Review, problem: str | None = None
) -> Response:
    body = {
        "panels": report_panels(
            review,
            session_id,
            reviews.schema(review),
            access.signer(session_id),
            takes_context=access.takes_context,
        ),
        "problem": problem,
    }
    return JSONResponse(body, 409 if problem else 200, UNCACHED)


def _compact(request: Request, body: object) -> Response:
    """As JSON, compressed where that is understood: forms are much alike."""
    content, headers = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), UNCACHED
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers = gzip.compress(content, 1), {**UNCACHED, "Content-Encoding": "gzip"}
    return Response(content, headers=headers, media_type="application/json")


def _comparison(services: Services, review: Review, left: int, right: int) -> str:
    """Two versions side by side; their procedures may differ, then the right one's words are used."""
    one, other = review.version(left), review.version(right)
    before, after = (services.schemas.get(version.reading.record.procedure) for version in (one, other))
    changed = differences(current_record(one, before), current_record(other, after))
    return differences_html(changed, after, f"Version {left}", f"Version {right}")
