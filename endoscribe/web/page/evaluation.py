"""An evaluation as one HTML page: the figures, and each mistake beside the transcript that it was made in.

Self-contained: it is a file of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from endoscribe.extraction.claims import Value
from endoscribe.research.evaluation import ALL, Evaluation, LabelledDictation, Mistake, Tally
from endoscribe.web.templates import render


@dataclass(frozen=True, slots=True)
class TableView:
    """A table of figures; a row begins with its name."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class MistakeView:
    """A mistake in words."""

    where: str
    labelled: str
    claimed: str
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class PieceView:
    """A piece of a transcript, with the number of the mistake whose value rests on it."""

    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class DictationView:
    """A dictation with mistakes."""

    procedure: str
    id: str
    mistakes: tuple[MistakeView, ...]
    pieces: tuple[PieceView, ...]


def evaluation_page(evaluation: Evaluation, extractor: str) -> str:
    """The whole page."""
    html = render(
        "evaluation.html",
        title=f"EndoScribe: {extractor} on {evaluation.dictations} dictations",
        figures=_figures(evaluation),
        statuses=_statuses(evaluation),
        fields=_fields(evaluation),
        dictations=[_dictation(dictation) for dictation in evaluation.scored if dictation.mistakes],
    )
    return f"{html}\n"


def _numbers(tally: Tally) -> tuple[str, ...]:
    figures = (tally.precision, tally.recall, tally.f1, tally.false_value_rate)
    return (*(f"{figure:.3f}" for figure in figures), str(tally.stated), str(tally.silent))


_HEADS = ("", "precision", "recall", "F1", "false-value rate", "stated", "silent")


def _figures(evaluation: Evaluation) -> TableView:
    rows = (
        (f"{name} {kind}", *_numbers(tally))
        for kind, tallies in evaluation.tallies.items()
        for name, tally in sorted(tallies.items(), key=lambda item: (item[0] == ALL, item[0]))
    )
    return TableView(f"Overall F1 {evaluation.overall_f1:.3f}", _HEADS, tuple(rows))


def _statuses(evaluation: Evaluation) -> TableView:
    rows = (
        (name, str(count.claimed), str(count.right), str(count.wrong), str(count.false_values))
        for name, count in sorted(evaluation.by_status.items())
    )
    heads = ("", "claimed", "right", "wrong", "never stated")
    return TableView("By the status that verification gave", heads, tuple(rows))


def _fields(evaluation: Evaluation) -> TableView:
    worst_first = sorted(evaluation.by_field.items(), key=lambda item: item[1].f1)
    return TableView("By field, worst first", _HEADS, tuple((name, *_numbers(tally)) for name, tally in worst_first))


def _dictation(dictation: LabelledDictation) -> DictationView:
    mistakes = tuple(map(_mistake, dictation.mistakes))
    return DictationView(dictation.procedure, dictation.id, mistakes, tuple(_pieces(dictation)))


def _mistake(mistake: Mistake) -> MistakeView:
    where = mistake.target + ("" if mistake.row is None else f" ({mistake.row + 1})")
    why = (mistake.cell.problem or "") if mistake.cell else ""
    return MistakeView(where, _shown(mistake.labelled), _shown(mistake.claimed), mistake.kind, why)


def _shown(value: Value | None) -> str:
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _pieces(dictation: LabelledDictation) -> Iterator[PieceView]:
    """The transcript, apart in it the words that the mistaken values rest on, each with its mistake's number."""
    spans = sorted(
        (mistake.cell.evidence.start, mistake.cell.evidence.end, number)
        for number, mistake in enumerate(dictation.mistakes, start=1)
        if mistake.cell and mistake.cell.evidence
    )
    position = 0
    for start, end, number in spans:
        begin = max(start, position)
        if begin < end:
            yield PieceView(dictation.text[position:begin])
            yield PieceView(dictation.text[begin:end], number)
            position = end
    yield PieceView(dictation.text[position:])
