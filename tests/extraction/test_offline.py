"""The offline reader, phenomenon by phenomenon, on the shipped schemas."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript
from tests.support.paths import DATA

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
CORPUS = DATA / "dictations"


def read(procedure: str, text: str) -> dict[str, Any]:
    """Fields by id, and rows by table, as plain values."""
    found: dict[str, Any] = {}
    for claim in OfflineExtractor().read(Transcript(text), LIBRARY.get(procedure)).claims:
        if claim.row is None:
            found[claim.target] = claim.value
            continue
        table, column = claim.target.split(".")
        rows = found.setdefault(table, [])
        while len(rows) <= claim.row:
            rows.append({})
        rows[claim.row][column] = claim.value
    return found


def polyps(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read("col", text).get("polyps", [])
    return rows


class TestNegation:
    @pytest.mark.parametrize(
        "said",
        [
            "There were no hemorrhoids.",
            "No diverticula or hemorrhoids were seen.",
            "I can't see any diverticula or hemorrhoids here.",
            "Hemorrhoids were not seen.",
            "The rectum was without polyps, masses or hemorrhoids.",
        ],
    )
    def test_denied(self, said: str) -> None:
        assert read("col", said)["hemorrhoids"] is False

    @pytest.mark.parametrize(
        "said",
        [
            "No polyps were found, there were hemorrhoids.",
            "no polyps but small hemorrhoids",
            "There were no diverticula and the hemorrhoids were small.",
            "there is no diverticulosis hemorrhoids were seen",
        ],
    )
    def test_scope_ends(self, said: str) -> None:
        assert read("col", said)["hemorrhoids"] is True

    def test_retroflexion_was_done_when_nothing_was_seen_in_it(self) -> None:
        assert read("col", "No pathology was seen on retroflexion.")["retroflexion_rectum"] is True
        assert read("col", "Retroflexion was not performed.")["retroflexion_rectum"] is False

    def test_a_denied_success_is_a_failure(self) -> None:
        found = read("ercp", "We could not cannulate the bile duct despite multiple attempts.")
        assert found["cannulation_bile"] == "failed"

    def test_what_is_only_possible_is_no_row(self) -> None:
        assert polyps("There is a possible polyp in the rectum.") == []

    def test_silence_is_not_no(self) -> None:
        assert "hemorrhoids" not in read("col", "The cecum was reached and the prep was good.")


class TestTime:
    def test_last_colonoscopy_is_history(self) -> None:
        assert polyps("His last colonoscopy showed a 10 mm polyp in the cecum. Today the colon was normal.") == []

    def test_imaging_is_history(self) -> None:
        text = "CT showed a 3 cm mass in the head of the pancreas. I am now introducing the echoendoscope."
        assert "lesions" not in read("eus", text)

    def test_what_is_said_before_the_examination_is_no_finding(self) -> None:
        text = (
            "This man is here for removal of a 20 mm polyp in the cecum. The scope was inserted. The colon was normal."
        )
        assert polyps(text) == []

    def test_plans_are_not_done(self) -> None:
        text = (
            "The colonoscope was advanced to the cecum. I recommend removal of a 10 mm polyp at the next colonoscopy."
        )
        assert polyps(text) == []

    def test_another_patient_is_not_this_one(self) -> None:
        assert "hemorrhoids" not in read("col", "The other patient had hemorrhoids.")

    def test_retracted_words_are_gone(self) -> None:
        assert "hemorrhoids" not in read("col", "There were large hemorrhoids, scratch that. The cecum was normal.")


class TestCorrection:
    @pytest.mark.parametrize("word", ["sorry", "correction", "I mean", "make that"])
    def test_later_number_wins(self, word: str) -> None:
        assert polyps(f"There is a 5 mm, {word}, a 7 mm polyp in the cecum.")[0]["size_mm"] == 7

    def test_later_place_wins(self) -> None:
        assert polyps("There is a 5 mm polyp in the cecum, I mean the ascending colon.")[0]["segment"] == "ascending"

    def test_later_method_wins(self) -> None:
        text = "A 5 mm polyp in the cecum was removed with a hot snare, no wait, a cold snare."
        assert polyps(text)[0]["method"] == "cold_snare"

    def test_score(self) -> None:
        text = "Boston score right colon two, sorry, right colon three, transverse three, left three."
        assert read("col", text)["bbps_right"] == 3


class TestRows:
    def test_groups_count(self) -> None:
        rows = polyps("There were three 4 mm polyps in the sigmoid removed with cold snare.")
        assert rows == [{"segment": "sigmoid", "count": 3, "size_mm": 4, "method": "cold_snare"}]

    @pytest.mark.parametrize("said", ["3 to 5 mm", "three to five millimeters", "3-5mm", "between 3 and 5 millimeters"])
    def test_ranges(self, said: str) -> None:
        row = polyps(f"Two polyps, {said}, in the rectum.")[0]
        assert (row["size_mm"], row["size_max_mm"], row["count"]) == (3, 5, 2)

    def test_a_couple_is_two_and_several_is_no_number(self) -> None:
        assert polyps("A couple of 3 mm polyps in the rectum.")[0]["count"] == 2
        assert "count" not in polyps("Several 3 mm polyps in the rectum.")[0]

    def test_carried_place_and_another(self) -> None:
        text = "In the sigmoid I see a 4 mm polyp. There is another polyp, 6 mm. Both were removed."
        assert [row["segment"] for row in polyps(text)] == ["sigmoid", "sigmoid"]

    def test_run_on(self) -> None:
        text = (
            "in the cecum there is a 3 mm polyp removed with cold snare in the rectum there is a 12 mm polyp "
            "removed by hot snare and i placed two clips"
        )
        assert polyps(text) == [
            {"segment": "cecum", "count": 1, "size_mm": 3, "method": "cold_snare"},
            {"segment": "rectum", "count": 1, "size_mm": 12, "method": "hot_snare", "clips": 2},
        ]

    def test_centimeters(self) -> None:
        assert polyps("A two centimeter polyp in the cecum.")[0]["size_mm"] == 20

    def test_no_other_polyps_takes_nothing_back(self) -> None:
        assert len(polyps("A 3 mm polyp was found in the cecum. No other polyps were seen.")) == 1

    def test_parts_of_a_group(self) -> None:
        text = "There are two lymph nodes close to the pancreas. The first one is 17 mm wide, the second one 9 mm."
        rows = read("eus", text)["lesions"]
        assert [(row["organ"], row["size_mm"]) for row in rows] == [("lymph_node", 17), ("lymph_node", 9)]

    def test_sizes_told_in_a_list_are_rows(self) -> None:
        rows = polyps("There were three polyps in the ascending colon, 3, 4 and 6 mm, removed by cold snare.")
        assert [(row["segment"], row["size_mm"], row["method"]) for row in rows] == [
            ("ascending", 3, "cold_snare"),
            ("ascending", 4, "cold_snare"),
            ("ascending", 6, "cold_snare"),
        ]

    def test_what_is_said_of_both_holds_for_both(self) -> None:
        text = (
            "There were two polyps in the rectum. One was 3 mm and the other was 5 mm, both removed with cold forceps."
        )
        rows = polyps(text)
        assert [(row["size_mm"], row["method"]) for row in rows] == [(3, "cold_forceps"), (5, "cold_forceps")]

    def test_a_group_told_singly_is_counted_once(self) -> None:
        text = (
            "There were two polyps in the sigmoid, a 4 mm polyp removed by cold snare and a 12 mm polyp by hot snare."
        )
        assert read("col", text)["polyp_count"] == 2

    def test_another_one_is_of_the_same_kind(self) -> None:
        text = "There is a 6 mm cyst in the head of the pancreas. There's another one in the tail, 19 by 14 mm."
        first, second = read("eus", text)["lesions"]
        assert (second["kind"], second["site"], second["size_mm"], second["size2_mm"]) == ("cyst", "tail", 19, 14)
        assert first["site"] == "head"

    def test_stents_in_and_out(self) -> None:
        text = (
            "The old plastic biliary stent was removed with a snare. "
            "Two 10 French by 9 centimeter plastic stents were placed in the bile duct."
        )
        found = read("ercp", text)
        assert found["stents_out"] == [{"duct": "bile", "count": 1}]
        assert found["stents_in"] == [
            {"duct": "bile", "material": "plastic", "diameter_fr": 10, "length_cm": 9, "count": 2}
        ]

    def test_metal_stent_sizes(self) -> None:
        row = read("ercp", "A 10 by 60 mm fully covered metal stent was placed in the bile duct.")["stents_in"][0]
        assert (row["material"], row["diameter_mm"], row["length_cm"]) == ("metal", 10, 6)


KNOWN = "In the cecum there is a 5 mm polyp removed with a cold snare. "


class TestGarbledBeginnings:
    """Recognition mangles "in the ... I see a"; what is left must not make two polyps one."""

    @pytest.mark.parametrize("known", ["", KNOWN])
    @pytest.mark.parametrize(
        "said",
        [
            "And the ascending colon ICA flat polyp, 6mm, Paris 2A, it is removed with a cold snare,",
            "and the ascending colon icy a flat polyp 6 mm Paris 2a it is removed with cold snare",
            "End the ascending colon eye sea sessile polyp, 6 mm, Paris IIa, removed with cold snare.",
            "The ascending colon I C a polyp, 6 mm, Paris 2A. It is removed with a cold snare.",
            "In the ascending colon polyp, 6 mm, Paris 2A, taken off with a cold snare.",
            "In the ascending colon I see the flat polyp, 6 mm, Paris 2A, it is removed with a cold snare.",
            "Ascending colon ICA polyp, 6 mm, Paris 2a, cold snare.",
            "and the ascending colon isea the 6 mm lesion, Paris 2A, removed with a cold snare.",
        ],
    )
    def test_a_thing_described_in_a_new_place_is_a_row(self, known: str, said: str) -> None:
        found = read("col", f"{known}{said} And the sigmoid colon there is a polyp, 12 mm, removed with a hot snare.")
        *before, garbled, last = found["polyps"]
        assert [row["size_mm"] for row in before] == ([5] if known else [])
        expected = {"segment": "ascending", "size_mm": 6, "paris": "0-IIa", "method": "cold_snare"}
        assert {**garbled, "count": 1} == {**expected, "count": 1}
        assert (last["segment"], last["size_mm"], last["method"]) == ("sigmoid", 12, "hot_snare")
        assert found["polyp_count"] == len(found["polyps"])

    @pytest.mark.parametrize("opening", ["and the", ", and the", "In the", "and in the"])
    def test_and_the_place_is_in_the_place(self, opening: str) -> None:
        text = f"In the cecum I see a 3 mm polyp at the base of the fold {opening} sigmoid colon there is a 9 mm polyp."
        assert [row["segment"] for row in polyps(text)] == ["cecum", "sigmoid"]

    def test_the_same_thing_again_is_no_row(self) -> None:
        text = (
            "In the sigmoid colon there is a 12 mm polyp. The polyp was lifted. The sigmoid polyp was removed with a "
            "15 mm hot snare, and the 12 mm polyp was retrieved. Polyp was retrieved."
        )
        found = read("col", text)
        assert [(row["segment"], row["size_mm"], row["method"]) for row in found["polyps"]] == [
            ("sigmoid", 12, "hot_snare")
        ]
        assert found["polyp_count"] == 1

    def test_what_is_said_of_the_thing_in_its_place_is_said_of_its_row(self) -> None:
        text = (
            "There is a 5 mm polyp in the cecum. There is a 9 mm polyp in the rectum. "
            "The polyp in the cecum was removed with cold forceps."
        )
        assert [row.get("method") for row in polyps(text)] == ["cold_forceps", None]


class TestCount:
    def test_back_references_are_counted_once(self) -> None:
        text = f"{KNOWN}The polyp was retrieved. There were no other polyps. Polyp was removed completely."
        assert read("col", text)["polyp_count"] == 1

    @pytest.mark.parametrize(
        "said",
        [
            "In the signed colon ICA polyp, 8 mm.",  # neither place nor beginning survived
            "The transfer scolen icy polyp was removed.",
            "In the rectum the polyp was seen.",
            "There is a possible polyp in the rectum.",
            "Also the polyp measures 11 mm.",
            "And the sick mode polyp.",
            "Several polyps were left.",
            "ICA polyp.",
        ],
    )
    @pytest.mark.parametrize("normal", ["", " The rest of the colon was normal."])
    def test_no_count_while_a_thing_has_no_row(self, said: str, normal: str) -> None:
        assert "polyp_count" not in read("col", KNOWN + said + normal)

    @pytest.mark.parametrize("said", ["In the rectum ICA the polyp.", "The sick mode polyp was seen."])
    def test_a_normal_rest_is_no_zero_when_a_thing_was_named(self, said: str) -> None:
        assert "polyp_count" not in read("col", f"{said} The rest of the colon was normal.")

    def test_a_thing_without_a_row_gives_its_values_to_no_other(self) -> None:
        row = polyps("There is a 5 mm polyp in the cecum. Also the polyp, 11 mm, removed with a hot snare.")[0]
        assert (row["size_mm"], row.get("method")) == (5, None)


class TestClasses:
    @pytest.mark.parametrize(
        ("said", "paris"),
        [
            ("Paris 1s", "0-Is"),
            ("Paris zero dash one s", "0-Is"),
            ("parish 0-Is", "0-Is"),
            ("Paris class 1P", "0-Ip"),
            ("Paris 0-2a", "0-IIa"),
            ("Paris two A", "0-IIa"),
            ("Paris 2a plus 1s", "0-IIa+Is"),
            ("Paris 0-IIa+IIc", "0-IIa+IIc"),
        ],
    )
    def test_paris(self, said: str, paris: str) -> None:
        assert polyps(f"There is a 5 mm polyp, {said}, in the cecum.")[0]["paris"] == paris

    def test_optical_classes_need_their_name(self) -> None:
        row = polyps("There is a 5 mm polyp, NICE two, JNET two A, in the cecum.")[0]
        assert (row["nice"], row["jnet"]) == ("2", "2A")
        assert "nice" not in polyps("There is a 2 mm polyp in the cecum.")[0]

    def test_hill_and_los_angeles(self) -> None:
        found = read("egd", "Los Angeles grade B esophagitis. The Hill grade is three.")
        assert (found["la_grade"], found["hill_grade"]) == ("B", "III")


class TestNormal:
    def test_organs_named_together(self) -> None:
        found = read("eus", "The esophagus, the stomach and the duodenum appear normal.")
        assert [found[f"{organ}_normal"] for organ in ("esophagus", "stomach", "duodenum")] == [True, True, True]

    def test_they(self) -> None:
        found = read("eus", "We passed the esophagus, stomach and duodenum. They all look normal.")
        assert found["stomach_normal"] is True

    def test_not_quite(self) -> None:
        assert read("egd", "The gastric mucosa is mostly normal.")["stomach_normal"] is False
        assert "stomach_normal" not in read("egd", "The stomach is otherwise normal.")

    def test_mucosa_of_the_organ_just_entered(self) -> None:
        found = read("eus", "Now entering the stomach. The mucosa appears normal.")
        assert found == {"stomach_normal": True}


class TestNumbers:
    def test_duct_diameters_go_to_the_nearest_part(self) -> None:
        found = read("eus", "The main pancreatic duct is 2 mm in the head, 1.5 mm in the body and 1 mm in the tail.")
        assert [found[f"mpd_{part}_mm"] for part in ("head", "body", "tail")] == [2, 1.5, 1]

    def test_bare_scores_keep_their_order(self) -> None:
        found = read("col", "Boston three two one, total six.")
        assert [found[f"bbps_{part}"] for part in ("right", "transverse", "left", "total")] == [3, 2, 1, 6]

    def test_out_of_range_is_no_value(self) -> None:
        assert "size_mm" not in polyps("There is a 570 mm polyp in the cecum.")[0]

    def test_years_become_months(self) -> None:
        assert read("col", "Repeat colonoscopy in three years.")["follow_up_interval_months"] == 36

    def test_extraction_balloon_dilates_nothing(self) -> None:
        assert "balloon_dilation_mm" not in read("ercp", "A 12 mm stone extraction balloon was used.")


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("Today is the 23rd of October, 2024.", "2024-10-23"),
        ("Today is September 3rd 2025 and we are in the endoscopy suite.", "2025-09-03"),
        ("Today is the fourth of April, 2025.", "2025-04-04"),
    ],
)
def test_dates(said: str, day: str) -> None:
    assert read("eus", said)["procedure_date"] == day


@pytest.mark.parametrize(
    "said", ["Today is the 31st of February 2025.", "Today is Monday.", "Her last one was in May 2020."]
)
def test_incomplete_or_impossible_dates_are_none(said: str) -> None:
    assert "procedure_date" not in read("eus", said)


def test_a_normal_colon_has_no_polyps_and_silence_has_no_count() -> None:
    assert read("col", "The rest of the colon was normal.")["polyp_count"] == 0
    assert "polyp_count" not in read("col", "The cecum was reached.")


@pytest.mark.parametrize("procedure", [schema.id for schema in LIBRARY])
def test_nothing_medical_fills_nothing(procedure: str) -> None:
    text = (
        "Good morning everyone, the weather looks fine, about twenty degrees. We took two sandwiches each, and the "
        "left lane was slow, it took 45 minutes in total. The score was three to two. There were three boats, one of "
        "them five meters long, and the old one was removed last week."
    )
    assert read(procedure, text) == {}


def test_a_long_dictation_is_read_before_anybody_notices() -> None:
    words = " ".join(path.read_text(encoding="utf-8") for path in sorted((CORPUS / "col").glob("*.txt"))).split()[:1400]
    transcript, schema = Transcript(" ".join(words)), LIBRARY.get("col")
    assert OfflineExtractor().read(transcript, schema).claims == OfflineExtractor().read(transcript, schema).claims


SPOKEN_WORDS = (
    "a the no two 5 mm 10 polyp polyps in cecum sigmoid and removed with cold snare . , sorry I mean "
    "there is another stent placed biliary cyst head pancreas normal stomach not seen biopsies of "
    "duodenum first one Paris 1s NICE 2 to by cm dilated duct last colonoscopy scratch that now I'm "
    "repeat years "
)
SPOKEN = st.lists(
    st.sampled_from(sorted(set(SPOKEN_WORDS.split()))),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(LIBRARY)), SPOKEN)
def test_every_quote_stands_where_the_claim_says(schema: ProcedureSchema, words: list[str]) -> None:
    text = " ".join(words)
    for claim in OfflineExtractor().read(Transcript(text), schema).claims:
        assert claim.quote
        assert claim.start is not None
        assert text[claim.start : claim.start + len(claim.quote)] == claim.quote
        assert claim.target in schema.target_index
