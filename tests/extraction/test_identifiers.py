"""What is hidden from language models, measured on dictations with planted, invented identifiers."""

import random
from collections.abc import Iterator, Sequence

import pytest

from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.extractor import Answer
from endoscribe.extraction.llm.identifiers import MaskingExtractor, mask
from endoscribe.procedures.library import load_schema
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.research.evaluation import labelled_dictations
from endoscribe.transcript import Transcript
from endoscribe.web.routes.api import MOST_TEXT_CHARS
from tests.support.paths import DATA

CORPUS = DATA / "dictations"
MINI = load_schema(DATA / "schemas" / "mini.yaml")

#: Openings as clinicians dictate them; every word in braces is invented.
OPENINGS = (
    "This is Dr. {Quillmore}, dictating on {Tessa Varnhagen}, a 65-year-old female.",
    "Patient name is {Orrin Blackthistle}, medical record number {4417093}, date of birth {March 3, 1961}.",
    "Mrs. {Ottoline Dray}, MRN {88-20417}, here at {Larkfield General Hospital} for her procedure.",
    "We have {Benno Talvik}, a 71 year old man, NHS number {943 476 5919}.",
    "{Marisol Etxarri} is a 54-year-old woman, born on {the 2nd of May 1971}.",
    (
        "this is doctor {quillmore} and the patient is called {tessa varnhagen} and her date of birth is "
        "{the 1st of january 1970}"
    ),
    (
        "okay so we have mister {talvik} here his hospital number is {seven two nine four four one} we're at "
        "{larkfield infirmary}"
    ),
    "patient's name {orrin blackthistle} mr number {6 6 6 6 6 6} today is the 17th of september 2024",
    "dictated by {ottoline dray} for miss {etxarri} dob {12 04 1958}",
    "This is {benno talvik}, a 71 year old male, record number {5550123}.",
    "The patient was seen at {St. Elsewhere's} and her phone number is {555 0147 220}.",
    "Procedure performed by Prof. {Quillmore} at the {Harrow Vale Medical Center}.",
)
#: Written after the first rules were done, which hid 20 of 25; the rules were then widened.
LATER = (
    "Dictating for {Philippa Underhill}, she's 59 years old, hospital ID {A 771 203}.",
    "This is {Kaspar Lindqvist} dictating a colonoscopy on {Rosamund Achebe}, age 47.",
    "Next patient, {Rosamund Achebe}, female, born {14 February 1978}, chart number {30 55 18}.",
    "Good morning, Doctor {Lindqvist} here, the patient today is {Emrys Pargeter}, 62 year old gentleman.",
    "good morning this is doctor {kaspar lindqvist} from {westmere clinic} the patient name is {emrys pargeter} age 62",
    "my name is {philippa underhill} i am the endoscopist and the record number is {nine one two double four seven}",
    "{Pargeter, Emrys}, DOB {03/07/1963}, account number {0099 1188}. Outpatient colonoscopy.",
    "The patient, {Ms. Achebe}, was referred by Dr. {Yolanda Priddy} of {Fenwick Road Hospital}.",
    "Assisted by nurse {Odalys} and fellow Dr. {Tomasz}, the procedure was done at {the Brackenridge Infirmary}.",
    "Date of birth {twenty third of june nineteen fifty five}, MRN {four four zero one nine}.",
)
#: Written after that, and never used to change the rules.
UNSEEN = (
    "Colonoscopy report for {Harriet Obuya}. Medical record {7 718 203}. She is 66.",
    "Hello, this is {Wendell Krogstad}, gastroenterology, reporting on patient {Isolde Fairweather}.",
    "this is wendell from gastro the patient is mrs {isolde fairweather} d o b {9 11 1949} "
    "mrn is {zero zero three one eight}",
    "I'm Dr. {Krogstad}. Today's patient, {Mr. Obuya}, was transferred from {Millbrook Regional Hospital}.",
    "{Isolde Fairweather}, date of birth {11/9/49}, hospital number {H 40 40 121}.",
    "the patient name is {harriet obuya} she was born on {the ninth of november 1949} and her ssn is {123-45-6789}",
    "Patient: {Obuya, Harriet}. MRN: {0093317}. Attending: {Dr. Krogstad}.",
    "We're at {Saint Brendan's} with {Harriet Obuya}, an 82 year old lady, phone {555 010 4433}.",
)


def planted(openings: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Every opening before the body of a dictation, with the identifiers that it holds."""
    bodies = [text for _, text in labelled_dictations(CORPUS)]
    chosen = random.Random(4).sample(bodies, len(openings))
    for opening, body in zip(openings, chosen, strict=True):
        pieces = opening.replace("}", "{").split("{")
        yield f"{''.join(pieces)} {body}", pieces[1::2]


def hidden_share(openings: Sequence[str]) -> tuple[int, int]:
    """How many of the planted identifiers are nowhere to be read any more, and how many there are."""
    hidden = total = 0
    for text, identifiers in planted(openings):
        masked = mask(text)
        total += len(identifiers)
        hidden += sum(words not in masked.text for words in identifiers)
        assert masked.restored(masked.text) == text
    return hidden, total


def test_the_recall_of_masking_on_planted_identifiers() -> None:
    hidden, total = hidden_share(OPENINGS)
    assert hidden / total >= 0.98
    hidden, total = hidden_share(LATER)
    assert hidden / total >= 0.9
    hidden, total = hidden_share(UNSEEN)
    assert hidden / total >= 0.8


def test_findings_are_not_taken_for_identifiers() -> None:
    touched = 0
    for _, text in labelled_dictations(CORPUS):
        originals = mask(text).originals.values()
        touched += sum(len(words) for words in originals)
        for words in originals:
            assert not {"polyp", "mm", "millimeter", "cyst", "stent", "boston", "duct"} & set(words.lower().split())
    assert touched < 600  # characters in all of the corpus: its own "Dr. ABC" and "test 12"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (
            "Mr. Smithson has a polyp. Smithson's polyp was removed.",
            "Mr. [NAME 1] has a polyp. [NAME 1]'s polyp was removed.",
        ),
        ("The patient is a 65 year old female.", "The patient is a 65 year old female."),
        ("referred from an outside hospital", "referred from an outside hospital"),
        ("the scope was advanced to 120 cm in 12 minutes", "the scope was advanced to 120 cm in 12 minutes"),
        ("Boston three three three total nine", "Boston three three three total nine"),
        ("patient jane roe is a 65 year old woman", "patient [NAME 1] is a 65 year old woman"),
        ("this is jane roe a 65 year old", "this is [NAME 1] a 65 year old"),
        ("DOB 1/2/1960, today is 3 May 2025", "DOB [BIRTH DATE 1], today is 3 May 2025"),
    ],
)
def test_masking(text: str, hidden: str) -> None:
    assert mask(text).text == hidden


TERMS = frozenset({"polyp", "cecum", "screening", "sigmoid", "endoscopic", "ampullectomy", "hill"})


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        # sizes one after another
        ("polyps of two three four five six seven eight millimetres", None),
        ("polyps of two, three, four, five, six, seven, eight and nine mm", None),
        ("There is 1 1 1 1 1 1 7 7 7 millimeter polyp", None),
        ("withdrawal in one two three four five six seven minutes", None),
        ("MRN 4 4 1 7 0 9 3 5 mm polyp", "MRN [NUMBER 1] 5 mm polyp"),
        ("mrn two three four five millimetres", "mrn [NUMBER 1] five millimetres"),
        ("five five five zero one four seven two two six minutes", "[NUMBER 1] six minutes"),
        ("five five five zero one four seven", "[NUMBER 1]"),
        # words of the field after a name, and where no name is
        ("doctor quillmore polyp in the sigmoid", "doctor [NAME 1] polyp in the sigmoid"),
        ("mister smith cecum reached", "mister [NAME 1] cecum reached"),
        ("here for endoscopic ampullectomy, a 65 year old", None),
        ("Mrs. Jane Hill has a polyp", "Mrs. [NAME 1] has a polyp"),
        ("doctor hill has found a polyp", "doctor [NAME 1] has found a polyp"),
        # the surname first
        ("Name: ROE, JANE. Screening colonoscopy.", "Name: [NAME 1]. Screening colonoscopy."),
        ("patient's name: Roe, Jane, MRN 5550123", "patient's name: [NAME 1], MRN [NUMBER 1]"),
        ("Name is Roe, Screening colonoscopy.", "Name is [NAME 1], Screening colonoscopy."),
    ],
)
def test_masking_among_words_of_the_field(text: str, hidden: str | None) -> None:
    assert mask(text, TERMS).text == (hidden or text)


@pytest.mark.parametrize("piece", ["a-", "Dr. ", "1", "x y z w hospital ", "one ", "born january ", "Jane Roe "])
def test_no_text_makes_masking_slow(piece: str) -> None:
    """As much as is taken at once; a search that starts anew at each letter would outlast the test's limit."""
    assert mask(piece * (MOST_TEXT_CHARS // len(piece)), TERMS)


class Overhearing:
    """Claims what it was shown to have read, and keeps it."""

    name = "overhearing"

    def __init__(self) -> None:
        self.saw = ""

    def probe(self) -> str | None:
        return None

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        self.saw = transcript.text
        claims = (Claim("indication", f"seen as {transcript.text}", transcript.text),)
        if on_claims:
            on_claims(claims)
        return Answer(claims)


def test_a_masked_reader_sees_placeholders_and_its_quotes_get_the_words_back() -> None:
    inner = Overhearing()
    seen: list[tuple[Claim, ...]] = []
    text = "Mrs. Varnhagen, record number 4417093, has pain."
    answer = MaskingExtractor(inner).read(Transcript(text), MINI, seen.append)
    assert "Varnhagen" not in inner.saw
    assert "4417093" not in inner.saw
    assert answer == Answer((Claim("indication", f"seen as {text}", text),))
    assert seen == [answer.claims]
