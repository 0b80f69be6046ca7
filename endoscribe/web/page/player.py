"""The player of the evidence: an `<audio>` whose source is the session's stored recording."""

import gradio as gr

from endoscribe.web.templates import render

_ON_LOAD = """
import(new URL('ui/evidence.js', document.baseURI)).then((evidence) => evidence.mountPlayer(element, props));
"""


def evidence_player() -> gr.HTML:
    """Empty until its value comes from `player_html`; a click on a cell or a word plays it from there."""
    return gr.HTML("", js_on_load=_ON_LOAD, apply_default_css=False, elem_id="player")


def player_html(session_id: str) -> str:
    return render("player.html", session=session_id)
