"""The documents of the project, and the commands that they show."""

import re

from tests.support.paths import ROOT

DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "deploy/*.md", "benchmarks/*.md") for path in ROOT.glob(pattern)
)


def shown() -> list[tuple[str, str]]:
    """Every line for a shell, with its document: in blocks marked `sh`, indented, or within a sentence."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        blocks = re.findall(r"(?ms)^```sh\n(.*?)^```", text)
        blocks += re.findall(r"(?m)^ {4}((?:python|make|docker|fly) .*)$", text)
        sentences = re.findall(r"`((?:[A-Z_]+=\S+ )*(?:python|make|docker|fly) [^`|]+)`", text)
        blocks += [each for each in sentences if not re.fullmatch(r"python -m endoscribe [a-z ]+", each)]  # a mere name
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        found += [(path.name, line.strip()) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return found
