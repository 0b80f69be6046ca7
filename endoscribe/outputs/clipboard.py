"""The note for the clipboard: as plain text and as rich text, neither with a sign of Markdown in it.

The note's Markdown is what a schema's template makes of it: headings, lists, bold text; every value in it is neutral.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"\s*(?:[-*+]|(\d+)\.)\s+(.*)")
_BOLD = re.compile(r"(?<!\\)\*\*(.+?)(?<!\\)\*\*")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]#|~.)+=-])")


@dataclass(frozen=True)
class _Line:
    """A heading (of a level), a point of a list (with its sign), or a paragraph."""

    text: str
    level: int = 0
    sign: str | None = None


def plain_note(markdown: str) -> str:
    """The note as text: headings and paragraphs apart, points with their sign."""
    lines = list(_lines(markdown))
    found: list[str] = []
    for line, before in zip(lines, [None, *lines], strict=False):
        is_list = line.sign is not None and before is not None and before.sign is not None
        if before is not None and not is_list and not before.level:
            found.append("")
        found.append(f"{line.sign} {_plain(line.text)}" if line.sign else _plain(line.text))
    return "\n".join(found) + "\n"


def rich_note(markdown: str) -> str:
    """The note as HTML: headings, paragraphs and bold text only, everything else escaped."""
    return "\n".join(map(_element, _lines(markdown)))


def _lines(markdown: str) -> Iterator[_Line]:
    paragraph: list[str] = []
    for line in (*markdown.splitlines(), ""):
        heading, item = _HEADING.match(line), _ITEM.match(line)
        if paragraph and (heading or item or not line.strip()):
            yield _Line(" ".join(paragraph))
            paragraph = []
        if heading:
            yield _Line(heading[2].strip(), level=len(heading[1]))
        elif item:
            yield _Line(item[2].strip(), sign=f"{item[1]}." if item[1] else "-")
        elif line.strip():
            paragraph.append(line.strip())


def _element(line: _Line) -> str:
    html = _BOLD.sub(lambda match: f"<b>{match[1]}</b>", escape(unescape(line.text), quote=False))
    html = _ESCAPED.sub(r"\1", html)
    if line.level:
        return f"<h{line.level}>{html}</h{line.level}>"
    return f"<p>{escape(line.sign.replace('-', '•'))} {html}</p>" if line.sign else f"<p>{html}</p>"


def _plain(text: str) -> str:
    return unescape(_ESCAPED.sub(r"\1", _BOLD.sub(r"\1", text)))
