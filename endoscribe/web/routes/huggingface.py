"""Signing in with Hugging Face: there and back, and what a browser carries meanwhile."""

import logging
from asyncio import to_thread

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from endoscribe.auth.authenticator import Authenticator, cookie_header, is_https
from endoscribe.auth.huggingface import FAILED, FLOW_S, Flow, Member
from endoscribe.errors import EntryError, StorageError
from endoscribe.services import Services
from endoscribe.web.headers import UNCACHED
from endoscribe.web.routes.login import refusal

log = logging.getLogger(__name__)

#: Also sent by a browser that comes back from another site, unlike a strict cookie.
FLOW_COOKIE = "endoscribe-flow"


def huggingface_routes(services: Services, authenticator: Authenticator) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/login/huggingface")
    async def go(request: Request) -> Response:
        if authenticator.provider is None or authenticator.session_cookies is None:
            return RedirectResponse("../", 303)
        flow = Flow.begin()
        try:
            answer = RedirectResponse(await authenticator.provider.address(flow), 303, UNCACHED)
        except EntryError as error:
            return _refused(error, 503)
        note = authenticator.session_cookies.note(
            [flow.state, flow.nonce, flow.verifier, "again" in request.query_params]
        )
        answer.set_cookie(
            FLOW_COOKIE, note, FLOW_S, path="/login", secure=is_https(request), httponly=True, samesite="lax"
        )
        return answer

    @router.get("/login/callback")
    async def back(request: Request) -> Response:
        if authenticator.provider is None or authenticator.session_cookies is None:
            return RedirectResponse("../", 303)
        try:
            member, is_again = await _member(request, authenticator)
            await to_thread(services.sessions.audit.note, "entered", None, member.name)
        except (EntryError, StorageError) as error:
            log.warning("Somebody could not sign in with Hugging Face.")
            return _refused(error, 403)
        answer = RedirectResponse("../login?done" if is_again else "../", 303, UNCACHED)
        cookie = authenticator.sign_in_member(member)
        answer.headers.append("Set-Cookie", cookie_header(request, cookie, authenticator.session_cookies.lifetime_s))
        answer.delete_cookie(FLOW_COOKIE, path="/login")
        return answer

    return router


async def _member(request: Request, authenticator: Authenticator) -> tuple[Member, bool]:
    """Who comes back, and whether they go back to a dictation; raises EntryError."""
    query, kept = request.query_params, request.cookies.get(FLOW_COOKIE, "")
    note = authenticator.session_cookies.read_note(kept, FLOW_S) if authenticator.session_cookies else None
    state, code = query.get("state", ""), query.get("code", "")
    if not isinstance(note, list) or len(note) != 4 or not code or authenticator.provider is None:
        raise EntryError(FAILED)
    return await authenticator.provider.member(Flow(*note[:3]), state, code), bool(note[3])


def _refused(error: Exception, status: int) -> Response:
    answer = HTMLResponse(refusal(str(error)), status, UNCACHED)
    answer.delete_cookie(FLOW_COOKIE, path="/login")
    return answer
