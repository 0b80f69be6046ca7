"""Gradio's Blocks, where Gradio itself would leave a program without a sentence or without JSON."""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.exceptions import InvalidPathError

if TYPE_CHECKING:
    from gradio.mcp import GradioMCPServer

NOT_UPLOADED = "Send the file itself: this is not a file that was uploaded here."


class SpokenBlocks(gr.Blocks):
    """Blocks that say why a path was refused; Gradio tells the reason only where it tells every error's text."""

    async def preprocess_data(self, *arguments: Any, **options: Any) -> list[Any]:
        try:
            values: list[Any] = await super().preprocess_data(*arguments, **options)
        except InvalidPathError as error:
            raise gr.Error(NOT_UPLOADED, print_exception=False) from error
        return values


def answer_in_json(server: "GradioMCPServer") -> None:
    """Let the MCP server's answers be JSON; Gradio writes a dict as Python does."""
    own = server.postprocess_output_data
    server.postprocess_output_data = partial(_with_json, own)  # type: ignore[method-assign]


def _with_json(own: Any, data: Any, root_url: str) -> Any:
    texts = [json.dumps(each, ensure_ascii=False) if isinstance(each, dict | list) else each for each in data]
    return own(texts, root_url)
