"""Advice that depends on findings, some of which are not known yet: an interval, or all that may still hold."""

from dataclasses import dataclass
from math import inf

from endoscribe.procedures.expressions import Stated, expression
from endoscribe.procedures.mentions import Mentions
from endoscribe.procedures.schema import Advice, AdviceRow


@dataclass(frozen=True)
class Advised:
    """The rows of an advice's table that hold or may hold; `decided` when nothing is open any more."""

    label: str
    unit: str
    rows: tuple[AdviceRow, ...]
    decided: bool

    @property
    def sentence(self) -> str:
        """What to tell: one interval with its finding, or each that may hold."""
        if self.decided:
            row = self.rows[0]
            return f"{self.label}: {_told(row, self.unit)} ({row.finding})."
        findings: dict[str, list[str]] = {}
        for row in self.rows:
            findings.setdefault(_told(row, self.unit), []).append(row.finding)
        options = "; ".join(f"{told} if {', or '.join(if_)}" for told, if_ in findings.items())
        return f"{self.label} depends on what is not known yet: {options}. The shortest that applies counts."

    def allows(self, interval: float) -> bool:
        """Whether an interval lies within one of the rows."""
        return any(row.interval and row.interval[0] <= interval <= row.interval[1] for row in self.rows)


def advise(advice: Advice, stated: Stated) -> Advised | None:
    """The rows that apply, shortest first; None when the table is not meant for this report or none of it applies.

    A row whose condition is not known may still hold. Once every row is decided, only the shortest that holds is left.
    """
    if not _is_meant(advice, stated) or excluded(advice, stated):
        return None
    verdicts = [(row, expression(row.when).evaluate(stated).value) for row in advice.rows.values()]
    possible = sorted((row for row, holds in verdicts if holds is not False), key=_length)
    decided = all(holds is not None for _, holds in verdicts)
    if not possible:
        return None
    return Advised(advice.label, advice.unit, tuple(possible[:1] if decided else possible), decided)


def excluded(advice: Advice, stated: Stated) -> str | None:
    """Which of the stated values takes the report out of a table that would be meant for it, in words."""
    if not advice.rows or not _is_meant(advice, stated):
        return None
    reasons = (why for why, when in advice.not_when.items() if expression(when).evaluate(stated).value is True)
    return next(reasons, None)


def _is_meant(advice: Advice, stated: Stated) -> bool:
    return expression(advice.when).evaluate(stated).value is True


def _length(row: AdviceRow) -> tuple[float, float]:
    return row.interval or (inf, inf)


def _told(row: AdviceRow, unit: str) -> str:
    """ "3 to 6 months, then 12 months later", or what is told instead of an interval."""
    first = interval_text(row.interval, unit) if row.interval else row.instead or ""
    return f"{first}, then {row.then}" if row.then else first


def mentioned(advice: Advice, stated: Stated) -> str | None:
    """Why no interval may be told: words that speak against it, wherever they were said."""
    excluding = Mentions(stated.spoken).first(advice.not_with, aside=advice.only_with)
    if excluding is None:
        return None
    when = "" if excluding.start_s is None else f" at {_clock(excluding.start_s)}"
    return f"{advice.label}: not given, since “{excluding.text}” is mentioned{when}."


def withheld(advice: Advice, stated: Stated) -> str | None:
    """Why no interval may be told: something said speaks against it, or nothing says that the table applies."""
    if against := mentioned(advice, stated):
        return against
    entered = bool(advice.entered) and expression(advice.entered or "").evaluate(stated).value is True
    if not (advice.only_with or advice.entered) or entered or Mentions(stated.spoken).first(advice.only_with):
        return None
    return f"{advice.label}: not given, since {advice.lacking}."


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def interval_text(interval: tuple[float, float], unit: str) -> str:
    """`(84, 120)` months are "7 to 10 years", `(0, 12)` "within 1 year": whole years are told as years."""
    shortest, longest = interval
    if shortest == 0 < longest:
        return f"within {interval_text((longest, longest), unit)}"
    if unit == "months" and shortest % 12 == 0 and longest % 12 == 0 and longest:
        shortest, longest, unit = shortest / 12, longest / 12, "years"
    word = unit.removesuffix("s") if shortest == longest == 1 else unit
    return f"{shortest:g} {word}" if shortest == longest else f"{shortest:g} to {longest:g} {word}"
