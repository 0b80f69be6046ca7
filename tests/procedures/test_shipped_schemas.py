import re
from typing import Any

import pytest
import yaml

from endoscribe.extraction.llm.instructions import PLAIN_WORDS
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.reading.cues import _spoken_values
from endoscribe.extraction.reading.tokens import TokenizedTranscript
from endoscribe.extraction.verification.values import ValueFitError, typed_value
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.repairs import Repairs
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript
from tests.support.paths import ROOT

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
#: What a folder of labelled dictations beside the project fixes: ids, types, units and values.
CONTRACT = ROOT.parent / "shared" / "eval" / "contract.yaml"


def contract() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    return content


def test_the_four_procedures() -> None:
    titles = {schema.id: schema.title for schema in LIBRARY}
    assert titles == {"col": "Colonoscopy", "egd": "EGD", "ercp": "ERCP", "eus": "EUS"}


@pytest.mark.parametrize("schema", list(LIBRARY), ids=lambda schema: schema.id)
def test_every_field_can_be_explained_and_recognised(schema: ProcedureSchema) -> None:
    for target, field in schema.targets():
        assert field.label, target
        assert field.guide, target
    assert len(schema.vocabulary) >= 20


@pytest.mark.skipif(not CONTRACT.is_file(), reason="the contract is not here")
@pytest.mark.parametrize("schema", list(LIBRARY), ids=lambda schema: schema.id)
def test_contract(schema: ProcedureSchema) -> None:
    wanted = contract()
    fields = {**wanted["shared"], **wanted[schema.id]}
    tables = fields.pop("tables")
    for name, terms in fields.items():
        assert_conforms(schema.fields[name], terms)
    for table, columns in tables.items():
        for name, terms in columns.items():
            assert_conforms(schema.tables[table].columns[name], terms)


def assert_conforms(field: FieldSchema, terms: dict[str, Any]) -> None:
    assert field.type == terms["type"], field.id
    assert list(field.values) == [str(value) for value in terms.get("values", [])], field.id
    if "unit" in terms:
        assert field.unit == terms["unit"], field.id
    if "range" in terms:
        assert field.range == tuple(terms["range"]), field.id


def plain(form: str) -> bool:
    """Whether a way of saying a value is words alone, and no pattern."""
    return PLAIN_WORDS.fullmatch(form) is not None


SAID = [
    (schema, target, value, form)
    for schema in LIBRARY
    for target, field in schema.targets()
    for value, term in field.values.items()
    for form in (value, *filter(plain, (*term.spoken, *term.misheard)))
]


def test_every_way_of_saying_a_value_leads_back_to_it() -> None:
    wrong = []
    for schema, target, value, form in SAID:
        field = schema.target_index[target]
        try:
            found = typed_value((form,) if field.type == "multi" else form, field)
        except ValueFitError as error:
            found = str(error)
        if found not in (value, (value,)):
            wrong.append(f"{schema.id} {target}: {form!r} is {found!r}, not {value!r}")
    assert not wrong, "\n".join(wrong)
    assert len(SAID) > 2000


@pytest.mark.parametrize("schema", list(LIBRARY), ids=lambda schema: schema.id)
def test_words_that_mean_anything_are_no_value_by_themselves(schema: ProcedureSchema) -> None:
    """ "other", "none" and "unknown" are said at every turn: no reader may take them for a field's value."""
    claims = OfflineExtractor().read(Transcript("The other one, yes. None. Unknown, no, normal."), schema).claims
    assert not [claim for claim in claims if schema.target_index[claim.target].values]


#: What is to be complete in a report of each kind, besides what the labelled dictations fix.
CLASSIFICATIONS = {
    "col": {
        "polyps.paris": "0-Ip 0-Isp 0-Is 0-IIa 0-IIb 0-IIc 0-III 0-IIa+Is 0-IIa+IIc",
        "polyps.lst": "G-H G-NM NG-F NG-PD",
        "polyps.nice": "1 2 3", "polyps.jnet": "1 2A 2B 3", "polyps.kudo": "I II II-O IIIS IIIL IV V VI VN",
        "polyps.wasp": "hyperplastic adenoma ssl", "polyps.smsa_level": "1 2 3 4", "polyps.haggitt": "0 1 2 3 4",
        "polyps.kikuchi": "sm1 sm2 sm3", "polyps.deep_mural_injury": "0 I II III IV V", "mayo_score": "0 1 2 3",
        "rutgeerts": "i0 i1 i2 i2a i2b i3 i4", "montreal_extent": "E1 E2 E3", "dica": "1 2 3",
        "hemorrhoid_findings.grade": "I II III IV", "comfort_score": "1 2 3 4 5",
        "aronchick": "excellent good fair poor inadequate",
    },
    "egd": {
        "la_grade": "A B C D", "hill_grade": "I II III IV", "zargar": "0 1 2a 2b 3a 3b 4",
        "forrest": "Ia Ib IIa IIb IIc III", "varix_findings.site": "esophageal gov1 gov2 igv1 igv2 duodenal",
        "varix_findings.f_grade": "F1 F2 F3", "portal_gastropathy": "none mild severe",
        "gave": "watermelon diffuse nodular", "siewert": "I II III", "ipcl": "A B1 B2 B3", "ava": "small middle large",
        "bing": "regular irregular", "kimura_takemoto": "C-1 C-2 C-3 O-1 O-2 O-3", "olga": "0 I II III IV",
        "olgim": "0 I II III IV", "borrmann": "0 I II III IV V", "spigelman": "0 I II III IV", "candida": "1 2 3 4",
    },
    "ercp": {
        "asge_grade": "1 2 3 4", "house_grade": "1 2 3", "bismuth": "I II IIIa IIIb IV",
        "strasberg": "A B C D E1 E2 E3 E4 E5", "cambridge": "normal equivocal mild moderate marked",
        "papilla_type": "1 2 3 4", "cholangitis_severity": "none I II III", "todani": "Ia Ib Ic II III IVa IVb V",
        "mirizzi": "I II III IV V", "pep_severity": "mild moderate severe", "sod_type": "1 2 3",
        "cholangioscopy_class": "benign indeterminate neoplastic",
    },
    "eus": {
        "rosemont": "normal indeterminate suggestive consistent", "giovannini": "1 2 3 4 5",
        "lesions.wall_layer": "1 2 3 4 5 extramural", "sampling.gauge": "19 20 22 25", "n_stage": "N0 N1 N2 N3",
        "vessel_contacts.relation": "free abut up_to_180 over_180 encased occluded thrombus",
        "who_cytology": "insufficient benign atypical pan_low pan_high suspicious malignant",
    },
}  # fmt: skip
TABLES = {
    "col": "polyps masses strictures vascular_lesions diverticula hemorrhoid_findings ibd_segments anastomoses "
    "colonic_stents",
    "egd": "lesions ulcers varix_findings strictures foreign_bodies caustic_injury biopsies therapies",
    "ercp": "stones strictures leaks sphincterotomies dilations stone_therapy stents_in stents_out sampling ablations",
    "eus": "structures lesions nodes luminal_tumours sampling drainages eus_anastomoses other_therapies "
    "vessel_contacts",
}
SHARED_TABLES = "antithrombotics sedation_drugs biopsies therapeutics specimens adverse_events"


@pytest.mark.parametrize("schema", list(LIBRARY), ids=lambda schema: schema.id)
def test_tables_and_classifications_are_complete(schema: ProcedureSchema) -> None:
    for target, values in CLASSIFICATIONS[schema.id].items():
        assert list(schema.target_index[target].values) == values.split(), target
    assert {*TABLES[schema.id].split(), *SHARED_TABLES.split()} <= schema.tables.keys()


def test_what_is_from_general_knowledge_is_marked_as_not_verified() -> None:
    for schema in LIBRARY:
        for tag, reference in schema.references.items():
            assert reference.verified is tag.startswith("V:"), f"{schema.id} {tag}"


def one_form(phrase: str) -> str:
    """A sentence that a phrase matches: first choices, nothing that may be missing."""
    words = re.sub(r"\([^)]*\)|\.\.\.", " ", phrase).replace("<measure>", "5 mm").replace("<number>", "5")
    return " ".join(word.split("|")[0].rstrip("*").replace("_", " ") for word in words.split())


@pytest.mark.parametrize("schema", list(LIBRARY), ids=lambda schema: schema.id)
def test_what_is_said_for_one_value_is_heard_for_no_other(schema: ProcedureSchema) -> None:
    nothing = Repairs({}, (), ())
    wrong = []
    for target, field in schema.targets():
        spoken = _spoken_values(field) if field.cues else {}
        for value, phrases in spoken.items():
            for phrase in phrases:
                reading = TokenizedTranscript(one_form(phrase), nothing)
                found = [(match, other) for other, forms in spoken.items() for match in reading.find(forms)]
                longest = max((match.after - match.first for match, _ in found), default=0)
                heard = [other for match, other in found if match.after - match.first == longest]
                if heard[-1:] != [value]:  # of two that are equally long the later one in the list counts
                    wrong.append(f"{target}: {one_form(phrase)!r} is heard as {heard}, not {value}")
    assert not wrong, "\n".join(wrong)


def test_what_the_table_of_standards_names_is_there() -> None:
    text = (ROOT / "docs" / "SCHEMAS.md").read_text(encoding="utf-8")
    part = text.partition("## Which standards")[2].partition("### What the rules rest on")[0]
    sections = {"Colonoscopy": "col", "EGD": "egd", "ERCP": "ercp", "EUS": "eus"}
    for title, rest in re.findall(r"### (\w+)\n(.*?)(?=\n### |\Z)", part, re.DOTALL):
        schema = LIBRARY.get(sections.pop(title))
        named = set(re.findall(r"`([a-z0-9_.]+)`", rest))
        assert len(named) > 15
        assert named <= schema.target_index.keys() | schema.tables.keys(), title
    assert not sections
