"""`models`: the weights of speech recognition."""

from typing import Annotated

import typer

from endoscribe.cli.options import read_settings
from endoscribe.cli.output import say

app = typer.Typer()


@app.command()
def fetch(name: Annotated[str, typer.Argument(help="a Whisper model, or alignment-en")]) -> None:
    """Fetch and verify weights."""
    from endoscribe.speech.weights import ALIGNERS, obtain_aligner, obtain_weights

    settings = read_settings()
    for language, model in ALIGNERS.items():
        if name == model.name:
            say(str(obtain_aligner(language, settings.models_dir)))
            return
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    say(str(obtain_weights(name, settings.models_dir, token)))
