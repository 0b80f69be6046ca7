"""Mis-heard terms are put right, and ordinary English is left alone."""

from functools import cache

import pytest

from endoscribe.procedures.library import load_schema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.speech.terms.lexicon import Lexicon, is_english
from endoscribe.transcript import Word


@cache
def lexicon(procedure: str) -> Lexicon:
    return Lexicon.of(load_schema(SHIPPED_SCHEMA_DIR / f"{procedure}.yaml"))


def heard(text: str, probability: float | None = 0.4) -> list[Word]:
    return [Word(word, n / 2, (n + 1) / 2, probability) for n, word in enumerate(text.split())]


def repaired(procedure: str, text: str, probability: float | None = 0.4) -> str:
    return " ".join(word.text for word in lexicon(procedure).repair(heard(text, probability)))


@pytest.mark.parametrize(
    ("procedure", "said", "meant"),
    [
        ("col", "The appendisal orphus was seen.", "The appendiceal orifice was seen."),
        ("col", "and the ileosbul valve, too", "and the ileocecal valve, too"),
        ("col", "a pedunculaded polyp", "a pedunculated polyp"),
        ("col", "internal hemeroids.", "internal hemorrhoids."),
        ("egd", "a hyval hernia", "a hiatal hernia"),
        ("egd", "the gastroosophageal junction", "the gastroesophageal junction"),
        ("ercp", "The colangeogram shows", "The cholangiogram shows"),
        ("ercp", "a biliary stincterotomy with the stincterotome", "a biliary sphincterotomy with the sphincterotome"),
        ("ercp", "the chalengeoscopy was easy", "the cholangioscopy was easy"),
        ("ercp", "and endomethousin was given", "and indomethacin was given"),
        ("ercp", "Recalindomethacin was given", "Rectal indomethacin was given"),
        ("egd", "no sign of itchalasia.", "no sign of achalasia."),
        ("eus", "with the echoindoscope", "with the echoendoscope"),
    ],
)
def test_terms_are_put_right(procedure: str, said: str, meant: str) -> None:
    assert repaired(procedure, said) == meant


def test_what_was_heard_is_kept_beside_what_was_meant() -> None:
    words = lexicon("col").repair(heard("the appendisal orphus was"))
    assert [word.heard for word in words] == [None, "appendisal orphus", "appendisal orphus", None]
    assert words[1].start_s == 0.5
    assert words[2].end_s == 1.5
    assert words[1].end_s == words[2].start_s


def test_a_word_that_was_heard_clearly_is_not_doubted() -> None:
    assert repaired("col", "the appendisal orphus", probability=0.99) == "the appendisal orphus"


@pytest.mark.parametrize(
    "said",
    [
        "The patient was cannulated and retroflexed.",
        "We will meet the dentist in Paris at five, she said.",
        "The structure of the building is adequate, or inadequate.",
        "It was hypoechoic, not hyperechoic.",
        "My ileum, your ilium, and the cold call of the clip and the grip.",
        "ANNT and XQZV are acronyms",
        "microcystic, macrocystic, oligocystic, multilocular",
        "ileocolonoscopy and ampullectomy and two endoclips",
        "undilated, uncannulated, decannulated, adenomatous",
        "a cecal sessile polyp. mhm, go on. The biliary structure is normal.",
        "papillotome and papillotomy, afferent and efferent",
        "gastrotomy, duodenotomy, cholecystotomy, avascular, suprapapillary",
    ],
)
@pytest.mark.parametrize("procedure", ["col", "egd", "ercp", "eus"])
def test_english_and_opposites_are_left_alone(procedure: str, said: str) -> None:
    assert repaired(procedure, said, probability=0.1) == said


@pytest.mark.parametrize(
    ("procedure", "said", "meant"),
    [
        ("col", "The colangeogram shows", "The cholangiogram shows"),
        ("col", "a kolangograf shows", "a kolangograf shows"),
        ("ercp", "a kolangograf shows", "a cholangiogram shows"),
    ],
)
def test_a_term_of_another_procedure_has_to_be_likelier(procedure: str, said: str, meant: str) -> None:
    assert repaired(procedure, said) == meant


def test_a_word_that_may_as_well_be_another_of_the_field_is_left_as_it_was_heard() -> None:
    assert repaired("col", "In the recum a polyp was seen.") == "In the recum a polyp was seen."
    assert repaired("col", "In the secum a polyp was seen.") == "In the cecum a polyp was seen."


def test_a_listed_meaning_is_written_as_the_vocabulary_writes_it() -> None:
    assert repaired("col", "the gnet was") == "the JNET was"


def test_nothing_is_added_that_was_not_said() -> None:
    """However near a longer term is."""
    assert len(repaired("egd", "the gastrosophageal").split()) == 2


def test_a_procedure_without_terms_changes_nothing() -> None:
    words = heard("the appendisal orphus")
    assert Lexicon((), {}).repair(words) == tuple(words)


def test_a_second_repair_changes_nothing_more() -> None:
    once = lexicon("col").repair(heard("the appendisal orphus and the ileosbul valve"))
    assert lexicon("col").repair(once) == once


def test_the_dictionary_knows_english() -> None:
    assert all(map(is_english, ("structure", "polyps", "seen", "7", "a")))
    assert not is_english("appendisal")
