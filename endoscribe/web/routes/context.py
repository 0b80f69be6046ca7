"""The context of a dictation by REST: who and where, given by a program; in a demonstration there is none."""

import asyncio
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from endoscribe.errors import ReviewError, StorageError
from endoscribe.review.context import LONGEST_CONTEXT, ExamContext
from endoscribe.review.fhir_context import fhir_context
from endoscribe.web.access import Access
from endoscribe.web.review_service import ReviewService
from endoscribe.web.routes.api import PROBLEMS

NOT_HERE = "A demonstration keeps no context of an examination."


class ContextBody(BaseModel):
    """What is known of an examination; what is left out stays as it is, an empty text takes it away."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, max_length=LONGEST_CONTEXT, description="of the patient")
    record_number: str | None = Field(None, max_length=LONGEST_CONTEXT)
    birth_date: str | None = Field(None, max_length=LONGEST_CONTEXT, examples=["1960-03-04"])
    date: str | None = Field(None, max_length=LONGEST_CONTEXT, examples=["2026-01-02"])
    endoscopist: str | None = Field(None, max_length=LONGEST_CONTEXT)
    referrer: str | None = Field(None, max_length=LONGEST_CONTEXT)
    room: str | None = Field(None, max_length=LONGEST_CONTEXT)
    scope: str | None = Field(None, max_length=LONGEST_CONTEXT)
    facility: str | None = Field(None, max_length=LONGEST_CONTEXT)
    patient: dict[str, Any] | None = Field(None, description="a FHIR R4 Patient; what is given above goes first")
    service_request: dict[str, Any] | None = Field(None, description="a FHIR R4 ServiceRequest")


class ContextAnswer(BaseModel):
    """What heads the report now; null where nobody has given it."""

    name: str | None = None
    record_number: str | None = None
    birth_date: str | None = None
    date: str | None = None
    endoscopist: str | None = None
    referrer: str | None = None
    room: str | None = None
    scope: str | None = None
    facility: str | None = None


class NotThereAnswer(BaseModel):
    """A session that is not the caller's is answered like one that never was."""

    problem: str | None = None
    detail: str | None = None


def context_routes(reviews: ReviewService, access: Access) -> APIRouter:
    """Of sessions that are known to be the caller's."""
    answers = {**PROBLEMS, 404: {"model": NotThereAnswer, "description": "There is no such session"}}
    router = APIRouter(prefix="/api/sessions/{session_id}", tags=["context"], responses=answers)

    @router.get("/context", summary="Who and where: what heads a dictation's report")
    async def context(session_id: str) -> ContextAnswer:
        return _answer(await _told(access, reviews.context, session_id))

    @router.post("/context", summary="Give who and where, also as FHIR Patient and ServiceRequest")
    async def give(session_id: str, body: ContextBody) -> ContextAnswer:
        return _answer(await _told(access, lambda each: reviews.give_context(each, _values(body)), session_id))

    return router


def _values(body: ContextBody) -> dict[str, str | None]:
    """What a program gives; raises ReviewError where FHIR holds what is too long."""
    read = dict(fhir_context(body.patient, body.service_request).given())
    typed = body.model_dump(exclude={"patient", "service_request"}, exclude_unset=True)
    return {**read, **typed}


async def _told(access: Access, work: Any, session_id: str) -> ExamContext:
    if not access.takes_context:
        raise HTTPException(403, NOT_HERE)
    try:
        found: ExamContext = await asyncio.to_thread(work, session_id)
    except ReviewError as error:
        raise HTTPException(422, str(error)) from error
    except StorageError as error:
        raise HTTPException(404, str(error)) from error
    return found


def _answer(context: ExamContext) -> ContextAnswer:
    return ContextAnswer(**dict(context.given()))
