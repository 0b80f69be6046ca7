"""The command line as a person or a script meets it."""

import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from endoscribe.cli.main import main
from tests.support.paths import ROOT

SAMPLE = ROOT / "endoscribe" / "samples" / "col-two-polyps.flac"
DICTATION = (
    "This is a 62 year old woman for a screening colonoscopy. Boston bowel prep score left colon 3, transverse "
    "colon 3, right colon 2, total 8. The cecum was reached. In the sigmoid colon there was a 6 mm sessile polyp, "
    "removed with a cold snare. There were no complications."
)


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_procedures_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", "list", "--json"]) == 0
    assert [each["id"] for each in lines_of(capsys)[0]] == ["col", "eus", "ercp", "egd"]


def test_a_procedure_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", "show", "col"]) == 0
    assert "polyps.size_mm" in capsys.readouterr().out


def test_shipped_schemas_are_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", "check", str(ROOT / "procedure_schemas")]) == 0
    assert "in order" in capsys.readouterr().out


def test_a_check_of_schemas_counts_what_their_rules_rest_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", "check", str(ROOT / "procedure_schemas"), "--json"]) == 0
    (answer,) = lines_of(capsys)
    assert [Path(each["file"]).stem for each in answer["rules"]] == ["col", "egd", "ercp", "eus"]
    assert all(min(each["verified"], each["unverified"], each["ours"]) > 0 for each in answer["rules"])


def test_a_broken_schema_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text("title: Bad\nfields:\n  age: {label: Age, typ: number}\n")
    assert main(["schemas", "check", str(tmp_path)]) == 1
    assert "bad.yaml, line 3" in capsys.readouterr().err


def test_a_transcript_becomes_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.txt").write_text(DICTATION)
    (tmp_path / "two.txt").write_text("Good morning. The weather is fine.")
    files = [str(tmp_path / "one.txt"), str(tmp_path / "two.txt")]
    assert main(["extract", *files, "--procedure", "col", "--extractor", "offline", "--json"]) == 0
    first, second = lines_of(capsys)
    assert set(first) == {
        "file",
        "procedure",
        "schema_version",
        "extractor",
        "fields",
        "tables",
        "unfiled",
        "derived",
        "checks",
        "gaps",
    }
    assert first["fields"]["bbps_total"]["value"] == 8
    assert first["tables"]["polyps"][0]["size_mm"]["evidence"]["start_s"] is None
    assert second["fields"] == {}
    assert not any(second["tables"].values())
    assert "bbps_total" in second["gaps"] or "bbps_right" in second["gaps"]


def test_a_record_is_readable_without_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.txt").write_text(DICTATION)
    assert main(["extract", str(tmp_path / "one.txt"), "--procedure", "col", "--extractor", "offline"]) == 0
    assert "DRAFT" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["extract", "{txt}", "--procedure", "cool"], "Did you mean col?"),
        (["extract", "missing.txt", "--procedure", "col"], "There is no file"),
        (["transcribe", "missing.wav"], "missing.wav"),
        (["transcribe", "{txt}"], "not a recording"),
        (["transcribe", "{empty}"], "empty"),
        (["transcribe", "{silent}"], "silent"),
        (["run", "{silent}", "--procedure", "col"], "silent"),
        (["stream", "{silent}", "--speed", "0"], "silent"),
        (["run", "{txt}", "--procedure", "nothing"], "There is no procedure"),
        (["schemas", "show", "kol"], "Did you mean col?"),
        (["schemas", "check", "missing.yaml"], "There is no file"),
        (["models", "fetch", "enormous"], "enormous"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_1(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.txt").write_text(DICTATION)
    (tmp_path / "empty.wav").write_bytes(b"")
    with wave.open(str(tmp_path / "silent.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.zeros(16_000 * 3, np.int16).tobytes())
    paths = {
        name: str(tmp_path / file)
        for name, file in (("txt", "one.txt"), ("empty", "empty.wav"), ("silent", "silent.wav"))
    }
    assert main([argument.format(**paths) for argument in arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("endoscribe: ")
    assert sentence in printed.err
    assert "Traceback" not in printed.err


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    command = f"{sys.executable} -m endoscribe schemas show col --json | head -c 10"
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=SAMPLE.parents[2], check=True)
    assert len(ended.stdout) == 10
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["transcribe"],
        ["stream", "a.wav", "--speed", "-1"],
        ["extract", "a.txt"],
        ["schemas"],
        ["nonsense"],
        ["serve", "--replicas", "two"],
        ["extract", "a.txt", "--procedure", "col", "--extractor", "gpt"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["-h"], ["--help"], ["-v", "extract", "-h"], ["audit", "verify", "--help"], ["users", "-h"]]
)
def test_help_is_given_whatever_the_settings_are(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDOSCRIBE_NONSENSE", "1")
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "--help" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("arguments", [["schemas", "list"], ["schemas", "format"], ["users", "list", "nobody"]])
def test_a_slip_in_a_setting_is_told_by_every_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDOSCRIBE_NONSENSE", "1")
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith("endoscribe: There is no setting ENDOSCRIBE_NONSENSE.")


def test_help_loads_nothing_that_takes_long() -> None:
    script = (
        "import sys; from endoscribe.cli.main import main; main(['--help'])\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "typer" in ended.stderr.splitlines()
    assert {"rich", "pydantic", "yaml", "numpy", "torch"}.isdisjoint(ended.stderr.splitlines())


def test_a_traceback_shows_no_values(tmp_path: Path) -> None:
    """Where a mistake of ours ends a command, Python says where, not what somebody had said."""
    (tmp_path / "one.txt").write_text("canarywoman")
    script = (
        "import sys\nfrom endoscribe.cli.main import main\n"
        "from endoscribe.extraction.offline.reader import OfflineExtractor\n"
        "def broken(self, transcript, schema, on_claims=None):\n    said = transcript.text\n    return said.nonsense\n"
        "OfflineExtractor.read = broken\n"
        "main(['extract', sys.argv[1], '--procedure', 'col', '--extractor', 'offline'])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "one.txt")]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 1
    assert "AttributeError" in ended.stderr
    assert "canarywoman" not in ended.stdout + ended.stderr


def test_claude_without_a_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    (tmp_path / "one.txt").write_text(DICTATION)
    assert main(["extract", str(tmp_path / "one.txt"), "--procedure", "col", "--extractor", "claude"]) == 1
    assert "ANTHROPIC_API_KEY" in capsys.readouterr().err


@pytest.mark.slow
def test_a_recording_becomes_text_with_times(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["transcribe", str(SAMPLE), "--procedure", "col", "--model", "tiny.en", "--json"]) == 0
    output, told = capsys.readouterr()
    assert "\rHeard 100%\n" in told
    answer = json.loads(output)
    assert set(answer) == {"file", "text", "duration", "language", "segments", "timing"}
    assert set(answer["timing"]) == {"load_s", "decode_s", "align_s", "cpu_s"}
    assert "screening colonoscopy" in answer["text"].lower()
    words = [word for segment in answer["segments"] for word in segment["words"]]
    assert " ".join(word["text"] for word in words) == answer["text"]
    assert all(0 <= word["start"] <= word["end"] <= answer["duration"] for word in words)


@pytest.mark.slow
def test_a_recording_becomes_a_record_whose_cells_can_be_heard(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(SAMPLE), "--procedure", "col", "--model", "tiny.en", "--extractor", "offline", "--json"]
    assert main(arguments) == 0
    (record,) = lines_of(capsys)
    total = record["fields"]["bbps_total"]
    assert total["value"] == 8
    assert total["evidence"]["start_s"] < total["evidence"]["end_s"] < 53


@pytest.mark.slow
def test_recordings_played_at_once_are_heard_apart(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(SAMPLE), str(SAMPLE.with_name("eus-pancreatic-mass.flac"))]
    assert main(["stream", *files, "--model", "tiny.en", "--speed", "0", "--json"]) == 0
    *events, last = lines_of(capsys)
    assert {event["speaker"] for event in events} == {"col-two-polyps", "eus-pancreatic-mass"}
    assert set(events[0]) == {"speaker", "audio_s", "wall_s", "committed", "tentative"}
    first, second = last["summary"]
    assert "colonoscopy" in first["text"].lower()
    assert "pancrea" in second["text"].lower()
    for summary in (first, second):
        assert summary["rewrites"] == 0
        assert summary["rtf"] > 0
        assert summary["commit_p50_s"] is summary["first_word_s"] is summary["stop_to_final_s"] is None


def test_the_scores_of_each_field_are_shown_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.txt").write_text(DICTATION)
    labels = {"procedure": "col", "fields": {"bbps_right": 2}, "columns": {}, "tables": {}, "held_out": False}
    (tmp_path / "one.json").write_text(json.dumps(labels))
    command = ["evaluate", str(tmp_path), "--extractor", "offline", "--json"]
    assert main([*command, "--by-field"]) == 0
    assert lines_of(capsys)[0]["by_field"]["col.bbps_right"]["f1"] == 1
    assert main(command) == 0
    assert "by_field" not in lines_of(capsys)[0]
