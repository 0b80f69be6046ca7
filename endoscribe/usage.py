"""What reading a dictation with a language model took: tokens, and about what they cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    fresh: float
    written_to_cache: float
    cached: float
    answered: float


#: List prices by the beginning of a model's name, as published in November 2026 at
#: platform.claude.com/docs/en/about-claude/pricing; Haiku's for prompts of at most 100,000 tokens. Cloud platforms and
#: servers on site set their own, so that a cost is only told for Anthropic's own API.
PRICES = {
    "claude-sonnet-5-5": Price(2.0, 2.5, 0.1, 10.0),
    "claude-haiku-5-5": Price(0.1, 0.125, 0.01, 0.5),
    "claude-opus-5-5": Price(4.0, 5.0, 0.2, 20.0),
}
PER_TOKENS = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more requests: `fresh` ones in, `cached` ones in, those `written_to_cache`, and those out."""

    fresh: int = 0
    cached: int = 0
    written_to_cache: int = 0
    answered: int = 0
    requests: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.fresh + other.fresh,
            self.cached + other.cached,
            self.written_to_cache + other.written_to_cache,
            self.answered + other.answered,
            self.requests + other.requests,
        )

    def cost_usd(self, model: str) -> float | None:
        """About what it cost at list prices; None for a model whose price is not known here."""
        price = next((price for name, price in PRICES.items() if model.startswith(name)), None)
        if price is None:
            return None
        dollars = self.fresh * price.fresh + self.cached * price.cached
        dollars += self.written_to_cache * price.written_to_cache + self.answered * price.answered
        return dollars / PER_TOKENS


@dataclass(frozen=True, slots=True)
class Bill:
    """The usage of one report; `cost_usd` is None where no list price applies."""

    usage: Usage
    cost_usd: float | None = None

    def sentence(self) -> str:
        """For the foot of a report: "2 requests, 3,120 tokens in (2,900 from the cache), 512 out, about $0.0065"."""
        used = self.usage
        total = used.fresh + used.cached + used.written_to_cache
        cost = "" if self.cost_usd is None else f", about ${self.cost_usd:.4f}"
        requests = f"{used.requests} request{'' if used.requests == 1 else 's'}"
        return f"{requests}, {total:,} tokens in ({used.cached:,} from the cache), {used.answered:,} out{cost}"
