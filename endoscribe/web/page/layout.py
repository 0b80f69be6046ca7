"""The page: one screen of Gradio Blocks, speaking on the left and the report on the right.

Here stands only what is where and which event calls which action; `actions.py` says what happens.
"""

import json
import logging
import traceback
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio as gr

from endoscribe.errors import UnknownSessionError
from endoscribe.samples import shipped_samples
from endoscribe.services import Services
from endoscribe.web.access import Access
from endoscribe.web.gradio.blocks import SpokenBlocks
from endoscribe.web.limits import RequestLimits, RequestQuota
from endoscribe.web.microphone.component import StreamingMicrophone
from endoscribe.web.page.actions import WELCOME, Actions, PageUpdate, merged
from endoscribe.web.page.latest_action import LatestAction
from endoscribe.web.page.panels import masthead_html, samples_html, status_html
from endoscribe.web.page.player import evidence_player
from endoscribe.web.page.research import Research
from endoscribe.web.review_service import ReviewService
from endoscribe.web.routes.api import add_named_steps
from endoscribe.web.templates import render

log = logging.getLogger(__name__)

#: Submit while recording stops first; the session that was just recorded then takes the place of the page's.
#: A procedure that the words do not fit is asked about; none is chosen by whoever wants to think again.
_SUBMIT_JS = """
async (session, procedure) => {
  const finished = (await window.endoscribe.finishForSubmit()) ?? session;
  return [finished, (await window.endoscribe.fittingProcedure(finished, procedure)) || null];
}
"""
_PROCEDURE_JS = "(id) => { window.endoscribe?.chooseProcedure(id); }"
_SESSION_JS = "(id) => { window.endoscribe?.remember(id); }"
_HISTORY_JS = "() => { window.endoscribe?.refreshHistory(); }"
_LOAD_JS = "(id) => import(new URL('ui/page.js', document.baseURI)).then((page) => { page.start(id); })"


def _panel(name: str, value: str = "", module: str = "", mount: str = "") -> gr.HTML:
    """A part of the page whose HTML both Python and the browser set.

    `mount` calls the functions of a `module` in `assets/` that bring it to life, with the events that they trigger.
    """
    on_load = (
        "import(new URL('ui/page.js', document.baseURI)).then(async (page) => "
        f"{{ page.addPanel({json.dumps(name)}, element, props); {_mounting(module, mount)} }});"
    )
    return gr.HTML(value, js_on_load=on_load, apply_default_css=False, elem_id=name)


def _mounting(module: str, mount: str) -> str:
    return f"const part = await import(new URL('ui/{module}', document.baseURI)); part.{mount};" if module else ""


class Page:
    """The components by panel, in the order in which actions name them."""

    def __init__(self, services: Services, reviews: ReviewService, access: Access, limits: RequestLimits) -> None:
        self._services = services
        self._limits = limits
        self._access = access
        self._actions = Actions(services, reviews, access)
        self._research = Research(services)
        self._latest_action = LatestAction()
        self.session = gr.Textbox(visible="hidden", elem_id="session", container=False)
        gr.HTML(masthead_html(limits.mode), apply_default_css=False, js_on_load=None)
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=5, min_width=320, elem_id="speaking"):
                self._build_speaking()
            with gr.Column(scale=7, min_width=320, elem_id="report"):
                self._build_report()
        with gr.Accordion("Earlier dictations", open=False, elem_id="earlier"):
            self.history = _panel(
                "history", render("search.html", procedures=self._choices()), "history.js", "mountHistory(element)"
            )
        with gr.Accordion("Research: many dictations at once", open=True, elem_id="research"):
            self._build_research()
        self.work = _panel("about", render("about.html"), "history.js", _WORK_MOUNT)
        self._outputs: dict[str, gr.Component | gr.Button] = {
            "status": self.status, "session": self.session, "procedure": self.procedure, "record": self.record,
            "checklist": self.checklist, "checks": self.checks, "unfiled": self.unfiled,
            "transcript": self.transcript, "player": self.player,
            "note": self.note, "review": self.review, "exports": self.exports,
        }  # fmt: skip

    def _build_speaking(self) -> None:
        choices = self._choices()
        self.procedure = gr.Dropdown(
            choices, value=choices[0][1] if choices else None, label="Procedure", elem_id="procedure", filterable=False
        )
        self.microphone = StreamingMicrophone()
        self.status = _panel("status", status_html(WELCOME))
        with gr.Row(elem_id="submit-row"):
            self.submit = gr.Button("Submit", variant="primary", elem_id="submit", interactive=False, scale=3)
            self.cancel = gr.Button("Cancel", elem_id="cancel", visible="hidden", scale=1)
        gr.HTML(render("submit_hint.html"), apply_default_css=False, js_on_load=None)
        gr.HTML(render("live_text.html"), elem_id="live-text", apply_default_css=False, js_on_load=None)
        self.transcript = _panel("transcript", "", "evidence.js", "mountTranscript(element)")
        with gr.Column(elem_id="listening"):
            self.player = evidence_player()
            _panel("evidence", "", "review.js", "mountCard(element)")
        self.checklist = _panel("checklist", "", "review.js", "mountChecklist(element)")
        with gr.Row(elem_id="other-ways"):
            self.example = _panel("example", samples_html(shipped_samples()), "page.js", _SAMPLES_MOUNT)
            self.upload = gr.File(label="Upload a recording", elem_id="upload", height=96, type="filepath")

    def _build_report(self) -> None:
        self.checks = _panel("checks", "", "review.js", "mountRecord(element)")
        self.record = _panel("record", "", "review.js", "mountRecord(element)")
        self.unfiled = _panel("unfiled", "", "filing.js", "mountUnfiled(element)")
        self.review = _panel("review", "", "review.js", _REVIEW_MOUNT)
        self.exports = _panel("exports", "", "review.js", "mountExports(element)")
        with gr.Accordion("Note", open=False, elem_id="note-part"):
            self.note = gr.Markdown(elem_id="note")

    def _build_research(self) -> None:
        choices = self._choices()
        self.study_procedure = gr.Dropdown(
            choices,
            value=choices[0][1] if choices else None,
            label="Read them as",
            elem_id="research-procedure",
            filterable=False,
        )
        with gr.Row():
            self.files = gr.File(label="Files or ZIPs", file_count="multiple", elem_id="research-files", height=110)
            self.folder = gr.File(label="A folder", file_count="directory", elem_id="research-folder", height=110)
        with gr.Row():
            self.run_study = gr.Button("Run them", elem_id="research-run")
            self.stop_study = gr.Button("Cancel", elem_id="research-cancel", interactive=False)
        self.study = gr.HTML("", apply_default_css=False, js_on_load=None, elem_id="research-results")

    def _choices(self) -> list[tuple[str, str]]:
        return [(schema.title, schema.id) for schema in self._services.schemas]

    @property
    def _updated(self) -> list[Any]:
        return [*self._outputs.values(), self.submit, self.cancel]

    def connect(self, blocks: gr.Blocks) -> None:
        """Bind every event to its action."""
        quiet: dict[str, Any] = {
            "outputs": self._updated, "show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None
        }  # fmt: skip
        blocks.load(None, self.procedure, None, js=_LOAD_JS, api_visibility="private")
        self.session.change(None, self.session, None, js=_SESSION_JS, api_visibility="private")
        blocks.load(self._opened_page, self.procedure, **quiet)
        self.procedure.change(None, self.procedure, None, js=_PROCEDURE_JS, api_visibility="private")
        working = [
            self.upload.upload(self._upload, [self.upload, self.procedure], trigger_mode="multiple", **quiet),
            self.submit.click(self._submit, [self.session, self.procedure], js=_SUBMIT_JS, **quiet),
            self.work.opened(self._reopen, None, trigger_mode="multiple", **quiet),
        ]
        for work in working:
            work.then(None, None, None, js=_HISTORY_JS, api_visibility="private")
        self.work.closed(self._closed, None, cancels=working, **quiet)
        self.review.edited(self._edited, None, trigger_mode="multiple", **quiet)
        self.microphone.began(self._began, None, cancels=working, **quiet)
        self.microphone.recorded(self._recorded, None, **quiet).then(
            None, None, None, js=_HISTORY_JS, api_visibility="private"
        )
        self.example.chosen(self._chose_sample, None, **quiet)
        self.cancel.click(self._cancelled, self.session, cancels=working, **quiet).then(
            None, None, None, js=_HISTORY_JS, api_visibility="private"
        )
        blocks.unload(self._closed_page)
        alone: dict[str, Any] = {**quiet, "outputs": [self.study, self.files, self.folder, self.stop_study]}
        self.run_study.click(self._studied, [self.files, self.folder, self.study_procedure], **alone)
        self.stop_study.click(self._left_study, None, **{**quiet, "outputs": None})
        self.upload.upload(None, None, self.upload, js="() => null", api_visibility="private")

    def _show(self, update: PageUpdate) -> list[Any]:
        """A screen as Gradio wants it: a value for every output, `skip` for what stays."""
        values = [gr.skip() if (new := getattr(update, name)) is None else new for name in self._outputs]
        can_submit = update.can_submit
        changes: dict[str, Any] = {} if can_submit is None else {"interactive": can_submit}
        if update.review is not None:
            changes["value"] = "Submit again" if update.review else "Submit"
        submit = gr.update(**changes) if changes else gr.skip()
        return [*values, submit, gr.update(visible=True if update.busy else "hidden")]

    def _owner(self, request: gr.Request) -> str | None:
        """Who made an event, as authentication has found out."""
        if request.request is None:
            raise UnknownSessionError("There is no such session; it may have been deleted.")
        return self._access.owner(request.request)

    def _request_quota(self, request: gr.Request) -> RequestQuota:
        """The same for what there is a limit on."""
        return self._limits.of(request.request) if request.request else self._limits.free

    @property
    def _nothing(self) -> list[Any]:
        """Values that leave everything as another action has made it."""
        return [gr.skip() for _ in self._updated]

    async def _closed(self, request: gr.Request) -> list[Any]:
        self._latest_action.begin(request.session_hash)
        return self._show(self._actions.closed())

    async def _edited(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        return self._show(await self._actions.edited(event.session, self._owner(request), decided=event.decided))

    async def _opened_page(self, procedure: str) -> list[Any]:
        """The procedures as their files are now, and the history."""
        values = self._show(await self._actions.opened_page())
        choices = self._choices()
        known = [choice for _, choice in choices]
        chosen: dict[str, Any] = {} if procedure in known else {"value": known[0] if known else None}
        values[list(self._outputs).index("procedure")] = gr.update(choices=choices, **chosen)
        return values

    async def _closed_page(self, request: gr.Request) -> None:
        self._latest_action.forget(request.session_hash)

    async def _began(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        self._latest_action.begin(request.session_hash)
        return self._show(await self._actions.began(event.session, self._owner(request)))

    async def _recorded(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        action = self._latest_action.begin(request.session_hash)
        owner = self._owner(request)
        left = self._request_quota(request).left("dictation")
        update = await self._actions.recorded(event.session, event.problem, event.notice, owner, left)
        return self._nothing if action.is_over else self._show(update)

    async def _chose_sample(self, event: gr.EventData) -> list[Any]:
        return self._show(PageUpdate(procedure=event.procedure))

    async def _studied(
        self, files: list[str] | None, folder: list[str] | None, procedure: str, request: gr.Request
    ) -> AsyncIterator[list[Any]]:
        """The files are taken away from their components at once: they are removed when they are done."""
        paths, html = [*(files or []), *(folder or [])], ""
        async with aclosing(
            self._research.run(request.session_hash, paths, procedure, self._request_quota(request))
        ) as seen:
            async for html in seen:
                yield [html, None, None, gr.update(interactive=True)]
        yield [html, None, None, gr.update(interactive=False)]

    async def _left_study(self, request: gr.Request) -> None:
        self._research.cancel(request.session_hash)

    async def _cancelled(self, session: str, request: gr.Request) -> list[Any]:
        self._latest_action.cancel(request.session_hash)
        again = " Press Submit to go on with it." if session else ""
        text = f"Cancelled. The recording is kept under Earlier dictations.{again}"
        return self._show(PageUpdate(status=status_html(text)))

    async def _upload(self, path: str, procedure: str, request: gr.Request) -> AsyncIterator[list[Any]]:
        async for values in self._shown(
            self._actions.upload(Path(path), procedure, self._owner(request), self._request_quota(request)),
            request,
            works_on=True,
        ):
            yield values

    async def _submit(self, session: str, procedure: str | None, request: gr.Request) -> AsyncIterator[list[Any]]:
        async for values in self._shown(
            self._actions.submit(session, procedure, self._owner(request), self._request_quota(request)),
            request,
            works_on=True,
        ):
            yield values

    async def _reopen(self, event: gr.EventData, request: gr.Request) -> AsyncIterator[list[Any]]:
        async for values in self._shown(
            self._actions.reopen(event.session, self._owner(request)), request, works_on=False
        ):
            yield values

    async def _shown(
        self, updates: AsyncGenerator[PageUpdate, None], request: gr.Request, *, works_on: bool
    ) -> AsyncIterator[list[Any]]:
        """Every screen as values while no newer action writes; what nobody foresaw ends in a sentence too.

        Each message repeats what the earlier ones of its event said: Gradio's client applies a message's difference to
        the values of the one before in place, so that of two that arrive at once it may see only the second.
        """
        whole = PageUpdate()
        try:
            action = self._latest_action.begin(request.session_hash)
            async with aclosing(self._latest_action.during(action, updates, works_on=works_on)) as seen:
                async for update in seen:
                    whole = merged(whole, update)
                    yield self._show(whole)
            if action.is_over:
                yield self._nothing  # Gradio shows the last values once more when an event ends
        except Exception as error:  # noqa: BLE001
            log.error(  # no traceback, which would show what the error says
                "An action of the page failed: %s at %s", type(error).__name__, _place(error)
            )
            text = "Something went wrong here. Your recording is kept under Earlier dictations; please try again."
            yield self._show(merged(whole, PageUpdate(status=status_html(text, "error"))))


_WORK_MOUNT = "mountWork({ opened: (data) => trigger('opened', data), closed: () => trigger('closed', {}) })"
_REVIEW_MOUNT = "mountReview(element, { edited: (data) => trigger('edited', data) })"
_SAMPLES_MOUNT = "mountSamples(element, { chosen: (data) => trigger('chosen', data) })"


def build_page(services: Services, reviews: ReviewService, access: Access, limits: RequestLimits) -> gr.Blocks:
    """The whole page on these services; nothing is loaded and no model is asked until somebody uses it."""
    blocks = SpokenBlocks(title="EndoScribe", analytics_enabled=False, fill_width=True)
    with blocks:
        Page(services, reviews, access, limits).connect(blocks)
        add_named_steps(services, limits)
    blocks.queue(default_concurrency_limit=None, api_open=False)
    return blocks


def _place(error: BaseException) -> str:
    """Where an error arose, without what it says: that may be a patient's."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
