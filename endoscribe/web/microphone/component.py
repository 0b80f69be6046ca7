"""The streaming microphone as a part of a Gradio page; the work is done by `assets/microphone.js`."""

import gradio as gr

_HTML = """
<div class="microphone" data-state="idle" role="group" aria-label="Microphone">
  <button type="button" class="start" aria-keyshortcuts="Space" disabled>Start Recording</button>
  <button type="button" id="pause" aria-keyshortcuts="Space" disabled>Pause</button>
  <button type="button" id="stop" aria-keyshortcuts="Escape" disabled>Stop</button>
  <span class="level" aria-hidden="true"><span></span></span>
  <span class="clock" role="timer" aria-label="Recorded time">0:00</span>
  <span class="unsaved" role="status"></span>
  <p class="sign-in" role="alert" hidden>
    <strong class="why"></strong> Nothing that you dictated is lost.
    <a href="login?again" target="_blank" rel="noopener">Sign in again in another tab</a>;
    this page then goes on by itself.
  </p>
  <span class="hint"><kbd>Space</kbd> starts and pauses, <kbd>Esc</kbd> stops</span>
</div>
"""

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
        super().__init__(_HTML, js_on_load=_ON_LOAD, apply_default_css=False, elem_id=elem_id, render=render)
