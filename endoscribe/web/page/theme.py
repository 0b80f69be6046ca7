"""How the page looks: Gradio's plain theme with system fonts and our own colours, and what the page loads of ours."""

import gradio as gr

from endoscribe.web.templates import render

#: Served from `assets/`. Gradio would rewrite the selectors of style sheets that were handed to it.
_STYLES = ("page.css", "microphone.css", "report.css", "review.css")
_SCRIPTS = (
    "page.js",
    "local_time.js",
    "uplink.js",
    "spool.js",
    "microphone.js",
    "devices.js",
    "evidence.js",
    "closeups.js",
    "pending.js",
    "review.js",
    "filing.js",
    "history.js",
    "keys.js",
)
HEAD = render("head.html", styles=_STYLES, scripts=_SCRIPTS)

_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_MONO_FONT = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """No font and no picture of it comes from another host."""
    return gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", radius_size="md", font=_FONT, font_mono=_MONO_FONT
    ).set(
        body_text_color_subdued="#52615f",
        body_text_color_subdued_dark="#a3b3b1",
        block_info_text_color="#52615f",
        block_title_text_color="#52615f",
        block_label_text_color="#52615f",
        body_background_fill="#f7f8f8",
        body_background_fill_dark="#101516",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        background_fill_secondary="transparent",
        background_fill_secondary_dark="transparent",
        input_background_fill="#ffffff",
        input_background_fill_dark="#182021",
        input_border_width="1px",
        input_border_color="#d9e0df",
        input_border_color_dark="#2e3a3b",
        button_primary_background_fill="#0b6e69",
        button_primary_background_fill_hover="#095a56",
        button_primary_background_fill_dark="#12837c",
        button_primary_background_fill_hover_dark="#17958d",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
    )
