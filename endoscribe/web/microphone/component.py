"""The streaming microphone as a part of a Gradio page; the work is done by `assets/microphone.js`."""

import gradio as gr

from endoscribe.web import templates

_ON_LOAD = """
import(new URL('ui/microphone.js', document.baseURI)).then((microphone) => microphone.mount(element, {
  began: (data) => trigger('began', data),
  recorded: (data) => trigger('recorded', data),
}));
"""


class StreamingMicrophone(gr.HTML):
    """Streams the microphone to `/ws/microphone` without losing a sample.

    Events: `began` (`session`) once the server has opened a session, `recorded` (`session`, `problem`) once its
    transcript is stored, or with a sentence on why it is not.
    """

    def __init__(self, elem_id: str = "microphone", render: bool = True) -> None:
        html = templates.render("microphone.html")
        super().__init__(html, js_on_load=_ON_LOAD, apply_default_css=False, elem_id=elem_id, render=render)
