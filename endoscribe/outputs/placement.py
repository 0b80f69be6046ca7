"""Where in a note an unfiled sentence belongs: the part of whose fields and rows it has most words."""

from collections import Counter
from collections.abc import Mapping, Sequence

from endoscribe.extraction.record import Record, UnfiledSentence
from endoscribe.extraction.unfiled import telling_words
from endoscribe.procedures.schema import ProcedureSchema

#: What a word counts that the schema gives for a part, beside one that a field of the part happens to have.
ABOUT_VOTES = 3
Placed = Mapping[str | None, Sequence[UnfiledSentence]]


def placed(record: Record, schema: ProcedureSchema, homes: Mapping[str, str]) -> Placed:
    """The unfiled sentences by the part of the note in which their words are at home; None where they tell no part."""
    found: dict[str | None, list[UnfiledSentence]] = {}
    for sentence in record.unfiled:
        found.setdefault(_part_of(sentence.text, schema, homes), []).append(sentence)
    return found


def _part_of(text: str, schema: ProcedureSchema, homes: Mapping[str, str]) -> str | None:
    votes: Counter[str] = Counter()
    for word in telling_words(text):
        about = [name for name, words in schema.narrative_words.items() if word in words]
        parts = {homes[target] for target, names in schema.telling_words.items() if target in homes and word in names}
        for part in about:
            votes[part] += ABOUT_VOTES
        if len(parts) == 1:  # a word of several parts tells none of them
            votes[parts.pop()] += 1
    best = votes.most_common(2)
    return best[0][0] if best and (len(best) == 1 or best[0][1] > best[1][1]) else None
