"""HTML from templates: the only place in which a text becomes markup.

Whatever a template is given is escaped where it is put in, and a name that it was not given is an error. A macro's HTML
passes between templates; no HTML comes from anywhere else.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

#: Beside a tag, an expression or a statement a line break is for whoever reads the template, elsewhere it is a space.
_BESIDE_MARKUP = re.compile(r"(?<=>)\s*\n\s*|\s*\n\s*(?=<)|\A\s*\n\s*|\s*\n\s*\Z")
_WITHIN_TEXT = re.compile(r"\s*\n\s*")


class _Lines(Extension):
    """Lets templates be broken and indented without a byte of it in the page."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for token in stream:
            if token.type == "data":
                text = _WITHIN_TEXT.sub(" ", _BESIDE_MARKUP.sub("", token.value))
                yield Token(token.lineno, token.type, text)
            else:
                yield token


#: Each template is compiled once, when it is first used.
ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    extensions=[_Lines],
    auto_reload=False,
    cache_size=-1,
)


def render(name: str, /, **values: object) -> str:
    """The template of this name, filled in."""
    return ENVIRONMENT.get_template(name).render(values)
