"""Signing in and out: one small form that needs no JavaScript, and who somebody is for the page's head."""

import logging
import secrets
from asyncio import to_thread

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from endoscribe.auth.authenticator import Authenticator, TooManyAttemptsError, cookie_header, is_https
from endoscribe.auth.modes import Demo, HuggingFace, Passwords
from endoscribe.errors import EntryError, StorageError
from endoscribe.services import Services
from endoscribe.storage.audit import AuditTrail
from endoscribe.web.access import Access
from endoscribe.web.headers import UNCACHED
from endoscribe.web.templates import render

log = logging.getLogger(__name__)

FORM_COOKIE = "endoscribe-form"
FORM_S = 3600


def login_routes(services: Services, authenticator: Authenticator, access: Access) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/who")
    async def who(request: Request) -> Response:
        return JSONResponse(
            {"user": access.name(request), "visit": isinstance(authenticator.mode, Demo)}, 200, UNCACHED
        )

    @router.get("/login")
    async def login(request: Request) -> Response:
        return _signing_in(request, authenticator)

    @router.post("/login")
    async def signed_in(request: Request) -> Response:
        if not isinstance(authenticator.mode, Passwords):
            return RedirectResponse("./", 303)
        try:
            return await _sign_in(request, authenticator, services.sessions.audit)
        except TooManyAttemptsError as error:
            wait_s = f"{error.wait_s + 1:.0f}"
            problem = f"Too many tries. Wait {wait_s} seconds, then try again."
            return _form(request, authenticator, problem, 429, {"Retry-After": wait_s})
        except (EntryError, StorageError) as error:
            return _form(request, authenticator, str(error), 503)

    @router.post("/logout")
    async def signed_out(request: Request) -> Response:
        if authenticator.session_cookies and (session_cookie := authenticator.session_cookie(request)):
            await to_thread(authenticator.session_cookies.revoke, session_cookie)
            await _note_left(services.sessions.audit, session_cookie.name)
        if isinstance(authenticator.mode, Demo):
            await run_in_threadpool(end_visit, services, access.owner(request))
        signs_in = isinstance(authenticator.mode, Passwords | HuggingFace)
        answer = RedirectResponse("login" if signs_in else "./", 303, UNCACHED)
        answer.headers.append("Set-Cookie", cookie_header(request, "", 0))
        answer.headers["Clear-Site-Data"] = '"cache"'
        return answer

    return router


def _signing_in(request: Request, authenticator: Authenticator) -> Response:
    """`again` and `done` come from a tab in which somebody dictates, and to which they go back."""
    if isinstance(authenticator.mode, Passwords) and "done" not in request.query_params:
        return _form(request, authenticator)
    if isinstance(authenticator.mode, HuggingFace) and "done" not in request.query_params:
        return HTMLResponse(render("login_huggingface.html", is_again=_is_again(request)), 200, UNCACHED)
    if {"again", "done"} & set(request.query_params):
        return HTMLResponse(render("login_done.html"), 200, UNCACHED)
    return RedirectResponse("./", 303)


async def _note_left(audit: AuditTrail, name: str) -> None:
    """Whoever leaves gets out, even where it cannot be written down."""
    try:
        await to_thread(audit.note, "left", None, name)
    except StorageError as error:
        log.warning("A sign-out is not in the audit trail: %s", error)


def end_visit(services: Services, visitor: str | None) -> int:
    """Delete what a visitor has dictated, but for what is just being recorded; returns how much that was."""
    if visitor is None:
        return 0
    ended = [each for each in services.sessions.search("", visitor) if each.state != "recording"]
    for session in ended:
        services.sessions.discard(session.id)
    return len(ended)


async def _sign_in(request: Request, authenticator: Authenticator, audit: AuditTrail) -> Response:
    async with request.form(max_files=0, max_fields=10) as form:
        name, password, mark = (str(form.get(field, "")) for field in ("name", "password", "form"))
    if authenticator.session_cookies is None or not _is_own_form(request, authenticator, mark):
        return _form(request, authenticator, "This form is too old or not from here. Try again.", 403)
    if not await authenticator.is_right(name.strip(), password, authenticator.address(request)):
        return _form(request, authenticator, "This name and password are not known here.", 401)
    await to_thread(audit.note, "entered", None, name.strip())
    answer = RedirectResponse("login?done" if _is_again(request) else "./", 303, UNCACHED)
    cookie = authenticator.sign_in(name.strip())
    answer.headers.append("Set-Cookie", cookie_header(request, cookie, authenticator.session_cookies.lifetime_s))
    return answer


def _is_own_form(request: Request, authenticator: Authenticator, mark: str) -> bool:
    """The form carries what its browser got as a cookie, which no other site can read or set."""
    kept = request.cookies.get(FORM_COOKIE)
    return (
        bool(kept)
        and authenticator.session_cookies is not None
        and authenticator.session_cookies.read_note(mark, FORM_S) == kept
    )


def _is_again(request: Request) -> bool:
    """From a tab in which somebody dictates."""
    return "again" in request.query_params


def _form(
    request: Request,
    authenticator: Authenticator,
    problem: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    nonce = secrets.token_urlsafe(24)
    mark = authenticator.session_cookies.note(nonce) if authenticator.session_cookies else ""
    html = render("login.html", problem=problem, mark=mark, is_again=_is_again(request))
    answer = HTMLResponse(html, status, {**UNCACHED, **(headers or {})})
    answer.set_cookie(FORM_COOKIE, nonce, FORM_S, path="/", secure=is_https(request), httponly=True, samesite="strict")
    return answer


def refusal(problem: str) -> str:
    """The login page for somebody who could not be let in, to try again."""
    return render("login_refused.html", problem=problem)
