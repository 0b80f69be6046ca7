"""What is kept of a session, to be played and taken away: its audio at any byte range, and the draft's downloads."""

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from endoscribe.errors import EndoscribeError, StorageError
from endoscribe.services import Services
from endoscribe.web.downloads import format_of, render_download
from endoscribe.web.review_service import ReviewService


def file_routes(services: Services, reviews: ReviewService) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/audio/{session_id}")
    def audio(request: Request, session_id: str) -> Response:
        try:
            wav = services.sessions.wav(session_id)
            span = byte_range(request.headers.get("range"), wav.size)
            if span and span[0] == 0:  # later parts belong to the same listening
                reviews.note("played", session_id)
        except StorageError as error:
            return JSONResponse({"problem": str(error)}, 404)
        if span is None:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{wav.size}"})
        start, stop = span
        headers = {"Accept-Ranges": "bytes", "Cache-Control": "no-store", "Content-Length": str(stop - start)}
        if "range" in request.headers:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{wav.size}"
        status = 206 if "range" in request.headers else 200
        return StreamingResponse(wav.blocks(start, stop), status, headers, media_type="audio/wav")

    @router.get("/download/{session_id}/{format_id}")
    def download(session_id: str, format_id: str, version: int | None = None) -> Response:
        form = format_of(format_id)
        if form is None:
            return JSONResponse({"problem": "There is no such download."}, 404)
        try:
            content, name = render_download(services, reviews, session_id, format_id, version)
            reviews.note("exported", session_id, form=format_id, version=version)
        except EndoscribeError as error:
            return JSONResponse({"problem": str(error)}, 404)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, headers=headers, media_type=form.media_type)

    return router


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open span that a Range header asks for; all of it without one, None when it cannot be met."""
    if header is None:
        return 0, size
    match = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", header.strip())
    if not match or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else None
