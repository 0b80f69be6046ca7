"""What the words say to a value: a rule shows that it follows, nothing speaks against it, or they say another."""

from dataclasses import dataclass

from endoscribe.extraction.record import Support


@dataclass(frozen=True, slots=True)
class Judgement:
    """`problem` says in a sentence what speaks against a contradicted value."""

    support: Support
    problem: str | None = None
    #: Whether the words were found to speak of something else: that asking a reader again would hardly settle.
    is_of_another: bool = False

    @property
    def is_contradicted(self) -> bool:
        return self.support == "contradicted"


CONFIRMED = Judgement("confirmed")
#: The silence of a rule: the words are there, and nobody has checked what they mean.
PLAUSIBLE = Judgement("plausible")
_RANKS = ("confirmed", "plausible", "contradicted")


def contradicted(problem: str, *, is_of_another: bool = False) -> Judgement:
    return Judgement("contradicted", problem, is_of_another)


def better(one: Judgement, other: Judgement) -> Judgement:
    """The one that speaks more for the value; the first of two alike."""
    return min(one, other, key=lambda judgement: _RANKS.index(judgement.support))
