"""The shipped dictations are whole, short and of every procedure."""

import pytest

from endoscribe.audio import SAMPLE_RATE, load_audio
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.samples import Sample, shipped_samples
from endoscribe.settings import SHIPPED_SCHEMA_DIR

SAMPLES = shipped_samples()


def test_there_is_a_sample_of_every_procedure() -> None:
    assert {sample.procedure for sample in SAMPLES} == {schema.id for schema in SchemaLibrary(SHIPPED_SCHEMA_DIR)}


def test_no_two_samples_share_an_id_or_a_recording() -> None:
    assert len({sample.id for sample in SAMPLES}) == len({sample.file for sample in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_a_sample_is_short_and_its_text_fits_its_length(sample: Sample) -> None:
    assert sample.path.stat().st_size < 600_000
    duration_s = len(load_audio(sample.path)) / SAMPLE_RATE
    assert 30 <= duration_s <= 75
    words_a_minute = len(sample.text.split()) / duration_s * 60
    assert 110 < words_a_minute < 190
    assert "synthetic" in sample.credit
