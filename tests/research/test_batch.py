"""Many dictations at once: what is found, what a failure does, and the table over all."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import openpyxl
import pytest

from endoscribe.audio import SUFFIXES, decode_recording
from endoscribe.cli.main import main
from endoscribe.errors import AudioError, BatchError
from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Record
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.research import batch
from endoscribe.research.batch import (
    BatchItem,
    BatchOutcome,
    Heard,
    completeness,
    dictations,
    process,
    table,
    table_csv,
    table_xlsx,
)
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

COL = SchemaLibrary(SHIPPED_SCHEMA_DIR).get("col")
CUT_OFF = "The recording is cut off or damaged: 5 of its 9 s are there."
TEXT = "Colonoscopy. The cecum was reached. There is a 6 millimeter polyp in the sigmoid colon, removed by cold snare."


def read(transcript: Transcript, schema: ProcedureSchema) -> Record:
    return read_transcript(OfflineExtractor(), transcript, schema)


def hear(path: Path, schema: ProcedureSchema) -> Heard:
    if path.name.startswith("broken"):
        raise AudioError("This is not a recording that can be read.")
    return Heard(Transcript(TEXT), CUT_OFF if path.name.startswith("cut") else None)


def run(*paths: Path) -> list[BatchOutcome]:
    with dictations(paths) as found:
        return list(process(found, COL, hear, read))


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_files_folders_and_zips_are_searched_and_a_failure_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a.txt", "b.wav", "broken.wav", "notes.pdf", ".hidden.txt"):
        (folder / name).write_text(TEXT)
    archive = zipped(tmp_path / "more.zip", **{"deep/c.txt": TEXT, "../../escape.txt": TEXT, "x.exe": "no"})
    outcomes = run(folder, archive)
    assert [outcome.name for outcome in outcomes] == ["a.txt", "b.wav", "broken.wav", "deep/c.txt", "../../escape.txt"]
    assert [outcome.problem for outcome in outcomes if outcome.problem] == ["This is not a recording that can be read."]
    assert not (tmp_path.parent / "escape.txt").exists()
    frame = table(outcomes, COL)
    assert list(frame["extent_reached"].dropna()) == ["cecum"] * 4
    assert list(frame["polyps.size_mm"].dropna()) == ["6"] * 4
    (extent,) = [line for line in completeness(outcomes, COL) if line.target == "extent_reached"]
    assert (extent.stated, extent.of) == (4, 4)


def test_what_cannot_be_taken_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.zip").write_text("no archive")
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(batch, "MOST_UNPACKED_BYTES", 10)
    for name in ("bad.zip", "empty", "none.txt"):
        with pytest.raises(BatchError):
            run(tmp_path / name)
    with pytest.raises(BatchError, match="unpack to more"):
        run(zipped(tmp_path / "large.zip", **{"a.txt": TEXT}))


def test_all_archives_share_one_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST_UNPACKED_BYTES", 2 * len(TEXT))
    archives = [zipped(tmp_path / f"{number}.zip", **{"a.txt": TEXT}) for number in range(3)]
    assert len(run(*archives[:2])) == 2
    with pytest.raises(BatchError, match="unpack to more"):
        run(*archives)


def test_a_text_too_large_for_a_dictation_is_one_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST_TEXT_BYTES", 2 * len(TEXT))
    (tmp_path / "long.txt").write_text(TEXT * 3)
    (tmp_path / "short.txt").write_text(TEXT)
    long, short = run(tmp_path)
    assert "cannot be one dictation" in (long.problem or "")
    assert short.record


def test_what_a_cut_off_recording_gave_is_in_the_table_with_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "cut.wav").write_bytes(b"")
    (outcome,) = run(tmp_path)
    (row,) = table([outcome], COL).to_dict("records")
    assert (row["extent_reached"], row["problem"]) == ("cecum", CUT_OFF)


def test_no_text_of_the_table_is_a_formula() -> None:
    frame = table([BatchOutcome("=HYPERLINK(1)", problem="+1")], COL)
    assert table_csv(frame).splitlines()[1].startswith("'=HYPERLINK(1),'+1")
    book = openpyxl.load_workbook(BytesIO(table_xlsx(frame)))
    assert {cell.data_type for row in book["Dictations"] for cell in row} <= {"s", "n", "inlineStr"}


def test_a_file_that_is_no_text_is_one_outcome(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    (outcome,) = process([BatchItem("a.txt", tmp_path / "a.txt")], COL, hear, read)
    assert outcome.problem == "This file cannot be read as UTF-8 text."


def test_the_command_line_does_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = zipped(tmp_path / "all.zip", **{"a.txt": TEXT, "b.txt": " "})
    target = tmp_path / "out.csv"
    options = ["--procedure", "col", "--extractor", "offline", "--table", str(target), "--json"]
    assert main(["batch", str(archive), *options]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["fields"]["extent_reached"]["value"] == "cecum"
    assert second == {"file": "b.txt", "problem": "This file holds no text."}
    assert target.read_text().count("\n") == 3
    assert main(["batch", str(tmp_path / "none.zip"), "--procedure", "col"]) == 1


def test_what_is_left_out_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    for name in ("old.wma", "notes.pdf", ".hidden"):
        (tmp_path / name).write_text("no")
    zipped(tmp_path.parent / "more.zip", **{"b.txt": TEXT, "x.doc": "no"})
    left: list[BatchOutcome] = []
    with dictations([tmp_path, tmp_path.parent / "more.zip"], left.append) as found:
        assert [item.name for item in found] == ["a.txt", "b.txt"]
    assert [outcome.name for outcome in left] == ["notes.pdf", "old.wma", "x.doc"]
    assert main(["batch", str(tmp_path), "--procedure", "col", "--extractor", "offline", "--json"]) == 0
    told = capsys.readouterr()
    assert "notes.pdf: This is neither a recording" in told.err
    assert len(told.out.splitlines()) == 1


@pytest.mark.parametrize("suffix", [".amr", ".3gp", ".mov", ".mkv", ".aiff", ".caf", ".qta", ".wav"])
def test_what_can_be_heard_is_found(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix.upper()}").write_bytes(b"sound")
    with dictations([tmp_path]) as found:
        assert len(found) == 1


def test_each_kind_that_is_found_can_be_read(tmp_path: Path) -> None:
    """By what FFmpeg makes of such a name; containers that it cannot write here are left to their reader's name."""
    for suffix in sorted(SUFFIXES - {".amr", ".3gp", ".qta", ".aifc"}):
        path = tmp_path / f"a{suffix}"
        form = {".webm": "webm", ".oga": "ogg"}.get(suffix)
        with av.open(str(path), "w", format=form) as container:
            codec = {".mp3": "libmp3lame", ".flac": "flac", ".aac": "aac", ".webm": "libopus", ".ogg": "libopus"}.get(
                suffix,
                "libopus" if suffix in (".oga", ".opus") else "aac" if suffix in (".mp4", ".m4a") else "pcm_s16le",
            )
            if suffix in (".aif", ".aiff"):
                codec = "pcm_s16be"
            stream = container.add_stream(codec, rate=48_000)
            assert isinstance(stream, av.AudioStream)
            stream.layout = "mono"
            tone = (8000 * np.sin(np.arange(48_000) / 20)).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate = 48_000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        assert len(decode_recording(path).samples), suffix
