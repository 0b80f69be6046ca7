"""An evaluation as one HTML page: the figures, and each mistake beside the transcript that it was made in.

Self-contained, and everything that was dictated or claimed is escaped.
"""

from collections.abc import Iterable, Sequence
from html import escape

from endoscribe.extraction.claims import Value
from endoscribe.research.evaluation import ALL, Evaluation, LabelledDictation, Mistake, Tally

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #1d2530; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; } caption { text-align: left; font-weight: 600; }
th, td { text-align: left; padding: 0.15rem 0.8rem 0.15rem 0; border-bottom: 1px solid #d9dee5; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
section { display: grid; grid-template-columns: minmax(20rem, 1fr) minmax(20rem, 1fr); gap: 2rem; margin: 2rem 0; }
section h3 { grid-column: 1 / -1; margin: 0; border-top: 2px solid #1d2530; padding-top: 0.5rem; }
@media (max-width: 50rem) { section { grid-template-columns: 1fr; } }
mark { background: #ffe9a8; } mark sup { font-size: 0.7rem; font-weight: 600; }
.invented, .wrong { color: #a3231c; } .missed { color: #8a5a00; } .why { color: #5b6675; }
"""


def evaluation_page(evaluation: Evaluation, extractor: str) -> str:
    """The whole page."""
    with_mistakes = [dictation for dictation in evaluation.scored if dictation.mistakes]
    parts = (
        _figures(evaluation),
        _statuses(evaluation),
        _fields(evaluation),
        "<h2>Mistakes</h2>" if with_mistakes else "<p>No mistakes.</p>",
        *map(_dictation, with_mistakes),
    )
    title = f"EndoScribe: {extractor} on {evaluation.dictations} dictations"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr><th>{escape(row[0])}</th>{''.join(f'<td class=n>{escape(cell)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _numbers(tally: Tally) -> tuple[str, ...]:
    figures = (tally.precision, tally.recall, tally.f1, tally.false_value_rate)
    return (*(f"{figure:.3f}" for figure in figures), str(tally.stated), str(tally.silent))


_HEADS = ("", "precision", "recall", "F1", "false-value rate", "stated", "silent")


def _figures(evaluation: Evaluation) -> str:
    rows = [
        (f"{name} {kind}", *_numbers(tally))
        for kind, tallies in evaluation.tallies.items()
        for name, tally in sorted(tallies.items(), key=lambda item: (item[0] == ALL, item[0]))
    ]
    return _table(f"Overall F1 {evaluation.overall_f1:.3f}", _HEADS, rows)


def _statuses(evaluation: Evaluation) -> str:
    rows = [
        (name, str(count.claimed), str(count.right), str(count.wrong), str(count.false_values))
        for name, count in sorted(evaluation.by_status.items())
    ]
    return _table("By the status that verification gave", ("", "claimed", "right", "wrong", "never stated"), rows)


def _fields(evaluation: Evaluation) -> str:
    worst_first = sorted(evaluation.by_field.items(), key=lambda item: item[1].f1)
    rows = [(name, *_numbers(tally)) for name, tally in worst_first]
    table = _table("By field, worst first", _HEADS, rows)
    return f"<details><summary>Each field</summary>{table}</details>"


def _dictation(dictation: LabelledDictation) -> str:
    items = "".join(_mistake(number, mistake) for number, mistake in enumerate(dictation.mistakes, start=1))
    heads = "".join(f"<th>{head}</th>" for head in ("", "field", "labelled", "claimed", ""))
    return (
        f"<section><h3>{escape(dictation.procedure)} / {escape(dictation.id)}</h3>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{items}</tbody></table><p>{_marked(dictation)}</p></section>"
    )


def _mistake(number: int, mistake: Mistake) -> str:
    where = mistake.target + ("" if mistake.row is None else f" ({mistake.row + 1})")
    why = (mistake.cell.problem or "") if mistake.cell else ""
    return (
        f"<tr><td>{number}</td><td>{escape(where)}</td><td>{escape(_shown(mistake.labelled))}</td>"
        f'<td class="{mistake.kind}">{escape(_shown(mistake.claimed))}</td>'
        f'<td class="why">{mistake.kind} {escape(why)}</td></tr>'
    )


def _shown(value: Value | None) -> str:
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _marked(dictation: LabelledDictation) -> str:
    """The transcript with the words that the mistaken values rest on, each with its mistake's number."""
    spans = sorted(
        (mistake.cell.evidence.start, mistake.cell.evidence.end, number)
        for number, mistake in enumerate(dictation.mistakes, start=1)
        if mistake.cell and mistake.cell.evidence
    )
    html, position = "", 0
    for start, end, number in spans:
        begin = max(start, position)
        if begin < end:
            html += f"{escape(dictation.text[position:begin])}<mark>{escape(dictation.text[begin:end])}"
            html += f"<sup>{number}</sup></mark>"
            position = end
    return html + escape(dictation.text[position:])
