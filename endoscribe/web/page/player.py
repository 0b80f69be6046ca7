"""The player of the evidence: an `<audio>` whose source is the session's stored recording."""

from html import escape

import gradio as gr

_ON_LOAD = """
import(new URL('ui/evidence.js', document.baseURI)).then((evidence) => evidence.mountPlayer(element, props));
"""


def evidence_player() -> gr.HTML:
    """Empty until its value comes from `player_html`; a click on a cell or a word plays it from there."""
    return gr.HTML("", js_on_load=_ON_LOAD, apply_default_css=False, elem_id="player")


def player_html(session_id: str) -> str:
    """Fetched by assets/evidence.js; were the browser to preload it as well, it would be noted as played twice."""
    session = escape(session_id)
    source = f'preload="none" src="audio/{session}" data-recording="{session}"'
    return f'<audio controls {source} aria-label="Recording"></audio>'
