"""Signing in with Hugging Face: there and back, and what a browser carries meanwhile."""

import logging
from asyncio import to_thread

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from endoscribe.entry.huggingface import FAILED, FLOW_S, Flow, Member
from endoscribe.errors import EntryError, StorageError
from endoscribe.services import Services
from endoscribe.web.entrance import Entrance, cookie_header, is_https
from endoscribe.web.login import UNCACHED, refusal

log = logging.getLogger(__name__)

#: Also sent by a browser that comes back from another site, unlike a strict cookie.
FLOW_COOKIE = "endoscribe-flow"


def huggingface_routes(services: Services, entrance: Entrance) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/login/huggingface")
    async def go(request: Request) -> Response:
        if entrance.provider is None or entrance.tickets is None:
            return RedirectResponse("../", 303)
        flow = Flow.begin()
        try:
            answer = RedirectResponse(await entrance.provider.address(flow), 303, UNCACHED)
        except EntryError as error:
            return _refused(error, 503)
        note = entrance.tickets.note([flow.state, flow.nonce, flow.verifier, "again" in request.query_params])
        answer.set_cookie(
            FLOW_COOKIE, note, FLOW_S, path="/login", secure=is_https(request), httponly=True, samesite="lax"
        )
        return answer

    @router.get("/login/callback")
    async def back(request: Request) -> Response:
        if entrance.provider is None or entrance.tickets is None:
            return RedirectResponse("../", 303)
        try:
            member, is_again = await _member(request, entrance)
            await to_thread(services.sessions.audit.note, "entered", None, member.name)
        except (EntryError, StorageError) as error:
            log.warning("Somebody could not sign in with Hugging Face.")
            return _refused(error, 403)
        answer = RedirectResponse("../login?done" if is_again else "../", 303, UNCACHED)
        cookie = entrance.sign_in_member(member)
        answer.headers.append("Set-Cookie", cookie_header(request, cookie, entrance.tickets.lifetime_s))
        answer.delete_cookie(FLOW_COOKIE, path="/login")
        return answer

    return router


async def _member(request: Request, entrance: Entrance) -> tuple[Member, bool]:
    """Who comes back, and whether they go back to a dictation; raises EntryError."""
    query, kept = request.query_params, request.cookies.get(FLOW_COOKIE, "")
    note = entrance.tickets.read_note(kept, FLOW_S) if entrance.tickets else None
    state, code = query.get("state", ""), query.get("code", "")
    if not isinstance(note, list) or len(note) != 4 or not code or entrance.provider is None:
        raise EntryError(FAILED)
    return await entrance.provider.member(Flow(*note[:3]), state, code), bool(note[3])


def _refused(error: Exception, status: int) -> Response:
    answer = HTMLResponse(refusal(str(error)), status, UNCACHED)
    answer.delete_cookie(FLOW_COOKIE, path="/login")
    return answer
