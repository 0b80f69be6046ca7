"""How long verification takes for a long dictation: `python -m benchmarks.verification FOLDER`.

FOLDER holds labelled dictations with a reader's answer beside each, as for `endoscribe evaluate FOLDER --answers`.
Those of one procedure are joined until they have the words of ten minutes of speech; then all their claims are
verified. CPU time of this process: the first time, with nothing known of these words, and the least of several.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from endoscribe.extraction.claims import Claim
from endoscribe.extraction.verification.grounding import verify
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.research.answers import CLAIMED, answered_dictations
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

#: What is spoken in ten minutes.
WORDS = 1500
REPEATS = 5


def joined(dictations: Sequence[tuple[str, Sequence[Claim]]], words: int) -> tuple[str, list[Claim]]:
    """One dictation out of several, taken again from the first until there are enough words; each brings its rows."""
    texts: list[str] = []
    claims: list[Claim] = []
    while sum(len(text.split()) for text in texts) < words:
        text, answered = dictations[len(texts) % len(dictations)]
        rows = 1 + max((claim.row for claim in claims if claim.row is not None), default=-1)
        claims += [claim if claim.row is None else replace(claim, row=rows + claim.row) for claim in answered]
        texts.append(text.strip())
    return "\n\n".join(texts), claims


def cpu_ms(text: str, claims: Sequence[Claim], schema: ProcedureSchema) -> float:
    started = time.process_time()
    verify(claims, Transcript(text), schema, CLAIMED)
    return 1000 * (time.process_time() - started)


def by_procedure(folder: Path, schemas: SchemaLibrary) -> Iterator[tuple[str, list[tuple[str, Sequence[Claim]]]]]:
    found = sorted(
        ((labels["procedure"], text, claims) for labels, text, claims in answered_dictations(folder, schemas)),
        key=lambda each: each[0],
    )
    for procedure, group in groupby(found, key=lambda each: each[0]):
        yield procedure, [(text, claims) for _, text, claims in group]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--words", type=int, default=WORDS)
    options = parser.parse_args()
    schemas = SchemaLibrary(SHIPPED_SCHEMA_DIR)
    for procedure, dictations in by_procedure(options.folder, schemas):
        text, claims = joined(dictations, options.words)
        first, *others = (cpu_ms(text, claims, schemas.get(procedure)) for _ in range(1 + REPEATS))
        row = {
            "procedure": procedure,
            "words": len(text.split()),
            "claims": len(claims),
            "first_cpu_ms": round(first),
            "cpu_ms": round(min(others)),
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
